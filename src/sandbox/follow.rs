//! A launcher that has its task: waits for the start and for the end, and passes orders on.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::command::NO_INTERPRETER;
use super::error::LaunchError;
use super::handle::{Ending, Io, Order, Used};
use super::spawn::{Launchers, blocking, prepare};
use super::spec::{Base, Word};
use super::step::{Step, StepError};
use crate::kernel::{fdpass, fds};
use crate::policy::LaunchGrant;

/// What a launcher is sent. Kept until it says that it has begun.
pub(super) struct LaunchOrders {
    pub(super) base: Base,
    pub(super) task: Vec<u8>,
    pub(super) passed: Vec<OwnedFd>,
}

impl LaunchOrders {
    pub(super) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        fdpass::send(socket, &self.base.to_bytes()?, &[])?;
        match self.send_task(socket) {
            // It ended while it built: its first word says why.
            Err(error) if fdpass::never_read(&error) => Ok(()),
            sent => sent,
        }
    }

    pub(super) fn send_task(&self, socket: &UnixStream) -> io::Result<()> {
        let passed: Vec<_> = self.passed.iter().map(|fd| fd.as_fd()).collect();
        fdpass::send(socket, &self.task, &passed)
    }
}

/// A launcher that has its task.
pub(super) struct Begun {
    pub(super) socket: UnixStream,
    pub(super) orders: LaunchOrders,
    pub(super) outside: Option<Io>,
    pub(super) protections: Vec<super::Protection>,
    /// Whether it was built before it was asked for: what went wrong then has nothing to do with this call.
    pub(super) prepared: bool,
    /// What a sandbox may be built ahead for.
    pub(super) next: Option<LaunchGrant>,
}

/// Who is told of a sandbox.
pub(super) struct Tell {
    pub(super) started: oneshot::Sender<Started>,
    pub(super) used: watch::Sender<Used>,
    pub(super) ending: watch::Sender<Option<Ending>>,
}

pub(super) type Started = Result<(Io, Vec<super::Protection>), LaunchError>;

impl Begun {
    /// Waits for the start and for the end; passes orders on meanwhile.
    pub(super) async fn follow(self, launchers: &Launchers, tell: Tell, orders: mpsc::Receiver<Order>) {
        let Self {
            socket,
            orders: mut sent,
            outside,
            protections,
            prepared,
            next,
        } = self;
        let mut first = first_word(socket).await;
        let again = match &first {
            Err(LaunchError::Zygote { source }) => fdpass::never_read(source),
            // Up to that step the command has certainly not run.
            Err(LaunchError::Step(error)) => prepared && error.step != Step::Exec,
            _ => false,
        };
        if again {
            let me = launchers.clone();
            first = match blocking(move || me.ask_again(&mut sent)).await {
                Ok(socket) => first_word(socket).await,
                Err(error) => Err(error),
            };
        } else {
            drop(sent); // the command's ends are the command's alone from here on
        }
        let (started, reader, writer) = match first {
            Ok((terminal, reader, writer)) => (pair_up(terminal, outside), reader, writer),
            Err(error) => {
                if matches!(error, LaunchError::LauncherLost) {
                    launchers.clean_up().await;
                }
                return drop(tell.started.send(Err(error))); // a dropped call needs no answer
            }
        };
        let mut reader = reader;
        let running = started.is_ok();
        if tell.started.send(started.map(|io| (io, protections))).is_err() || !running {
            return; // nobody wants it: the closing socket ends it
        }
        if let Some(next) = next {
            tokio::spawn(prepare(launchers.clone(), next, tell.ending.subscribe()));
        }
        let said = last_word(&mut reader, &tell.used);
        let passing = pass_on(orders, writer);
        tokio::pin!(said, passing);
        let said = tokio::select! {
            said = &mut said => said,
            () = &mut passing => said.await,
        };
        let ended = match said {
            Some(ended) => ended,
            None => {
                launchers.clean_up().await;
                Ending::lost()
            }
        };
        tell.ending.send_replace(Some(ended));
    }
}

/// How the sandbox ended, if its launcher says so. What it uses is told meanwhile.
async fn last_word(reader: &mut OwnedReadHalf, used: &watch::Sender<Used>) -> Option<Ending> {
    loop {
        let (text, _) = fdpass::receive_later(reader).await.ok().flatten()?;
        match serde_json::from_slice(&text) {
            Ok(Word::Used(now)) => drop(used.send_replace(now)),
            Ok(Word::Ended(ended)) => return Some(ended),
            _ => return None,
        }
    }
}

/// Passes orders on until every handle is gone; so goes the sandbox.
async fn pass_on(mut orders: mpsc::Receiver<Order>, mut launcher: OwnedWriteHalf) {
    while let Some(order) = orders.recv().await {
        let text = serde_json::to_vec(&order).map_err(io::Error::from);
        if let Ok(bytes) = text.and_then(|text| fdpass::frame(&text)) {
            launcher.write_all(&bytes).await.ok(); // it has ended
        }
    }
    launcher.shutdown().await.ok(); // the same
}

/// Waits until the command is executed; its terminal comes along if it has one of its own.
async fn first_word(socket: UnixStream) -> Result<(Option<OwnedFd>, OwnedReadHalf, OwnedWriteHalf), LaunchError> {
    socket.set_nonblocking(true)?;
    let (mut reader, writer) = tokio::net::UnixStream::from_std(socket)?.into_split();
    let (text, mut passed) = fdpass::receive_later(&mut reader)
        .await?
        .ok_or(LaunchError::LauncherLost)?;
    match serde_json::from_slice(&text).map_err(io::Error::from)? {
        Word::Started => Ok((passed.pop(), reader, writer)),
        Word::Failed(error) => Err(name(error)),
        Word::Used(_) | Word::Ended(_) => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}

/// The terminal that was opened inside, or what was opened here.
fn pair_up(terminal: Option<OwnedFd>, outside: Option<Io>) -> Result<Io, LaunchError> {
    match (terminal, outside) {
        (Some(master), _) => {
            fds::set_nonblocking(&master)?;
            Ok(Io::Terminal(master))
        }
        (None, Some(outside)) => Ok(outside),
        (None, None) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

/// Failures that are the caller's business get a name of their own.
fn name(error: StepError) -> LaunchError {
    let reason = io::Error::from_raw_os_error(error.errno);
    let subject = || error.subject.clone().unwrap_or_default();
    match (error.step, error.errno) {
        (Step::Exec, libc::ENOENT) => LaunchError::NotFound { program: subject() },
        (Step::Exec, NO_INTERPRETER) => LaunchError::NoInterpreter { program: subject() },
        (Step::Exec, _) if error.subject.is_some() => LaunchError::NotExecutable {
            program: subject(),
            reason,
        },
        (Step::WorkingDirectory, _) => LaunchError::WorkingDirectory {
            directory: subject(),
            reason,
        },
        _ => LaunchError::Step(error),
    }
}
