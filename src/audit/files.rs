//! The files of an audit: their names, which of them a process writes now, and where a chain stops.
//!
//! A chain is a series of files, `audit-CHAIN-NUMBER.jsonl`. The process that writes to the last of them holds a
//! lock on it (flock(2)). Whoever starts later goes on with a chain that nobody holds: so there are about as many
//! files as processes at a time, and what happened before a restart stays tied to what happened after it.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;

use super::chain::{self, Hash, LINE};
use super::key::KEY;
use crate::kernel::own_file;

/// The name of the file with the key.
const KEY_FILE: &str = "key";
/// Bytes that are looked at for the last whole line: more than one that is torn behind one that is whole.
const TAIL: u64 = 4 * LINE as u64;

/// What a file of the audit is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Which chain.
    pub chain: u64,
    /// Which file of it, from 1.
    pub number: u32,
}

/// A file of the audit.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written to.
    pub modified: SystemTime,
}

/// Where a file stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stop {
    /// The position of its last whole line.
    pub(super) n: u64,
    /// The hash of it.
    pub(super) head: Hash,
    /// Bytes of a line after it that is not whole: none where only the line end is lacking.
    pub(super) torn: Option<u64>,
}

impl Name {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (chain, number) = text.strip_prefix("audit-")?.strip_suffix(".jsonl")?.split_once('-')?;
        let name = Self {
            chain: u64::from_str_radix(chain, 16).ok()?,
            number: number.parse().ok()?,
        };
        (name.to_string() == text).then_some(name)
    }

    pub(super) fn next(self) -> Self {
        Self {
            number: self.number.saturating_add(1),
            ..self
        }
    }

    pub(super) fn before(self) -> Option<Self> {
        let number = self.number.checked_sub(1).filter(|number| *number > 0)?;
        Some(Self { number, ..self })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit-{:016x}-{:06}.jsonl", self.chain, self.number)
    }
}

/// All files, by chain and number.
pub fn list(directory: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(Name::parse) else {
            continue;
        };
        // Another process may have retired it just now.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            found.push(Found {
                name,
                path: entry.path(),
                bytes: metadata.len(),
                modified: metadata.modified()?,
            });
        }
    }
    found.sort_by_key(|found| found.name);
    Ok(found)
}

/// Makes a new file and locks it.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = options();
    let file = options.create_new(true).mode(0o600).open(path)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    is(&file, path)
        .then_some(file)
        .ok_or(io::ErrorKind::ResourceBusy.into())
}

/// Locks a file that nobody holds.
pub(super) fn lock(path: &Path) -> Option<File> {
    let file = options().open(path).ok()?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    is(&file, path).then_some(file) // it may have been retired before we had it
}

/// Whether some process holds the file.
#[cfg(test)]
pub(super) fn is_live(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// Whether `path` still is the file that `file` is.
pub(super) fn is(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Where a file stops; `None` if it has too much behind its last whole line to be one that was torn.
pub(super) fn stop(file: &File) -> io::Result<Option<Stop>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(length - from).unwrap_or_default()];
    file.read_exact_at(&mut tail, from)?;
    // The first piece of a longer file may be half a line: then it does not open.
    let after = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if let Ok((line, head)) = chain::open(tail.get(after..).unwrap_or_default()) {
        let (n, torn) = (line.n, Some(0));
        return Ok(Some(Stop { n, head, torn }));
    }
    let mut end = tail.len();
    while let Some(line_end) = tail
        .get(..end)
        .and_then(|left| left.iter().rposition(|byte| *byte == b'\n'))
    {
        let start = tail
            .get(..line_end)
            .and_then(|left| left.iter().rposition(|byte| *byte == b'\n'));
        let line = tail.get(start.map_or(0, |at| at + 1)..line_end).unwrap_or_default();
        if let Ok((line, head)) = chain::open(line) {
            let torn = tail.len() - line_end - 1;
            return Ok(Some(Stop {
                n: line.n,
                head,
                torn: u64::try_from(torn).ok().filter(|torn| *torn > 0),
            }));
        }
        end = line_end;
    }
    Ok((from == 0).then_some(Stop {
        torn: Some(length).filter(|torn| *torn > 0),
        ..Stop::default()
    }))
}

/// The key of this installation, which the first to ask makes.
pub(super) fn key(directory: &Path) -> io::Result<[u8; KEY]> {
    let path = directory.join(KEY_FILE);
    for _ in 0..2 {
        match own_file::read(&path, KEY as u64) {
            Ok(bytes) => return <[u8; KEY]>::try_from(bytes).map_err(|_| io::ErrorKind::InvalidData.into()),
            Err(error) if error.is_missing() => make_key(&path)?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Puts a key in place, or leaves the one that somebody else has put there.
fn make_key(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(own_file::put_first(path, &key)?)
}

fn options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).custom_flags(nofollow());
    options
}

fn nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default() // a flag of the kernel's int
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::scratch::Scratch;

    #[test]
    fn those_who_make_the_key_at_once_have_the_same() {
        for _ in 0..50 {
            let directory = Scratch::new();
            let keys: Vec<_> = std::thread::scope(|scope| {
                let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| key(directory.path()))).collect();
                asked.into_iter().map(|asked| asked.join().unwrap().unwrap()).collect()
            });
            assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_name_is_read_only_as_it_is_written() {
        let name = Name { chain: 0xab, number: 7 };
        assert_eq!(name.to_string(), "audit-00000000000000ab-000007.jsonl");
        assert_eq!(Name::parse(&name.to_string()), Some(name));
        for other in [
            "audit-ab-7.jsonl",
            "audit-00000000000000AB-000007.jsonl",
            "key",
            "audit-+0000000000000ab-000007.jsonl",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
