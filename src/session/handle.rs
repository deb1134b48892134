//! What others hold of a session: a way to ask it, and its progress.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::output::{Chunk, Excerpt, Place};
use super::prompt::Prompt;
use super::screen::Size;
use super::terminal::Terminal;
use crate::model::SessionId;
use crate::profile::Profile;
use crate::sandbox::{Ending, Protection, Stop, Target, Used};

/// A session, running or finished. Cheap to clone; the command does not depend on it.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) about: Arc<About>,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) used: watch::Receiver<Used>,
}

/// What does not change about a session.
#[derive(Debug)]
pub struct About {
    /// Its handle.
    pub id: SessionId,
    /// Its short name, valid for its caller only.
    pub alias: String,
    /// The profile it runs with.
    pub profile: Arc<Profile>,
    /// The command, shortened for lists.
    pub command: String,
    /// What it has for input and output.
    pub streams: Streams,
    /// When it started.
    pub started: Instant,
    /// When the call ends it, if that is sooner than the profile.
    pub timeout: Option<Duration>,
    /// What protects it, as found when it was built.
    pub protections: Vec<Protection>,
}

impl About {
    /// How the command ended, in few words, if it has.
    pub fn ended(&self, progress: &Progress) -> Option<String> {
        let ending = &progress.finished.as_ref()?.ending;
        Some(ending.in_words(&self.profile.limits, self.timeout))
    }
}

/// What a session has for input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Standard output and error, apart.
    Pipes,
    /// One terminal.
    Terminal,
}

/// One of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Main,
    /// Standard error.
    Error,
}

/// How far a session is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Bytes printed on the main stream.
    pub main: u64,
    /// Bytes printed on standard error.
    pub error: u64,
    /// What its shell is doing, if it is one that tells.
    pub prompt: Option<Prompt>,
    /// The screen shows all that was printed.
    pub drawn: bool,
    /// The size of its terminal, if it has one.
    pub size: Option<Size>,
    /// Memory that its output takes.
    pub held: usize,
    /// How it ended and when, if it has. Nothing is printed after that.
    pub finished: Option<Finished>,
}

impl Progress {
    fn shown(&self) -> (u64, u64, bool, bool) {
        (self.main, self.error, self.drawn, self.finished.is_some())
    }
}

/// The end of a session's command.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub ending: Arc<Ending>,
    /// When that was known and all output read.
    pub at: Instant,
}

/// Something to do with a terminal, and with how much was printed.
pub(super) type Act = Box<dyn FnOnce(&mut Terminal, Place) + Send>;

/// What a session can be asked.
pub(super) enum Message {
    Read {
        stream: Stream,
        cursor: u64,
        max: usize,
        reply: oneshot::Sender<Chunk>,
    },
    Excerpt {
        max: usize,
        /// A part of the main stream: from where to where.
        from: Option<(Place, Place)>,
        reply: oneshot::Sender<Excerpts>,
    },
    /// Done with the terminal, if it has one, and the length of the output.
    Use(Act),
    /// Has what it uses told.
    Tell,
    Signal {
        number: i32,
        to: Target,
    },
    Stop {
        why: Stop,
        grace: Duration,
    },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read { .. } => "Read",
            Self::Excerpt { .. } => "Excerpt",
            Self::Use(_) => "Use",
            Self::Tell => "Tell",
            Self::Signal { .. } => "Signal",
            Self::Stop { .. } => "Stop",
        })
    }
}

/// Excerpts of both streams.
#[derive(Clone, Debug, Default)]
pub struct Excerpts {
    /// Standard output, or the terminal.
    pub main: Excerpt,
    /// Standard error.
    pub error: Excerpt,
}

/// Tells when a session prints or ends, and keeps nothing of it alive.
#[derive(Debug)]
pub struct Watch {
    progress: watch::Receiver<Progress>,
    /// What was printed and drawn when it was last looked at, and whether the command had ended.
    seen: (u64, u64, bool, bool),
}

impl Watch {
    /// Waits until something is different from what was last seen; false when the session is gone. Cancel-safe.
    pub async fn changed(&mut self) -> bool {
        let seen = self.seen;
        self.progress.wait_for(|p| p.shown() != seen).await.is_ok()
    }

    /// What there is now is seen.
    pub fn seen(&mut self) {
        self.seen = self.progress.borrow().shown();
    }
}

/// The session has been forgotten since it was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session was closed in the meantime; hint: terminal_list shows those there are")]
pub struct Gone;

