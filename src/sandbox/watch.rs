//! The launcher's watch over a running sandbox: orders, limits, and the end.

mod orders;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, Signal, WaitOptions};

use super::growth::Meter;
use super::launcher::{self, Running};
use super::protect;
use super::spec::{Base, Task, Watch, Word};
use super::survivors;
use super::tend::Report;
use super::{Cause, Ending, Limit, Status, Usage};
use crate::kernel::cgroup::Group;
use crate::kernel::fdpass;
use crate::kernel::proctree::{self, Sample, Times};
use crate::kernel::unlinked;

/// How often a working sandbox is looked at, and an idle one.
const BUSY: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_millis(200);
/// How long a command that does nothing by itself is left alone before it is looked for children of it.
const LOOK_FOR_CHILDREN: Duration = Duration::from_millis(500);
/// How long pid 1 may take to end what is left, before the kernel does.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Watches one sandbox to its end.
pub(super) struct Watcher<'a> {
    control: &'a UnixStream,
    base: &'a Base,
    watch: &'a Watch,
    /// Whether the command has a terminal, which hangs up when its end is asked for.
    hang_up: bool,
    group: Option<&'a Group>,
    running: Running,
    started: Instant,
    cause: Option<Cause>,
    kill_at: Option<Instant>,
    /// Whether pid 1 was asked to end what is left at that time.
    outlast: bool,
    last_work: Instant,
    last_cpu: Duration,
    last_cpu_at: Instant,
    peak: u64,
    before: Before,
}

/// What is there before the command can change it.
pub(super) struct Before {
    times: Times,
    meters: Vec<Meter>,
    protected: BTreeMap<PathBuf, protect::Fingerprint>,
}

impl Before {
    /// Looks. The command must not run yet.
    pub(super) fn look(watch: &Watch) -> Self {
        Self {
            times: Times::start(),
            meters: watch.growth.iter().map(Meter::start).collect(),
            protected: protect::look(&watch.workspace, &watch.protect, watch.depth),
        }
    }
}

impl<'a> Watcher<'a> {
    pub(super) fn new(
        control: &'a UnixStream,
        base: &'a Base,
        task: &'a Task,
        group: Option<&'a Group>,
        running: Running,
        mut before: Before,
    ) -> Self {
        let now = Instant::now();
        for meter in &mut before.meters {
            meter.compare(running.init);
        }
        Self {
            control,
            base,
            watch: &task.watch,
            hang_up: task.terminal.is_some(),
            group,
            running,
            started: now,
            cause: None,
            kill_at: None,
            outlast: false,
            last_work: now,
            last_cpu: Duration::ZERO,
            last_cpu_at: now,
            peak: 0,
            before,
        }
    }

    /// Returns when nothing of the sandbox is left. The server is told as soon as nothing of the command is.
    pub(super) fn run(mut self) {
        let mut report = None;
        let mut server_there = true;
        let mut wait = BUSY;
        while report.is_none() {
            let (order, said) = self.poll(server_there, wait);
            if order {
                server_there = self.take_order();
            }
            if said {
                report = Some(self.take_report());
                break;
            }
            wait = self.check();
            if self.kill_at.is_some_and(|at| Instant::now() >= at) && !self.has_killed() {
                break;
            }
        }
        self.end(report.flatten());
    }

    fn poll(&self, server_there: bool, wait: Duration) -> (bool, bool) {
        let mut wanted = vec![PollFd::new(self.running.line.as_fd(), PollFlags::POLLIN)];
        if server_there {
            wanted.push(PollFd::new(self.control.as_fd(), PollFlags::POLLIN));
        }
        let wait = self
            .kill_at
            .map_or(wait, |at| wait.min(at.saturating_duration_since(Instant::now())));
        let timeout = PollTimeout::try_from(wait.max(Duration::from_millis(1))).unwrap_or(PollTimeout::ZERO);
        poll(&mut wanted, timeout).ok(); // interrupted is as good as a timeout
        let ready = |at: usize| wanted.get(at).and_then(PollFd::any).unwrap_or(false);
        (ready(1), ready(0))
    }

    fn take_report(&self) -> Option<Report> {
        let (text, _) = fdpass::receive(&self.running.line).ok()??;
        serde_json::from_slice(&text).ok()
    }

    /// Looks at every limit; says when to look again.
    fn check(&mut self) -> Duration {
        let now = Instant::now();
        if !self.base.namespaces.pid {
            // The command may have stopped it, who tells of its end.
            rustix::process::pidfd_send_signal(&self.running.pidfd, Signal::CONT).ok(); // it has ended
        }
        let pids = self.pids();
        let sample = self.sample(pids.as_deref());
        let cost = now.elapsed(); // a walk has a bound of its own, and must not keep us from the other limits
        let working = sample.cpu > self.last_cpu + Duration::from_millis(1);
        if working {
            self.last_cpu = sample.cpu;
            self.last_cpu_at = now;
        }
        if working || self.has_children(&sample, now) {
            self.last_work = now;
        }
        self.peak = self.peak.max(sample.memory);
        let over = |limit: Option<u64>, used: Duration| limit.is_some_and(|ms| used >= Duration::from_millis(ms));
        let watch = self.watch;
        let mut hit = None;
        let (wall, at_its_end) = watch.wall;
        if over(Some(wall), now - self.started) {
            hit = Some(at_its_end);
        } else if over(watch.cpu, sample.cpu) {
            hit = Some(Limit::CpuTime);
        } else if over(Some(watch.idle), now - self.last_work) {
            hit = Some(Limit::IdleTime);
        } else if watch.memory.is_some_and(|limit| sample.memory > limit) {
            hit = Some(Limit::Memory);
        } else if watch.processes.is_some_and(|limit| sample.processes > limit) {
            hit = Some(Limit::Processes);
        } else if let Some(limit) = self.grown() {
            hit = Some(limit);
        }
        if let Some(limit) = hit {
            self.stop(Cause::Limit(limit), Duration::ZERO);
        }
        let next = if now - self.last_cpu_at < IDLE {
            BUSY.max(cost * 20)
        } else {
            IDLE
        };
        next.min(Duration::from_millis(wall).saturating_sub(self.started.elapsed()))
    }

