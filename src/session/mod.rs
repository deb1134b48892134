//! Sessions: commands that run or ran, and their output.
//!
//! The table knows each by its caller and its handle; another caller's does not exist. One task
//! owns one session and others send it messages. How a command is kept in its sandbox is the
//! business of [`crate::sandbox`].

mod actor;
mod aside;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod grep;
mod handle;
pub mod input;
mod integration;
pub mod keys;
pub mod lines;
mod look;
pub mod marks;
mod memory;
pub mod modes;
mod output;
mod plain;
mod prompt;
mod refused;
pub mod screen;
pub mod sequences;
pub mod shell;
mod streams;
mod tally;
mod terminal;
pub mod waits;

pub use handle::{About, Excerpts, Finished, Gone, Progress, Session, Stream, Streams, Watch};
pub use integration::Integration;
pub use marks::ShellState;
pub use memory::{Full, MEMORY, Share};
pub use output::{Chunk, Excerpt, HEAD, Omitted, Place};
pub use plain::{Plain, incomplete_character, lossy};
pub use prompt::{Ahead, Command, Prompt, Ran};
pub use refused::{ExecuteError, ResizeError, TypeError};
pub use terminal::Terminal;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::limits::CommandPermit;
use crate::model::{ByteCount, SessionId};
use crate::policy::{Caller, LaunchRequest, Terminal as Wanted};
use crate::sandbox::{Sandbox, Stop};

use actor::Actor;
pub use actor::{KEEP, OUTPUT_KEPT, TELL_BUSY};
use memory::Memory;
use screen::Size;

/// Finished sessions that are kept, all callers together.
pub const FINISHED: usize = 64;
/// Memory that the output of finished sessions may take.
pub const FINISHED_BYTES: usize = 128 << 20;
/// Questions to one session that may wait to be answered.
const QUESTIONS: usize = 32;

/// All sessions of the server.
#[derive(Debug)]
pub struct Sessions {
    table: Mutex<Table>,
    memory: Arc<Memory>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(MEMORY)
    }
}

#[derive(Debug, Default)]
struct Table {
    of: HashMap<Caller, OfCaller>,
    ending: bool,
}

