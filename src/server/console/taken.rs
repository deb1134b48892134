//! Terminals that the operator took over, each by one browser.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::access::Browser;
use crate::model::SessionId;
use crate::policy::Caller;

/// Who types into what, and how many bytes that were.
#[derive(Debug, Default)]
pub(super) struct Taken {
    by: Mutex<HashMap<SessionId, Taking>>,
    /// Feeds that run for each browser: with the last one goes what it took.
    feeds: Mutex<HashMap<Browser, usize>>,
}

#[derive(Debug)]
struct Taking {
    browser: Browser,
    /// Whose session it is, for the record.
    caller: Caller,
    typed: usize,
}

impl Taken {
    /// Whether this browser may have it: nobody else has, and it is watched, so that somebody sees what is typed.
    pub(super) fn is_free(&self, id: SessionId, browser: Browser) -> bool {
        let taken = self.by();
        taken.get(&id).is_none_or(|taking| taking.browser == browser) && self.feeds().contains_key(&browser)
    }

    /// It is this browser's now, if that is still so.
    pub(super) fn take(&self, id: SessionId, browser: Browser, caller: Caller) -> bool {
        // A feed that ends gives back what its browser has: it must not end between the look and the act.
        let (mut taken, feeds) = (self.by(), self.feeds());
        let taking = Taking {
            browser,
            caller,
            typed: 0,
        };
        feeds.contains_key(&browser) && taken.entry(id).or_insert(taking).browser == browser
    }

    /// Counts what is typed; says whether this browser may type at all.
    pub(super) fn types(&self, id: SessionId, browser: Browser, size: usize) -> bool {
        match self.by().get_mut(&id) {
            Some(taking) if taking.browser == browser => {
                taking.typed += size;
                true
            }
            _ => false,
        }
    }

    /// Gives it back, and says whose it is and how much was typed, if it was this browser's.
    pub(super) fn give_back(&self, id: SessionId, browser: Browser) -> Option<(Caller, usize)> {
        let mut taken = self.by();
        taken.get(&id).filter(|taking| taking.browser == browser)?;
        taken.remove(&id).map(|taking| (taking.caller, taking.typed))
    }

    /// All that are taken.
    pub(super) fn all(&self) -> Vec<(SessionId, Browser)> {
        self.by().iter().map(|(id, taking)| (*id, taking.browser)).collect()
    }

    /// A feed begins.
    pub(super) fn watched(&self, browser: Browser) {
        *self.feeds().entry(browser).or_default() += 1;
    }

    /// A feed has ended; says whether the browser has no other.
    pub(super) fn unwatched(&self, browser: Browser) -> bool {
        let mut feeds = self.feeds();
        let left = feeds.get_mut(&browser).map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == 0 {
            feeds.remove(&browser);
        }
        left == 0
    }

    fn by(&self) -> MutexGuard<'_, HashMap<SessionId, Taking>> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<Browser, usize>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
