//! How far a directory has grown: the file system's free space often, a bounded walk when that shrank.
//!
//! Supervised, not enforced: the kernel offers an ordinary user no quota for a directory. A walk
//! follows no link. What is mounted inside counts as well.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use super::Limit;
use super::spec::{Grows, Growth};
use crate::kernel::mountinfo::{self, Mount};
use crate::kernel::unlinked::Unlinked;

/// A sandbox that writes ends when its file system has less left than this, or than half of what there was.
const FREE_FLOOR: u64 = 64 << 20;
/// One walk looks at so many entries at the most, and takes no longer than this.
const MAX_ENTRIES: usize = 2_000_000;
const MAX_WALK: Duration = Duration::from_millis(500);
/// So many devices are told apart: file systems mounted inside, and volumes of btrfs.
const MAX_DEVICES: usize = 64;

/// A walk that nothing asks for comes as often as this, unless walks are slow.
const SURE_WALK: Duration = Duration::from_secs(3);

/// Watches one directory.
pub(super) struct Meter {
    limit: Growth,
    /// The directory's own file system, and those that are mounted inside.
    places: Vec<Place>,
    /// What is mounted inside of it, where it is a workspace.
    mounted: Vec<PathBuf>,
    /// What the sandbox can write to is covered here by something that is mounted for us alone.
    covered: bool,
    /// Bytes that were there at the start and count.
    at_start: u64,
    /// Bytes and files that were there at the last walk and count.
    counted: (u64, u64),
    since: SystemTime,
    next_walk: Instant,
    next_sure_walk: Instant,
}

#[derive(Clone, Copy, Default)]
struct Free {
    bytes: u64,
    files: u64,
}

/// A file system that is written to.
struct Place {
    /// Held, since the command may close the way there.
    root: OwnedFd,
    /// With less than this left a sandbox that writes ends.
    floor: u64,
    /// The most that was free since the last walk: what others free must not hide what is written here.
    most_free: Free,
    /// What was free at the last look.
    free: Free,
}

impl Place {
    fn open(directory: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(directory, flags, Mode::empty()).ok()?;
        let there = free(&root)?;
        Some(Self {
            floor: FREE_FLOOR.min(there.bytes / 2),
            most_free: there,
            free: there,
            root,
        })
    }

    /// Those of a directory, each file system once. One that has no room, as `/proc`, does not grow. In the directories of ours nobody
    /// mounts anything.
    fn of(directory: &Path, mounts: &[Mount]) -> Vec<Self> {
        let own = mounts.iter().rev().filter(|mount| directory.starts_with(&mount.path));
        let own = own.max_by_key(|mount| mount.path.components().count());
        let mut seen: Vec<u64> = own.map(|mount| mount.device).into_iter().collect();
        let mut places: Vec<Self> = Self::open(directory).into_iter().collect();
        for mount in mounts.iter().filter(|mount| mount.path.starts_with(directory)) {
            if !seen.contains(&mount.device) && has_room(&mount.path) {
                seen.push(mount.device);
                places.extend(Self::open(&mount.path));
            }
        }
        places
    }
}

/// What a walk counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    All,
    /// What was changed since the start (ctime, which cannot be set back), for it may have grown.
    Changed,
    /// What was made since the start: certainly growth.
    Made,
}

impl Meter {
    pub(super) fn start(limit: &Growth) -> Self {
        let now = Instant::now();
        let mounts = match limit.what {
            Grows::Workspace => mountinfo::of(Path::new("/proc/self")).unwrap_or_default(),
            Grows::Tmp | Grows::Home => Vec::new(),
        };
        let inside = |mount: &Mount| mount.path.starts_with(&limit.directory) && mount.path != limit.directory;
        let mut meter = Self {
            places: Place::of(&limit.directory, &mounts),
            covered: false,
            mounted: mounts.into_iter().filter(inside).map(|mount| mount.path).collect(),
            limit: limit.clone(),
            at_start: 0,
            counted: (0, 0),
            since: SystemTime::now() - Duration::from_secs(1), // a file system's clock ticks coarsely
            next_walk: now,
            next_sure_walk: now + SURE_WALK,
        };
        if limit.what == Grows::Home {
            let walk = meter.walk(Count::All);
            meter.at_start = walk.bytes;
            meter.counted = (walk.bytes, walk.files);
        }
        meter
    }

