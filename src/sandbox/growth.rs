//! How far a directory has grown: the file system's free space often, a bounded walk when that shrank.
//!
//! Supervised, not enforced: the kernel offers an ordinary user no quota for a directory. A walk
//! follows no link and stays on its file system.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Limit;
use super::spec::{Grows, Growth};

/// A sandbox that writes ends when its file system has less left than this.
const FREE_FLOOR: u64 = 64 << 20;
/// One walk looks at so many entries at the most, and takes no longer than this.
const MAX_ENTRIES: usize = 2_000_000;
const MAX_WALK: Duration = Duration::from_millis(500);

/// Watches one directory.
pub(super) struct Meter {
    limit: Growth,
    free: Option<Free>,
    since: i64,
    next_walk: Instant,
    /// Bytes and files that were there at the start and count.
    before: (u64, u64),
}

#[derive(Clone, Copy)]
struct Free {
    bytes: u64,
    files: u64,
}

impl Meter {
    pub(super) fn start(limit: &Growth) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut meter = Self {
            free: free(&limit.directory),
            limit: limit.clone(),
            since: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            next_walk: Instant::now(),
            before: (0, 0),
        };
        if limit.what == Grows::Home {
            meter.since = i64::MIN;
            meter.before = meter.walk();
        }
        meter
    }

    /// The limit that has been passed, if one has.
    pub(super) fn check(&mut self) -> Option<Limit> {
        let (before, now) = (self.free?, free(&self.limit.directory)?);
        let bytes = before.bytes.saturating_sub(now.bytes);
        let files = before.files.saturating_sub(now.files);
        if now.bytes < FREE_FLOOR && bytes > FREE_FLOOR {
            return Some(Limit::FreeSpace);
        }
        let suspicious = bytes > self.limit.bytes.saturating_sub(self.before.0)
            || files > self.limit.files.saturating_sub(self.before.1);
        if !suspicious || Instant::now() < self.next_walk {
            return None;
        }
        let started = Instant::now();
        let (bytes, files) = self.walk();
        self.next_walk = Instant::now() + started.elapsed() * 10; // others may be writing, for long
        let (too_large, too_many) = match self.limit.what {
            Grows::Workspace => (Limit::WorkspaceGrowth, Limit::WorkspaceFiles),
            Grows::Tmp => (Limit::Tmp, Limit::Tmp),
            Grows::Home => (Limit::Home, Limit::Home),
        };
        if bytes > self.limit.bytes {
            return Some(too_large);
        }
        (files > self.limit.files).then_some(too_many)
    }

    /// Bytes and number of what was made or changed since the start: ctime cannot be set back.
    fn walk(&self) -> (u64, u64) {
        let deadline = Instant::now() + MAX_WALK;
        let (mut bytes, mut files, mut entries) = (0, 0, 0);
        let mut open: Vec<PathBuf> = vec![self.limit.directory.clone()];
        let Ok(device) = fs::symlink_metadata(&self.limit.directory).map(|m| m.dev()) else {
            return (0, 0);
        };
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                entries += 1;
                if entries > MAX_ENTRIES || Instant::now() > deadline {
                    return (bytes, files);
                }
                let Ok(found) = entry.metadata() else { continue }; // does not follow links
                if found.is_dir() && found.dev() == device {
                    open.push(entry.path());
                }
                if found.ctime() >= self.since {
                    bytes += found.blocks() * 512;
                    files += 1;
                }
            }
        }
        (bytes, files)
    }
}

fn free(directory: &std::path::Path) -> Option<Free> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(Free {
        bytes: found.f_bfree * found.f_frsize,
        files: found.f_ffree,
    })
}
