//! One line of the audit, as it will be read later.

use std::fmt;

use crate::policy::{Caller, RuleId};

/// The number of a call, unique while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// One word about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which call.
    pub call: CallId,
    /// Who asked.
    pub caller: Caller,
    /// The tool, as the caller named it.
    pub tool: String,
    /// What is said of it.
    pub word: Word,
}

/// What is said of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It came in.
    Asked {
        /// The size of its arguments, which are not recorded themselves.
        argument_bytes: usize,
    },
    /// It was refused before the policy saw it.
    Refused {
        /// By what.
        why: &'static str,
    },
    /// The policy allowed it.
    Allowed {
        /// The profile, where one decides.
        profile: Option<String>,
    },
    /// The policy denied it.
    Denied {
        /// The rule that came closest.
        rule: RuleId,
        /// The profile, where one decides.
        profile: Option<String>,
    },
    /// It came to an end.
    Done {
        /// Which.
        outcome: Outcome,
    },
}

/// How a call came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked was done; how a command ended is not the question here.
    Done,
    /// It could not be done.
    Failed,
    /// Nobody waited for the end.
    Cancelled,
}

impl CallId {
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }
}

impl Record {
    /// Writes it to the log.
    pub(super) fn log(&self) {
        let (profile, rule, argument_bytes) = match &self.word {
            Word::Asked { argument_bytes } => (None, None, Some(*argument_bytes)),
            Word::Refused { why } => (None, Some(*why), None),
            Word::Allowed { profile } => (profile.as_deref(), None, None),
            Word::Denied { rule, profile } => (profile.as_deref(), Some(rule.as_str()), None),
            Word::Done { .. } => (None, None, None),
        };
        tracing::info!(
            target: "audit",
            call = %self.call,
            caller = %self.caller,
            tool = self.tool,
            profile,
            rule,
            argument_bytes,
            "{}", self.word
        );
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked { .. } => "asked",
            Self::Refused { .. } => "refused",
            Self::Allowed { .. } => "allowed",
            Self::Denied { .. } => "denied",
            Self::Done { outcome: Outcome::Done } => "done",
            Self::Done {
                outcome: Outcome::Failed,
            } => "failed",
            Self::Done {
                outcome: Outcome::Cancelled,
            } => "cancelled, outcome unknown",
        })
    }
}
