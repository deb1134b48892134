//! What lists, numbers and questions of a policy must be.

use std::collections::BTreeSet;

use super::error::{MAX_LIST, MAX_NAME, PolicyProblem};
use super::file::{ChannelName, RuleEffect, RuleFile};
use super::load::Result;
use super::question::Channel;
use super::rule::Confirm;
use crate::model::Span;
use crate::yaml::{At, OutOfRange, nearest};

pub(super) fn confirm(file: &RuleFile) -> Result<Option<Confirm>> {
    let at = match (file.confirm.given(), file.effect.value) {
        (Some(at), RuleEffect::Confirm) => at,
        (Some(at), _) => {
            let why = "only the effect `confirm` asks a person";
            return Err(at.fault(PolicyProblem::Useless { field: "confirm", why }));
        }
        (None, RuleEffect::Confirm) => {
            let why = "say whose yes is needed, as in `{by: [operator], within: 10min}`";
            return Err(file.id.fault(PolicyProblem::Needed { field: "confirm", why }));
        }
        (None, _) => return Ok(None),
    };
    let mut by = Vec::new();
    for entry in &at.value.by.value {
        let channel = match entry.value {
            ChannelName::Operator => Channel::Operator,
            ChannelName::User => Channel::User,
        };
        if by.contains(&channel) {
            let value = channel.name().to_owned();
            let field = "confirm.by";
            return Err(entry.fault(PolicyProblem::Twice { field, value }));
        }
        by.push(channel);
    }
    if by.is_empty() {
        return Err(at.value.by.fault(PolicyProblem::EmptyList { field: "confirm.by" }));
    }
    let field = "confirm.within";
    let within = &at.value.within;
    let time: Span = within
        .value
        .parse()
        .map_err(|error| within.fault(PolicyProblem::Time { field, error }))?;
    let (least, most) = WITHIN_S;
    if !(least..=most).contains(&time.duration().as_secs()) {
        let bounds = (format!("{least}s"), format!("{}h", most / 3600));
        return Err(within.fault(OutOfRange::new(field, time, bounds).into()));
    }
    let within = time.duration();
    Ok(Some(Confirm { by, within }))
}

/// A person must be able to read the question; a question of yesterday is nobody's any more.
const WITHIN_S: (u64, u64) = (10, 24 * 3600);
pub(super) fn list(field: &'static str, at: &At<Vec<At<String>>>) -> Result<()> {
    if at.value.is_empty() {
        return Err(at.fault(PolicyProblem::EmptyList { field }));
    }
    count(at, "entries", at.value.len(), MAX_LIST)?;
    let mut seen = BTreeSet::new();
    for entry in &at.value {
        if !seen.insert(&entry.value) {
            let value = entry.value.chars().take(MAX_NAME).collect();
            return Err(entry.fault(PolicyProblem::Twice { field, value }));
        }
    }
    Ok(())
}

pub(super) fn count<T>(at: &At<T>, what: &'static str, count: usize, limit: usize) -> Result<()> {
    match count <= limit {
        true => Ok(()),
        false => Err(at.fault(PolicyProblem::TooMany { what, count, limit })),
    }
}

pub(super) fn unknown<'a>(
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> PolicyProblem {
    PolicyProblem::Unknown {
        what,
        name: name.chars().take(MAX_NAME).collect(),
        nearest: nearest(name, known.clone()),
        known: known.map(str::to_owned).collect(),
    }
}
