//! Ends what no process namespace ends: whatever outlived pid 1 of a sandbox.
//!
//! Without such a namespace the kernel hands orphans to the nearest subreaper above them
//! (`PR_SET_CHILD_SUBREAPER`): to pid 1, after its death to the launcher, after its death to the
//! zygote. Only a loss of all three at once lets them go; then their cgroup still names them.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};

use crate::kernel::{process, proctree};

/// How long the end of a tree that forks as fast as it can may take.
const ENDED_WITHIN: Duration = Duration::from_secs(2);

/// How long launchers may take to clean up after their server is gone.
const SEEN_OFF_WITHIN: Duration = Duration::from_secs(10);

/// Makes orphans below this process its children.
pub(super) fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Kills and reaps everything below this process. It must have no children that shall live.
pub(super) fn end_all() {
    let me = rustix::process::getpid();
    until_none(|| {
        let mut left = proctree::descendants(me);
        left.retain(|pid| *pid != me);
        left
    });
}

/// Kills what launchers that were killed left to the zygote.
///
/// What belongs to a sandbox has more system call filters than its zygote, and can never shed one
/// (seccomp(2)); a launcher has as many.
pub(super) fn end_orphans(zygote: Pid) {
    until_none(|| orphans(zygote));
}

/// Waits for the launchers of this zygote, which end with its server, and kills what a lost one leaves. One that was stopped goes on;
/// one that does not end in time is killed, and its pid 1 with it.
pub(super) fn see_off() {
    let me = rustix::process::getpid();
    let launchers = || proctree::children(me).unwrap_or_default();
    let deadline = Instant::now() + SEEN_OFF_WITHIN;
    while !launchers().is_empty() && Instant::now() < deadline {
        signal(launchers(), Signal::CONT);
        signal(orphans(me), Signal::KILL);
        // The kernel reaps launchers, which raises no event.
        process::pause(Duration::from_millis(1));
    }
    signal(launchers(), Signal::KILL);
    end_orphans(me);
}

fn signal(pids: Vec<Pid>, signal: Signal) {
    for pid in pids {
        rustix::process::kill_process(pid, signal).ok(); // it may have ended
    }
}

fn orphans(zygote: Pid) -> Vec<Pid> {
    let Some(own) = filters(zygote) else {
        return Vec::new();
    };
    let mut left = proctree::children(zygote).unwrap_or_default();
    left.retain(|pid| filters(*pid).is_some_and(|count| count > own));
    left.into_iter().flat_map(proctree::descendants).collect()
}

/// Kills what `find` finds until it finds nothing: a killed parent's children turn up one level higher.
fn until_none(find: impl Fn() -> Vec<Pid>) {
    let deadline = Instant::now() + ENDED_WITHIN;
    loop {
        let left = find();
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        signal(left, Signal::KILL);
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        // The end of somebody else's child raises no event here.
        process::pause(Duration::from_millis(1));
    }
}

/// How many system call filters a process has (`Seccomp_filters`, Linux 5.9).
fn filters(pid: Pid) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("Seccomp_filters:"))?;
    line.trim().parse().ok()
}
