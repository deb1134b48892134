//! Counts what rules bound to so often or so much, in a file that all servers of the user share and no restart clears.
//!
//! What is reserved stays counted, whatever became of the act: a failure that looks like one may have been none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::kernel::own_file;
use crate::policy::{Counts, Quota, Reason};

/// Another server holds the file for as long as one write takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer than any period.
const FORGET_MS: u64 = 24 * 3600 * 1000;
/// What the file may hold: a thousand rules, each used ten thousand times, is no use any more.
const MAX_BYTES: u64 = 64 << 20;
/// Reservations of one rule that are remembered.
const MAX_ENTRIES: usize = 10_000;

/// Counts in a file.
#[derive(Debug)]
pub struct Budget {
    directory: Option<PathBuf>,
    turn: Mutex<()>,
}

/// Why nothing was reserved.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// A bound is reached.
    #[error("{reason}")]
    Used {
        /// Which, and how long to wait.
        reason: Reason,
    },
    /// It cannot be counted.
    #[error("cannot count in {}, and what is bounded is not done uncounted", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nowhere to count.
    #[error("there is no directory to count in; hint: set XDG_STATE_HOME or HOME")]
    NoDirectory,
}

/// The file: for each rule and what it counts, when and how much.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    version: u32,
    rules: BTreeMap<String, Vec<(u64, u64)>>,
}

const VERSION: u32 = 1;

impl Budget {
    /// Counts in a directory of ours, which is made when it is first needed.
    pub fn in_directory(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            turn: Mutex::new(()),
        }
    }

    /// Reserves all of it, or none. The file is on the disk before this returns.
    pub async fn reserve(&self, quotas: &[Quota]) -> Result<(), BudgetError> {
        self.look(quotas, Purpose::Reserve).await
    }

    /// Whether all of it could be reserved now, so that nobody is asked for what cannot be done.
    pub async fn has_room(&self, quotas: &[Quota]) -> Result<(), BudgetError> {
        self.look(quotas, Purpose::Look).await
    }

    async fn look(&self, quotas: &[Quota], purpose: Purpose) -> Result<(), BudgetError> {
        if quotas.is_empty() {
            return Ok(());
        }
        let directory = self.directory.clone().ok_or(BudgetError::NoDirectory)?;
        let path = directory.join("counted.json");
        let failed = |source| BudgetError::Count {
            path: path.clone(),
            source,
        };
        let late = || {
            failed(io::Error::new(
                io::ErrorKind::TimedOut,
                "another process keeps it locked",
            ))
        };
        let quotas = quotas.to_vec();
        // One at a time, so that a lock that never comes keeps one thread and not many.
        let _turn = tokio::time::timeout(PATIENCE, self.turn.lock())
            .await
            .map_err(|_| late())?;
        let counted = tokio::task::spawn_blocking(move || count(&directory, &quotas, purpose, now_ms()));
        match tokio::time::timeout(PATIENCE, counted).await {
            Ok(Ok(Ok(None))) => Ok(()),
            Ok(Ok(Ok(Some(reason)))) => Err(BudgetError::Used { reason }),
            Ok(Ok(Err(source))) => Err(failed(source)),
            Ok(Err(broken)) => Err(failed(io::Error::other(broken))),
            Err(_) => Err(late()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Look,
    Reserve,
}

/// Under the lock: reads, checks all, and writes with all added. Some reason is why not.
fn count(directory: &Path, quotas: &[Quota], purpose: Purpose, now: u64) -> io::Result<Option<Reason>> {
    own_file::make_directory(directory)?;
    let _lock = own_file::lock(&directory.join("counted.lock"))?;
    let path = directory.join("counted.json");
    let mut book = read(&path)?;
    for quota in quotas {
        if let Some(reason) = book.reserve(quota, now) {
            return Ok(Some(reason));
        }
    }
    if purpose == Purpose::Reserve {
        book.rules.retain(|_, entries| {
            entries.retain(|(at, _)| at.saturating_add(FORGET_MS) > now);
            !entries.is_empty()
        });
        write(&path, &book)?;
    }
    Ok(None)
}

impl Book {
    /// Adds what a request takes, or says why it may not.
    fn reserve(&mut self, quota: &Quota, now: u64) -> Option<Reason> {
        let entries = self.rules.entry(key(quota)).or_default();
        let period = u64::try_from(quota.per.duration().as_millis()).unwrap_or(u64::MAX);
        // What seems to lie in the future was counted before the clock was set back, and counts.
        let counts = |at: u64| at.saturating_add(period) > now;
        if entries.len() >= MAX_ENTRIES {
            // A longer period of the same rule may want the younger ones: the oldest that is over makes room.
            entries.retain(|(at, _)| at.saturating_add(FORGET_MS) > now);
            entries.sort_unstable();
            let over = entries.iter().take_while(|(at, _)| !counts(*at)).count();
            let needed = (entries.len() + 1).saturating_sub(MAX_ENTRIES);
            entries.drain(..needed.min(over));
        }
        let used = entries.iter().filter(|(at, _)| counts(*at));
        let used = used.fold(0_u64, |sum, (_, amount)| sum.saturating_add(*amount));
        let left = quota.most.saturating_sub(used);
        if quota.takes <= left && entries.len() >= MAX_ENTRIES {
            let oldest = entries.first().map_or(now, |(at, _)| *at);
            return Some(Reason::Uses {
                quota: quota.clone(),
                limit: MAX_ENTRIES,
                wait_s: oldest.saturating_add(period).saturating_sub(now).div_ceil(1000),
            });
        }
        if quota.takes <= left {
            entries.push((now, quota.takes));
            return None;
        }
        // The oldest go first; enough of them must be gone.
        let mut freed = left;
        let mut oldest: Vec<(u64, u64)> = entries.iter().copied().filter(|(at, _)| counts(*at)).collect();
        oldest.sort_unstable();
        let enough = oldest.into_iter().find_map(|(at, amount)| {
            freed = freed.saturating_add(amount);
            (freed >= quota.takes).then(|| at.saturating_add(period).saturating_sub(now).div_ceil(1000))
        });
        Some(Reason::Used {
            quota: quota.clone(),
            left,
            wait_s: enough.filter(|_| quota.takes <= quota.most),
        })
    }
}

fn key(quota: &Quota) -> String {
    match &quota.counts {
        Counts::Times => format!("{} times", quota.rule),
        Counts::Sum { field } => format!("{} sum {field}", quota.rule),
    }
}

fn read(path: &Path) -> io::Result<Book> {
    let bytes = match own_file::read(path, MAX_BYTES) {
        Err(error) if error.is_missing() => {
            return Ok(Book {
                version: VERSION,
                ..Book::default()
            });
        }
        bytes => bytes?,
    };
    // What cannot be read may have been full: it is not begun anew.
    let book: Book = serde_json::from_slice(&bytes)?;
    match book.version {
        VERSION => Ok(book),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is of another version of terrarium",
        )),
    }
}

fn write(path: &Path, book: &Book) -> io::Result<()> {
    Ok(own_file::replace(path, &serde_json::to_vec(book)?)?)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
