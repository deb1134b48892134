//! What is held while work lasts. Dropping it gives it back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::lock;
use super::table::{Table, What};
use crate::policy::Caller;

/// Held by a call until it is answered.
#[derive(Debug)]
pub struct CallPermit {
    _call: Held,
}

/// Held by a command until it has ended.
#[derive(Debug)]
pub struct CommandPermit {
    _command: Option<Held>,
    _session: Held,
}

/// One of something, counted.
#[derive(Debug)]
pub(super) struct Held {
    table: Arc<Mutex<Table>>,
    what: What,
    caller: Caller,
}

/// A place in the queue.
pub(super) struct Place {
    table: Arc<Mutex<Table>>,
    place: u64,
}

impl CallPermit {
    pub(super) fn new(call: Held) -> Self {
        Self { _call: call }
    }
}

impl CommandPermit {
    pub(super) fn new(command: Option<Held>, session: Held) -> Self {
        Self {
            _command: command,
            _session: session,
        }
    }
}

impl Held {
    /// For what has been counted already.
    pub(super) fn new(table: Arc<Mutex<Table>>, what: What, caller: Caller) -> Self {
        Self { table, what, caller }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let next = {
            let mut table = lock(&self.table);
            table.give_back(self.what, &self.caller);
            match self.what {
                What::Command => table.next(),
                What::Call | What::Session => None,
            }
        };
        if let Some((caller, come)) = next {
            let held = Self::new(Arc::clone(&self.table), What::Command, caller);
            come.send(held).ok(); // whoever stopped waiting just now drops it, and the next has it
        }
    }
}

impl Place {
    pub(super) fn new(table: Arc<Mutex<Table>>, place: u64) -> Self {
        Self { table, place }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.table).leave(self.place);
    }
}

/// Held by a subscription until it ends.
#[derive(Debug)]
pub struct SubscriptionPermit {
    all: Arc<Mutex<HashMap<Caller, usize>>>,
    caller: Caller,
}

impl SubscriptionPermit {
    /// For a subscription that has been counted already.
    pub(super) fn new(all: Arc<Mutex<HashMap<Caller, usize>>>, caller: Caller) -> Self {
        Self { all, caller }
    }
}

impl Drop for SubscriptionPermit {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.caller) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                all.remove(&self.caller);
            }
        }
    }
}
