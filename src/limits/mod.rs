//! Permits: handed out before work starts, returned when they are dropped.
//!
//! What a sandbox may use is the profile's business and the kernel's; this bounds how much of it
//! there is at a time.

mod permit;

pub use permit::{CallPermit, CommandPermit};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::policy::Caller;

/// Commands that run at a time, all callers together.
pub const COMMANDS: usize = 32;
/// Calls that may wait for a command to end before theirs starts.
pub const QUEUE: usize = 256;
/// Sessions with a live command, all callers together.
pub const SESSIONS: usize = 256;
/// The same for one caller, so that another still gets some.
pub const SESSIONS_PER_CALLER: usize = 224;
/// Calls of any kind at a time: waits and reads cost little, but not nothing.
pub const CALLS: usize = 1024;

/// Hands out permits.
#[derive(Clone, Debug)]
pub struct Limits {
    calls: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    sessions: Arc<Mutex<Sessions>>,
}

#[derive(Debug, Default)]
struct Sessions {
    total: usize,
    of: HashMap<Caller, usize>,
}

/// Why there is no permit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many calls as may run at a time.
    #[error("{CALLS} calls are running, which is the limit; hint: wait for answers before you send more")]
    Calls,
    /// All commands that may run at a time do, and the call's own time is over.
    #[error(
        "{COMMANDS} commands are running, which is the limit, and none ended in the {waited_ms} ms that this call may \
         wait ({waiting} more are waiting); hint: end one with terminal_close (terminal_list shows yours), or call \
         again with a larger yield_ms"
    )]
    Busy {
        /// How long it waited.
        waited_ms: u128,
        /// How many others wait.
        waiting: usize,
    },
    /// As many calls as may wait for one.
    #[error(
        "{COMMANDS} commands are running and {QUEUE} calls wait for one to end, which is the limit; hint: call again later"
    )]
    Queue,
    /// As many sessions as there may be.
    #[error("{SESSIONS} sessions are open, which is the limit of all callers together; hint: call again later")]
    Sessions,
    /// As many sessions as this caller may have.
    #[error("{SESSIONS_PER_CALLER} sessions of yours are open, which is the limit; hint: end one with terminal_close")]
    OwnSessions,
    /// The server ends.
    #[error("the server is ending and starts nothing more")]
    Ending,
}

impl Limits {
    /// With all permits to give.
    pub fn new() -> Self {
        Self {
            calls: Arc::new(Semaphore::new(CALLS)),
            commands: Arc::new(Semaphore::new(COMMANDS)),
            queue: Arc::new(Semaphore::new(QUEUE)),
            sessions: Arc::default(),
        }
    }