    /// What has grown too far.
    fn grown(&mut self) -> Option<Limit> {
        let (init, base) = (self.running.init, self.base);
        let own: Vec<_> = self
            .watch
            .growth
            .iter()
            .map(|grows| grows.directory.as_path())
            .collect();
        let unlinked = |devices: &[u64]| {
            let pids = proctree::descendants(init);
            unlinked::unlinked(&pids, devices, &own, base.ours(&pids))
        };
        self.before.meters.iter_mut().find_map(|meter| meter.check(&unlinked))
    }

    /// What is below pid 1, where no group counts it.
    fn pids(&self) -> Option<Vec<Pid>> {
        let count = || proctree::descendants(self.running.init);
        self.group.is_none().then(count)
    }

    fn sample(&mut self, pids: Option<&[Pid]>) -> Sample {
        match (self.group, pids) {
            (None, Some(pids)) => {
                let limit = self.watch.memory.unwrap_or(u64::MAX);
                self.before.times.sample(pids, self.base.ours(pids), limit)
            }
            (group, _) => Sample {
                cpu: group.map_or(Duration::ZERO, |group| group.usage().cpu),
                ..Sample::default()
            },
        }
    }

    /// Whether the command has a child: then it waits for that, and is not idle. Looked at when it matters.
    fn has_children(&self, sample: &Sample, now: Instant) -> bool {
        const OURS: u32 = 2; // pid 1, and the command
        let idle = Duration::from_millis(self.watch.idle);
        if now - self.last_work < idle.min(LOOK_FOR_CHILDREN) {
            return false;
        }
        let processes = match self.group {
            Some(group) => group.processes(),
            None => sample.processes,
        };
        processes > OURS
    }

    fn end(mut self, report: Option<Report>) {
        let duration = self.started.elapsed();
        if report.is_none() && self.kill_at.is_none() {
            self.last_words();
        }
        let own = match self.group {
            Some(_) => Duration::ZERO, // the group tells
            None => proctree::sample(&[self.running.init]).cpu,
        };
        // pid 1 that reports has reaped everything in its namespace. What is left is ours: that takes a while, and nobody waits for it.
        let alone = report.is_some() && self.base.is_complete();
        if !alone {
            self.reap();
        }
        let usage = self.usage(own);
        let status = report.as_ref().map_or(Status::Lost, |r| r.status);
        if self.cause.is_none() {
            self.cause = match status {
                Status::Code(0) => None,
                _ if usage.memory_kills.is_some_and(|kills| kills > 0) => Some(Cause::Limit(Limit::Memory)),
                Status::Signal(libc::SIGXFSZ) => Some(Cause::Limit(Limit::FileSize)),
                Status::Lost => Some(Cause::Abandoned),
                _ => None,
            };
        }
        let ending = Ending {
            status,
            cause: self.cause,
            usage,
            duration,
            killed: report.map_or(0, |r| r.killed),
            touched: self.touched(),
        };
        launcher::say(self.control, &Word::Ended(ending));
        if alone {
            self.reap();
        }
    }

    /// Protected paths that changed.
    fn touched(&self) -> Vec<PathBuf> {
        let watch = self.watch;
        protect::changed(&watch.workspace, &watch.protect, &self.before.protected, watch.depth)
    }

    /// Ends pid 1, and with it what is left.
    fn reap(&self) {
        rustix::process::pidfd_send_signal(&self.running.pidfd, Signal::KILL).ok(); // it may have ended
        rustix::process::waitpid(Some(self.running.init), WaitOptions::empty()).ok(); // reaped, or never ours
        if !self.base.namespaces.pid {
            survivors::end_all();
        }
    }

    /// pid 1 closed its line without a report: give it the time to be reaped.
    fn last_words(&self) {
        let deadline = Instant::now() + LAST_WORDS;
        let mut line = &self.running.line;
        line.set_read_timeout(Some(deadline.saturating_duration_since(Instant::now())))
            .ok();
        line.read_exact(&mut [0]).ok(); // the end of the line is what we wait for
    }

    fn usage(&self, own: Duration) -> Usage {
        match self.group.map(Group::usage) {
            Some(used) => Usage {
                cpu: used.cpu,
                peak_memory: used.peak_memory,
                processes_refused: Some(used.processes_refused),
                memory_kills: Some(used.out_of_memory_kills),
            },
            None => Usage {
                cpu: own.max(self.last_cpu),
                peak_memory: Some(self.peak).filter(|p| *p > 0),
                processes_refused: None,
                memory_kills: None,
            },
        }
    }
}
