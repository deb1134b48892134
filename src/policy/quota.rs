//! What may happen only so often, or add up only to so much. Counting is the business of [`crate::limits`].

use std::fmt;
use std::time::Duration;

use super::file::Period;
use super::question::RuleId;

/// A rule's bound on how often or how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Times { most: u64, per: Period },
    Sum { field: String, most: u64, per: Period },
}

/// What one request takes of a rule's bound; reserved before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The rule.
    pub rule: RuleId,
    /// What is counted.
    pub counts: Counts,
    /// How much this request takes.
    pub takes: u64,
    /// How much there is in the period.
    pub most: u64,
    /// The period.
    pub per: Period,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Requests.
    Times,
    /// The value of this argument.
    Sum {
        /// Its name.
        field: String,
    },
}

impl Period {
    /// How long it is.
    pub fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 24 * 3600,
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = if self.per == Period::Hour { "an" } else { "a" };
        match &self.counts {
            Counts::Times => write!(f, "{} times in {a} {}", self.most, self.per),
            Counts::Sum { field } => write!(f, "{} of {field} in {a} {}", self.most, self.per),
        }
    }
}
