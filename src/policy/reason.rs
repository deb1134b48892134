//! Why a request is denied: the rule that came closest, and what the caller can do.

use std::fmt;

use super::request::Caller;

/// Why a request is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule lets this caller use the tool, but not with this profile.
    Profile {
        /// The rule.
        rule: &'static str,
        /// What was asked for.
        profile: String,
        /// What the rule allows.
        allowed: Vec<&'static str>,
    },
    /// No rule speaks of this caller and this tool.
    NoRule {
        /// Who asked.
        caller: Caller,
        /// The tool.
        tool: &'static str,
    },
}

impl Reason {
    /// The rule that denied, as the audit names it.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Profile { rule, .. } => rule,
            Self::NoRule { .. } => "none",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { rule, profile, allowed } => write!(
                f,
                "rule {rule:?} does not allow the profile {profile:?}; hint: use {}, or ask the operator to run it: \
                 terrarium run --profile {profile}",
                allowed.join(", ")
            ),
            Self::NoRule { caller, tool } => write!(
                f,
                "no rule lets {caller} use {tool}, and what no rule allows is denied; hint: ask the operator"
            ),
        }
    }
}
