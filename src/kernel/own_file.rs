//! Files that are nobody else's: mode 0600 in a directory of mode 0700, replaced as a whole.
//!
//! What is read must be a file of ours that no group and nobody else may open, and no link.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says no.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may open it.
    #[error(
        "{} may be opened by others (mode {mode:o}); hint: chmod {} {}", path.display(),
        if *directory { "0700" } else { "0600" }, path.display()
    )]
    Open {
        /// Where.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Whether it is a directory.
        directory: bool,
    },
    /// It is another user's.
    #[error("{} belongs to user {owner}, not to the user that runs this", path.display())]
    Owner {
        /// Where.
        path: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// It is no file.
    #[error("{} is no regular file", path.display())]
    Kind {
        /// Where.
        path: PathBuf,
    },
    /// More than it can be.
    #[error("{} is larger than {most} bytes", path.display())]
    Large {
        /// Where.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// Not what we write. It says where and not what stands there: it may be a secret.
    #[error("{} does not hold what it should: {kind} error at line {line}, column {column}", path.display())]
    Content {
        /// Where.
        path: PathBuf,
        /// What of JSON is wrong: its syntax, or the data in it.
        kind: &'static str,
        /// From 1.
        line: usize,
        /// From 1; 0 where the line ends.
        column: usize,
    },
}

impl FileError {
    /// For `map_err` after a call of the system.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// For `map_err` after JSON was read or written.
    pub(crate) fn content(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        use serde_json::error::Category;
        let path = path.to_owned();
        move |error| Self::Content {
            path,
            kind: match error.classify() {
                Category::Data => "data",
                _ => "syntax",
            },
            line: error.line(),
            column: error.column(),
        }
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        let kind = match &error {
            FileError::Io { source, .. } => source.kind(),
            FileError::Open { .. } | FileError::Owner { .. } => io::ErrorKind::PermissionDenied,
            FileError::Kind { .. } | FileError::Content { .. } => io::ErrorKind::InvalidData,
            FileError::Large { .. } => io::ErrorKind::FileTooLarge,
        };
        match &error {
            FileError::Io { source, .. } => Self::new(kind, format!("{error}: {source}")),
            _ => Self::new(kind, error),
        }
    }
}

/// Makes a directory, with all above it, that only we may use.
pub(crate) fn make_directory(path: &Path) -> Result<(), FileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FileError::io("make the directory", path))?;
    check_directory(path)
}

/// Checks that a directory is there and only we may use it.
pub(crate) fn check_directory(path: &Path) -> Result<(), FileError> {
    let metadata = fs::symlink_metadata(path).map_err(FileError::io("look at", path))?;
    if !metadata.is_dir() {
        return Err(FileError::Kind { path: path.to_owned() });
    }
    own(path, &metadata, true)
}

/// The directory that a file is in: of a name alone, the current one.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Puts a file in its place, as a whole or not at all, on disk before this returns.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put(path, bytes, |new| fs::rename(new, path))
}

/// The same where there is none yet: of several that are put there at once the first stays.
pub(crate) fn put_first(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put(path, bytes, |new| match fs::hard_link(new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    })
}

fn put(path: &Path, bytes: &[u8], place: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), FileError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let directory = directory_of(path);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.new", std::process::id()));
    let new = directory.join(name);
    fs::remove_file(&new).ok(); // of one that had our numbers before
    let placed = create(&new).and_then(|mut file| {
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(FileError::io("write", &new))?;
        place(&new).map_err(FileError::io("put in its place", path))
    });
    fs::remove_file(&new).ok(); // it is not there any more, or stays; the error says more
    placed?;
    sync_directory(directory)
}

/// A new file, which must not be there yet.
pub(crate) fn create(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(FileError::io("create", path))
}

/// Waits until no other process holds the lock of this file, which is made if it is not there, and holds it until the file is dropped.
pub(crate) fn lock(path: &Path) -> Result<File, FileError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(FileError::io("open", path))?;
    file.lock().map_err(FileError::io("lock", path))?;
    Ok(file)
}

/// Makes names in a directory survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(FileError::io("write to disk", path))
}

/// A private file's content, at most so much.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    let mut limited = (&mut file).take(most + 1);
    limited.read_to_end(&mut bytes).map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > most {
        return Err(FileError::Large {
            path: path.to_owned(),
            most,
        });
    }
    Ok(bytes)
}

/// A private file, opened and found to be one.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK) // no link, and no wait for a pipe
        .open(path)
        .map_err(FileError::io("open", path))?;
    let metadata = file.metadata().map_err(FileError::io("look at", path))?;
    if !metadata.is_file() {
        return Err(FileError::Kind { path: path.to_owned() });
    }
    own(path, &metadata, false)?;
    Ok(file)
}

fn own(path: &Path, metadata: &fs::Metadata, directory: bool) -> Result<(), FileError> {
    if metadata.uid() != rustix::process::geteuid().as_raw() && metadata.uid() != 0 {
        return Err(FileError::Owner {
            path: path.to_owned(),
            owner: metadata.uid(),
        });
    }
    match metadata.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(FileError::Open {
            path: path.to_owned(),
            mode: metadata.mode() & 0o7777,
            directory,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::kernel::scratch::Scratch;

    #[test]
    fn a_file_is_ours_alone_or_refused() {
        let scratch = Scratch::new();
        let directory = scratch.path().join("a/b");
        make_directory(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        let path = directory.join("x");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        assert!(matches!(read(&path, 2), Err(FileError::Large { .. })));
        let link = directory.join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link, 9), Err(FileError::Io { .. })));
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path, 9).unwrap_err().to_string();
            assert!(error.contains("chmod 0600"), "{error}");
        }
        assert!(read(&directory.join("none"), 9).unwrap_err().is_missing());
        assert!(matches!(read(&directory, 9), Err(FileError::Kind { .. })));
    }
}
