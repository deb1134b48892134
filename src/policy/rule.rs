//! A rule as meant, and whether it speaks of a request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::demand::Demand;
use super::digest::Arguments as Given;
use super::file::{Others, RuleEffect};
use super::pattern::Pattern;
use super::question::{Channel, RuleId};
use super::quota::{Bound, Counts, Quota};
use super::reason::Reason;

/// What is asked, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matter<'a> {
    /// The profile that would be started.
    pub(super) starts: Option<&'a str>,
    /// The profile of the session that is used.
    pub(super) uses: Option<&'a str>,
    pub(super) arguments: &'a Given,
    /// What the tool takes for arguments that are left out.
    pub(super) defaults: &'a Map<String, Value>,
}

/// A rule as meant.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    pub(super) effect: RuleEffect,
    /// None is everybody.
    pub(super) callers: Option<Vec<Pattern>>,
    pub(super) tools: BTreeSet<&'static str>,
    pub(super) profiles: Option<Vec<String>>,
    pub(super) arguments: Option<Arguments>,
    pub(super) bounds: Vec<Bound>,
    pub(super) confirm: Option<Confirm>,
}

/// The arguments that a rule speaks of.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) listed: BTreeMap<String, Demand>,
    pub(super) optional: BTreeSet<String>,
    pub(super) others: Others,
}

/// Who is asked, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Confirm {
    pub(super) by: Vec<Channel>,
    pub(super) within: Duration,
}

/// Whether a rule speaks of a request.
#[derive(Debug)]
pub(super) enum Fit<'a> {
    Fits,
    /// It does not, for this reason; the higher, the closer it came.
    Differs(u8, Mismatch<'a>),
    /// All that it lists holds, or nearly, and there is more than that.
    More(Mismatch<'a>),
}

/// Why a rule does not speak of a request. It is put into words only where it is told: most rules are about others.
#[derive(Debug)]
pub(super) struct Mismatch<'a> {
    rule: &'a Rule,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    Profile { wanted: &'a str, allowed: &'a [String] },
    Missing(&'a str),
    Unlisted(&'a str),
    Value(&'a str, &'a Demand, &'a Value),
}

impl Mismatch<'_> {
    /// It in words.
    pub(super) fn reason(&self) -> Reason {
        match self.what {
            What::Profile { wanted, allowed } => Reason::profile(self.rule, wanted, allowed),
            What::Missing(name) => Reason::argument(self.rule, name, "is missing"),
            What::Unlisted(name) => Reason::argument(self.rule, name, "is not among those that the rule lists"),
            What::Value(name, demand, value) => Reason::argument(self.rule, name, &demand.why_not(value)),
        }
    }
}

impl Rule {
    /// Whether it speaks of a caller, as [`super::Caller::in_rules`] names it.
    pub(super) fn speaks_of(&self, caller: &str) -> bool {
        match &self.callers {
            None => true,
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(caller)),
        }
    }

    /// Whether it speaks of all that a caller may do with a tool.
    pub(super) fn is_without_condition(&self) -> bool {
        self.profiles.is_none() && self.arguments.is_none()
    }

    pub(super) fn fits<'a>(&'a self, matter: &Matter<'a>) -> Fit<'a> {
        if let Some(profiles) = &self.profiles {
            let wanted = match self.effect {
                RuleEffect::Deny => matter.starts.or(matter.uses),
                RuleEffect::Allow | RuleEffect::Confirm => matter.starts,
            };
            let needed = wanted.is_some() || self.effect == RuleEffect::Deny;
            if needed && !wanted.is_some_and(|wanted| profiles.iter().any(|name| name == wanted)) {
                let wanted = wanted.unwrap_or_default();
                let what = What::Profile {
                    wanted,
                    allowed: profiles,
                };
                return Fit::Differs(1, Mismatch { rule: self, what });
            }
        }
        match &self.arguments {
            None => Fit::Fits,
            Some(arguments) => arguments.fit(self, matter),
        }
    }

    /// What a request takes of the bounds of this rule. A sum over something that is no whole number is refused.
    pub(super) fn quotas(&self, arguments: &Map<String, Value>) -> Result<Vec<Quota>, Reason> {
        let quota = |bound: &Bound| {
            let (counts, takes, most, per) = match bound {
                Bound::Times { most, per } => (Counts::Times, 1, *most, *per),
                Bound::Sum { field, most, per } => {
                    let amount = arguments.get(field).and_then(Value::as_u64);
                    let takes = amount.ok_or_else(|| Reason::argument(self, field, "is no whole number"))?;
                    let field = field.clone();
                    (Counts::Sum { field }, takes, *most, *per)
                }
            };
            Ok(Quota {
                rule: self.id.clone(),
                counts,
                takes,
                most,
                per,
            })
        };
        self.bounds.iter().map(quota).collect()
    }
}

impl Arguments {
    fn fit<'a>(&'a self, rule: &'a Rule, matter: &Matter<'a>) -> Fit<'a> {
        let mismatch = |what| Mismatch { rule, what };
        let mut nearly = None;
        for (name, demand) in &self.listed {
            match matter.arguments.values().get(name) {
                Some(value) if demand.is_met_by(value) => {}
                Some(_) if self.optional.contains(name) && matter.arguments.is_as_configured(name) => {}
                Some(value) if demand.is_nearly_met_by(value) => nearly = Some(What::Value(name, demand, value)),
                Some(value) => return Fit::Differs(2, mismatch(What::Value(name, demand, value))),
                None if self.optional.contains(name) => {}
                None => return Fit::Differs(2, mismatch(What::Missing(name))),
            }
        }
        if let Some(what) = nearly {
            return Fit::More(mismatch(what));
        }
        if self.others == Others::Allow {
            return Fit::Fits;
        }
        let mut names = matter.arguments.values().keys();
        let more = names
            .find(|name| !self.listed.contains_key(*name) && !matter.arguments.needs_no_saying(name, matter.defaults));
        match more {
            None => Fit::Fits,
            Some(name) => Fit::More(mismatch(What::Unlisted(name))),
        }
    }
}
