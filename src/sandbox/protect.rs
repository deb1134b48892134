//! Paths of the workspace that the host may run later: looked at before and after.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::filesystem::led_to;

/// So many entries of a protected directory are looked at. One that holds more counts as changed.
const MAX_ENTRIES: usize = 20_000;

/// What a path looked like: nothing where it was not there. Changes of an entry set its ctime, for good.
pub(super) type Fingerprint = Vec<(PathBuf, u64, i64, i64, u64)>;

/// How closely it is looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Depth {
    /// The path itself: what is in it is out of the command's reach.
    Itself,
    /// All that is in it too.
    #[default]
    Whole,
}

/// What there was of each path, relative to the workspace. A link is looked at as itself, and so is what it leads to.
pub(super) fn look(workspace: &Path, protect: &[PathBuf], depth: Depth) -> Vec<(PathBuf, Fingerprint)> {
    let look = |path: &PathBuf| (path.clone(), fingerprint(workspace, path, depth).unwrap_or_default());
    protect.iter().map(look).collect()
}

/// Those that look different now.
pub(super) fn changed(workspace: &Path, before: &[(PathBuf, Fingerprint)], depth: Depth) -> Vec<PathBuf> {
    let now = before
        .iter()
        .filter(|(path, was)| fingerprint(workspace, path, depth).is_none_or(|now| now != *was));
    now.map(|(path, _)| path.clone()).collect()
}

/// `None` where there is more than can be looked at.
fn fingerprint(workspace: &Path, path: &Path, depth: Depth) -> Option<Fingerprint> {
    let mut found = Fingerprint::new();
    let mut left = vec![workspace.join(path)];
    // What a link leads to within the workspace is the command's to change.
    left.extend(led_to(workspace, path));
    while let Some(path) = left.pop() {
        let Ok(entry) = fs::symlink_metadata(&path) else {
            continue;
        };
        if depth == Depth::Whole && entry.is_dir() {
            let below = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(below.map(|entry| entry.path()));
        }
        found.push((path, entry.ino(), entry.ctime(), entry.ctime_nsec(), entry.size()));
        if found.len() + left.len() > MAX_ENTRIES {
            return None;
        }
    }
    found.sort();
    Some(found)
}
