//! The file of tokens: owned by us, for us alone, replaced as a whole, changed by one process at a time.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::token::{Token, TokenDigest};
use crate::kernel::own_file::{self, FileError};
use crate::model::{Name, NameError};

/// Tokens that there may be: each check compares with all of them.
const MAX_TOKENS: usize = 1024;
/// A file with all of them takes a fifth of this.
const MAX_FILE: u64 = 1 << 20;
/// The form of the file.
const VERSION: u32 = 1;

/// Where tokens are kept.
#[derive(Clone, Debug)]
pub struct TokensFile {
    pub(super) path: PathBuf,
}

/// One token, as it is kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name: the caller that policies know.
    pub name: Name,
    /// The digest of the token.
    pub digest: TokenDigest,
    /// What it is for.
    pub may: Use,
    /// When it was made.
    pub created: SystemTime,
    /// When it stops to be good, if ever.
    pub expires: Option<SystemTime>,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Calling tools, as far as the policy lets its name.
    Tools,
    /// Reading the metrics of all callers, and nothing else.
    Metrics,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    tokens: Vec<WrittenRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRecord {
    name: String,
    sha256: TokenDigest,
    may: Use,
    created_unix_s: u64,
    expires_unix_s: Option<u64>,
}

/// Tells one file from the next at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    File {
        device: u64,
        inode: u64,
        changed: (i64, i64),
        size: u64,
    },
}

/// Why tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read or written, or somebody else may have written it.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not what we write.
    #[error("{} is no file of tokens", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A name in it is none.
    #[error("{} names a token wrongly", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NameError,
    },
    /// It is of a later program, or far too long.
    #[error("{} is of another version of this program, or too long", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// There is one of this name.
    #[error("there is a token {name:?} already; hint: revoke it first, or choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is none of this name.
    #[error("there is no token {name:?}; hint: terrarium token list")]
    NoSuchToken {
        /// The name.
        name: String,
    },
    /// As many as there may be.
    #[error("there are {MAX_TOKENS} tokens, which is the limit; hint: revoke some")]
    TooMany,
    /// The kernel gives no random bytes.
    #[error("cannot make a token")]
    Random {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
}

impl Record {
    /// Whether it has not expired.
    pub fn is_valid(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|at| now < at)
    }
}

impl TokensFile {
    /// At this place, where there may be nothing yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Every token.
    pub fn list(&self) -> Result<Vec<Record>, TokenFileError> {
        Ok(self.read()?.1)
    }

    /// Makes a token. It is in no other place than the answer.
    pub fn create(&self, name: Name, may: Use, lifetime: Option<Duration>) -> Result<Token, TokenFileError> {
        let token = Token::random().map_err(|source| TokenFileError::Random { source })?;
        let created = SystemTime::now();
        let record = Record {
            digest: token.digest(),
            may,
            created,
            expires: lifetime.map(|lifetime| created + lifetime),
            name,
        };
        self.change(|records| {
            // One that has expired opens nothing any more, and its name is free.
            records.retain(|old| old.name != record.name || old.is_valid(created));
            if records.iter().any(|old| old.name == record.name) {
                return Err(TokenFileError::NameTaken {
                    name: record.name.to_string(),
                });
            }
            if records.len() >= MAX_TOKENS {
                return Err(TokenFileError::TooMany);
            }
            records.push(record);
            Ok(())
        })?;
        Ok(token)
    }

    /// Takes a token back.
    pub fn revoke(&self, name: &Name) -> Result<(), TokenFileError> {
        self.change(|records| {
            let before = records.len();
            records.retain(|record| record.name != *name);
            if records.len() == before {
                return Err(TokenFileError::NoSuchToken { name: name.to_string() });
            }
            Ok(())
        })
    }

    /// What is there, without reading it.
    pub(super) fn look(&self) -> Result<Seen, TokenFileError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(Seen::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Seen::Nothing),
            Err(error) => Err(FileError::io("look at", &self.path)(error).into()),
        }
    }

    pub(super) fn read(&self) -> Result<(Seen, Vec<Record>), TokenFileError> {
        let file = match own_file::open(&self.path) {
            Err(error) if error.is_missing() => return Ok((Seen::Nothing, Vec::new())),
            file => file?,
        };
        own_file::check_directory(self.directory())?;
        let metadata = file.metadata().map_err(FileError::io("look at", &self.path))?;
        let mut text = Vec::new();
        let read = file.take(MAX_FILE + 1).read_to_end(&mut text);
        read.map_err(FileError::io("read", &self.path))?;
        Ok((Seen::of(&metadata), self.parse(&text)?))
    }

    fn parse(&self, text: &[u8]) -> Result<Vec<Record>, TokenFileError> {
        let form = || TokenFileError::Form {
            path: self.path.clone(),
        };
        if text.len() as u64 > MAX_FILE {
            return Err(form());
        }
        let written: Written = serde_json::from_slice(text).map_err(|source| TokenFileError::Content {
            path: self.path.clone(),
            source,
        })?;
        if written.version != VERSION || written.tokens.len() > MAX_TOKENS {
            return Err(form());
        }
        let record = |record: WrittenRecord| {
            Ok(Record {
                name: Name::new(&record.name).map_err(|source| TokenFileError::Name {
                    path: self.path.clone(),
                    source,
                })?,
                digest: record.sha256,
                may: record.may,
                created: at(record.created_unix_s).ok_or_else(form)?,
                expires: match record.expires_unix_s {
                    Some(expires) => Some(at(expires).ok_or_else(form)?),
                    None => None,
                },
            })
        };
        written.tokens.into_iter().map(record).collect()
    }

    /// Reads, changes and replaces the file while nobody else does.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Record>) -> Result<(), TokenFileError>,
    ) -> Result<(), TokenFileError> {
        own_file::make_directory(self.directory())?;
        // The file itself is replaced, so that a lock on it would be a lock on an old one.
        let _lock = own_file::lock(&self.path.with_extension("lock"))?;
        let (_, mut records) = self.read()?;
        change(&mut records)?;
        self.replace(&records)
    }

    fn replace(&self, records: &[Record]) -> Result<(), TokenFileError> {
        let tokens = records.iter().map(|record| WrittenRecord {
            name: record.name.to_string(),
            sha256: record.digest,
            may: record.may,
            created_unix_s: seconds(record.created),
            expires_unix_s: record.expires.map(seconds),
        });
        let written = Written {
            version: VERSION,
            tokens: tokens.collect(),
        };
        let text = serde_json::to_vec_pretty(&written);
        let mut text = text.map_err(|source| TokenFileError::Content {
            path: self.path.clone(),
            source,
        })?;
        text.push(b'\n');
        Ok(own_file::replace(&self.path, &text)?)
    }

    fn directory(&self) -> &Path {
        own_file::directory_of(&self.path)
    }
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        }
    }
}

fn at(unix_s: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(unix_s))
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
