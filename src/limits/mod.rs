//! Permits: handed out before work starts, returned when they are dropped.
//!
//! What a sandbox may use is the profile's business and the kernel's; this bounds how much of it
//! there is at a time.

mod alert;
mod budget;
mod permit;
mod rate;

pub use alert::{Alert, Alerts};
pub use budget::{Budget, BudgetError};
pub use permit::{CallPermit, CommandPermit};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use self::rate::Rates;
use crate::policy::{Caller, Rate};

/// How much may be going on at a time. All callers together, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Calls of any kind: waits and reads cost little, but not nothing.
    pub calls: usize,
    /// Commands that run.
    pub commands: usize,
    /// Calls that may wait for a command to end before theirs starts.
    pub queue: usize,
    /// Sessions with a live command.
    pub sessions: usize,
    /// The same for one caller, so that another still gets some.
    pub sessions_per_caller: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            calls: 1024,
            commands: 32,
            queue: 256,
            sessions: 256,
            sessions_per_caller: 224,
        }
    }
}

/// Hands out permits.
#[derive(Clone, Debug)]
pub struct Limits {
    caps: Caps,
    calls: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    sessions: Arc<Mutex<Sessions>>,
    rates: Arc<RwLock<Arc<Rates>>>,
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
    #[error("{limit} calls are running, which is the limit; hint: wait for answers before you send more")]
    Calls {
        /// How many there may be.
        limit: usize,
    },
    /// More calls in a time than the policy allows.
    #[error("{tool} may be called {calls} times in {per_s} s, which is the limit; hint: try again in {wait_s} s")]
    Rate {
        /// The tool.
        tool: String,
        /// How many calls.
        calls: u32,
        /// In how many seconds.
        per_s: u64,
        /// Seconds until the next may come, rounded up.
        wait_s: u64,
    },
    /// More callers than are counted.
    #[error("more than {limit} callers called in a short time, which is the limit; hint: try again later")]
    Callers {
        /// How many are counted.
        limit: usize,
    },
    /// All commands that may run at a time do, and the call's own time is over.
    #[error(
        "{limit} commands are running, which is the limit, and none ended in the {waited_ms} ms that this call may \
         wait ({waiting} more are waiting); hint: end one with terminal_close (terminal_list shows yours), or call \
         again with a larger yield_ms"
    )]
    Busy {
        /// How many there may be.
        limit: usize,
        /// How long it waited.
        waited_ms: u128,
        /// How many others wait.
        waiting: usize,
    },
    /// As many calls as may wait for one.
    #[error(
        "{commands} commands are running and {limit} calls wait for one to end, which is the limit; hint: call again later"
    )]
    Queue {
        /// How many commands there may be.
        commands: usize,
        /// How many calls may wait.
        limit: usize,
    },
    /// As many sessions as there may be.
    #[error("{limit} sessions are open, which is the limit of all callers together; hint: call again later")]
    Sessions {
        /// How many there may be.
        limit: usize,
    },
    /// As many sessions as this caller may have.
    #[error("{limit} sessions of yours are open, which is the limit; hint: end one with terminal_close")]
    OwnSessions {
        /// How many there may be.
        limit: usize,
    },
    /// The server ends.
    #[error("the server is ending and starts nothing more")]
    Ending,
}

impl Limits {
    /// With all permits to give.
    pub fn new(caps: Caps, rates: &[Rate]) -> Self {
        Self {
            caps,
            calls: Arc::new(Semaphore::new(caps.calls)),
            commands: Arc::new(Semaphore::new(caps.commands)),
            queue: Arc::new(Semaphore::new(caps.queue)),
            sessions: Arc::default(),
            rates: Arc::new(RwLock::new(Arc::new(Rates::new(rates)))),
        }
    }

    /// Counts a call against the rates of its tool.
    pub fn count(&self, caller: &Caller, tool: &str) -> Result<(), Refused> {
        let rates = Arc::clone(&self.rates.read().unwrap_or_else(PoisonError::into_inner));
        rates.count(caller, tool)
    }

    /// Takes the rates of a new policy; where they are the same, what was counted stays.
    pub fn set_rates(&self, rates: &[Rate]) {
        let mut current = self.rates.write().unwrap_or_else(PoisonError::into_inner);
        if !current.are(rates) {
            *current = Arc::new(Rates::new(rates));
        }
    }

