//! Reads the operator's files: only those that nobody but the server's user and root may write.
//!
//! Ownership is asked of the opened file, so that what was checked is what is read. The directory is checked too:
//! whoever may write it may put another file in a file's place.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::bounds::{MAX_FILE, MAX_FILES};
use super::error::ProfileError;

/// Every `*.yaml` of a directory, sorted; hidden files are passed over, as editors leave them.
pub(crate) fn profiles_in(directory: &Path) -> Result<Vec<PathBuf>, ProfileError> {
    let failed = |source| read_error(directory, source);
    trusted(directory, &std::fs::metadata(directory).map_err(failed)?)?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        files.push(path);
        if files.len() > MAX_FILES {
            return Err(ProfileError::TooMany {
                path: directory.to_owned(),
                limit: MAX_FILES,
            });
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file that nobody else may write.
pub(crate) fn read_own(path: &Path) -> Result<String, ProfileError> {
    let (file, metadata) = open(path)?;
    trusted(path, &metadata)?;
    text(path, file)
}

/// The text of any file.
pub(crate) fn read(path: &Path) -> Result<String, ProfileError> {
    let (file, _) = open(path)?;
    text(path, file)
}

fn open(path: &Path) -> Result<(File, Metadata), ProfileError> {
    let failed = |source| read_error(path, source);
    // Opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ProfileError::NotAProfile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    Ok((file, metadata))
}

fn text(path: &Path, file: File) -> Result<String, ProfileError> {
    let limit = MAX_FILE.bytes();
    let mut bytes = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| read_error(path, source))?;
    if bytes.len() as u64 > limit {
        return Err(ProfileError::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE,
        });
    }
    String::from_utf8(bytes).map_err(|_| ProfileError::NotText { path: path.to_owned() })
}

fn trusted(path: &Path, metadata: &Metadata) -> Result<(), ProfileError> {
    let owner = metadata.uid();
    let own = own_uid().map_err(|source| read_error(Path::new(STATUS), source))?;
    if owner != 0 && owner != own {
        return Err(ProfileError::Owner {
            path: path.to_owned(),
            owner,
        });
    }
    match metadata.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(ProfileError::Writable {
            path: path.to_owned(),
            mode: metadata.mode() & 0o7777,
        }),
    }
}

/// The effective user. Not the owner of `/proc/self`: that is root for a process that may not be dumped.
fn own_uid() -> io::Result<u32> {
    let status = std::fs::read_to_string(STATUS)?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

const STATUS: &str = "/proc/self/status";

fn read_error(path: &Path, source: io::Error) -> ProfileError {
    ProfileError::Read {
        path: path.to_owned(),
        source,
    }
}
