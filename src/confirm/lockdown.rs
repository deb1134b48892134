//! Lockdown: a file that every server of this user looks at before each decision, and that no restart lifts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::kernel::own_file;

/// The file's name in the directory of state.
const FILE: &str = "lockdown";
/// Bytes of the file at most.
const MOST: u64 = 16 << 10;
/// Characters of a reason that are kept.
pub const REASON: usize = 500;

/// Whether everything is refused.
#[derive(Clone, Debug, Default)]
pub struct Lockdown {
    file: Option<PathBuf>,
}

/// What is known of a lockdown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Since when (UTC).
    pub since: String,
    /// Who began it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Everything is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "everything is refused: the operator has locked this down ({why}); hint: they lift it with `terrarium lockdown off`"
)]
pub struct Locked {
    /// What they said.
    pub why: String,
}

impl State {
    /// It in one line, for people.
    pub fn in_words(&self) -> String {
        format!(
            "since {} by {}: {}",
            self.since,
            self.by,
            super::quoted(&self.reason, REASON)
        )
    }
}

impl Lockdown {
    /// As the file in this directory of state says.
    pub fn in_directory(state: &Path) -> Self {
        Self {
            file: Some(state.join(FILE)),
        }
    }

    /// Whether anything may be decided. What cannot be looked at counts as locked.
    pub fn check(&self) -> Result<(), Locked> {
        let Some(file) = &self.file else { return Ok(()) };
        match file.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Locked {
                why: format!("{} cannot be looked at: {error}", file.display()),
            }),
            Ok(_) => Err(Locked {
                why: match self.state() {
                    Ok(Some(state)) => super::quoted(&state.reason, REASON),
                    Ok(None) => return Ok(()), // lifted just now
                    Err(error) => format!("no reason can be read: {error}"),
                },
            }),
        }
    }

    /// What is known of it, if there is one.
    pub fn state(&self) -> io::Result<Option<State>> {
        let Some(file) = &self.file else { return Ok(None) };
        match own_file::read(file, MOST) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Locks down. The file is there, whole and on the disk, when this returns. One that holds already stays as it is, and is given.
    pub fn begin(&self, state: &State) -> io::Result<Option<State>> {
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        own_file::make_directory(file.parent().unwrap_or(Path::new("/")))?;
        // One that cannot be read says nothing that could be kept.
        if let Ok(Some(before)) = self.state() {
            return Ok(Some(before));
        }
        own_file::replace(file, &serde_json::to_vec(state)?)?;
        Ok(None)
    }

    /// Lifts it. Says whether there was one.
    pub fn end(&self) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        match fs::remove_file(file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
