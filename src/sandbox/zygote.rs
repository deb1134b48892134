//! The process that launchers are forked from.
//!
//! It is the server's own binary, executed once with an empty environment and one thread, so that
//! forking needs neither exec nor care for other threads. It ends when the server's socket does;
//! its launchers watch sockets of their own. See docs/design/0001-zygote.md.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::launcher;
use super::private;
use super::scope;
use super::survivors;
use crate::kernel::process::{self, Fork, SignalAction};
use crate::kernel::{cgroup, fdpass, fds, probe, tty};

/// What the server asks of the zygote.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// Find out what the machine offers, and remove what earlier servers left behind.
    Probe {
        /// Whether the user's systemd may be asked for a cgroup.
        scope: bool,
        /// Where temporary directories are.
        temporary: PathBuf,
    },
    /// Fork a launcher that reads its spec from the socket that comes along.
    Launch,
    /// Remove what launchers left behind that were killed.
    Sweep,
}

/// Runs until the server is gone. `terrarium zygote` with the server's socket as standard input.
pub(crate) fn run() -> io::Result<()> {
    let socket = take_stdin()?;
    // The kernel reaps launchers: nobody here waits for them.
    process::set_signal(Signal::SIGCHLD, SignalAction::Ignore)?;
    // The terminal's signals are for the server, which ends launchers in order.
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGTSTP,
    ] {
        process::set_signal(signal, SignalAction::Ignore)?;
    }
    survivors::adopt()?;
    rustix::process::setsid().ok(); // a session leader already is as good
    let mut left = Left::default();
    while let Some((message, mut passed)) = fdpass::receive(&socket)? {
        match serde_json::from_slice(&message)? {
            Ask::Probe { scope, temporary } => {
                let support = support(scope)?;
                left = Left {
                    cgroup: support.cgroup.clone().ok(),
                    temporary,
                };
                left.sweep();
                fdpass::send(&socket, &serde_json::to_vec(&support)?, &[])?;
            }
            Ask::Sweep => {
                // In a process of its own: it waits for the kernel, and nobody waits for it.
                if let Fork::Child = process::fork(0, None)? {
                    survivors::end_orphans();
                    left.sweep();
                    process::exit_now(0);
                }
            }
            Ask::Launch => {
                let control = passed.pop().ok_or(io::ErrorKind::InvalidData)?;
                if let Fork::Child = process::fork(0, None)? {
                    drop(socket);
                    launcher::run(UnixStream::from(control));
                }
            }
        }
    }
    Ok(())
}

/// Where launchers leave something when they are killed.
#[derive(Default)]
struct Left {
    cgroup: Option<cgroup::Parent>,
    temporary: PathBuf,
}

impl Left {
    fn sweep(&self) {
        if let Some(parent) = &self.cgroup {
            cgroup::sweep(parent);
        }
        private::sweep(&self.temporary);
    }
}

fn support(ask_systemd: bool) -> io::Result<probe::Support> {
    process::set_signal(Signal::SIGCHLD, SignalAction::Default)?;
    let parent = match probe::own_cgroup() {
        Err(why) if ask_systemd => scope::ask().map_err(|error| format!("{why}; {error}")),
        found => found,
    };
    let support = probe::run(parent);
    process::set_signal(Signal::SIGCHLD, SignalAction::Ignore)?;
    Ok(support)
}

/// Standard input is the server's socket; afterwards it is `/dev/null`.
fn take_stdin() -> io::Result<UnixStream> {
    let socket = rustix::stdio::stdin().try_clone_to_owned()?;
    let null = tty::null()?;
    fds::move_to(&null.as_fd(), 0)?;
    Ok(UnixStream::from(socket))
}