    /// Compares what is mounted inside of the directory with what the sandbox has there: something may have been mounted meanwhile.
    pub(super) fn compare(&mut self, init: Pid) {
        if self.mounted.is_empty() {
            return;
        }
        let its = mountinfo::of(&PathBuf::from(format!("/proc/{}", init.as_raw_nonzero()))).unwrap_or_default();
        let has = |path: &Path| its.iter().any(|mount| mount.path == path);
        self.covered = self.mounted.iter().any(|path| !has(path));
    }

    /// What the file systems have lost since the last walk, and whether one is nearly full.
    fn lost(&mut self) -> (Free, bool) {
        let mut lost = Free::default();
        let mut scarce = false;
        for place in &mut self.places {
            let now = free(&place.root).unwrap_or(place.free);
            let most = &mut place.most_free;
            lost.bytes = lost.bytes.saturating_add(most.bytes.saturating_sub(now.bytes));
            lost.files += most.files.saturating_sub(now.files);
            most.bytes = most.bytes.max(now.bytes);
            most.files = most.files.max(now.files);
            scarce |= now.bytes < place.floor;
            place.free = now;
        }
        (lost, scarce)
    }

    /// The limit that has been passed, if one has. `unlinked` tells of files on devices that have no name any more.
    pub(super) fn check(&mut self, unlinked: &dyn Fn(&[u64]) -> Unlinked) -> Option<Limit> {
        let (lost, scarce) = self.lost();
        let suspicious = scarce
            || lost.bytes > self.limit.bytes.saturating_sub(self.counted.0)
            || lost.files > self.limit.files.saturating_sub(self.counted.1);
        let started = Instant::now();
        let count = match self.limit.what {
            _ if started < self.next_walk => return None,
            Grows::Workspace if suspicious => Count::Changed,
            _ if !suspicious && started < self.next_sure_walk => return None,
            Grows::Workspace => Count::Made,
            Grows::Tmp | Grows::Home => Count::All,
        };
        let mut walk = self.walk(count);
        let hidden = unlinked(&walk.devices);
        walk.bytes = walk.bytes.saturating_add(hidden.bytes);
        walk.files += hidden.files;
        walk.complete &= hidden.complete && !self.covered;
        if !walk.complete {
            // Then all that the file systems lost counts: hiding must not pay.
            walk.bytes = walk.bytes.max(self.counted.0.saturating_add(lost.bytes));
            walk.files = walk.files.max(self.counted.1 + lost.files);
        }
        self.counted = (walk.bytes, walk.files);
        for place in &mut self.places {
            place.most_free = place.free;
        }
        let took = started.elapsed(); // others may be writing, for long
        self.next_walk = started + took * if suspicious { 4 } else { 10 };
        self.next_sure_walk = started + SURE_WALK.max(took * 50);
        self.passed(&walk, scarce)
    }

    fn passed(&self, walk: &Walk, scarce: bool) -> Option<Limit> {
        let (too_large, too_many) = match self.limit.what {
            Grows::Workspace => (Limit::WorkspaceGrowth, Limit::WorkspaceFiles),
            Grows::Tmp => (Limit::Tmp, Limit::Tmp),
            Grows::Home => (Limit::Home, Limit::Home),
        };
        if walk.bytes > self.limit.bytes {
            return Some(too_large);
        }
        if scarce && walk.bytes > self.at_start {
            return Some(Limit::FreeSpace);
        }
        (walk.files > self.limit.files).then_some(too_many)
    }