    /// Admits a call, at once or not at all.
    pub fn admit(&self) -> Result<CallPermit, Refused> {
        if self.commands.is_closed() {
            return Err(Refused::Ending);
        }
        match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(permit) => Ok(CallPermit::new(permit)),
            Err(_) => Err(Refused::Calls),
        }
    }

    /// Admits a command: at once, or when one ends within `patience`. Cancel-safe.
    pub async fn command(&self, caller: &Caller, patience: Duration) -> Result<CommandPermit, Refused> {
        let command = match Arc::clone(&self.commands).try_acquire_owned() {
            Ok(permit) => permit,
            Err(tokio::sync::TryAcquireError::Closed) => return Err(Refused::Ending),
            Err(tokio::sync::TryAcquireError::NoPermits) => self.wait(patience).await?,
        };
        Sessions::take(&self.sessions, caller)?;
        Ok(CommandPermit::new(
            Some(command),
            Arc::clone(&self.sessions),
            caller.clone(),
        ))
    }

    /// Admits an interactive session, at once or not at all: mostly it waits for somebody to type.
    pub fn session(&self, caller: &Caller) -> Result<CommandPermit, Refused> {
        if self.commands.is_closed() {
            return Err(Refused::Ending);
        }
        Sessions::take(&self.sessions, caller)?;
        Ok(CommandPermit::new(None, Arc::clone(&self.sessions), caller.clone()))
    }

    /// Refuses everything from now on, also to those who wait.
    pub fn end(&self) {
        self.commands.close();
    }

    async fn wait(&self, patience: Duration) -> Result<tokio::sync::OwnedSemaphorePermit, Refused> {
        let place = self.queue.try_acquire().map_err(|_| Refused::Queue)?;
        let since = Instant::now();
        let permit = tokio::time::timeout(patience, Arc::clone(&self.commands).acquire_owned()).await;
        drop(place);
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Refused::Ending),
            Err(_) => Err(Refused::Busy {
                waited_ms: since.elapsed().as_millis(),
                waiting: QUEUE.saturating_sub(self.queue.available_permits()),
            }),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Sessions {
    fn take(sessions: &Mutex<Self>, caller: &Caller) -> Result<(), Refused> {
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.total >= SESSIONS {
            return Err(Refused::Sessions);
        }
        let own = sessions.of.entry(caller.clone()).or_default();
        if *own >= SESSIONS_PER_CALLER {
            return Err(Refused::OwnSessions);
        }
        *own += 1;
        sessions.total += 1;
        Ok(())
    }

    fn give_back(sessions: &Mutex<Self>, caller: &Caller) {
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.total = sessions.total.saturating_sub(1);
        if let Some(own) = sessions.of.get_mut(caller) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                sessions.of.remove(caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Caller = Caller::Local { uid: 1 };

    #[tokio::test]
    async fn a_command_over_the_limit_waits_and_is_then_refused_with_the_numbers() {
        let limits = Limits::new();
        let mut held = Vec::new();
        for _ in 0..COMMANDS {
            held.push(limits.command(&LOCAL, Duration::ZERO).await.unwrap());
        }
        let refused = limits.command(&LOCAL, Duration::from_millis(20)).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Refused::Busy {
                    waited_ms: 20..,
                    waiting: 0
                }
            ),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("32 commands"), "{refused}");

        let waiting = limits.command(&LOCAL, Duration::from_secs(60));
        held.pop();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_ends_with_the_server() {
        let limits = Limits::new();
        let mut held = Vec::new();
        for _ in 0..COMMANDS {
            held.push(limits.command(&LOCAL, Duration::ZERO).await.unwrap());
        }
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..QUEUE {
            let limits = limits.clone();
            waiting.spawn(async move { limits.command(&LOCAL, Duration::from_secs(60)).await.map(drop) });
        }
        while limits.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = limits.command(&LOCAL, Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(refused, Refused::Queue);
        limits.end();
        while let Some(result) = waiting.join_next().await {
            assert_eq!(result.unwrap(), Err(Refused::Ending));
        }
        assert_eq!(limits.admit().unwrap_err(), Refused::Ending);
    }

    #[tokio::test]
    async fn permits_come_back_when_dropped() {
        let limits = Limits::new();
        for _ in 0..3 * SESSIONS {
            limits.command(&LOCAL, Duration::ZERO).await.unwrap();
            limits.admit().unwrap();
        }
        let sessions = limits.sessions.lock().unwrap();
        assert_eq!((sessions.total, sessions.of.len()), (0, 0));
    }

    #[test]
    fn one_caller_leaves_sessions_to_others() {
        let sessions = Mutex::new(Sessions::default());
        for _ in 0..SESSIONS_PER_CALLER {
            Sessions::take(&sessions, &LOCAL).unwrap();
        }
        assert_eq!(Sessions::take(&sessions, &LOCAL), Err(Refused::OwnSessions));
        for _ in SESSIONS_PER_CALLER..SESSIONS {
            Sessions::take(&sessions, &Caller::Local { uid: 2 }).unwrap();
        }
        assert_eq!(
            Sessions::take(&sessions, &Caller::Local { uid: 2 }),
            Err(Refused::Sessions)
        );
    }
}
