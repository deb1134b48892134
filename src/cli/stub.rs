//! STUB, to be replaced: what the command line needs of parts that are not there yet.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::model::Workspace;
use crate::model::workspace::{Keep, Owner};
use crate::sandbox::Launchers;

/// STUB for `sandbox::workspace`: takes any directory.
pub(crate) fn workspace(directory: &Path) -> io::Result<Workspace> {
    let path = directory.canonicalize()?;
    let found = path.metadata()?;
    Ok(Workspace {
        path,
        device: found.dev(),
        inode: found.ino(),
        owner: Owner {
            uid: found.uid(),
            gid: found.gid(),
        },
        keep: Keep::Always,
    })
}

/// STUB for `Launchers::new(options)`.
pub(crate) fn launchers(_run_as: Option<u32>) -> Launchers {
    Launchers {}
}
