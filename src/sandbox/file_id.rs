//! Which file of the host something was, to tell it from what replaced it.

use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use crate::model::Workspace;

/// Which file of the host it was.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    /// When its content or its attributes changed, where a copy is made of them: seconds and nanoseconds.
    changed: Option<(i64, i64)>,
}

impl FileId {
    /// Of a file that is used as it is.
    pub(crate) fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            changed: None,
        }
    }

    /// That what is open is the file that was `seen`, where any was.
    pub(crate) fn check(seen: Option<Self>, open: impl AsFd) -> io::Result<()> {
        let Some(seen) = seen else { return Ok(()) };
        let found = rustix::fs::fstat(open)?;
        match (found.st_dev, found.st_ino) == (seen.device, seen.inode) {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::ESTALE)),
        }
    }

    pub(crate) fn of_workspace(workspace: &Workspace) -> Self {
        Self {
            device: workspace.device,
            inode: workspace.inode,
            changed: None,
        }
    }

    /// Of a file that is copied.
    pub(crate) fn of_content(found: &Metadata) -> Self {
        Self {
            changed: Some((found.ctime(), found.ctime_nsec())),
            ..Self::of(found)
        }
    }
}
