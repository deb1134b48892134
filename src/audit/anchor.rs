//! Anchors: the head of the chain, told from time to time to somebody whom an attacker cannot make forget.
//!
//! Only against an anchor can it be seen that lines at the end were cut off, or that a file was rewritten whole.

use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::chain::Hash;
use super::files::Name;
use super::writer::Writer;

/// Where journald listens (systemd-journald.service(8), "native journal protocol").
const JOURNAL: &str = "/run/systemd/journal/socket";
/// What the journal calls us.
const IDENTIFIER: &str = "terrarium-audit";
/// What a line of an anchor begins with.
const WORD: &str = "terrarium-audit-anchor";

/// How long a command may take: the next anchor waits for it.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Through what.
    pub to: To,
    /// How often, while lines are written.
    pub every: Duration,
}

/// Through what an anchor goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// journald, as `terrarium-audit`.
    Journal,
    /// A program and its arguments; it gets a line on standard input.
    Command(Vec<String>),
}

/// A head that was told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// The file that it was in.
    pub name: Name,
    /// Its position in the chain.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The thread that tells.
#[derive(Debug)]
pub(super) struct Anchoring {
    wake: SyncSender<SyncSender<()>>,
}

impl Anchoring {
    pub(super) fn start(anchor: Anchor, writer: &Arc<Writer>) -> Self {
        let (wake, woken) = sync_channel(1);
        let writer = Arc::downgrade(writer);
        let thread = std::thread::Builder::new().name("audit-anchor".to_owned());
        if let Err(error) = thread.spawn(move || work(&anchor, &writer, &woken)) {
            tracing::error!(target: "audit", %error, "there will be no anchors");
        }
        Self { wake }
    }

    /// Tells now, and waits a moment for it: the process ends.
    pub(super) fn now(&self) {
        let (done, told) = sync_channel(1);
        match self.wake.try_send(done) {
            Ok(()) => {
                told.recv_timeout(Duration::from_millis(100)).ok(); // the end does not wait for a slow command
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

fn work(anchor: &Anchor, writer: &Weak<Writer>, woken: &Receiver<SyncSender<()>>) {
    let mut told = None;
    loop {
        let waiting = match woken.recv_timeout(anchor.every) {
            Ok(done) => Some(done),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(writer) = writer.upgrade() else { return };
        let head = writer.head().map(|(name, n, hash)| Anchored { name, n, hash });
        if let Some(head) = head.filter(|head| told != Some(*head)) {
            match anchor.to.tell(&head.to_string()) {
                Ok(()) => told = Some(head),
                Err(error) => tracing::error!(target: "audit", %error, "an anchor could not be set"),
            }
        }
        if let Some(done) = waiting {
            done.try_send(()).ok(); // nobody waits any more
        }
    }
}

impl To {
    fn tell(&self, line: &str) -> io::Result<()> {
        match self {
            Self::Journal => {
                let message = format!("MESSAGE={line}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nPRIORITY=5\n");
                UnixDatagram::unbound()?.send_to(message.as_bytes(), JOURNAL)?;
                Ok(())
            }
            Self::Command(words) => run(words, line),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that runs the operator's command"
)]
fn run(words: &[String], line: &str) -> io::Result<()> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{line}").ok(); // how it ends says whether it read
    }
    if !ended(&child)? {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::other(format!(
            "{program} took more than {} s",
            PATIENCE.tv_sec
        )));
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{program} ended with {status}"))),
    }
}

/// Waits for a child's end, for as long as it may take.
fn ended(child: &Child) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let process = pidfd_open(pid.ok_or(io::ErrorKind::NotFound)?, PidfdFlags::empty())?;
    let mut wanted = [PollFd::new(&process, PollFlags::IN)];
    Ok(poll(&mut wanted, Some(&PATIENCE))? > 0)
}

impl Anchored {
    /// Reads a line that holds an anchor, whatever stands before it.
    pub fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(WORD)?;
        let mut words = rest.split_whitespace();
        Some(Self {
            name: Name::parse(words.next()?)?,
            n: words.next()?.parse().ok()?,
            hash: Hash::parse(words.next()?.as_bytes())?,
        })
    }
}

impl std::fmt::Display for Anchored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{WORD} {} {} {}", self.name, self.n, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_told() {
        let anchored = Anchored {
            name: Name { chain: 7, number: 2 },
            n: 12,
            hash: Hash::default(),
        };
        let line = format!("Nov 21 10:00:00 host terrarium-audit[7]: {anchored}");
        assert_eq!(Anchored::parse(&line), Some(anchored));
        assert_eq!(Anchored::parse("terrarium-audit-anchor x 1 2"), None);
    }
}
