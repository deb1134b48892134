//! How often each caller may call, by a monotonic clock and in bounded memory.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Refused;
use crate::policy::{Caller, Rate};

/// Callers that are counted at a time: the local one and the bearer tokens, of which nobody has so many.
const MAX_CALLERS: usize = 1024;

type Counter = RateLimiter<Caller, HashMapStateStore<Caller>, MonotonicClock>;

/// The rates of a policy, and what was counted.
#[derive(Debug)]
pub(super) struct Rates {
    counters: Vec<(Rate, Counter)>,
}

impl Rates {
    pub(super) fn new(rates: &[Rate]) -> Self {
        let counter = |rate: &Rate| {
            let at_once = NonZeroU32::new(rate.at_once).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::with_period(rate.per / rate.calls.max(1))?.allow_burst(at_once);
            let counter = RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock);
            Some((rate.clone(), counter))
        };
        Self {
            counters: rates.iter().filter_map(counter).collect(),
        }
    }

    pub(super) fn are(&self, rates: &[Rate]) -> bool {
        self.counters.iter().map(|(rate, _)| rate).eq(rates)
    }

    /// Counts a call in every group that its tool is in.
    pub(super) fn count(&self, caller: &Caller, tool: &str) -> Result<(), Refused> {
        for (rate, counter) in self.counters.iter().filter(|(rate, _)| rate.tools.contains(tool)) {
            if counter.len() >= MAX_CALLERS {
                counter.retain_recent();
                if counter.len() >= MAX_CALLERS {
                    return Err(Refused::Callers { limit: MAX_CALLERS });
                }
            }
            if let Err(not_until) = counter.check_key(caller) {
                let wait = not_until.wait_time_from(MonotonicClock.now());
                return Err(Refused::Rate {
                    tool: tool.to_owned(),
                    calls: rate.calls,
                    per_s: rate.per.as_secs(),
                    wait_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert_eq!(rates.count(&token(1), "b"), Ok(()));
        let refused = rates.count(&token(1), "b").unwrap_err();
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
        assert_eq!(rates.count(&token(2), "a"), Ok(()));
        assert_eq!(rates.count(&token(2), "a"), Ok(()));
        assert!(rates.count(&token(2), "a").is_err());
        assert_eq!(rates.count(&token(3), "a"), Ok(()));
        for _ in 0..100 {
            assert_eq!(rates.count(&token(1), "c"), Ok(()));
        }
    }

    #[test]
    fn one_call_in_a_day_is_one_and_not_more() {
        let mut once = rate(&["a"], 1, 1);
        once.per = Duration::from_secs(24 * 3600);
        let rates = Rates::new(&[once]);
        assert_eq!(rates.count(&token(1), "a"), Ok(()));
        let refused = rates.count(&token(1), "a").unwrap_err();
        assert!(matches!(refused, Refused::Rate { wait_s: 86_390.., .. }), "{refused:?}");
    }

    #[test]
    fn more_callers_than_are_counted_are_refused_and_not_forgotten() {
        let rates = Rates::new(&[rate(&["a"], 1, 1)]);
        for number in 0..MAX_CALLERS {
            assert_eq!(rates.count(&token(number), "a"), Ok(()));
        }
        assert_eq!(
            rates.count(&token(MAX_CALLERS), "a"),
            Err(Refused::Callers { limit: MAX_CALLERS })
        );
        assert!(rates.counters[0].1.len() <= MAX_CALLERS);
    }

    #[test]
    fn a_reload_with_the_same_rates_changes_nothing() {
        let rates = [rate(&["a"], 60, 5)];
        assert!(Rates::new(&rates).are(&rates));
        assert!(!Rates::new(&rates).are(&[]));
        assert!(!Rates::new(&rates).are(&[rate(&["a"], 60, 6)]));
    }
}
