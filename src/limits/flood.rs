//! Bounds the calls of each caller before they are put on record: a flood of them would push older records out.
//!
//! What comes beyond is refused without a record of its own; one for each while says how many it were.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::window::Window;
use super::{MAX_CALLERS, Refused};
use crate::policy::Caller;

/// Calls of one caller in [`PERIOD`], whatever they ask for: a thousand a second, which is more than any terminal shows.
const CALLS: u32 = 60_000;
/// Those of them that come to nothing: not understood, denied, refused. Ten a second are no slips.
const FRUITLESS: u32 = 600;
/// The time that is looked back on.
const PERIOD: Duration = Duration::from_secs(60);

/// Counts calls.
#[derive(Debug, Default)]
pub(super) struct Floods {
    of: Mutex<HashMap<Caller, Account>>,
}

#[derive(Debug, Default)]
struct Account {
    calls: Window,
    fruitless: Window,
    unrecorded: u64,
    told: Option<Instant>,
}

/// Calls of a caller that were refused without records of their own; somebody must put this on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrecorded {
    /// Whose.
    pub caller: Caller,
    /// How many since the last time that it was told.
    pub calls: u64,
}

impl Floods {
    /// A call came. Whether it may go on, and what is to be put on record whether it may or not.
    pub(super) fn came(&self, caller: &Caller, now: Instant) -> (Result<(), Refused>, Option<Unrecorded>) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= MAX_CALLERS && !of.contains_key(caller) {
            of.retain(|_, account| account.unrecorded > 0 || !account.calls.is_over(PERIOD, now));
            if of.len() >= MAX_CALLERS {
                return (Err(Refused::Callers { limit: MAX_CALLERS }), None);
            }
        }
        let account = of.entry(caller.clone()).or_default();
        let fruitless = account.fruitless.wait(FRUITLESS, PERIOD, now);
        let refused = match (fruitless, account.calls.wait(CALLS, PERIOD, now)) {
            (Some(wait), _) => Some((FRUITLESS, "came to nothing", wait)),
            (None, Some(wait)) => Some((CALLS, "came", wait)),
            (None, None) => None,
        };
        let came = match refused {
            None => {
                account.calls.add(CALLS, PERIOD, now);
                Ok(())
            }
            Some((limit, what, wait)) => {
                account.unrecorded = account.unrecorded.saturating_add(1);
                Err(Refused::Flood {
                    limit,
                    what,
                    per_s: PERIOD.as_secs(),
                    wait_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
                })
            }
        };
        let due = account
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= PERIOD);
        let tell = (due && account.unrecorded > 0).then(|| {
            account.told = Some(now);
            account.tell(caller)
        });
        (came, tell)
    }

    /// The call that came came to nothing.
    pub(super) fn fruitless(&self, caller: &Caller, now: Instant) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = of.get_mut(caller) {
            account.fruitless.add(FRUITLESS, PERIOD, now);
        }
    }

    /// All that was not told yet.
    pub(super) fn rest(&self) -> Vec<Unrecorded> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = of.iter_mut().filter(|(_, account)| account.unrecorded > 0);
        untold.map(|(caller, account)| account.tell(caller)).collect()
    }
}

impl Account {
    fn tell(&mut self, caller: &Caller) -> Unrecorded {
        Unrecorded {
            caller: caller.clone(),
            calls: std::mem::take(&mut self.unrecorded),
        }
    }
}

impl std::fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let were = if self.calls == 1 { "call was" } else { "calls were" };
        write!(
            f,
            "{} {were} refused without records of their own: more than {CALLS} in {} s, or {FRUITLESS} that came to \
             nothing",
            self.calls,
            PERIOD.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    const ONE: Caller = Caller::Local { uid: 1 };
    const OTHER: Caller = Caller::Local { uid: 2 };

    #[test]
    fn a_busy_caller_goes_on_and_a_flood_does_not() {
        let (floods, start) = (Floods::default(), Instant::now());
        // Eight hundred a second for three minutes, of which five a second come to nothing.
        for n in 0..(800 * 180) {
            let now = start + Duration::from_micros(1250 * n);
            assert_eq!(floods.came(&ONE, now), (Ok(()), None), "{n}");
            if n % 160 == 0 {
                floods.fruitless(&ONE, now);
            }
        }
        let passed = (0..200_000).filter(|_| floods.came(&OTHER, start).0.is_ok()).count();
        assert_eq!(passed, 60_000);
    }

    #[test]
    fn what_is_not_on_record_is_told_once_in_a_while_and_at_the_end() {
        let (floods, start) = (Floods::default(), Instant::now());
        let mut told = Vec::new();
        for n in 0..(600 * 100) {
            let now = start + Duration::from_millis(10 * n); // a hundred a second for ten minutes
            let (came, tell) = floods.came(&ONE, now);
            if came.is_ok() {
                floods.fruitless(&ONE, now);
            }
            told.extend(tell.map(|tell| tell.calls));
        }
        assert!((10..=11).contains(&told.len()), "{told:?}");
        let rest: u64 = floods.rest().iter().map(|rest| rest.calls).sum();
        let on_record = 600 * 100 - told.iter().sum::<u64>() - rest;
        assert!((5400..=6000).contains(&on_record), "{on_record}");
        assert_eq!(floods.rest(), []);
    }

    #[test]
    fn one_call_and_many_are_told_in_words() {
        let told = |calls| Unrecorded { caller: ONE, calls }.to_string();
        assert!(told(1).starts_with("1 call was refused without"), "{}", told(1));
        assert!(told(2).starts_with("2 calls were refused without"), "{}", told(2));
    }

    #[test]
    fn the_number_of_callers_that_are_counted_is_bounded() {
        let (floods, start) = (Floods::default(), Instant::now());
        let token = |number: usize| Caller::Token {
            name: Name::new(&format!("t{number}")).unwrap(),
        };
        for number in 0..MAX_CALLERS {
            assert_eq!(floods.came(&token(number), start).0, Ok(()));
        }
        let more = token(MAX_CALLERS);
        let refused = Refused::Callers { limit: MAX_CALLERS };
        assert_eq!(floods.came(&more, start).0, Err(refused));
        assert_eq!(floods.came(&more, start + PERIOD).0, Ok(()));
    }
}
