//! Permits: handed out before work starts, returned when they are dropped.
//!
//! What a sandbox may use is the profile's business and the kernel's; this bounds how much of it
//! there is at a time, and sees to it that no caller has it all.

mod alert;
mod bounds;
mod budget;
mod flood;
mod permit;
mod rate;
mod table;
mod window;

pub use alert::{Alert, Alerts};
pub use bounds::{Among, Caps};
pub use budget::{Budget, BudgetError};
pub use flood::Unrecorded;
pub use permit::{CallPermit, CommandPermit, SubscriptionPermit};
pub use table::Full;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use self::bounds::Bounds;
use self::flood::Floods;
use self::permit::Held;
use self::rate::Rates;
use self::table::{Table, What};
use crate::policy::{Caller, Rate};

/// Subscriptions of one caller: each costs a task, and up to two records a second.
pub const SUBSCRIPTIONS_PER_CALLER: usize = 64;

/// Callers that are counted at a time: the local one and the bearer tokens, of which nobody has so many.
const MAX_CALLERS: usize = 1024;

/// Hands out permits.
#[derive(Clone, Debug)]
pub struct Limits {
    table: Arc<Mutex<Table>>,
    rates: Arc<RwLock<Arc<Rates>>>,
    floods: Arc<Floods>,
    subscriptions: Arc<Mutex<HashMap<Caller, usize>>>,
}

/// Why there is no permit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// As many calls as may run at a time.
    #[error("{limit} calls {} running, which is the limit; hint: wait for answers before you send more", whose.are())]
    Calls {
        /// How many.
        limit: usize,
        /// Of whom.
        whose: Full,
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
    /// More calls than are put on record one by one.
    #[error(
        "{limit} calls of yours {what} in {per_s} s, which is the limit for all tools; hint: try again in {wait_s} s"
    )]
    Flood {
        /// How many calls.
        limit: u32,
        /// What they did.
        what: &'static str,
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
        "{limit} commands {} running, which is the limit, and none ended in the {waited_ms} ms that this call may \
         wait ({waiting} more are waiting); hint: end one with terminal_close (terminal_list shows yours), or call \
         again with a larger yield_ms", whose.are()
    )]
    Busy {
        /// How many.
        limit: usize,
        /// Of whom.
        whose: Full,
        /// How long it waited.
        waited_ms: u128,
        /// How many others wait.
        waiting: usize,
    },
    /// As many calls as may wait for one.
    #[error(
        "as many commands are running as may, and {limit} calls {} waiting for one to end, which is the limit; hint: \
         call again later", whose.are()
    )]
    Queue {
        /// How many.
        limit: usize,
        /// Of whom.
        whose: Full,
    },
    /// As many sessions as there may be.
    #[error("{limit} sessions are open, which is the limit of all callers together; hint: call again later")]
    Sessions {
        /// How many.
        limit: usize,
    },
    /// As many sessions as this caller may have.
    #[error("{limit} sessions of yours are open, which is the limit; hint: end one with terminal_close")]
    OwnSessions {
        /// How many.
        limit: usize,
    },
    /// As many subscriptions as this caller may have.
    #[error("{SUBSCRIPTIONS_PER_CALLER} subscriptions of yours are open, which is the limit; hint: end one first")]
    Subscriptions,
    /// The server ends.
    #[error("the server is ending and starts nothing more")]
    Ending,
}

impl Full {
    fn are(self) -> &'static str {
        match self {
            Self::All => "are",
            Self::Own => "of yours are",
        }
    }
}

impl Limits {
    /// With all permits to give.
    pub fn new(caps: Caps, among: Among, rates: &[Rate]) -> Self {
        Self {
            table: Arc::new(Mutex::new(Table::new(Bounds::of(&caps, among)))),
            subscriptions: Arc::default(),
            floods: Arc::default(),
            rates: Arc::new(RwLock::new(Arc::new(Rates::new(rates)))),
        }
    }

    /// Counts a call of any kind, before it is put on record. What it returns besides is to be put on record instead.
    pub fn came(&self, caller: &Caller) -> (Result<(), Refused>, Option<Unrecorded>) {
        self.floods.came(caller, Instant::now())
    }

    /// Counts that it came to nothing.
    pub fn came_to_nothing(&self, caller: &Caller) {
        self.floods.fruitless(caller, Instant::now());
    }

