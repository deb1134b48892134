//! Reads the operator's files: only those that nobody but the server's user and root may write.
//!
//! Ownership is asked of the opened file, so that what was checked is what is read. The directory is checked too:
//! whoever may write it may put another file in a file's place.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::ByteCount;

/// A file of ours is a page of text; parsing one of this size takes less than a quarter of a second.
pub const MAX_FILE: ByteCount = ByteCount::new(1 << 20);

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system says no.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Longer than such a file ever is.
    #[error("{} holds more than {MAX_FILE}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// YAML is UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A directory, a pipe, a device.
    #[error("{} is no file", path.display())]
    NotAFile {
        /// What it is.
        path: PathBuf,
    },
    /// It is another user's, who could write it.
    #[error("{} belongs to user {owner}; hint: it must belong to the user of the server or to root", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others could write it.
    #[error("others than its owner may write {} (mode {mode:o}); hint: chmod go-w", path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// All paths in a directory that nobody else may write.
pub fn directory_entries(directory: &Path) -> Result<impl Iterator<Item = Result<PathBuf, FileError>>, FileError> {
    let failed = |source| read_error(directory, source);
    trusted(
        directory,
        &std::fs::metadata(directory).map_err(failed)?,
        Sticky::IsNotEnough,
    )?;
    let directory = directory.to_owned();
    let entries = std::fs::read_dir(&directory).map_err(failed)?;
    Ok(entries.map(move |entry| Ok(entry.map_err(|source| read_error(&directory, source))?.path())))
}

/// The text of a file that nobody else may write or put another in the place of.
pub fn read_own(path: &Path) -> Result<String, FileError> {
    let (file, metadata) = open(path)?;
    trusted(path, &metadata, Sticky::IsNotEnough)?;
    // The directory that it is really in: a link to it may be anywhere.
    let real = path.canonicalize().map_err(|source| read_error(path, source))?;
    if let Some(directory) = real.parent() {
        let found = std::fs::metadata(directory).map_err(|source| read_error(directory, source))?;
        trusted(directory, &found, Sticky::IsEnough)?;
    }
    text(path, file)
}

/// The text of any file.
pub fn read(path: &Path) -> Result<String, FileError> {
    let (file, _) = open(path)?;
    text(path, file)
}

fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    let failed = |source| read_error(path, source);
    // Opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    Ok((file, metadata))
}

fn text(path: &Path, file: File) -> Result<String, FileError> {
    let limit = MAX_FILE.bytes();
    let mut bytes = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| read_error(path, source))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.to_owned() })
}

/// Whether a directory that everybody may write is good where nobody may rename another's files in it (`/tmp`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sticky {
    IsEnough,
    IsNotEnough,
}

fn trusted(path: &Path, metadata: &Metadata, sticky: Sticky) -> Result<(), FileError> {
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(FileError::Owner {
            path: path.to_owned(),
            owner,
        });
    }
    match metadata.mode() & 0o022 {
        0 => Ok(()),
        _ if sticky == Sticky::IsEnough && metadata.mode() & 0o1000 != 0 => Ok(()),
        _ => Err(FileError::Writable {
            path: path.to_owned(),
            mode: metadata.mode() & 0o7777,
        }),
    }
}

fn read_error(path: &Path, source: io::Error) -> FileError {
    FileError::Read {
        path: path.to_owned(),
        source,
    }
}
