//! How often each caller may call, by a monotonic clock and in bounded memory.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, MonotonicClock};
use governor::state::InMemoryState;
use governor::state::direct::NotKeyed;
use governor::{Quota, RateLimiter};

use super::window::Window;
use super::{MAX_CALLERS, Refused};
use crate::policy::{Caller, Rate};

/// What spreads calls over the time: so many at once, and then one after the other.
type Spread = RateLimiter<NotKeyed, InMemoryState, MonotonicClock>;

/// The rates of a policy, and what was counted.
#[derive(Debug)]
pub(super) struct Rates {
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    rate: Rate,
    of: Mutex<HashMap<Caller, Count>>,
}

/// The calls of one caller. The window keeps them to the number, which spreading alone would let through nearly twice.
#[derive(Debug)]
struct Count {
    window: Window,
    spread: Option<Spread>,
}

impl Rates {
    pub(super) fn new(rates: &[Rate]) -> Self {
        let counter = |rate: &Rate| Counter {
            rate: rate.clone(),
            of: Mutex::default(),
        };
        Self {
            counters: rates.iter().map(counter).collect(),
        }
    }

    pub(super) fn are(&self, rates: &[Rate]) -> bool {
        self.counters.iter().map(|counter| &counter.rate).eq(rates)
    }

    /// Counts a call in every group that its tool is in.
    pub(super) fn count(&self, caller: &Caller, tool: &str, now: Instant) -> Result<(), Refused> {
        let mut of_tool = self.counters.iter().filter(|counter| counter.rate.tools.contains(tool));
        of_tool.try_for_each(|counter| counter.count(caller, tool, now))
    }
}

impl Counter {
    fn count(&self, caller: &Caller, tool: &str, now: Instant) -> Result<(), Refused> {
        let Rate { calls, per, .. } = self.rate;
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= MAX_CALLERS && !of.contains_key(caller) {
            of.retain(|_, count| !count.window.is_over(per, now));
            if of.len() >= MAX_CALLERS {
                return Err(Refused::Callers { limit: MAX_CALLERS });
            }
        }
        let count = of.entry(caller.clone()).or_insert_with(|| Count::new(&self.rate));
        match count.wait(&self.rate, now) {
            None => {
                count.window.add(calls, per, now);
                Ok(())
            }
            Some(wait) => Err(Refused::Rate {
                tool: tool.to_owned(),
                calls,
                per_s: per.as_secs(),
                wait_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            }),
        }
    }
}

impl Count {
    fn new(rate: &Rate) -> Self {
        let spread = || {
            let at_once = NonZeroU32::new(rate.at_once)?;
            let quota = Quota::with_period(rate.per / rate.calls.max(1))?.allow_burst(at_once);
            Some(RateLimiter::direct_with_clock(quota, MonotonicClock))
        };
        Self {
            window: Window::default(),
            spread: if rate.at_once < rate.calls { spread() } else { None },
        }
    }

    /// How long the call would have to wait; it is not counted then.
    fn wait(&mut self, rate: &Rate, now: Instant) -> Option<Duration> {
        let full = self.window.wait(rate.calls, rate.per, now);
        full.or_else(|| {
            let not_until = self.spread.as_ref()?.check().err()?;
            Some(not_until.wait_time_from(MonotonicClock.now()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    fn rate(tools: &[&'static str], calls: u32, at_once: u32) -> Rate {
        Rate {
            tools: tools.iter().copied().collect(),
            calls,
            per: Duration::from_secs(3600),
            at_once,
        }
    }

    fn token(number: usize) -> Caller {
        Caller::Token {
            name: Name::new(&format!("t{number}")).unwrap(),
        }
    }

    #[test]
    fn each_caller_and_each_group_is_counted_alone_and_told_how_long_to_wait() {
        let rates = Rates::new(&[rate(&["a", "b"], 3600, 2), rate(&["b"], 3600, 1)]);
        assert_eq!(rates.count(&token(1), "b", Instant::now()), Ok(()));
        let refused = rates.count(&token(1), "b", Instant::now()).unwrap_err();
        assert!(
            matches!(
                refused,
                Refused::Rate {
                    wait_s: 1,
                    calls: 3600,
                    ..
                }
            ),
            "{refused:?}"
        );
        assert_eq!(rates.count(&token(2), "a", Instant::now()), Ok(()));
        assert_eq!(rates.count(&token(2), "a", Instant::now()), Ok(()));
        assert!(rates.count(&token(2), "a", Instant::now()).is_err());
        assert_eq!(rates.count(&token(3), "a", Instant::now()), Ok(()));
        for _ in 0..100 {
            assert_eq!(rates.count(&token(1), "c", Instant::now()), Ok(()));
        }
    }

    #[test]
    fn one_call_in_a_day_is_one_and_not_more() {
        let mut once = rate(&["a"], 1, 1);
        once.per = Duration::from_secs(24 * 3600);
        let rates = Rates::new(&[once]);
        assert_eq!(rates.count(&token(1), "a", Instant::now()), Ok(()));
        let refused = rates.count(&token(1), "a", Instant::now()).unwrap_err();
        assert!(matches!(refused, Refused::Rate { wait_s: 86_390.., .. }), "{refused:?}");
    }

    #[test]
    fn no_time_sees_more_calls_than_a_rate_names() {
        let mut many = rate(&["a"], 2000, 2000);
        many.per = Duration::from_secs(1);
        let rates = Rates::new(&[many]);
        let (since, mut passed) = (Instant::now(), 0);
        // A slow machine tries less; what is counted never took longer than the time.
        while since.elapsed() < Duration::from_millis(900) {
            passed += u32::from(rates.count(&token(1), "a", Instant::now()).is_ok());
        }
        assert!(passed <= 2000, "{passed} in less than a second");
    }

    #[test]
    fn more_callers_than_are_counted_are_refused_and_not_forgotten() {
        let rates = Rates::new(&[rate(&["a"], 1, 1)]);
        for number in 0..MAX_CALLERS {
            assert_eq!(rates.count(&token(number), "a", Instant::now()), Ok(()));
        }
        assert_eq!(
            rates.count(&token(MAX_CALLERS), "a", Instant::now()),
            Err(Refused::Callers { limit: MAX_CALLERS })
        );
        assert!(rates.counters[0].of.lock().unwrap().len() <= MAX_CALLERS);
    }

    #[test]
    fn a_reload_with_the_same_rates_changes_nothing() {
        let rates = [rate(&["a"], 60, 5)];
        assert!(Rates::new(&rates).are(&rates));
        assert!(!Rates::new(&rates).are(&[]));
        assert!(!Rates::new(&rates).are(&[rate(&["a"], 60, 6)]));
    }
}
