//! Bearer tokens: who is on the other end of an HTTP connection.
//!
//! A token is 256 random bits that are shown once; kept is only their SHA-256, which gives nothing to whoever reads
//! the file. What the holder of a token may do is the policy's business, by the token's name.

mod file;
mod token;

pub use file::{Record, TokenFileError, TokensFile, Use};
pub use token::{Token, TokenDigest};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::model::Name;
use file::Seen;

/// The tokens of a running server: read again whenever the file is another one.
#[derive(Debug)]
pub struct Tokens {
    file: TokensFile,
    now: Mutex<Now>,
}

/// What was read last. Whoever checks a token has a list of their own, and never waits for a reader.
#[derive(Debug, Default)]
struct Now {
    seen: Option<Seen>,
    records: Arc<Vec<Record>>,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The token's name.
    pub name: Name,
    /// What it is for.
    pub may: Use,
    /// Which token, as the name may be given to another one.
    pub digest: TokenDigest,
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is none of ours, has expired or was revoked; which of these is not said.
    #[error("the token is not known, has expired or was revoked")]
    Unknown,
    /// The tokens cannot be read, so that nobody gets in.
    #[error("the server cannot read its tokens")]
    Unreadable(#[from] TokenFileError),
}

impl Tokens {
    /// The tokens in this file, which need not exist yet. Refused where it cannot be trusted.
    pub fn open(path: PathBuf) -> Result<Self, TokenFileError> {
        let tokens = Self {
            file: TokensFile::new(path),
            now: Mutex::default(),
        };
        tokens.records()?;
        Ok(tokens)
    }

    /// Whose token this is. Takes the same time for every token that is none: all are compared, in constant time.
    pub fn check(&self, presented: &str) -> Result<Holder, Refused> {
        let records = self.records()?;
        let token = Token::parse(presented).ok_or(Refused::Unknown)?;
        let digest = token.digest();
        let mut found = None;
        for record in records.iter() {
            if record.digest.is(&digest) {
                found = Some(record);
            }
        }
        match found {
            Some(record) if record.is_valid(SystemTime::now()) => Ok(Holder {
                name: record.name.clone(),
                may: record.may,
                digest,
            }),
            _ => Err(Refused::Unknown),
        }
    }

    /// Whether a token that was good still is.
    pub fn is_still(&self, holder: &Holder) -> bool {
        self.records().is_ok_and(|records| {
            let now = SystemTime::now();
            records
                .iter()
                .any(|record| record.digest == holder.digest && record.is_valid(now))
        })
    }

    fn records(&self) -> Result<Arc<Vec<Record>>, TokenFileError> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.file.look()?;
        if now.seen != Some(seen) {
            let (seen, records) = self.file.read()?;
            now.records = Arc::new(records);
            now.seen = Some(seen);
        }
        Ok(Arc::clone(&now.records))
    }
}

#[cfg(test)]
mod tests;
