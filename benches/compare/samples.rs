//! What was measured, and what stands for it.

use std::time::{Duration, Instant};

/// Rounds that do not count.
const FIRST: usize = 300;

/// So many rounds of what is measured and of the plain thing, in turns.
pub(crate) fn in_turns<T>(
    rounds: usize,
    with: &mut T,
    ours: impl Fn(&mut T),
    plain: impl Fn(&mut T),
) -> (Samples, Samples) {
    let mut found = (Samples::default(), Samples::default());
    for round in 0..FIRST + rounds {
        let since = Instant::now();
        ours(with);
        let took = since.elapsed();
        let since = Instant::now();
        plain(with);
        if round >= FIRST {
            found.0.push(took);
            found.1.push(since.elapsed());
        }
    }
    found
}

/// The median of so many rounds, in seconds.
pub(crate) fn median(rounds: usize, mut act: impl FnMut()) -> f64 {
    let mut found = Samples::default();
    for _ in 0..rounds {
        let since = Instant::now();
        act();
        found.push(since.elapsed());
    }
    found.median().unwrap()
}

/// Times, or numbers of bytes.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Adds a time, kept in seconds.
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64());
    }

    /// Adds a number of bytes.
    pub(crate) fn push_number(&mut self, number: f64) {
        self.0.push(number);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> Option<f64> {
        self.at(0.5)
    }

    /// The 99th percentile; of fewer than a hundred samples, the largest.
    pub(crate) fn high(&self) -> Option<f64> {
        self.at(0.99)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions in a list of thousands"
    )]
    fn at(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
            .get(((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?))
            .copied()
    }
}
