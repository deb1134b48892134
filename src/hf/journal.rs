//! The journal of writes whose outcome is not known.
//!
//! An entry is on disk before a write is sent and goes when Hack Forums said yes or no. One that stays, because the
//! connection broke or we did, refuses every further write of that operation to that target until the operator has
//! looked. While the write is under way its entry is locked, which other processes see.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::HfError;
use crate::kernel::own_file::{self, FileError};

/// Digits of an entry's name.
const ID_DIGITS: usize = 16;
const MAX_FILE: u64 = 4096;
/// Entries that a list shows; more is not kept up with by anybody.
const MAX_LISTED: usize = 1000;

/// The journal.
#[derive(Clone, Debug)]
pub struct Journal {
    directory: PathBuf,
}

/// A write whose outcome is not known, or that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The entry's name.
    pub id: String,
    /// The tool.
    pub operation: String,
    /// Whom or what it meets.
    pub target: String,
    /// When it was about to be sent.
    pub at: Timestamp,
    /// SHA-256 of the exact bytes.
    pub digest: String,
}

/// A write that is under way. Dropped before [`Pending::sent`] it never was; dropped after that without
/// [`Pending::settled`] its outcome is unknown.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    id: String,
    locked: File,
    sent: bool,
}

impl Journal {
    /// Kept in this directory.
    pub fn new(state: &Path) -> Self {
        Self {
            directory: state.join("journal"),
        }
    }

    /// Notes that a write is about to be sent. On disk when this returns.
    pub fn begin(&self, operation: &'static str, target: &str, body: &[u8]) -> Result<Pending, HfError> {
        own_file::make_directory(&self.directory).map_err(HfError::Journal)?;
        let id = name(operation, target);
        let path = self.path(&id);
        let mut file = match own_file::create(&path) {
            Ok(file) => file,
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(self.blocked(operation, target, id));
            }
            Err(error) => return Err(HfError::Journal(error)),
        };
        let entry = Entry {
            id: id.clone(),
            operation: operation.to_owned(),
            target: target.to_owned(),
            at: Timestamp::now(),
            digest: super::drafts::digest(body),
        };
        let json = serde_json::to_vec(&entry).unwrap_or_default(); // plain strings: cannot fail
        let kept = file
            .try_lock()
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(&json))
            .and_then(|()| file.sync_data())
            .map_err(FileError::io("write", &path))
            .and_then(|()| own_file::sync_directory(&self.directory));
        let pending = Pending {
            path,
            id,
            locked: file,
            sent: false,
        };
        kept.map_err(HfError::Journal)?;
        Ok(pending)
    }

    /// Whether a write could begin.
    pub fn check(&self, operation: &'static str, target: &str) -> Result<(), HfError> {
        let id = name(operation, target);
        match fs::symlink_metadata(self.path(&id)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(self.blocked(operation, target, id)),
        }
    }

    /// All entries, and for each whether its write is under way now.
    pub fn list(&self) -> Result<Vec<(Entry, bool)>, FileError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(FileError::io("list", &self.directory))?,
        };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut found: Vec<(Entry, bool)> = ids
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .take(MAX_LISTED)
            .filter_map(|id| self.read(&id))
            .collect();
        found.sort_by_key(|(entry, _)| entry.at);
        Ok(found)
    }

    /// Forgets an entry: somebody looked. Says whether there was one; one that is under way stays.
    pub fn clear(&self, id: &str) -> Result<bool, FileError> {
        let known = id.len() == ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit());
        match known.then(|| self.read(id)).flatten() {
            Some((_, false)) => {
                let path = self.path(id);
                fs::remove_file(&path).map_err(FileError::io("delete", &path))?;
                own_file::sync_directory(&self.directory)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn blocked(&self, operation: &'static str, target: &str, id: String) -> HfError {
        let target = target.to_owned();
        match self.read(&id) {
            Some((_, true)) => HfError::UnderWay { operation, target },
            found => HfError::Blocked {
                operation,
                target,
                when: found.map_or_else(|| "at an unknown time".to_owned(), |(entry, _)| entry.at.to_string()),
                id,
            },
        }
    }

    fn read(&self, id: &str) -> Option<(Entry, bool)> {
        let path = self.path(id);
        let file = own_file::open(&path).ok()?;
        let under_way = file.try_lock_shared().is_err();
        let entry = own_file::read(&path, MAX_FILE).ok();
        let entry = entry.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // Cut short by a power cut before anything was sent, or damaged: it still blocks.
        let entry = entry.unwrap_or_else(|| Entry {
            id: id.to_owned(),
            operation: "unreadable".to_owned(),
            target: "unknown".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            digest: String::new(),
        });
        Some((entry, under_way))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }
}

impl Pending {
    /// The entry's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// From here on Hack Forums may have it.
    pub fn sent(&mut self) {
        self.sent = true;
    }

    /// Hack Forums said yes or no.
    pub fn settled(mut self) {
        self.sent = false;
    }
}

impl Drop for Pending {
    /// A program that is being started has all our descriptors until it is executed: closing ours would leave the lock.
    fn drop(&mut self) {
        if !self.sent
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "an entry of the journal stays, and blocks its write");
        }
        self.locked.unlock().ok(); // then it ends with the last of them
    }
}

