//! Control groups, version 2 and version 1, behind one type.
//!
//! A group's directory is locked for as long as its launcher lives (flock(2)), which is how a later
//! start knows what was left behind. See cgroups(7).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// Every group of ours starts with this.
pub(crate) const PREFIX: &str = "terrarium-";
/// What a group of the unified hierarchy must hand on.
pub(crate) const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// How long an ended group may take to become empty: the kernel still tears down memory.
const EMPTY_WITHIN: Duration = Duration::from_secs(2);
/// The part of memory that buffers of TCP may take besides, on version 1.
const TCP_SHARE: u64 = 8;
/// How often a new group may be lost to the sweep of another start.
const ATTEMPTS: u32 = 16;

/// Where groups can be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parent {
    /// One directory of the unified hierarchy whose children have the controllers.
    V2 {
        /// That directory.
        directory: PathBuf,
    },
    /// One directory for each controller.
    V1 {
        /// By controller: `memory`, `pids`, `cpu`, `cpuacct`.
        directories: BTreeMap<String, PathBuf>,
    },
}

/// What a group limits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct GroupLimits {
    /// Bytes of memory, without swap.
    pub(crate) memory: u64,
    /// Processes and threads.
    pub(crate) processes: u32,
    /// Thousandths of a processor.
    pub(crate) millicores: u32,
}

/// A group of ours. Dropping it does not remove it: see [`Group::remove`].
#[derive(Debug)]
pub(crate) struct Group {
    directories: Vec<Directory>,
    unified: bool,
}

#[derive(Debug)]
struct Directory {
    controllers: Vec<String>,
    path: PathBuf,
    lock: File,
}

/// What a group has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupUsage {
    pub(crate) cpu: Duration,
    pub(crate) peak_memory: Option<u64>,
    pub(crate) out_of_memory_kills: u64,
    pub(crate) processes_refused: u64,
}

impl Group {
    /// Makes the group `name` and sets its limits. On failure nothing is left.
    pub(crate) fn create(parent: &Parent, name: &str, limits: &GroupLimits) -> io::Result<Self> {
        let mut group = Self {
            directories: Vec::new(),
            unified: matches!(parent, Parent::V2 { .. }),
        };
        let result = group.fill(parent, name).and_then(|()| group.set(limits));
        match result {
            Ok(()) => Ok(group),
            Err(error) => {
                group.remove();
                Err(error)
            }
        }
    }

    fn fill(&mut self, parent: &Parent, name: &str) -> io::Result<()> {
        match parent {
            Parent::V2 { directory } => self.add(&directory.join(name), "")?,
            Parent::V1 { directories } => {
                for (controller, directory) in directories {
                    self.add(&directory.join(name), controller)?;
                }
            }
        }
        Ok(())
    }