    /// What is to be put on record instead of calls, and was not yet.
    pub fn unrecorded(&self) -> Vec<Unrecorded> {
        self.floods.rest()
    }

    /// Counts a call against the rates of its tool.
    pub fn count(&self, caller: &Caller, tool: &str) -> Result<(), Refused> {
        let rates = Arc::clone(&self.rates.read().unwrap_or_else(PoisonError::into_inner));
        rates.count(caller, tool, Instant::now())
    }

    /// Takes the rates of a new policy; where they are the same, what was counted stays.
    pub fn set_rates(&self, rates: &[Rate]) {
        let mut current = self.rates.write().unwrap_or_else(PoisonError::into_inner);
        if !current.are(rates) {
            *current = Arc::new(Rates::new(rates));
        }
    }

    /// Admits a call, at once or not at all.
    pub fn admit(&self, caller: &Caller) -> Result<CallPermit, Refused> {
        let mut table = self.table();
        if table.ending {
            return Err(Refused::Ending);
        }
        let taken = table.take(What::Call, caller);
        let limit = table.bounds.calls;
        taken.map_err(|whose| Refused::Calls {
            limit: whose.of(limit),
            whose,
        })?;
        Ok(CallPermit::new(self.held(What::Call, caller)))
    }

    /// Admits a command: at once, or when one ends within `patience`. Whoever runs least is next. Cancel-safe.
    pub async fn command(&self, caller: &Caller, patience: Duration) -> Result<CommandPermit, Refused> {
        let command = self.slot(caller, patience).await?;
        let session = self.take_session(caller)?;
        Ok(CommandPermit::new(Some(command), session))
    }

    /// Admits an interactive session, at once or not at all: mostly it waits for somebody to type.
    pub fn session(&self, caller: &Caller) -> Result<CommandPermit, Refused> {
        if self.table().ending {
            return Err(Refused::Ending);
        }
        Ok(CommandPermit::new(None, self.take_session(caller)?))
    }

    /// Admits a subscription, at once or not at all.
    pub fn subscription(&self, caller: &Caller) -> Result<SubscriptionPermit, Refused> {
        let mut all = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(caller.clone()).or_default();
        if *own >= SUBSCRIPTIONS_PER_CALLER {
            return Err(Refused::Subscriptions);
        }
        *own += 1;
        Ok(SubscriptionPermit::new(Arc::clone(&self.subscriptions), caller.clone()))
    }

    /// Refuses everything from now on, also to those who wait.
    pub fn end(&self) {
        let waiting = {
            let mut table = self.table();
            table.ending = true;
            table.leave_all()
        };
        drop(waiting); // each hears of it by that
    }

    async fn slot(&self, caller: &Caller, patience: Duration) -> Result<Held, Refused> {
        let (place, came) = {
            let mut table = self.table();
            if table.ending {
                return Err(Refused::Ending);
            }
            if table.take(What::Command, caller).is_ok() {
                return Ok(self.held(What::Command, caller));
            }
            let limit = table.bounds.queue;
            table.wait(caller).map_err(|whose| Refused::Queue {
                limit: whose.of(limit),
                whose,
            })?
        };
        let place = permit::Place::new(Arc::clone(&self.table), place);
        let since = Instant::now();
        let came = tokio::time::timeout(patience, came).await;
        drop(place);
        match came {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(_)) => Err(Refused::Ending),
            Err(_) => {
                let table = self.table();
                let whose = table.full(What::Command, caller).unwrap_or(Full::All);
                Err(Refused::Busy {
                    limit: whose.of(table.bounds.commands),
                    whose,
                    waited_ms: since.elapsed().as_millis(),
                    waiting: table.waiting(),
                })
            }
        }
    }

    fn take_session(&self, caller: &Caller) -> Result<Held, Refused> {
        let mut table = self.table();
        let taken = table.take(What::Session, caller);
        let limit = table.bounds.sessions;
        taken.map_err(|whose| match whose {
            Full::All => Refused::Sessions { limit: limit.all },
            Full::Own => Refused::OwnSessions { limit: limit.each },
        })?;
        Ok(self.held(What::Session, caller))
    }

    /// What was taken just now.
    fn held(&self, what: What, caller: &Caller) -> Held {
        Held::new(Arc::clone(&self.table), what, caller.clone())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(Caps::default(), Among::One, &[])
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
