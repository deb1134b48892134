//! Why a request is denied: the rule that came closest, and what the caller can do.

use std::fmt;

use super::question::RuleId;
use super::quota::Quota;
use super::request::Caller;
use super::rule::Rule;

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
    /// A rule lets this caller use the tool, but not with this argument.
    Argument {
        /// The rule.
        rule: RuleId,
        /// The argument.
        argument: String,
        /// What is wrong with it.
        why: String,
    },
    /// A rule says no.
    Rule {
        /// The rule.
        rule: RuleId,
    },
    /// Rules want the yes of different people.
    Channels {
        /// One of the rules.
        rule: RuleId,
    },
    /// A person said yes to something else than this, or to this under another policy.
    Approval {
        /// The rule that wants a person's yes.
        rule: RuleId,
    },
    /// A rule's bound is reached.
    Used {
        /// The bound.
        quota: Quota,
        /// How much of it is left.
        left: u64,
        /// Seconds until there is enough again; none where there never is.
        wait_s: Option<u64>,
    },
    /// A rule's bound is not reached, but it was used as often as is remembered.
    Uses {
        /// The bound.
        quota: Quota,
        /// How many uses are remembered.
        limit: usize,
        /// Seconds until the oldest is forgotten.
        wait_s: u64,
    },
    /// No rule speaks of this caller and this tool.
    NoRule {
        /// Who asked.
        caller: Caller,
        /// The tool.
        tool: String,
    },
}

impl Reason {
    /// The rule that denied, as the audit names it.
    pub fn rule(&self) -> RuleId {
        match self {
            Self::Profile { rule, .. }
            | Self::Argument { rule, .. }
            | Self::Rule { rule }
            | Self::Channels { rule }
            | Self::Approval { rule } => rule.clone(),
            Self::Used { quota, .. } | Self::Uses { quota, .. } => quota.rule.clone(),
            Self::NoRule { .. } => RuleId::none(),
        }
    }

    /// One word for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Profile { .. } => "profile",
            Self::Argument { .. } => "argument",
            Self::Rule { .. } => "rule",
            Self::Channels { .. } => "channels",
            Self::Approval { .. } => "approval",
            Self::Used { .. } | Self::Uses { .. } => "quota",
            Self::NoRule { .. } => "no rule",
        }
    }

    pub(super) fn profile(rule: &Rule, profile: &str, allowed: &[String]) -> Self {
        Self::Profile {
            rule: rule.id.clone(),
            profile: profile.to_owned(),
            allowed: allowed.to_vec(),
        }
    }

    pub(super) fn argument(rule: &Rule, argument: &str, why: &str) -> Self {
        Self::Argument {
            rule: rule.id.clone(),
            argument: argument.chars().take(MAX_SHOWN).collect(),
            why: why.chars().take(MAX_WHY).collect(),
        }
    }
}

/// How much of a name that a caller may have chosen is shown.
const MAX_SHOWN: usize = 64;
/// How much of what a schema says about a value.
const MAX_WHY: usize = 200;

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
            Self::Argument { rule, argument, why } => write!(
                f,
                "rule {:?} does not allow this: argument {argument:?}: {why}; hint: `terrarium policy explain` shows what \
                 the rule allows",
                rule.as_str()
            ),
            Self::Rule { rule } => write!(
                f,
                "rule {:?} denies it, whatever other rules say; hint: ask the operator",
                rule.as_str()
            ),
            Self::Channels { rule } => write!(
                f,
                "rule {:?} and another rule want the yes of different people, so none is enough; hint: ask the operator \
                 to let their `confirm: by` have one in common",
                rule.as_str()
            ),
            Self::Approval { rule } => write!(
                f,
                "the approval that rule {:?} asks for is for another action, or the policy, the profile or the \
                 workspace changed since; hint: ask again",
                rule.as_str()
            ),
            Self::Used { quota, left, wait_s } => {
                write!(
                    f,
                    "rule {:?} allows {quota}, this takes {} and {left} are left; hint: ",
                    quota.rule.as_str(),
                    quota.takes
                )?;
                match wait_s {
                    Some(seconds) => write!(f, "try again in {seconds} s"),
                    None => write!(f, "ask for less"),
                }
            }
            Self::Uses { quota, limit, wait_s } => write!(
                f,
                "rule {:?} allows {quota}, and the {limit} uses of it that are remembered were all in that time; hint: \
                 try again in {wait_s} s",
                quota.rule.as_str()
            ),
            Self::NoRule { caller, tool } => write!(
                f,
                "no rule lets {caller} use {tool}, and what no rule allows is denied; hint: ask the operator"
            ),
        }
    }
}