    /// Makes and locks one directory. A second controller that is mounted together shares it.
    fn add(&mut self, path: &Path, controller: &str) -> io::Result<()> {
        let (parent, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
        if let Some(shared) = self.directories.iter_mut().find(|d| d.path == path) {
            shared.controllers.push(controller.to_owned());
            return Ok(());
        }
        let controllers = vec![controller.to_owned()];
        for attempt in 0..ATTEMPTS {
            // Another name each time: who swept the last one removes it by its name.
            let mut name = name.to_owned();
            if attempt > 0 {
                name.push(format!("-{attempt}"));
            }
            let path = parent.join(name);
            if let Some(lock) = make_locked(&path)? {
                self.directories.push(Directory {
                    controllers,
                    path,
                    lock,
                });
                return Ok(());
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    fn file(&self, controller: &str, name: &str) -> Option<PathBuf> {
        let wanted = if self.unified { "" } else { controller };
        let directory = self
            .directories
            .iter()
            .find(|d| d.controllers.iter().any(|c| c == wanted))?;
        Some(directory.path.join(name))
    }

    fn write(&self, controller: &str, name: &str, value: impl ToString) -> io::Result<()> {
        let path = self.file(controller, name).ok_or(io::ErrorKind::NotFound)?;
        fs::write(&path, value.to_string())
    }

    fn set(&self, limits: &GroupLimits) -> io::Result<()> {
        let GroupLimits {
            memory,
            processes,
            millicores,
        } = *limits;
        if self.unified {
            self.write("", "memory.max", memory)?;
            optional(self.write("", "memory.swap.max", 0))?;
            self.write("", "pids.max", processes)?;
            return self.write("", "cpu.max", format!("{} 100000", u64::from(millicores) * 100));
        }
        self.write("memory", "memory.limit_in_bytes", memory)?;
        optional(self.write("memory", "memory.memsw.limit_in_bytes", memory))?;
        // What TCP holds is counted apart there, and not at all without a limit.
        optional(self.write("memory", "memory.kmem.tcp.limit_in_bytes", memory / TCP_SHARE))?;
        self.write("pids", "pids.max", processes)?;
        self.write("cpu", "cpu.cfs_period_us", 100_000)?;
        self.write("cpu", "cpu.cfs_quota_us", u64::from(millicores) * 100)
    }

    /// The directory a child can be born into (`CLONE_INTO_CGROUP`); version 1 has no such thing.
    pub(crate) fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.directories
            .first()
            .filter(|_| self.unified)
            .map(|d| d.lock.as_fd())
    }

    /// Moves a process in. Slow where nothing moved in a while: the kernel waits for all processors.
    pub(crate) fn add_process(&self, pid: Pid) -> io::Result<()> {
        for directory in &self.directories {
            fs::write(directory.path.join("cgroup.procs"), pid.as_raw_nonzero().to_string())?;
        }
        Ok(())
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> GroupUsage {
        if self.unified {
            return GroupUsage {
                cpu: Duration::from_micros(self.counter("", "cpu.stat", "usage_usec")),
                peak_memory: self.number("", "memory.peak"),
                out_of_memory_kills: self.counter("", "memory.events", "oom_kill"),
                processes_refused: self.counter("", "pids.events", "max"),
            };
        }
        GroupUsage {
            cpu: Duration::from_nanos(self.number("cpuacct", "cpuacct.usage").unwrap_or(0)),
            peak_memory: self.number("memory", "memory.max_usage_in_bytes"),
            out_of_memory_kills: self.counter("memory", "memory.oom_control", "oom_kill"),
            processes_refused: self.counter("pids", "pids.events", "max"),
        }
    }

    /// Memory that it uses now, in bytes: as its limit counts it.
    pub(crate) fn memory(&self) -> Option<u64> {
        match self.unified {
            true => self.number("", "memory.current"),
            false => self.number("memory", "memory.usage_in_bytes"),
        }
    }

    /// How many processes are in it.
    pub(crate) fn processes(&self) -> u32 {
        let path = self.directories.first().map(|d| d.path.join("cgroup.procs"));
        let text = path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        u32::try_from(text.lines().count()).unwrap_or(u32::MAX)
    }

    fn number(&self, controller: &str, file: &str) -> Option<u64> {
        fs::read_to_string(self.file(controller, file)?)
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn counter(&self, controller: &str, file: &str, key: &str) -> u64 {
        let text = self
            .file(controller, file)
            .and_then(|path| fs::read_to_string(path).ok())
            .unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    }

    /// Kills what is left in it and removes it. Waits, bounded, for the kernel to let go.
    pub(crate) fn remove(&self) {
        for directory in &self.directories {
            remove(&directory.path);
        }
    }
}

/// Makes the children of a unified group get the controllers. It may hold no process itself.
pub(crate) fn hand_on(directory: &Path) -> io::Result<()> {
    let wanted = CONTROLLERS.map(|controller| format!("+{controller}")).join(" ");
    fs::write(directory.join("cgroup.subtree_control"), wanted)
}

/// A new directory with our lock on it; none if a sweep of another start took it for left behind.
///
/// Between making and locking it looks abandoned. A sweep removes what it has locked before it lets
/// go, so a directory that is locked here and still there is ours.
fn make_locked(path: &Path) -> io::Result<Option<File>> {
    fs::create_dir(path)?;
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) if path.exists() => Ok(Some(file)),
        Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => {
            fs::remove_dir(path).ok(); // the error to report is the first one
            Err(error.into())
        }
    }
}

/// What a kernel may lack: swap accounting is an option.
fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Version 1 refuses a limit of memory and swap together where swap accounting is off.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
        other => other,
    }
}

/// Kills every process of the group at `path` and removes the directory.
fn remove(path: &Path) {
    let deadline = Instant::now() + EMPTY_WITHIN;
    loop {
        match rustix::fs::rmdir(path) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => return,
            Err(_) if Instant::now() > deadline => return, // the next sweep tries again
            Err(_) => kill_all(path),
        }
        // Becoming empty raises no event on version 1.
        super::process::pause(Duration::from_millis(1));
    }
}

fn kill_all(path: &Path) {
    if fs::write(path.join("cgroup.kill"), "1").is_ok() {
        return; // version 2, Linux 5.14
    }
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    for pid in text.lines().filter_map(|l| l.parse().ok().and_then(Pid::from_raw)) {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok(); // it may have ended
    }
}

/// Removes every group of ours below `parent` that no launcher holds; says how many there were.
pub(crate) fn sweep(parent: &Parent) -> usize {
    let directories: Vec<&PathBuf> = match parent {
        Parent::V2 { directory } => vec![directory],
        Parent::V1 { directories } => directories.values().collect(),
    };
    let mut removed = 0;
    for entry in directories
        .into_iter()
        .filter_map(|d| fs::read_dir(d).ok())
        .flatten()
        .flatten()
    {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let Some(file) = ours.then(|| File::open(entry.path()).ok()).flatten() else {
            continue;
        };
        let free = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if free && entry.path().exists() {
            remove(&entry.path());
            removed += 1;
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_sweep_beside_never_takes_what_somebody_holds() {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let directory = std::env::temp_dir().join(format!("terrarium-sweep-{:x}", u64::from_le_bytes(random)));
        fs::create_dir(&directory).unwrap();
        let parent = Parent::V2 {
            directory: directory.clone(),
        };
        let done = AtomicBool::new(false);
        let lost = std::thread::scope(|scope| {
            let sweeper = scope.spawn(|| {
                let mut swept = 0;
                while !done.load(Ordering::Relaxed) {
                    swept += sweep(&parent);
                }
                swept
            });
            let mut lost = 0;
            for n in 0..2000 {
                let path = directory.join(format!("{PREFIX}{n}"));
                match make_locked(&path).unwrap() {
                    Some(_held) => fs::remove_dir(&path).unwrap(),
                    None => lost += 1,
                }
            }
            done.store(true, Ordering::Relaxed);
            assert_eq!(sweeper.join().unwrap(), lost);
            lost
        });
        sweep(&parent);
        fs::remove_dir(&directory).unwrap();
        assert!(lost < 2000, "the sweep took every one");
    }
}
