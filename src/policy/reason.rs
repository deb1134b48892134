//! Why a request is denied: the rule that came closest, and what the caller can do.

use std::fmt;

use super::question::RuleId;
use super::request::Caller;

/// Why a request is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule lets this caller use the tool, but not with this profile.
    Profile {
        /// The rule.
        rule: RuleId,
        /// What was asked for.
        profile: String,
        /// What the rule allows.
        allowed: Vec<String>,
    },
    /// A person said yes to something else than this, or to this under another policy.
    Approval {
        /// The rule that wants a person's yes.
        rule: RuleId,
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
    pub fn rule(&self) -> RuleId {
        match self {
            Self::Profile { rule, .. } | Self::Approval { rule } => rule.clone(),
            Self::NoRule { .. } => RuleId::none(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { rule, profile, allowed } => write!(
                f,
                "rule {:?} does not allow the profile {profile:?}; hint: use {}, or ask the operator to run it: \
                 terrarium run --profile {profile}",
                rule.as_str(),
                allowed.join(", ")
            ),
            Self::Approval { rule } => write!(
                f,
                "the approval that rule {:?} asks for is for another action, or the policy, the profile or the \
                 workspace changed since; hint: ask again",
                rule.as_str()
            ),
            Self::NoRule { caller, tool } => write!(
                f,
                "no rule lets {caller} use {tool}, and what no rule allows is denied; hint: ask the operator"
            ),
        }
    }
}
