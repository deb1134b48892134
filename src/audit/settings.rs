//! How an audit is kept: where, how surely, and for how long.

use std::path::PathBuf;
use std::time::Duration;

/// How an audit is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory of its files: nobody else's, and outside every workspace.
    pub directory: PathBuf,
    /// What a record waits for.
    pub sync: SyncMode,
    /// Bytes after which a chain goes on in another file.
    pub rotate: u64,
    /// Bytes of all files together beyond which the oldest go.
    pub keep_bytes: u64,
    /// The age at which a file goes.
    pub keep_age: Duration,
}

/// What a record waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Until the kernel has it whole: it survives every end of this process, not one of the machine.
    #[default]
    Write,
    /// Until it is on the disk, where an act follows; who waits at the same time shares one fdatasync(2).
    Group,
    /// Until it is on the disk, each.
    Every,
}

impl Settings {
    /// What holds where nobody said anything else.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            sync: SyncMode::default(),
            rotate: 16 << 20,
            keep_bytes: 1 << 30,
            keep_age: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}
