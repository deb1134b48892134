//! Starts the zygote: where the server is, or in a cgroup that systemd gives.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::error::LaunchError;
use super::private;
use super::scope::{self, ScopeError};
use super::spawn::LaunchOptions;
use super::zygote::{Ask, NAME, Place};
use crate::kernel::fdpass;
use crate::kernel::probe::{self, Support};

/// How long systemd may take to give a scope, and the zygote in it to look around.
const SCOPE_WITHIN: Duration = Duration::from_secs(10);
/// How much of systemd's words is passed on.
const WORDS: u64 = 300;

/// A running zygote, and what it found.
#[derive(Debug)]
pub(super) struct Zygote {
    pub(super) socket: UnixStream,
    pub(super) support: Support,
    pub(super) process: Child,
}

impl Zygote {
    /// Starts one. Systemd is asked only where the server's own cgroup cannot have children.
    pub(super) fn start(options: &LaunchOptions) -> Result<Self, LaunchError> {
        let ask_systemd = !options.pretend.iter().any(|p| p == "cgroup") && probe::own_cgroup().is_err();
        let mut zygote = match ask_systemd.then(start_in_scope) {
            Some(Ok(zygote)) => zygote,
            Some(Err(error)) => start_here(Some(error.to_string()))?,
            None => start_here(None)?,
        };
        zygote.support = zygote.support.clone().pretend(&options.pretend)?;
        Ok(zygote)
    }

    fn probe(socket: &UnixStream, place: Place) -> io::Result<Support> {
        let ask = Ask::Probe {
            place,
            temporary: private::temporary(),
        };
        fdpass::send(socket, &serde_json::to_vec(&ask)?, &[])?;
        let (text, _) = fdpass::receive(socket)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.socket.shutdown(std::net::Shutdown::Both).ok(); // it ends when its socket does
        rustix::process::kill_process(Pid::from_child(&self.process), Signal::CONT).ok(); // stopped, it would not see that
        self.process.wait().ok(); // reaped, or nobody's any more
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "one of the two places where the zygote is started"
)]
fn start_here(no_scope: Option<String>) -> io::Result<Zygote> {
    let (socket, its) = UnixStream::pair()?;
    let process = Command::new("/proc/self/exe")
        .arg0(NAME)
        .arg("zygote")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(its)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let support = Zygote::probe(&socket, Place::Here { no_scope })?;
    Ok(Zygote {
        socket,
        support,
        process,
    })
}

/// systemd-run becomes the zygote once it is in its scope, so the child is the same process.
fn start_in_scope() -> Result<Zygote, ScopeError> {
    let unit = scope::name()?;
    let (socket, its) = UnixStream::pair()?;
    let mut command = scope::command(&unit)?;
    // Standard output is the program to become: its name may mean another file by then.
    command.arg("/proc/self/fd/1").arg("zygote");
    let mut process = command
        .stdin(Stdio::from(OwnedFd::from(its)))
        .stdout(Stdio::from(File::open("/proc/self/exe")?))
        .stderr(Stdio::piped())
        .spawn()?;
    drop(command); // and with it our copy of the other end
    let probed = socket
        .set_read_timeout(Some(SCOPE_WITHIN))
        .and_then(|()| Zygote::probe(&socket, Place::Scope { unit }))
        .and_then(|support| socket.set_read_timeout(None).map(|()| support));
    match probed {
        Ok(support) => Ok(Zygote {
            socket,
            support,
            process,
        }),
        Err(error) => {
            process.kill().ok(); // it may have ended
            process.wait()?;
            let mut said = String::new();
            let words = process
                .stderr
                .take()
                .map(|stderr| stderr.take(WORDS).read_to_string(&mut said));
            match words {
                Some(Ok(length)) if length > 0 => Err(ScopeError::Refused {
                    said: said.trim().to_owned(),
                }),
                _ => Err(error.into()),
            }
        }
    }
}
