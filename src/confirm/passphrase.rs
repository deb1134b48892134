//! The operator's passphrase: what tells the person from the other programs of their user.
//!
//! Only a verifier is kept (argon2id). A server reads it when it starts: taking the file away later opens nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::audit::{Audit, Event};
use crate::kernel::own_file::{self, FileError};

/// The file's name in the directory of state.
const FILE: &str = "passphrase";
/// Bytes of the file at most.
const MOST: u64 = 4 << 10;
/// Characters of the shortest passphrase that is taken.
pub const SHORTEST: usize = 8;
/// Bytes of the longest.
pub const LONGEST: usize = 1024;

/// How long the next is held up after a wrong one.
const WRONG: Duration = Duration::from_millis(500);

/// What a passphrase is checked with.
#[derive(Clone)]
pub struct Verifier(String);

/// Checks passphrases, one at a time: each takes memory and time on purpose.
#[derive(Debug)]
pub struct Checker {
    verifier: Option<Verifier>,
    turn: Semaphore,
}

/// Why somebody does not count as the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOperator {
    /// There is a passphrase, and none was given.
    #[error("this needs the operator's passphrase")]
    Missing,
    /// It is another.
    #[error("the passphrase is another")]
    Wrong,
}

impl Checker {
    /// Without a verifier everybody counts who comes so far.
    pub fn new(verifier: Option<Verifier>) -> Self {
        Self {
            verifier,
            turn: Semaphore::new(1),
        }
    }

    /// Whether there is a passphrase.
    pub fn is_set(&self) -> bool {
        self.verifier.is_some()
    }

    /// Checks it, where there is one, away from the threads that answer calls. A wrong one is put on record as an alert, and holds up
    /// the next for a while: who guesses is a program.
    pub async fn check(&self, passphrase: Option<String>, audit: &Audit, at: &str) -> Result<(), NotOperator> {
        let Some(verifier) = self.verifier.clone() else {
            return Ok(());
        };
        let passphrase = passphrase.ok_or(NotOperator::Missing)?;
        let _turn = self.turn.acquire().await.map_err(|_| NotOperator::Wrong)?; // it is never closed
        match tokio::task::spawn_blocking(move || verifier.accepts(&passphrase)).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => {
                tracing::warn!(at, "a wrong passphrase was given");
                if let Err(error) = audit.note(Event::Alert, at, "a wrong passphrase was given").await {
                    tracing::error!(target: "audit", %error, "a wrong passphrase is not on record");
                }
                tokio::time::sleep(WRONG).await;
                Err(NotOperator::Wrong)
            }
        }
    }
}

/// Why a passphrase cannot be set or checked.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// It is too short or too long.
    #[error("a passphrase has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no verifier.
    #[error("{} holds no verifier of a passphrase; hint: set it again with `terrarium passphrase set`", path.display())]
    Content {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be computed.
    #[error("cannot compute the verifier")]
    Compute,
}

impl Verifier {
    /// Reads it from a directory of state; `None` where no passphrase is set.
    pub fn read(state: &Path) -> Result<Option<Self>, PassphraseError> {
        let path = state.join(FILE);
        let bytes = match own_file::read(&path, MOST) {
            Err(error) if error.is_missing() => return Ok(None),
            bytes => bytes?,
        };
        let text = String::from_utf8(bytes).unwrap_or_default();
        match PasswordHash::new(text.trim()) {
            Ok(_) => Ok(Some(Self(text.trim().to_owned()))),
            Err(_) => Err(PassphraseError::Content { path }),
        }
    }

    /// Makes one for this passphrase.
    pub fn new(passphrase: &str) -> Result<Self, PassphraseError> {
        if passphrase.chars().count() < SHORTEST || passphrase.len() > LONGEST {
            return Err(PassphraseError::Length);
        }
        let hash = Argon2::default().hash_password(passphrase.as_bytes());
        hash.map(|hash| Self(hash.to_string()))
            .map_err(|_| PassphraseError::Compute)
    }

    /// Puts it in place of whatever was there.
    pub fn write(&self, state: &Path) -> Result<(), PassphraseError> {
        own_file::make_directory(state)?;
        Ok(own_file::replace(&state.join(FILE), self.0.as_bytes())?)
    }

    /// Takes it away; says whether there was one.
    pub fn remove(state: &Path) -> Result<bool, PassphraseError> {
        let path = state.join(FILE);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(FileError::io("remove", &path)(error).into()),
        }
    }

    /// Whether this is the passphrase. Takes some ten milliseconds and 19 MiB on purpose.
    pub fn accepts(&self, passphrase: &str) -> bool {
        passphrase.len() <= LONGEST
            && PasswordHash::new(&self.0)
                .is_ok_and(|hash| Argon2::default().verify_password(passphrase.as_bytes(), &hash).is_ok())
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_passphrase_that_was_set_is_accepted() {
        let verifier = Verifier::new("correct horse").unwrap();
        assert!(verifier.accepts("correct horse"));
        for other in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!verifier.accepts(other), "{other:?}");
        }
        assert!(matches!(Verifier::new("short"), Err(PassphraseError::Length)));
        assert!(verifier.0.starts_with("$argon2id$"));
    }
}
