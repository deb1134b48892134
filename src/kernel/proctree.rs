//! The processes below one process, seen from outside through `/proc`.
//!
//! Used to measure a sandbox that has no cgroup, and to end one that has no pid namespace.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

/// How many processes are looked at: more than any sandbox may have.
const MAX_PROCESSES: usize = 65_536;

/// What a process uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Memory that no file stands behind, in bytes: resident, swapped out, and what maps it.
    pub(crate) memory: u64,
    /// Processor time of the processes, and of their children that ended and were waited for.
    pub(crate) cpu: Duration,
    /// How many processes and threads there are.
    pub(crate) processes: u32,
}

/// `root` and everything below it.
pub(crate) fn descendants(root: Pid) -> Vec<Pid> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        match children(pid) {
            Some(children) => found.extend(children),
            None if next == 1 => return scan(root),
            None => {} // it ended meanwhile
        }
        if found.len() > MAX_PROCESSES {
            break;
        }
    }
    found
}

/// The children of one process; `None` where the kernel has no such file (CONFIG_PROC_CHILDREN).
pub(crate) fn children(pid: Pid) -> Option<Vec<Pid>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).ok()?;
    let mut all = Vec::new();
    for task in tasks.flatten() {
        let Ok(text) = fs::read_to_string(task.path().join("children")) else {
            if task.path().exists() {
                return None;
            }
            continue; // the thread has ended
        };
        all.extend(
            text.split_ascii_whitespace()
                .filter_map(|p| p.parse().ok().and_then(Pid::from_raw)),
        );
    }
    Some(all)
}

/// The slow way: every process of the machine by its parent.
fn scan(root: Pid) -> Vec<Pid> {
    let mut by_parent: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
            continue;
        };
        let Some(stat) = stat(pid) else { continue };
        by_parent.entry(stat.parent).or_default().push(pid);
    }
    let mut found = vec![root.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        found.extend(by_parent.remove(&pid).into_iter().flatten());
    }
    found.into_iter().filter_map(Pid::from_raw).collect()
}

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
struct Stat {
    parent: i32,
    /// The process, told from a later one of its number by its start.
    process: (i32, u64),
    /// Its own processor time.
    own: Duration,
    /// That of its children that ended and were waited for.
    waited: Duration,
    threads: u32,
}

fn stat(pid: i32) -> Option<Stat> {
    const TICK: Duration = Duration::from_millis(10); // USER_HZ is 100 on every Linux (time(7))
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?; // the name may hold anything
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = |first, second| Some(TICK * u32::try_from(number(first)? + number(second)?).unwrap_or(u32::MAX));
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        process: (pid, number(19)?),
        own: ticks(11, 12)?,
        waited: ticks(13, 14)?,
        threads: u32::try_from(number(17)?).unwrap_or(u32::MAX),
    })
}

/// How many processes and threads a user has, as far as they can be seen (proc_pid_status(5)).
pub(crate) fn of_user(uid: u32) -> u32 {
    let mut count = 0_u32;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let number = |name: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(name))?;
            line.split_ascii_whitespace().next()?.parse::<u32>().ok()
        };
        if number("Uid:") == Some(uid) {
            count = count.saturating_add(number("Threads:").unwrap_or(1));
        }
    }
    count
}

/// The processor time of all that was ever seen, also of processes that nobody waited for: theirs is in no other's.
#[derive(Debug, Default)]
pub(crate) struct Times {
    last: HashMap<(i32, u64), Duration>,
    gone: Duration,
    most: Duration,
}

impl Times {
    /// What `pids` use together, and of processor time what those before them have used too. What lived and ended between two
    /// looks, unwaited for, is missing.
    pub(crate) fn sample(&mut self, pids: &[Pid]) -> Sample {
        let mut now = HashMap::new();
        let mut total = Sample::default();
        for stat in pids.iter().filter_map(|pid| stat(pid.as_raw_nonzero().get())) {
            total.add(&stat);
            now.insert(stat.process, stat.own);
        }
        let gone = self.last.iter().filter(|(process, _)| !now.contains_key(process));
        self.gone += gone.map(|(_, time)| *time).sum::<Duration>();
        self.last = now;
        let all = self.gone + self.last.values().sum::<Duration>();
        self.most = self.most.max(all).max(total.cpu);
        total.cpu = self.most;
        total
    }
}

impl Sample {
    fn add(&mut self, stat: &Stat) {
        self.cpu += stat.own + stat.waited;
        self.memory += memory(stat.process.0).unwrap_or(0);
        self.processes += stat.threads.max(1);
    }
}

