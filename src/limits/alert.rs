//! Notices a caller that is denied again and again: one alert for each run of denials.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::MAX_CALLERS;
use crate::policy::Caller;

/// So many denials within [`PERIOD`] are no slip.
const MANY: usize = 20;
/// The time that is looked back on; after so long without a denial the next run gets an alert of its own.
const PERIOD: Duration = Duration::from_secs(60);

/// Counts denials.
#[derive(Debug, Default)]
pub struct Alerts {
    of: Mutex<HashMap<Caller, Run>>,
}

#[derive(Debug)]
struct Run {
    since: Instant,
    last: Instant,
    count: usize,
    raised: bool,
}

/// A caller that was denied again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who.
    pub caller: Caller,
    /// How often.
    pub denials: usize,
    /// In how many seconds.
    pub seconds: u64,
}

impl Alerts {
    /// A denial. The first that is one too many gives an alert, which somebody must show.
    pub fn denied(&self, caller: &Caller) -> Option<Alert> {
        self.denied_at(caller, Instant::now())
    }

    fn denied_at(&self, caller: &Caller, now: Instant) -> Option<Alert> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= MAX_CALLERS {
            of.retain(|_, run| now.duration_since(run.last) < PERIOD);
        }
        if of.len() >= MAX_CALLERS && !of.contains_key(caller) {
            return None; // those that are watched are watched on
        }
        let new = Run {
            since: now,
            last: now,
            count: 0,
            raised: false,
        };
        let run = of.entry(caller.clone()).or_insert(new);
        let quiet = now.duration_since(run.last) >= PERIOD;
        let spread = !run.raised && now.duration_since(run.since) >= PERIOD;
        if quiet || spread {
            (run.since, run.count, run.raised) = (now, 0, false);
        }
        run.last = now;
        run.count += 1;
        if run.raised || run.count < MANY {
            return None;
        }
        run.raised = true;
        Some(Alert {
            caller: caller.clone(),
            denials: run.count,
            seconds: now.duration_since(run.since).as_secs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Caller = Caller::Local { uid: 1 };
    const OTHER: Caller = Caller::Local { uid: 2 };

    #[test]
    fn a_run_of_denials_gives_one_alert_and_the_next_run_another() {
        let alerts = Alerts::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        for n in 0..19 {
            assert_eq!(alerts.denied_at(&ONE, at(n)), None);
            assert_eq!(alerts.denied_at(&OTHER, at(n * 10_000)), None, "spread over minutes");
        }
        assert_eq!(alerts.denied_at(&ONE, at(20)).unwrap().denials, 20);
        for n in 21..500 {
            assert_eq!(alerts.denied_at(&ONE, at(n)), None);
        }
        let later = (0..20).filter_map(|n| alerts.denied_at(&ONE, at(200_000 + n)));
        assert_eq!(later.count(), 1);
    }

    #[test]
    fn the_number_of_callers_that_are_watched_is_bounded() {
        let alerts = Alerts::default();
        for uid in 0..5000 {
            alerts.denied(&Caller::Local { uid });
        }
        assert_eq!(alerts.of.lock().unwrap().len(), MAX_CALLERS);
    }
}
