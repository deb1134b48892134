//! The process that launchers are forked from.
//!
//! It is the server's own binary, executed once with an empty environment and one thread, so that
//! forking needs neither exec nor care for other threads. It ends when the server's socket does;
//! its launchers watch sockets of their own. See docs/design/0001-zygote.md.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
        /// In which cgroup it was started.
        place: Place,
        /// Where temporary directories are.
        temporary: PathBuf,
    },
    /// Fork a launcher that reads its spec from the socket that comes along.
    Launch,
    /// Remove what launchers left behind that were killed.
    Sweep,
}

/// In which cgroup a zygote was started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Place {
    /// In the server's.
    Here {
        /// Why not in one from systemd, if that was wanted.
        no_scope: Option<String>,
    },
    /// In a scope from systemd.
    Scope {
        /// Its name.
        unit: String,
    },
}

/// What a zygote is called by `ps`.
pub(super) const NAME: &str = "terrarium";

/// Runs until the server is gone. `terrarium zygote` with the server's socket as standard input.
pub(crate) fn run() -> io::Result<()> {
    if std::env::args_os().next().is_none_or(|name| name != NAME) {
        return Err(begin_again());
    }
    fds::close_inherited()?;
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
    let me = rustix::process::getpid();
    let mut left = Left::default();
    while let Some((message, mut passed)) = fdpass::receive(&socket)? {
        match serde_json::from_slice(&message)? {
            Ask::Probe { place, temporary } => {
                let support = support(place)?;
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
                    survivors::end_orphans(me);
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
    survivors::see_off();
    left.sweep();
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
            for other in scope::others(parent) {
                cgroup::sweep(&other);
            }
        }
        private::sweep(&self.temporary);
    }
}

/// systemd-run left its environment and its name: the same program once more, without either.
#[expect(clippy::disallowed_methods, reason = "this is the zygote itself")]
fn begin_again() -> io::Error {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).arg("zygote").env_clear().current_dir("/");
    command.stdout(Stdio::null()).stderr(Stdio::null()).exec()
}

fn support(place: Place) -> io::Result<probe::Support> {
    process::set_signal(Signal::SIGCHLD, SignalAction::Default)?;
    let parent = match place {
        Place::Scope { unit } => scope::enter(&unit),
        Place::Here { no_scope } => probe::own_cgroup().or_else(|why| {
            // One that an administrator has given away by hand is as good.
            probe::given_cgroup().map_err(|_| {
                [Some(why), no_scope]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; ")
            })
        }),
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
