//! The processes below one process, seen from outside through `/proc`.
//!
//! Used to measure a sandbox that has no cgroup, and to end one that has no pid namespace.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

use super::shared_memory::SharedMemory;

/// How many processes are looked at: more than any sandbox may have.
const MAX_PROCESSES: usize = 65_536;

/// What a process uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Memory that no file stands behind, in bytes: resident, swapped out, and what maps it.
    pub(crate) memory: u64,
    /// The part of it that is shared and resident.
    pub(crate) shared: u64,
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

/// What is known of earlier looks: the processor time of all that was ever seen, also of processes that nobody waited for (theirs is in no
/// other's), and what the machine had of shared memory.
#[derive(Debug)]
pub(crate) struct Times {
    shared: SharedMemory,
    last: HashMap<(i32, u64), Duration>,
    gone: Duration,
    most: Duration,
}

impl Times {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self {
            shared: SharedMemory::start(),
            last: HashMap::new(),
            gone: Duration::ZERO,
            most: Duration::ZERO,
        }
    }

    /// What `pids` use together, and of processor time what those before them have used too. What lived and ended between two
    /// looks, unwaited for, is missing. Memory that is shared and shown by nobody is looked for where it may be what is past the `limit`;
    /// `closed` are processes of ours into which nobody may be able to look.
    pub(crate) fn sample(&mut self, pids: &[Pid], closed: &[Pid], limit: u64) -> Sample {
        let mut now = HashMap::new();
        let mut total = Sample::default();
        for stat in pids.iter().filter_map(|pid| stat(pid.as_raw_nonzero().get())) {
            total.add(&stat);
            now.insert(stat.process, stat.own);
        }
        let gone = self.last.iter().filter(|(process, _)| !now.contains_key(process));
        self.gone += gone.map(|(_, time)| *time).sum::<Duration>();
        self.last = now;
        let room = limit.saturating_sub(total.memory);
        total.memory += self.shared.hidden(pids, closed, total.shared, room);
        let all = self.gone + self.last.values().sum::<Duration>();
        self.most = self.most.max(all).max(total.cpu);
        total.cpu = self.most;
        total
    }
}

impl Sample {
    fn add(&mut self, stat: &Stat) {
        self.cpu += stat.own + stat.waited;
        let (memory, shared) = memory(stat.process.0).unwrap_or_default();
        self.memory += memory;
        self.shared += shared;
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

/// Memory that no file stands behind: anonymous and shared, in swap, and page tables; and what of it is shared (proc_pid_status(5)).
fn memory(pid: i32) -> Option<(u64, u64)> {
    // A first thread that has ended says nothing of the memory that the others have.
    let tasks = || {
        fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
    };
    let first = memory_in(format!("/proc/{pid}/status"));
    first.or_else(|| tasks().find_map(|task| memory_in(task.path().join("status"))))
}

fn memory_in(status: impl AsRef<Path>) -> Option<(u64, u64)> {
    let text = fs::read_to_string(status).ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok()
    };
    let shared = kilobytes("RssShmem:")?;
    let mut sum = kilobytes("RssAnon:")? + shared;
    sum += kilobytes("VmSwap:").unwrap_or(0) + kilobytes("VmPTE:").unwrap_or(0);
    Some((sum * 1024, shared * 1024))
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
}