/// The sessions of one caller by the number in their short name. Numbers are not used again.
#[derive(Debug, Default)]
struct OfCaller {
    last: u64,
    sessions: BTreeMap<u64, Session>,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The caller has none by this name; whether another has one is not said.
    #[error(
        "no such session: {name:?}; hint: terminal_list shows yours; finished ones are forgotten after 10 minutes, or sooner where there are many"
    )]
    NoSuchSession {
        /// What was asked for.
        name: String,
    },
    /// Another session of the caller's has the name.
    #[error("a session of yours is called {name:?} already; hint: choose another name, or terminal_close that one")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is no memory for its output and its screen.
    #[error(transparent)]
    Memory(#[from] Full),
    /// The server ends.
    #[error("the server is ending and starts nothing more")]
    Ending,
    /// The kernel gives no random bytes.
    #[error("cannot make a session handle")]
    Handle {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
    /// The command's input and output cannot be watched.
    #[error("cannot watch the command's input and output")]
    Watch {
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How a session is kept.
#[derive(Debug, Default)]
pub struct Manner {
    /// Its short name, instead of `s` and a number.
    pub name: Option<String>,
    /// Written to the command, whose input then ends; none leaves a terminal's input open.
    pub stdin: Option<Vec<u8>>,
    /// How its shell tells about its commands, if it does.
    pub integration: Option<Integration>,
}

impl Sessions {
    /// None yet. Their output and screens take at most `memory` together.
    pub fn new(memory: ByteCount) -> Self {
        Self {
            table: Mutex::default(),
            memory: Memory::new(memory),
        }
    }

    /// Memory for a session with this terminal: before anything is started. Cancel-safe.
    pub async fn room(&self, terminal: Wanted) -> Result<Share, SessionError> {
        let size = matches!(terminal, Wanted::Size { .. }).then(|| size(terminal));
        Ok(self.memory.share(Actor::least_memory(size)).await?)
    }

    /// Takes a sandbox in and watches over it.
    pub fn start(
        &self,
        caller: &Caller,
        launch: &LaunchRequest,
        sandbox: Sandbox,
        manner: Manner,
        room: Share,
        permit: CommandPermit,
    ) -> Result<Session, SessionError> {
        let id = SessionId::random().map_err(|source| SessionError::Handle { source })?;
        let protections = sandbox.protections.clone();
        let used = sandbox.control.used();
        let (progress, seen) = watch::channel(Progress::default());
        let limit = launch.profile.limits.output.bytes();
        let name = manner.name.clone();
        let size = size(launch.terminal);
        let actor = Actor::new(sandbox, manner, size, limit, room, permit, progress)
            .map_err(|source| SessionError::Watch { source })?;
        let (messages, questions) = mpsc::channel(QUESTIONS);

        let mut table = self.table();
        if table.ending {
            return Err(SessionError::Ending);
        }
        table.tidy();
        let own = table.of.entry(caller.clone()).or_default();
        if let Some(name) = &name
            && own.sessions.values().any(|session| session.about.alias == *name)
        {
            return Err(SessionError::NameTaken { name: name.clone() });
        }
        own.last += 1;
        let session = Session {
            about: Arc::new(About {
                id,
                alias: name.unwrap_or_else(|| format!("s{}", own.last)),
                profile: Arc::clone(&launch.profile),
                command: describe(launch),
                streams: match launch.terminal {
                    Wanted::None => Streams::Pipes,
                    Wanted::Size { .. } => Streams::Terminal,
                },
                started: Instant::now(),
                timeout: launch.timeout,
                protections,
            }),
            messages,
            progress: seen,
            used,
        };
        own.sessions.insert(own.last, session.clone());
        tokio::spawn(actor.run(questions));
        Ok(session)
    }

    /// The handle behind a name that a caller wrote: the handle itself, or the short name.
    pub fn resolve(&self, caller: &Caller, name: &str) -> Result<SessionId, SessionError> {
        let table = self.table();
        let own = table.of.get(caller);
        let by_alias = || own?.sessions.values().find(|s| s.about.alias == name);
        let by_id = || {
            let id = SessionId::parse(name)?;
            own?.sessions.values().find(|s| s.about.id == id)
        };
        match by_alias().or_else(by_id) {
            Some(session) if !session.is_gone() => Ok(session.about.id),
            _ => Err(no_such(name)),
        }
    }

    /// The caller's session with this handle.
    pub fn get(&self, caller: &Caller, id: SessionId) -> Result<Session, SessionError> {
        let table = self.table();
        let own = table.of.get(caller).into_iter().flat_map(|own| own.sessions.values());
        let mut found = own.filter(|s| s.about.id == id && !s.is_gone());
        found.next().cloned().ok_or_else(|| no_such(&id.to_string()))
    }

    /// The caller's sessions, oldest first.
    pub fn list(&self, caller: &Caller) -> Vec<Session> {
        let table = self.table();
        let own = table.of.get(caller).into_iter().flat_map(|own| own.sessions.values());
        own.filter(|s| !s.is_gone()).cloned().collect()
    }

    /// Forgets a session. Its command ends if it still runs.
    pub fn forget(&self, caller: &Caller, id: SessionId) {
        if let Some(own) = self.table().of.get_mut(caller) {
            own.sessions.retain(|_, s| s.about.id != id);
        }
    }

    /// The sessions of all callers, for the operator.
    pub fn everyone(&self) -> Vec<(Caller, Session)> {
        let table = self.table();
        let all = table.of.iter().flat_map(|(caller, own)| {
            let present = own.sessions.values().filter(|session| !session.is_gone());
            present.map(|session| (caller.clone(), session.clone()))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, session)| session.about.started);
        all
    }

    /// Ends the caller's sessions and forgets them.
    pub async fn end_of(&self, caller: &Caller, grace: Duration) {
        for session in self.list(caller) {
            session.stop(Stop::Closed, grace).await.ok(); // gone is as good
            self.forget(caller, session.about().id);
        }
    }

    /// Sessions with a live command, all callers together.
    pub fn live(&self) -> usize {
        let table = self.table();
        let all = table.of.values().flat_map(|own| own.sessions.values());
        all.filter(|session| session.progress().finished.is_none()).count()
    }

    /// Ends every session and lets no new one start; waits for the ends at most `patience`.
    pub async fn end(&self, grace: Duration, patience: Duration) {
        let all: Vec<Session> = {
            let mut table = self.table();
            table.ending = true;
            table
                .of
                .values()
                .flat_map(|own| own.sessions.values().cloned())
                .collect()
        };
        let mut ends = JoinSet::new();
        for session in all.into_iter().filter(|s| s.progress().finished.is_none()) {
            ends.spawn(async move {
                session.stop(Stop::Closed, grace).await.ok(); // gone is as good
                session.finished().await.ok(); // the same
            });
        }
        let all_ended = async { while ends.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all_ended).await.is_err() {
            tracing::warn!("some sessions had not ended when the server did; their launchers end them");
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Removes what is gone, and the oldest of the finished until the rest is within the bounds.
    fn tidy(&mut self) {
        let mut finished: Vec<(Instant, SessionId, usize)> = Vec::new();
        for own in self.of.values_mut() {
            own.sessions.retain(|_, session| !session.is_gone());
            for session in own.sessions.values() {
                let progress = session.progress();
                if let Some(end) = progress.finished {
                    finished.push((end.at, session.about.id, progress.held));
                }
            }
        }
        finished.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        let mut bytes = 0;
        let mut kept = 0;
        for (_, id, held) in finished {
            bytes += held;
            kept += 1;
            if kept > FINISHED || bytes > FINISHED_BYTES {
                for own in self.of.values_mut() {
                    own.sessions.retain(|_, session| session.about.id != id);
                }
            }
        }
    }
}

fn no_such(name: &str) -> SessionError {
    SessionError::NoSuchSession {
        name: name.chars().take(40).collect(),
    }
}

/// The size of its terminal; for a session without one that does not matter.
fn size(terminal: Wanted) -> Size {
    let (columns, rows) = match terminal {
        Wanted::Size { columns, rows } => (columns, rows),
        Wanted::None => (80, 24),
    };
    Size::new(columns, rows).unwrap_or_default()
}

/// The command for a list: one line, 60 characters.
fn describe(launch: &LaunchRequest) -> String {
    use crate::model::Program;
    const SHOWN: usize = 60;
    let whole = match &launch.program {
        Program::Shell(line) => line.as_argument().as_os_str().to_string_lossy().into_owned(),
        Program::Interactive(shell) => shell.name().to_owned(),
        Program::Argv(arguments) => {
            // Each is one character at the least, with the blank behind it.
            let shown = arguments.iter().take(SHOWN);
            let shown: Vec<_> = shown.map(|a| a.as_os_str().to_string_lossy()).collect();
            shown.join(" ")
        }
    };
    let mut short: String = whole
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if whole.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
