//! Paths of the workspace that the host may run later: looked at before and after.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a path looked like; `None` when it was not there. Changes of it set ctime, for good.
pub(super) type Fingerprint = Option<(u64, i64, i64, u64)>;

/// Looks at each path, relative to the workspace, without following the last link.
pub(super) fn look(workspace: &Path, protect: &[PathBuf]) -> Vec<(PathBuf, Fingerprint)> {
    protect
        .iter()
        .map(|path| (path.clone(), fingerprint(&workspace.join(path))))
        .collect()
}

/// Those that look different now.
pub(super) fn changed(workspace: &Path, before: &[(PathBuf, Fingerprint)]) -> Vec<PathBuf> {
    let now = before
        .iter()
        .filter(|(path, was)| fingerprint(&workspace.join(path)) != *was);
    now.map(|(path, _)| path.clone()).collect()
}

fn fingerprint(path: &Path) -> Fingerprint {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.ino(), found.ctime(), found.ctime_nsec(), found.size()))
}