    /// Admits a call, at once or not at all.
    pub fn admit(&self) -> Result<CallPermit, Refused> {
        if self.commands.is_closed() {
            return Err(Refused::Ending);
        }
        match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(permit) => Ok(CallPermit::new(permit)),
            Err(_) => Err(Refused::Calls { limit: self.caps.calls }),
        }
    }

    /// Admits a command: at once, or when one ends within `patience`. Cancel-safe.
    pub async fn command(&self, caller: &Caller, patience: Duration) -> Result<CommandPermit, Refused> {
        let command = match Arc::clone(&self.commands).try_acquire_owned() {
            Ok(permit) => permit,
            Err(tokio::sync::TryAcquireError::Closed) => return Err(Refused::Ending),
            Err(tokio::sync::TryAcquireError::NoPermits) => self.wait(patience).await?,
        };
        Sessions::take(&self.sessions, caller, &self.caps)?;
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
        Sessions::take(&self.sessions, caller, &self.caps)?;
        Ok(CommandPermit::new(None, Arc::clone(&self.sessions), caller.clone()))
    }

    /// Refuses everything from now on, also to those who wait.
    pub fn end(&self) {
        self.commands.close();
    }

    async fn wait(&self, patience: Duration) -> Result<tokio::sync::OwnedSemaphorePermit, Refused> {
        let place = self.queue.try_acquire().map_err(|_| Refused::Queue {
            commands: self.caps.commands,
            limit: self.caps.queue,
        })?;
        let since = Instant::now();
        let permit = tokio::time::timeout(patience, Arc::clone(&self.commands).acquire_owned()).await;
        drop(place);
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Refused::Ending),
            Err(_) => Err(Refused::Busy {
                limit: self.caps.commands,
                waited_ms: since.elapsed().as_millis(),
                waiting: self.caps.queue.saturating_sub(self.queue.available_permits()),
            }),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(Caps::default(), &[])
    }
}

impl Sessions {
    fn take(sessions: &Mutex<Self>, caller: &Caller, caps: &Caps) -> Result<(), Refused> {
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.total >= caps.sessions {
            let limit = caps.sessions;
            return Err(Refused::Sessions { limit });
        }
        let own = sessions.of.entry(caller.clone()).or_default();
        if *own >= caps.sessions_per_caller {
            let limit = caps.sessions_per_caller;
            return Err(Refused::OwnSessions { limit });
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

    fn caps() -> Caps {
        Caps::default()
    }

    #[tokio::test]
    async fn a_command_over_the_limit_waits_and_is_then_refused_with_the_numbers() {
        let limits = Limits::default();
        let mut held = Vec::new();
        for _ in 0..caps().commands {
            held.push(limits.command(&LOCAL, Duration::ZERO).await.unwrap());
        }
        let refused = limits.command(&LOCAL, Duration::from_millis(20)).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Refused::Busy {
                    waited_ms: 20..,
                    waiting: 0,
                    limit: 32
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
        let limits = Limits::default();
        let mut held = Vec::new();
        for _ in 0..caps().commands {
            held.push(limits.command(&LOCAL, Duration::ZERO).await.unwrap());
        }
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..caps().queue {
            let limits = limits.clone();
            waiting.spawn(async move { limits.command(&LOCAL, Duration::from_secs(60)).await.map(drop) });
        }
        while limits.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = limits.command(&LOCAL, Duration::from_secs(60)).await.unwrap_err();
        assert!(matches!(refused, Refused::Queue { limit: 256, .. }), "{refused:?}");
        limits.end();
        while let Some(result) = waiting.join_next().await {
            assert_eq!(result.unwrap(), Err(Refused::Ending));
        }
        assert_eq!(limits.admit().unwrap_err(), Refused::Ending);
    }

    #[tokio::test]
    async fn permits_come_back_when_dropped() {
        let limits = Limits::default();
        for _ in 0..3 * caps().sessions {
            limits.command(&LOCAL, Duration::ZERO).await.unwrap();
            limits.admit().unwrap();
        }
        let sessions = limits.sessions.lock().unwrap();
        assert_eq!((sessions.total, sessions.of.len()), (0, 0));
    }

    #[test]
    fn one_caller_leaves_sessions_to_others() {
        let sessions = Mutex::new(Sessions::default());
        let (caps, other) = (caps(), Caller::Local { uid: 2 });
        for _ in 0..caps.sessions_per_caller {
            Sessions::take(&sessions, &LOCAL, &caps).unwrap();
        }
        let refused = Sessions::take(&sessions, &LOCAL, &caps);
        assert_eq!(refused, Err(Refused::OwnSessions { limit: 224 }));
        for _ in caps.sessions_per_caller..caps.sessions {
            Sessions::take(&sessions, &other, &caps).unwrap();
        }
        let refused = Sessions::take(&sessions, &other, &caps);
        assert_eq!(refused, Err(Refused::Sessions { limit: 256 }));
    }
}
