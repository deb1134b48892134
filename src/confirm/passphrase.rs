//! The operator's passphrase: what tells the person from the other programs of their user.
//!
//! Only a verifier is kept (argon2id). A server reads it when it starts: taking the file away later opens nothing.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// The file's name in the directory of state.
const FILE: &str = "passphrase";
/// Characters of the shortest passphrase that is taken.
pub const SHORTEST: usize = 8;
/// Bytes of the longest.
pub const LONGEST: usize = 1024;

/// What a passphrase is checked with.
#[derive(Clone)]
pub struct Verifier(String);

/// Why a passphrase cannot be set or checked.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// It is too short or too long.
    #[error("a passphrase has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// The file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
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
        match fs::read_to_string(&path) {
            Ok(text) if PasswordHash::new(text.trim()).is_ok() => Ok(Some(Self(text.trim().to_owned()))),
            Ok(_) => Err(PassphraseError::Content { path }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PassphraseError::File { path, source }),
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
        let path = state.join(FILE);
        let new = state.join(format!("{FILE}.{}", std::process::id()));
        let write = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(self.0.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| PassphraseError::File {
            path: path.clone(),
            source,
        })
    }

    /// Takes it away.
    pub fn remove(state: &Path) -> Result<(), PassphraseError> {
        let path = state.join(FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PassphraseError::File { path, source }),
            _ => Ok(()),
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
