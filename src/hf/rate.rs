//! What Hack Forums lets us still do: the calls that are left, and a time in which none is made.
//!
//! A back-off is kept in a file, so that other processes and the next start respect it too.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::own_file;

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
        }
    }

    /// How long no call is to be made, if at all.
    pub fn back_off(&self) -> Option<Duration> {
        // A file that cannot be read says nothing: the server still refuses by itself.
        let bytes = own_file::read(&self.path, MAX_FILE).ok()?;
        let file: File = serde_json::from_slice(&bytes).ok()?;
        let left = file.until.saturating_sub(Timestamp::now().as_second());
        let left = Duration::from_secs(u64::try_from(left).ok()?);
        (!left.is_zero()).then(|| left.min(LONGEST))
    }

    /// Makes no more calls for some time; says for how long.
    pub fn stop(&self, wanted: Option<Duration>) -> Duration {
        let time = wanted.unwrap_or(BACK_OFF).clamp(Duration::from_secs(1), LONGEST);
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_second().saturating_add(seconds);
        let kept = serde_json::to_vec(&File { until }).map(|bytes| own_file::replace(&self.path, &bytes));
        if !matches!(kept, Ok(Ok(()))) {
            tracing::warn!(path = %self.path.display(), "cannot keep the back-off");
        }
        time
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
        rate.stop(Some(Duration::ZERO));
        assert!(rate.back_off().is_none_or(|left| left <= Duration::from_secs(1)));
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
