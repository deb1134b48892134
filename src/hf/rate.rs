//! What Hack Forums lets us still do: the calls that are left, and a time in which none is made.
//!
//! A back-off is kept in memory, and in a file, so that other processes and the next start respect it too. Where the file
//! cannot be written it holds for this process all the same.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::own_file::{self, FileError};

/// After the hourly limit, when the server does not say how long: what its other clients wait.
pub const BACK_OFF: Duration = Duration::from_secs(600);
/// The longest that a server may silence us: its limits are hourly.
const LONGEST: Duration = Duration::from_secs(3600);
/// Below so many calls an answer says so.
pub const FEW: u64 = 20;
const MAX_FILE: u64 = 4096;

/// What is known about limits.
#[derive(Debug)]
pub struct Rate {
    path: PathBuf,
    remaining: Mutex<Option<u64>>,
    /// Until when this process makes no call.
    until: Mutex<Option<Instant>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct File {
    /// Unix seconds until which no call is made.
    until: i64,
}

impl Rate {
    /// Kept in this directory.
    pub fn new(state: &Path) -> Self {
        Self {
            path: state.join("rate.json"),
            remaining: Mutex::default(),
            until: Mutex::default(),
        }
    }

    /// How long no call is to be made, if at all.
    pub fn back_off(&self) -> Option<Duration> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.max(self.in_file())?;
        (!left.is_zero()).then_some(left)
    }

    fn in_file(&self) -> Option<Duration> {
        // A file that cannot be read says nothing: the server still refuses by itself.
        let bytes = own_file::read(&self.path, MAX_FILE).ok()?;
        let file: File = serde_json::from_slice(&bytes).ok()?;
        let left = file.until.saturating_sub(Timestamp::now().as_second());
        Some(Duration::from_secs(u64::try_from(left).ok()?).min(LONGEST))
    }

    /// Makes no more calls for some time, or for what is left of a longer one; says for how long.
    pub fn stop(&self, wanted: Option<Duration>) -> Duration {
        let time = wanted.unwrap_or(BACK_OFF).clamp(Duration::from_secs(1), LONGEST);
        if let Some(left) = self.back_off().filter(|left| *left > time) {
            return left;
        }
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
        if let Err(error) = self.keep(time) {
            tracing::warn!(path = %self.path.display(), %error, "cannot keep the back-off for other processes");
        }
        time
    }

    /// In place, although the disk is waited for: while a back-off holds nothing is sent, so it is rarely written.
    fn keep(&self, time: Duration) -> Result<(), FileError> {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_second().saturating_add(seconds);
        let bytes = serde_json::to_vec(&File { until }).unwrap_or_default(); // one number: cannot fail
        if let Some(directory) = self.path.parent() {
            own_file::make_directory(directory)?;
        }
        own_file::replace(&self.path, &bytes)
    }

    /// Ends a back-off.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        *self.until.lock().unwrap() = None;
        std::fs::remove_file(&self.path).ok(); // there is none
    }

    /// What the last answer said about calls that are left.
    pub fn remaining(&self) -> Option<u64> {
        *self.remaining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what an answer said. None left begins a back-off.
    pub fn heard(&self, remaining: Option<u64>) {
        if let Some(left) = remaining {
            *self.remaining.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
            if left == 0 {
                self.stop(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::scratch::Scratch;

    #[test]
    fn a_back_off_holds_for_the_next_start_too() {
        let scratch = Scratch::new();
        let rate = Rate::new(scratch.path());
        assert_eq!(rate.back_off(), None);
        assert_eq!(rate.stop(Some(Duration::from_secs(1_000_000))), LONGEST);
        let left = Rate::new(scratch.path()).back_off().unwrap();
        assert!(left > BACK_OFF && left <= LONGEST, "{left:?}");
        // A shorter one, as of a call that was under way, does not end it.
        assert!(rate.stop(Some(Duration::ZERO)) > BACK_OFF);
        assert!(rate.back_off().unwrap() > BACK_OFF);
        let rate = Rate::new(&scratch.path().join("other"));
        rate.stop(Some(Duration::ZERO));
        assert!(rate.back_off().is_none_or(|left| left <= Duration::from_secs(1)));
    }

    #[test]
    fn a_back_off_holds_where_no_file_can_be_written() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path().join("file"), "").unwrap();
        let rate = Rate::new(&scratch.path().join("file/hf"));
        rate.stop(None);
        assert!(rate.back_off().unwrap() > BACK_OFF / 2);
    }

    #[test]
    fn none_left_is_a_back_off() {
        let scratch = Scratch::new();
        let rate = Rate::new(scratch.path());
        rate.heard(Some(3));
        rate.heard(None);
        assert_eq!((rate.remaining(), rate.back_off()), (Some(3), None));
        rate.heard(Some(0));
        assert!(rate.back_off().is_some());
    }
}
