//! The processes below one process, seen from outside through `/proc`.
//!
//! Used to measure a sandbox that has no cgroup, and to end one that has no pid namespace.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// How many processes are looked at: more than any sandbox may have.
const MAX_PROCESSES: usize = 65_536;

/// What a process uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Resident memory that no file stands behind, in bytes.
    pub(crate) memory: u64,
    /// Processor time of the process and of its children that ended.
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
        let text = fs::read_to_string(task.path().join("children")).ok()?;
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
        let Some(fields) = stat(pid) else { continue };
        if let Some(parent) = fields.get(1).and_then(|f| f.parse().ok()) {
            by_parent.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        found.extend(by_parent.remove(&pid).into_iter().flatten());
    }
    found.into_iter().filter_map(Pid::from_raw).collect()
}

/// The fields of `/proc/PID/stat` after the name, starting with the state (proc_pid_stat(5)).
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
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

/// What `pids` use together.
pub(crate) fn sample(pids: &[Pid]) -> Sample {
    const TICK: Duration = Duration::from_millis(10); // USER_HZ is 100 on every Linux (time(7))
    let mut total = Sample::default();
    for pid in pids {
        let pid = pid.as_raw_nonzero().get();
        let Some(fields) = stat(pid) else { continue };
        let number = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        let ticks = number(11) + number(12) + number(13) + number(14);
        total.cpu += TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
        total.memory += memory(pid).unwrap_or(0);
        total.processes += u32::try_from(number(17)).unwrap_or(u32::MAX).max(1);
    }
    total
}

/// Resident memory that no file stands behind: anonymous and shared (proc_pid_status(5)).
fn memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok()
    };
    Some((kilobytes("RssAnon:")? + kilobytes("RssShmem:")?) * 1024)
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
