//! What the policy says of a call that nobody makes: for `terrarium policy explain` and `test`, and for tests.

use serde_json::Value;

use super::digest::Arguments;
use super::file::RuleEffect;
use super::judge::{Finding, Policy};
use super::question::{Channel, RuleId};
use super::quota::Quota;
use super::reason::Reason;
use super::request::Caller;

/// What the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What becomes of the call.
    pub effect: RuleEffect,
    /// By which rule; `none` where no rule speaks of it.
    pub rule: RuleId,
    /// Why it is denied, if it is.
    pub why: Option<Reason>,
    /// Who would be asked, and for how many seconds.
    pub asks: Option<(Vec<Channel>, u64)>,
    /// What it would take of the bounds of rules, if there is room.
    pub takes: Vec<Quota>,
}

impl Policy {
    /// What becomes of a call with these canonical arguments. `session` is the profile of the session that it is about.
    pub fn explain(&self, caller: &Caller, tool: &str, arguments: &Arguments, session: Option<&str>) -> Explanation {
        let profile = arguments.values().get("profile").and_then(Value::as_str);
        match self.consult(caller, tool, profile, session, arguments) {
            Finding::Allowed(basis) => Explanation {
                effect: RuleEffect::Allow,
                rule: basis.rule,
                why: None,
                asks: None,
                takes: basis.quotas,
            },
            Finding::Confirm { basis, by, within } => Explanation {
                effect: RuleEffect::Confirm,
                rule: basis.rule,
                why: None,
                asks: Some((by, within.as_secs())),
                takes: basis.quotas,
            },
            Finding::Denied(reason) => Explanation {
                effect: RuleEffect::Deny,
                rule: reason.rule(),
                why: Some(reason),
                asks: None,
                takes: Vec::new(),
            },
        }
    }
}

impl RuleEffect {
    /// Its word in a policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Confirm => "confirm",
            Self::Deny => "deny",
        }
    }
}

impl Caller {
    /// The caller that a rule would call so: `local`, or `token:NAME`.
    pub fn in_words(text: &str) -> Option<Self> {
        match text.strip_prefix("token:") {
            Some(name) => crate::model::Name::new(name).ok().map(|name| Self::Token { name }),
            None if text == "local" => Some(Self::Local { uid: 0 }),
            None => None,
        }
    }
}