/// One name for each operation and target.
fn name(operation: &str, target: &str) -> String {
    let mut name = super::drafts::digest(format!("{operation}\n{target}"));
    name.truncate(ID_DIGITS);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::scratch::Scratch;

    #[test]
    fn an_unsettled_write_blocks_its_like_until_it_is_cleared() {
        let scratch = Scratch::new();
        let journal = Journal::new(scratch.path());
        let mut pending = journal.begin("hf_posts_reply", "5", b"x").unwrap();
        pending.sent();
        assert!(matches!(
            journal.begin("hf_posts_reply", "5", b"y"),
            Err(HfError::UnderWay { .. })
        ));
        let other = journal.begin("hf_posts_reply", "6", b"x").unwrap();
        other.settled();
        let id = pending.id().to_owned();
        assert!(!journal.clear(&id).unwrap(), "under way");
        let _inherited = pending.locked.try_clone().unwrap();
        drop(pending);
        let Err(HfError::Blocked { id: found, .. }) = journal.begin("hf_posts_reply", "5", b"y") else {
            panic!("not blocked");
        };
        assert_eq!(found, id);
        assert_eq!(journal.list().unwrap().len(), 1);
        for wrong in ["", "../x", "0000000000000000"] {
            assert!(!journal.clear(wrong).unwrap());
        }
        assert!(journal.clear(&id).unwrap());
        drop(journal.begin("hf_posts_reply", "5", b"y").unwrap()); // it was never sent
        assert_eq!(journal.list().unwrap(), []);
    }

    #[test]
    fn two_bodies_that_are_no_text_have_two_digests() {
        let scratch = Scratch::new();
        let journal = Journal::new(scratch.path());
        let _pending =
            [("5", b"\xfe"), ("6", b"\xff")].map(|(to, body)| journal.begin("hf_bytes_bump", to, body).unwrap());
        let [(one, _), (other, _)] = &journal.list().unwrap()[..] else {
            panic!("not two");
        };
        assert_ne!(one.digest, other.digest);
    }

    #[test]
    fn a_damaged_entry_still_blocks() {
        let scratch = Scratch::new();
        let journal = Journal::new(scratch.path());
        let mut pending = journal.begin("hf_bytes_bump", "5", b"x").unwrap();
        pending.sent();
        fs::write(&pending.path, "").unwrap();
        let id = pending.id().to_owned();
        drop(pending);
        assert!(matches!(
            journal.begin("hf_bytes_bump", "5", b"x"),
            Err(HfError::Blocked { .. })
        ));
        assert_eq!(journal.list().unwrap()[0].0.operation, "unreadable");
        assert!(journal.clear(&id).unwrap());
    }
}