/// What `pids` use together.
pub(crate) fn sample(pids: &[Pid]) -> Sample {
    let mut total = Sample::default();
    for stat in pids.iter().filter_map(|pid| stat(pid.as_raw_nonzero().get())) {
        total.add(&stat);
    }
    total
}

/// Memory that no file stands behind: anonymous and shared, in swap, and page tables (proc_pid_status(5)).
fn memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok()
    };
    let mut sum = kilobytes("RssAnon:")? + kilobytes("RssShmem:")?;
    sum += kilobytes("VmSwap:").unwrap_or(0) + kilobytes("VmPTE:").unwrap_or(0);
    Some(sum * 1024)
}

/// Files without a name that processes hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unlinked {
    /// What they take.
    pub(crate) bytes: u64,
    /// How many there are.
    pub(crate) files: u64,
    /// Whether these are all. Some may be on their way through a socket, where nobody sees them.
    pub(crate) complete: bool,
}

impl Default for Unlinked {
    fn default() -> Self {
        Self {
            bytes: 0,
            files: 0,
            complete: true,
        }
    }
}

/// How many descriptors and mappings one look takes.
const MAX_HELD: usize = 200_000;

/// The files on `device` that `pids` hold open or mapped, and that have no name any more (proc_pid_fd(5), proc_pid_maps(5)).
pub(crate) fn unlinked(pids: &[Pid], device: u64) -> Unlinked {
    let mut found = Unlinked::default();
    let mut seen = HashSet::new();
    let mut looked = 0;
    for pid in pids {
        let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        // A thread may have descriptors of its own.
        for task in fs::read_dir(process.join("task")).into_iter().flatten().flatten() {
            for entry in fs::read_dir(task.path().join("fd")).into_iter().flatten().flatten() {
                looked += 1;
                if looked > MAX_HELD {
                    found.complete = false;
                    return found;
                }
                let Ok(file) = fs::metadata(entry.path()) else { continue }; // closed meanwhile
                if file.file_type().is_socket() {
                    found.complete &= !passes_files(&task.path().join("fdinfo").join(entry.file_name()));
                } else if file.nlink() == 0 && file.dev() == device && file.is_file() && seen.insert(file.ino()) {
                    found.bytes += file.blocks() * 512;
                    found.files += 1;
                }
            }
        }
        let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
        let mut mapped: HashMap<u64, u64> = HashMap::new();
        for line in maps.lines().filter(|line| line.ends_with(" (deleted)")) {
            looked += 1;
            if let Some((inode, bytes)) = mapping(line, device)
                && !seen.contains(&inode)
            {
                *mapped.entry(inode).or_default() += bytes;
            }
        }
        seen.extend(mapped.keys());
        found.bytes += mapped.values().sum::<u64>();
        found.files += mapped.len() as u64;
    }
    found
}

/// Whether descriptors are on their way through a socket (`scm_fds`, since Linux 5.10).
fn passes_files(information: &Path) -> bool {
    let text = fs::read_to_string(information).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("scm_fds:"));
    line.is_some_and(|count| count.trim() != "0")
}

/// The inode of a mapping on `device`, and its length.
fn mapping(line: &str, device: u64) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (major, minor) = fields.nth(2)?.split_once(':')?;
    let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
    let number = |text| u32::from_str_radix(text, 16).ok();
    let there = rustix::fs::makedev(number(major)?, number(minor)?);
    let inode = fields.next()?.parse().ok()?;
    (there == device).then_some((inode, hexadecimal(end)?.checked_sub(hexadecimal(start)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_its_own_first_descendant() {
        let me = rustix::process::getpid();
        assert_eq!(descendants(me).first(), Some(&me));
        assert_eq!(scan(me).first(), Some(&me));
        let sample = sample(&[me]);
        assert!(sample.memory > 0 && sample.processes >= 1);
    }

    #[test]
    fn files_without_a_name_are_found_where_they_are_held() {
        let me = [rustix::process::getpid()];
        let path = std::env::temp_dir().join(format!("terrarium-unlinked-{}", std::process::id()));
        fs::write(&path, vec![1; 3 << 20]).unwrap();
        let held = fs::File::open(&path).unwrap();
        let device = held.metadata().unwrap().dev();
        let before = unlinked(&me, device);
        fs::remove_file(&path).unwrap();
        let now = unlinked(&me, device);
        assert!(now.bytes >= before.bytes + (3 << 20), "{before:?} {now:?}");
        assert!(now.files > before.files);
        let line = "7f00-9f00 rw-s 00001000 103:0a 4711   /w/x (deleted)";
        assert_eq!(mapping(line, rustix::fs::makedev(0x103, 0xa)), Some((4711, 0x2000)));
        assert_eq!(mapping(line, 1), None);
    }
}
