//! The server's side of one running sandbox.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::cause::Cause;
use super::support::Protection;
use crate::profile::Limits;

/// A command that runs in a sandbox. Dropping it ends the sandbox.
#[derive(Debug)]
pub struct Sandbox {
    /// Where the command's input and output are. Descriptors are non-blocking.
    pub io: Io,
    /// What protects it, as found when it was built.
    pub protections: Vec<Protection>,
    /// Ends it, signals it, and tells how it ended.
    pub control: Control,
}

/// The other ends of the command's standard input, output and error.
#[derive(Debug)]
pub enum Io {
    /// Three pipes.
    Pipes {
        /// To write to.
        stdin: OwnedFd,
        /// To read from.
        stdout: OwnedFd,
        /// To read from.
        stderr: OwnedFd,
    },
    /// The master of a pseudo-terminal.
    Terminal(OwnedFd),
}

/// Acts on a running sandbox. When the last clone is dropped the sandbox ends.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) ending: watch::Receiver<Option<Ending>>,
    pub(super) used: watch::Receiver<Used>,
}

/// What the launcher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Send a signal.
    Signal {
        /// Its number.
        number: i32,
        /// Who gets it.
        to: Target,
    },
    /// It has read or printed something: it is not idle.
    Busy,
    /// Tell what it uses.
    Tell,
    /// End it: ask with SIGTERM, in a terminal with SIGHUP too, and after the grace time the certain end.
    Stop {
        /// Why, for the record.
        why: Stop,
        /// Milliseconds between asking and killing; none kills at once.
        grace_ms: u64,
    },
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The command's own process group, or the terminal's foreground group.
    Foreground,
    /// Every process of the sandbox.
    All,
}

/// Why a sandbox is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// Somebody closed it.
    Closed,
    /// The call was cancelled.
    Cancelled,
    /// We got this signal, which would have ended the command alone; it is asked to end with the same.
    Signal(i32),
    /// It printed more than its profile allows.
    Output,
}

/// How a sandbox ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// What became of the command.
    pub status: Status,
    /// What ended it, if it did not end by itself.
    pub cause: Option<Cause>,
    /// What it used.
    pub usage: Usage,
    /// From the start of the command to its end.
    pub duration: Duration,
    /// Processes that were still there and were killed.
    pub killed: u32,
    /// Protected paths of the workspace that appeared or changed.
    pub touched: Vec<PathBuf>,
}

impl Ending {
    /// Whether we killed it, alone or with its sandbox, so that nobody saw its end.
    pub fn was_killed(&self) -> bool {
        match (self.status, self.cause) {
            (Status::Lost, Some(cause)) => cause != Cause::Abandoned,
            (Status::Signal(libc::SIGKILL), Some(Cause::Stopped(_))) => true,
            _ => false,
        }
    }

    /// It in few words.
    pub fn in_words(&self, limits: &Limits, timeout: Option<Duration>) -> String {
        let status = match self.status {
            _ if self.was_killed() => "killed".to_owned(),
            Status::Code(code) => format!("exit {code}"),
            Status::Signal(number) => format!("signal {number}"),
            Status::Lost => "lost".to_owned(),
        };
        match self.cause {
            Some(cause) => format!("ended by {}: {status}", cause.describe(limits, timeout)),
            None => status,
        }
    }
}

/// What `wait` said of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It exited.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// The sandbox was torn down from outside; nobody saw the command end.
    Lost,
}

impl Status {
    /// A system call ended it that is not merely refused: one of another architecture.
    pub fn is_forbidden_call(self) -> bool {
        self == Self::Signal(libc::SIGSYS)
    }
}

/// What all processes of a sandbox use together at one moment, where the machine tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Processor time so far.
    pub cpu: Duration,
    /// Memory, in bytes: as its limit counts it.
    pub memory: Option<u64>,
    /// Processes, ours among them.
    pub processes: Option<u32>,
}

/// What all processes of a sandbox used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Highest memory seen, in bytes, where the machine tells.
    pub peak_memory: Option<u64>,
    /// Times that a process could not be made because of the limit, where the machine tells.
    pub processes_refused: Option<u64>,
    /// Processes that the kernel ended because the memory limit was reached, where the machine tells.
    pub memory_kills: Option<u64>,
}

impl Control {
    /// Sends a signal; says whether the sandbox was still there to get it.
    pub async fn signal(&self, number: i32, to: Target) -> bool {
        self.orders.send(Order::Signal { number, to }).await.is_ok()
    }

    /// Ends the sandbox, for certain after `grace`. Wait for [`Control::ended`] to know it is gone.
    pub async fn stop(&self, why: Stop, grace: Duration) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.orders.send(Order::Stop { why, grace_ms }).await.ok(); // gone already is as good
    }

    /// Says that the command has read or printed something, which its launcher cannot see. Cheap; often is fine.
    pub fn busy(&self) {
        self.orders.try_send(Order::Busy).ok(); // other orders are waiting: the next time will do
    }

    /// Asks what it uses. The answer comes to [`Control::used`].
    pub fn ask_used(&self) {
        self.orders.try_send(Order::Tell).ok(); // other orders are waiting: the next time will do
    }

    /// What it used when it last was asked. Keeps nothing of it alive.
    pub fn used(&self) -> watch::Receiver<Used> {
        self.used.clone()
    }

    /// How it ended, when it has. Cancel-safe.
    pub async fn ended(&self) -> Ending {
        let mut ending = self.ending.clone();
        let found = ending.wait_for(Option::is_some).await.ok().and_then(|e| e.clone());
        found.unwrap_or_else(Ending::lost)
    }
}

impl Ending {
    /// The launcher went away without a word.
    pub(super) fn lost() -> Self {
        Self {
            status: Status::Lost,
            cause: Some(Cause::Abandoned),
            usage: Usage::default(),
            duration: Duration::ZERO,
            killed: 0,
            touched: Vec::new(),
        }
    }
}