    /// Bytes and number of what is there, and whether that is all.
    fn walk(&self, count: Count) -> Walk {
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let deadline = Instant::now() + MAX_WALK;
        let device = fs::symlink_metadata(&self.limit.directory).map_or(0, |m| m.dev());
        let mut walk = Walk {
            bytes: 0,
            files: 0,
            complete: true,
            devices: vec![device],
        };
        let mut entries = 0;
        let mut open: Vec<PathBuf> = vec![self.limit.directory.clone()];
        let mut opened = Vec::new();
        while let Some(directory) = open.pop() {
            // What the command closed to us, it closed since the start.
            let untouched = || directory.symlink_metadata().is_ok_and(|found| found.ctime() < since);
            let content = fs::read_dir(&directory).or_else(|_| {
                opened.push(Opened::open(&directory, &self.limit.directory)?);
                fs::read_dir(&directory)
            });
            let Ok(content) = content else {
                walk.complete &= untouched();
                continue;
            };
            for entry in content.flatten() {
                entries += 1;
                if entries > MAX_ENTRIES || Instant::now() > deadline {
                    walk.complete = false;
                    return walk;
                }
                // Does not follow links.
                let found = match entry.metadata() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(_) => {
                        walk.complete &= untouched(); // it can be read, and not searched
                        break;
                    }
                    Ok(found) => found,
                };
                if !walk.devices.contains(&found.dev()) && walk.devices.len() < MAX_DEVICES {
                    walk.devices.push(found.dev());
                }
                if found.is_dir() && (found.dev() == device || has_room(&entry.path())) {
                    open.push(entry.path());
                }
                let counts = match count {
                    Count::All => true,
                    Count::Changed => found.ctime() >= since,
                    Count::Made => found.created().is_ok_and(|made| made >= self.since),
                };
                if counts {
                    walk.bytes = walk.bytes.saturating_add(found.blocks().saturating_mul(512)); // what a network's server says
                    walk.files += 1;
                }
            }
        }
        walk
    }
}

/// A directory that its owner, the command, has closed, and that is open for the time of a walk.
struct Opened {
    directory: PathBuf,
    mode: u32,
    _handle: OwnedFd,
}

impl Opened {
    /// Opens what is below `within` and nothing else, whatever the command makes of the path meanwhile.
    fn open(directory: &Path, within: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(directory, flags, Mode::empty())?;
        let by_handle = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        if !fs::read_link(&by_handle)?.starts_with(within) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mode = fs::metadata(&by_handle)?.permissions().mode();
        fs::set_permissions(&by_handle, Permissions::from_mode(mode | 0o700))?;
        Ok(Self {
            directory: by_handle,
            mode,
            _handle: handle,
        })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        fs::set_permissions(&self.directory, Permissions::from_mode(self.mode)).ok(); // it is gone
    }
}

/// What a walk found.
struct Walk {
    bytes: u64,
    files: u64,
    /// Nothing was out of reach, and the time sufficed.
    complete: bool,
    /// The devices that files in it say they are on.
    devices: Vec<u64>,
}

/// Whether a directory of another device can grow: `/proc` and its like cannot.
fn has_room(directory: &Path) -> bool {
    rustix::fs::statvfs(directory).is_ok_and(|found| found.f_blocks > 0)
}

fn free(root: &OwnedFd) -> Option<Free> {
    let found = rustix::fs::fstatvfs(root).ok()?;
    Some(Free {
        bytes: found.f_bavail.saturating_mul(found.f_frsize), // without what is kept for root
        files: found.f_ffree,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::private::{Temporary, WORKSPACE};

    #[test]
    fn growth_is_seen_though_others_free_as_much() {
        let none = |_: &[u64]| Unlinked::default();
        for what in [Grows::Workspace, Grows::Tmp, Grows::Home] {
            let directory = Temporary::create(&std::env::temp_dir(), WORKSPACE, 0o700).unwrap();
            fs::write(directory.path().join("before"), vec![1; 1 << 20]).unwrap();
            let mut meter = Meter::start(&Growth {
                directory: directory.path().to_owned(),
                what,
                bytes: 3 << 20,
                files: 100,
            });
            fs::write(directory.path().join("less"), vec![1; 1 << 20]).unwrap();
            meter.next_sure_walk = Instant::now();
            assert_eq!(meter.check(&none), None);
            fs::write(directory.path().join("more"), vec![1; 3 << 20]).unwrap();
            for place in &mut meter.places {
                place.most_free = Free::default(); // as if others had freed a lot
            }
            (meter.next_walk, meter.next_sure_walk) = (Instant::now(), Instant::now());
            assert!(meter.check(&none).is_some(), "{what:?}");
        }
    }
}
