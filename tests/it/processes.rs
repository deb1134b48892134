//! Processes of the host, as the tests see and signal them.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal by its short name, as in `TERM`.
pub(crate) fn signal(pid: u32, name: &str) {
    let signal: Signal = format!("SIG{name}").parse().unwrap();
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// How many have this among their arguments.
pub(crate) fn alive(mark: &str) -> usize {
    count(|arguments| arguments.contains(mark))
}

/// How many sleep for `mark` seconds, without those that start them.
pub(crate) fn asleep(mark: &str) -> usize {
    let wanted = format!("sleep\0{mark}\0");
    count(|arguments| arguments == wanted)
}

fn count(is_one: impl Fn(&str) -> bool) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let arguments = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    arguments.filter(|line| is_one(&String::from_utf8_lossy(line))).count()
}

/// What all threads of a process have started and not reaped.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let of_threads = threads.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    let all: std::collections::BTreeSet<u32> = of_threads
        .chain([text])
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|p| p.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    all.into_iter().collect()
}

/// The highest memory of a process so far, in kB.
pub(crate) fn peak(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

/// The memory of a process now, in kB.
pub(crate) fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
