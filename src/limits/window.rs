//! Counts what came in a time that looks back from now, in bounded memory.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A count over a time is kept in about so many parts: what came within one of them is forgotten together, when the last
/// of it is long enough ago. So no time sees more than is allowed, and what is counted longer than needed is so by a
/// sixty-fourth of the time at most.
const PARTS: u32 = 64;

/// What came in the last while.
#[derive(Debug, Default)]
pub(super) struct Window {
    parts: VecDeque<Part>,
    count: u32,
}

#[derive(Debug)]
struct Part {
    first: Instant,
    last: Instant,
    count: u32,
}

impl Window {
    /// How long until fewer than `most` came in the last `per`; none where it is so now.
    pub(super) fn wait(&mut self, most: u32, per: Duration, now: Instant) -> Option<Duration> {
        let over = |part: &Part| now.saturating_duration_since(part.last) >= per;
        while self.parts.front().is_some_and(over) {
            let gone = self.parts.pop_front().map_or(0, |part| part.count);
            self.count = self.count.saturating_sub(gone);
        }
        let mut left = self.count;
        let mut parts = self.parts.iter();
        let mut wait = None;
        while left >= most {
            let part = parts.next()?;
            left = left.saturating_sub(part.count);
            wait = Some((part.last + per).saturating_duration_since(now));
        }
        wait
    }

    /// Counts one more, of which there may be `most` in `per`.
    pub(super) fn add(&mut self, most: u32, per: Duration, now: Instant) {
        self.count = self.count.saturating_add(1);
        match self.parts.back_mut() {
            Some(part) if most > PARTS && now.saturating_duration_since(part.first) < per / PARTS => {
                part.last = now;
                part.count = part.count.saturating_add(1);
            }
            _ => self.parts.push_back(Part {
                first: now,
                last: now,
                count: 1,
            }),
        }
    }

    /// Whether nothing is counted any more.
    pub(super) fn is_over(&self, per: Duration, now: Instant) -> bool {
        let last = self.parts.back().map(|part| part.last);
        last.is_none_or(|last| now.saturating_duration_since(last) >= per)
    }

    #[cfg(test)]
    fn parts(&self) -> usize {
        self.parts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER: Duration = Duration::from_secs(60);

    /// When calls pass that are tried every `every` milliseconds for ten minutes.
    fn passing(most: u32, every: usize) -> Vec<u64> {
        let (start, mut window, mut passed) = (Instant::now(), Window::default(), Vec::new());
        for ms in (0..600_000_u64).step_by(every) {
            let now = start + Duration::from_millis(ms);
            match window.wait(most, PER, now) {
                None => {
                    window.add(most, PER, now);
                    passed.push(ms);
                }
                Some(wait) => {
                    assert!(wait > Duration::ZERO && wait <= PER, "{wait:?}");
                    assert!(!window.is_over(PER, now));
                }
            }
            assert!(window.parts() <= 66, "{} parts", window.parts());
        }
        passed
    }

    #[test]
    fn no_time_sees_more_and_hardly_any_sees_less() {
        for (most, every) in [(1, 50), (30, 7), (30, 500), (64, 100), (65, 100), (1000, 3), (3000, 20)] {
            let passed = passing(most, every);
            let count = usize::try_from(most).unwrap();
            for (first, next) in passed.iter().zip(passed.iter().skip(count)) {
                assert!(next - first >= 60_000, "{most} every {every}: {first} to {next}");
            }
            // Ten minutes, each a sixty-fourth longer at most.
            let tried = 600_000 / every;
            let least = (count * 9).min(tried);
            assert!(passed.len() >= least, "{most} every {every}: {} passed", passed.len());
        }
    }

    #[test]
    fn what_it_says_to_wait_is_enough_and_not_too_much() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut window = Window::default();
        assert!(window.is_over(PER, start));
        for ms in [0, 10_000, 20_000, 20_000] {
            window.add(2, PER, at(ms)); // two were too many: it may be told of what happened anyway
        }
        assert_eq!(window.wait(2, PER, at(30_000)), Some(Duration::from_secs(50)));
        assert_eq!(window.wait(2, PER, at(79_999)), Some(Duration::from_millis(1)));
        assert_eq!(window.wait(2, PER, at(80_000)), None);
    }
}