impl Session {
    /// What does not change about it.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Whether it has a screen.
    pub fn has_terminal(&self) -> bool {
        self.about.streams == Streams::Terminal
    }

    /// Tells of changes from now on.
    pub fn watch(&self) -> Watch {
        let progress = self.progress.clone();
        let seen = progress.borrow().shown();
        Watch { progress, seen }
    }

    /// How far it is now.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// How it ended, when it has and its output is complete. Cancel-safe.
    pub async fn finished(&self) -> Result<Finished, Gone> {
        let mut progress = self.progress.clone();
        let found = progress.wait_for(|p| p.finished.is_some()).await.map_err(|_| Gone)?;
        found.finished.clone().ok_or(Gone)
    }

    /// A piece of the output.
    pub async fn read(&self, stream: Stream, cursor: u64, max: usize) -> Result<Chunk, Gone> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Read {
            stream,
            cursor,
            max,
            reply,
        })
        .await?;
        answer.await.map_err(|_| Gone)
    }

    /// Beginning and end of the output, `max` bytes of both streams together.
    pub async fn excerpts(&self, max: usize) -> Result<Excerpts, Gone> {
        let (reply, answer) = oneshot::channel();
        self.ask(Message::Excerpt { max, from: None, reply }).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Beginning and end of a part of the main stream.
    pub async fn excerpt_of(&self, start: Place, end: Place, max: usize) -> Result<Excerpt, Gone> {
        let (reply, answer) = oneshot::channel();
        let from = Some((start, end));
        self.ask(Message::Excerpt { max, from, reply }).await?;
        Ok(answer.await.map_err(|_| Gone)?.main)
    }

    /// Has something done with the terminal; none where the session has none. The second argument is
    /// how much was printed.
    pub async fn terminal<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Terminal, Place) -> T + Send + 'static,
    ) -> Result<Option<T>, Gone> {
        let (reply, answer) = oneshot::channel();
        let act = move |terminal: &mut Terminal, printed: Place| {
            reply.send(act(terminal, printed)).ok(); // whoever asked may have gone
        };
        self.ask(Message::Use(Box::new(act))).await?;
        match answer.await {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.is_gone() => Err(Gone),
            Err(_) => Ok(None),
        }
    }

    /// Something new: output, a prompt, a picture, another size, or the end. Cancel-safe.
    pub async fn changed_from(&self, seen: &Progress) -> Result<Progress, Gone> {
        let mut progress = self.progress.clone();
        let news = |p: &Progress| {
            (p.main, p.error, p.drawn, p.prompt, p.size) != (seen.main, seen.error, seen.drawn, seen.prompt, seen.size)
                || p.finished.is_some() != seen.finished.is_some()
        };
        let found = progress.wait_for(news).await.map_err(|_| Gone)?;
        Ok(found.clone())
    }

    /// Until the progress is as wanted, or the end. Cancel-safe.
    pub async fn until(&self, mut wanted: impl FnMut(&Progress) -> bool) -> Result<Progress, Gone> {
        let mut progress = self.progress.clone();
        let found = progress.wait_for(|p| p.finished.is_some() || wanted(p)).await;
        Ok(found.map_err(|_| Gone)?.clone())
    }

    /// What its processes used when that was last asked; asks for it anew, for the next time.
    pub fn used(&self) -> Used {
        self.messages.try_send(Message::Tell).ok(); // gone, or busy: the next time will do
        *self.used.borrow()
    }

    /// Sends a signal.
    pub async fn signal(&self, number: i32, to: Target) -> Result<(), Gone> {
        self.ask(Message::Signal { number, to }).await
    }

    /// Ends the command, for certain after `grace`. [`Session::finished`] tells when it is gone.
    pub async fn stop(&self, why: Stop, grace: Duration) -> Result<(), Gone> {
        self.ask(Message::Stop { why, grace }).await
    }

    /// The same at once and without waiting: for those who are being dropped.
    pub fn kill(&self, why: Stop) {
        let stop = Message::Stop {
            why,
            grace: Duration::ZERO,
        };
        self.messages.try_send(stop).ok(); // gone, or so busy that its limits must do
    }

    /// Whether its task has ended, and with it its output.
    pub(super) fn is_gone(&self) -> bool {
        self.messages.is_closed()
    }

    async fn ask(&self, message: Message) -> Result<(), Gone> {
        self.messages.send(message).await.map_err(|_| Gone)
    }
}
