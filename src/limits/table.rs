//! Who has how much, and who waits.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::bounds::{Bound, Bounds};
use super::permit::Held;
use crate::policy::Caller;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Call,
    Command,
    Session,
}

/// Which bound was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// That of all callers together.
    All,
    /// The caller's own.
    Own,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) bounds: Bounds,
    pub(super) ending: bool,
    calls: Count,
    commands: Count,
    sessions: Count,
    /// Oldest first.
    waiting: Vec<Waiting>,
    last: u64,
}

/// A call that waits for a command to end.
#[derive(Debug)]
pub(super) struct Waiting {
    place: u64,
    caller: Caller,
    come: oneshot::Sender<Held>,
}

#[derive(Debug, Default)]
struct Count {
    all: usize,
    of: HashMap<Caller, usize>,
}

impl Full {
    pub(super) fn of(self, bound: Bound) -> usize {
        match self {
            Self::All => bound.all,
            Self::Own => bound.each,
        }
    }
}

impl Table {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ending: false,
            calls: Count::default(),
            commands: Count::default(),
            sessions: Count::default(),
            waiting: Vec::new(),
            last: 0,
        }
    }

    /// Counts one more, or says why there is none.
    pub(super) fn take(&mut self, what: What, caller: &Caller) -> Result<(), Full> {
        if let Some(full) = self.full(what, caller) {
            return Err(full);
        }
        let count = self.count(what);
        *count.of.entry(caller.clone()).or_default() += 1;
        count.all += 1;
        Ok(())
    }

    /// Which bound one more would cross.
    pub(super) fn full(&self, what: What, caller: &Caller) -> Option<Full> {
        let (count, bound) = match what {
            What::Call => (&self.calls, self.bounds.calls),
            What::Command => (&self.commands, self.bounds.commands),
            What::Session => (&self.sessions, self.bounds.sessions),
        };
        count.full(caller, bound)
    }

    /// Counts one less.
    pub(super) fn give_back(&mut self, what: What, caller: &Caller) {
        let count = self.count(what);
        count.all = count.all.saturating_sub(1);
        if let Some(own) = count.of.get_mut(caller) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                count.of.remove(caller);
            }
        }
    }

    /// A place in the queue, and what tells when it is its turn.
    pub(super) fn wait(&mut self, caller: &Caller) -> Result<(u64, oneshot::Receiver<Held>), Full> {
        let own = self.waiting.iter().filter(|w| w.caller == *caller).count();
        if self.waiting.len() >= self.bounds.queue.all {
            return Err(Full::All);
        }
        if own >= self.bounds.queue.each {
            return Err(Full::Own);
        }
        let (come, came) = oneshot::channel();
        self.last += 1;
        self.waiting.push(Waiting {
            place: self.last,
            caller: caller.clone(),
            come,
        });
        Ok((self.last, came))
    }

    /// Who is next, if there is a command to have: of those who may have one more, the oldest call of the caller who
    /// runs least. It is counted already.
    pub(super) fn next(&mut self) -> Option<(Caller, oneshot::Sender<Held>)> {
        let free = |w: &&Waiting| self.commands.full(&w.caller, self.bounds.commands).is_none();
        let runs = |w: &&Waiting| (self.commands.own(&w.caller), w.place);
        let place = self.waiting.iter().filter(free).min_by_key(runs)?.place;
        let Waiting { caller, come, .. } = self.leave(place)?;
        self.take(What::Command, &caller).ok()?;
        Some((caller, come))
    }

    /// Out of the queue.
    pub(super) fn leave(&mut self, place: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|w| w.place == place)?;
        Some(self.waiting.remove(at))
    }

    /// All out of the queue.
    pub(super) fn leave_all(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn count(&mut self, what: What) -> &mut Count {
        match what {
            What::Call => &mut self.calls,
            What::Command => &mut self.commands,
            What::Session => &mut self.sessions,
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let empty = |count: &Count| count.all == 0 && count.of.is_empty();
        empty(&self.calls) && empty(&self.commands) && empty(&self.sessions) && self.waiting.is_empty()
    }
}

impl Count {
    fn own(&self, caller: &Caller) -> usize {
        self.of.get(caller).copied().unwrap_or_default()
    }

    fn full(&self, caller: &Caller, bound: Bound) -> Option<Full> {
        if self.own(caller) >= bound.each && bound.each < bound.all {
            Some(Full::Own)
        } else if self.all >= bound.all {
            Some(Full::All)
        } else {
            None
        }
    }
}
