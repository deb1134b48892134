//! The directory that a sandbox works in, as it was when it was checked.

use std::path::{Path, PathBuf};

/// A checked workspace. Made by [`crate::sandbox::workspace`] only, which holds the rules.
///
/// Device and inode are compared again when the sandbox is built, so that a directory which was
/// replaced after the check is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Where it is, without symbolic links.
    pub(crate) path: PathBuf,
    /// The device of its file system.
    pub(crate) device: u64,
    /// Its inode number.
    pub(crate) inode: u64,
    /// Who owns it.
    pub(crate) owner: Owner,
    /// Whether it goes when the server ends.
    pub(crate) keep: Keep,
}

/// The owner of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What becomes of a workspace at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The user's own directory.
    Always,
    /// A private one that Terrarium made because there was no other.
    Scratch,
}

impl Workspace {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a private one that goes when the server ends.
    pub fn is_scratch(&self) -> bool {
        self.keep == Keep::Scratch
    }
}
