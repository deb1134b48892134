//! How often tools may be called. Counting is the business of [`crate::limits`].

use std::collections::BTreeSet;
use std::time::Duration;

/// How often the tools of a group may be called by each caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The tools that are counted together.
    pub tools: BTreeSet<&'static str>,
    /// How many calls; at least one.
    pub calls: u32,
    /// In which time.
    pub per: Duration,
    /// How many may come at once; at least one, at most `calls`.
    pub at_once: u32,
}

/// Fewer than the machine could ever answer.
pub(super) const MAX_CALLS: u32 = 1_000_000;

impl Rate {
    /// Reads `60/min`.
    pub(super) fn parse(text: &str) -> Option<(u32, Duration)> {
        let (calls, unit) = text.split_once('/')?;
        let digits = !calls.is_empty() && calls.bytes().all(|b| b.is_ascii_digit());
        let calls: u32 = calls.parse().ok().filter(|_| digits)?;
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "day" => 24 * 3600,
            _ => return None,
        };
        (1..=MAX_CALLS)
            .contains(&calls)
            .then_some((calls, Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_calls_and_time() {
        assert_eq!(Rate::parse("60/min"), Some((60, Duration::from_secs(60))));
        assert_eq!(Rate::parse("1/day"), Some((1, Duration::from_secs(86_400))));
        for text in [
            "",
            "60",
            "60/",
            "/min",
            "0/min",
            "-1/min",
            "+1/min",
            "1.5/s",
            "60/minute",
            "60 /min",
            "1000001/s",
        ] {
            assert_eq!(Rate::parse(text), None, "{text:?}");
        }
    }
}
