//! pid 1 while the command runs: reaps, passes on what its launcher orders, and leaves nothing alive.

use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use rustix::process::{Pid, WaitOptions, WaitStatus};
use serde::{Deserialize, Serialize};

use super::spec::Base;
use super::{Status, Target};

/// What pid 1 tells its launcher when the command has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) status: Status,
    pub(super) killed: u32,
}

/// What the launcher tells pid 1 while the command runs: one order is [`ORDER_BYTES`] long.
#[derive(Clone, Copy, Debug)]
pub(super) enum InitOrder {
    /// Send a signal.
    Signal { number: u8, to: Target },
    /// The end was asked for: what the command started may take its time too, until the launcher has it killed.
    Outlast,
}

/// The length of an order on the line.
const ORDER_BYTES: usize = 2;

impl InitOrder {
    pub(super) fn bytes(self) -> [u8; ORDER_BYTES] {
        match self {
            Self::Signal { number, to } => [number, u8::from(to == Target::All)],
            Self::Outlast => [0; ORDER_BYTES], // no signal has this number
        }
    }

    fn read(bytes: [u8; ORDER_BYTES]) -> Self {
        match bytes {
            [0, _] => Self::Outlast,
            [number, 0] => Self::Signal {
                number,
                to: Target::Foreground,
            },
            [number, _] => Self::Signal {
                number,
                to: Target::All,
            },
        }
    }
}

/// Reaps and passes signals on until the command has ended; then nothing is left alive.
pub(super) fn tend(base: &Base, line: &UnixStream, command: Pid, terminal: Option<&OwnedFd>) -> Report {
    let mut tending = Tending {
        command,
        status: Status::Lost,
        has_ended: false,
        outlast: false,
        killed: 0,
    };
    tending.reap_until_ended(line, terminal);
    if base.namespaces.pid {
        // Everything in this namespace but ourselves.
        rustix::process::kill_process_group(Pid::INIT, rustix::process::Signal::CONT).ok();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), Signal::SIGKILL).ok(); // none left is as good
        while let Reaped::One(was_killed) = tending.reap(WaitOptions::empty()) {
            tending.killed += u32::from(was_killed);
        }
    }
    Report {
        status: tending.status,
        killed: tending.killed,
    }
}

/// A command that runs, and what it left.
struct Tending {
    command: Pid,
    /// What became of the command.
    status: Status,
    has_ended: bool,
    /// Whether the end was asked for, and what the command leaves is waited for.
    outlast: bool,
    /// Processes that had to be killed.
    killed: u32,
}

/// What a look for ended children found.
enum Reaped {
    /// One had ended, and whether it was killed.
    One(bool),
    NoneYet,
    NoneLeft,
}

impl Tending {
    fn reap(&mut self, how: WaitOptions) -> Reaped {
        match rustix::process::wait(how) {
            Ok(Some((pid, status))) => {
                if pid == self.command {
                    (self.status, self.has_ended) = (ended(status), true);
                }
                Reaped::One(status.terminating_signal() == Some(libc::SIGKILL))
            }
            Ok(None) => Reaped::NoneYet,
            Err(_) => Reaped::NoneLeft, // ECHILD: the only error for any child, where no signal has a handler
        }
    }

    /// Reaps all that has ended; says whether there is nothing more to wait for.
    fn is_over(&mut self) -> bool {
        loop {
            match self.reap(WaitOptions::NOHANG) {
                Reaped::One(was_killed) => self.killed += u32::from(was_killed && self.outlast),
                Reaped::NoneYet => return self.has_ended && !self.outlast,
                Reaped::NoneLeft => return true,
            }
        }
    }

    fn reap_until_ended(&mut self, line: &UnixStream, terminal: Option<&OwnedFd>) {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let Ok(child) = signal_descriptor() else { return };
        let mut line_open = true;
        while !self.is_over() {
            let mut wanted = vec![PollFd::new(child.as_fd(), PollFlags::POLLIN)];
            if line_open {
                wanted.push(PollFd::new(line.as_fd(), PollFlags::POLLIN));
            }
            if poll(&mut wanted, PollTimeout::NONE).is_err() {
                continue; // interrupted
            }
            let readable = |at: usize| wanted.get(at).and_then(PollFd::any).unwrap_or(false);
            let (has_child, has_order) = (readable(0), readable(1));
            if has_child {
                rustix::io::read(&child, &mut [0_u8; 128]).ok(); // which child it was, wait tells
            }
            if has_order {
                let mut order = [0; ORDER_BYTES];
                match (&*line).read_exact(&mut order).map(|()| InitOrder::read(order)) {
                    Ok(InitOrder::Signal { number, to }) => pass_on(number, to, self.command, terminal),
                    Ok(InitOrder::Outlast) => self.outlast = true,
                    Err(_) => line_open = false, // the kernel ends us with the launcher
                }
            }
        }
    }
}

/// A descriptor that becomes readable when a child ends.
fn signal_descriptor() -> nix::Result<nix::sys::signalfd::SignalFd> {
    use nix::sys::signalfd::{SfdFlags, SigSet, SignalFd};
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn pass_on(number: u8, to: Target, command: Pid, terminal: Option<&OwnedFd>) {
    let foreground = terminal.and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
    let group = foreground.unwrap_or(command).as_raw_nonzero().get();
    let target = match to {
        Target::Foreground => -group, // the command leads a session and a group of its own
        Target::All => -1,
    };
    if let Ok(signal) = Signal::try_from(i32::from(number)) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(target), signal).ok(); // it may have ended
    }
}

fn ended(status: WaitStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Code(code),
        (None, Some(signal)) => Status::Signal(signal),
        (None, None) => Status::Lost,
    }
}
