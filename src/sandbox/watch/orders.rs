//! What the server orders of a launcher, and how a command is asked to end.

use std::time::{Duration, Instant};

use rustix::net::SendFlags;
use rustix::process::Signal;

use super::Watcher;
use crate::kernel::{fdpass, proctree};
use crate::sandbox::handle::Order;
use crate::sandbox::launcher;
use crate::sandbox::spec::Word;
use crate::sandbox::tend::InitOrder;
use crate::sandbox::{Cause, Stop, Target, Used};

/// How long pid 1 may take to kill and reap what has had its time.
const KILLED_WITHIN: Duration = Duration::from_millis(500);

impl Watcher<'_> {
    /// One order of the server's; says whether the server is still there.
    pub(super) fn take_order(&mut self) -> bool {
        let received = fdpass::receive(self.control).ok().flatten();
        let order = received.and_then(|(text, _)| serde_json::from_slice::<Order>(&text).ok());
        match order {
            Some(Order::Signal { number, to }) => {
                self.signal(number, to);
                true
            }
            Some(Order::Busy) => {
                self.last_work = Instant::now();
                true
            }
            Some(Order::Tell) => {
                self.tell();
                true
            }
            Some(Order::Stop { why, grace_ms }) => {
                self.stop(Cause::Stopped(why), Duration::from_millis(grace_ms));
                true
            }
            None => {
                self.stop(Cause::Abandoned, Duration::ZERO);
                false
            }
        }
    }

    fn tell(&self) {
        let used = match self.group {
            Some(group) => Used {
                cpu: group.usage().cpu,
                memory: group.memory(),
                processes: Some(group.processes()),
            },
            None => {
                let sample = proctree::sample(&proctree::descendants(self.running.init));
                Used {
                    cpu: sample.cpu,
                    memory: Some(sample.memory),
                    processes: Some(sample.processes),
                }
            }
        };
        launcher::say(self.control, &Word::Used(used));
    }

    fn signal(&self, number: i32, to: Target) {
        if to == Target::All && !self.base.namespaces.pid {
            // To pid 1 "all" would mean every process that this user has on the host.
            let signal = Signal::from_named_raw(number);
            let all = proctree::descendants(self.running.init);
            for pid in all.into_iter().filter(|pid| *pid != self.running.init) {
                signal.map(|signal| rustix::process::kill_process(pid, signal).ok()); // it may have ended
            }
            return;
        }
        if let Ok(number @ 1..) = u8::try_from(number) {
            self.order(InitOrder::Signal { number, to });
        }
    }

    fn order(&self, order: InitOrder) {
        // It has ended and there is nobody to order, or it is kept from reading and must not hold us back.
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::net::send(&self.running.line, &order.bytes(), flags).ok();
    }

    pub(super) fn stop(&mut self, cause: Cause, grace: Duration) {
        let at = Instant::now() + grace;
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        if grace.is_zero() {
            return;
        }
        self.outlast = true;
        self.order(InitOrder::Outlast);
        let asking = match cause {
            Cause::Stopped(Stop::Signal(number)) => [Some(number), None],
            // A program of no terminal that handles only SIGTERM would be ended by the other.
            _ => [self.hang_up.then_some(libc::SIGHUP), Some(libc::SIGTERM)],
        };
        for signal in asking.into_iter().flatten().chain([libc::SIGCONT]) {
            self.signal(signal, Target::All);
        }
    }

    /// Has pid 1 kill what is left after its time, once: it tells what became of the command and how many there were.
    pub(super) fn has_killed(&mut self) -> bool {
        if !std::mem::take(&mut self.outlast) {
            return false;
        }
        self.kill_at = Some(Instant::now() + KILLED_WITHIN);
        self.signal(libc::SIGKILL, Target::All);
        true
    }
}
