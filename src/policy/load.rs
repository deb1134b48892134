//! Turns a policy as written into one as meant, and refuses what could not mean what it seems to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::arguments;
use super::bypass;
use super::checks::{confirm, count, list, unknown};
use super::digest::Digest;
use super::error::{MAX_NAME, MAX_RATES, MAX_RULES, PolicyProblem};
use super::file::{AtMostFile, PolicyFile, RateFile, RuleEffect, RuleFile, SpendFile};
use super::judge::{Policy, ToolRules};
use super::pattern::Pattern;
use super::question::RuleId;
use super::quota::Bound;
use super::rate::Rate;
use super::rule::Rule;
use crate::model::Name;
use crate::yaml::{self, At, Fault, Setting};

/// What rules can speak of.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The tools that there are.
    pub tools: Vec<Tool>,
    /// The sandbox profiles that there are.
    pub profiles: Vec<String>,
}

/// A tool, as rules see it.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// The schema of its arguments as they are judged.
    pub arguments: &'static Map<String, Value>,
    /// What rules see in the place of an argument that callers may write, by tool and name.
    pub instead: fn(&str, &str) -> Option<&'static str>,
    /// Whether rules are not told what is meant by an argument that was left out, by tool and name.
    pub untold: fn(&str, &str) -> bool,
}

pub(super) type Result<T> = std::result::Result<T, Fault<PolicyProblem>>;

/// The policy that holds where the operator wrote none: the local caller may use the terminal tools with three of the
/// shipped profiles.
pub const EMBEDDED: &str = include_str!("embedded.yaml");

impl Policy {
    /// What the text of a policy means.
    pub fn parse(text: &str, known: &Known) -> Result<Self> {
        let (file, said) = read(text)?;
        Self::load(&file, &said, known)
    }

    /// What a policy means. `said` is the same policy as plain JSON, for its digest.
    pub fn load(file: &PolicyFile, said: &Value, known: &Known) -> Result<Self> {
        let line = |text: &str| !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
        if !line(&file.revision.value) {
            return Err(file.revision.fault(PolicyProblem::Revision));
        }
        count(&file.rules, "rules", file.rules.value.len(), MAX_RULES)?;
        let reading = Reading { known };
        let mut rules: Vec<(Arc<Rule>, &At<RuleFile>)> = Vec::new();
        let mut ids = BTreeSet::new();
        for at in &file.rules.value {
            let rule = reading.rule(&at.value)?;
            if !ids.insert(rule.id.clone()) {
                let id = at.value.id.value.clone();
                return Err(at.value.id.fault(PolicyProblem::DuplicateRule { id }));
            }
            rules.push((Arc::new(rule), at));
        }
        for (rule, at) in &rules {
            reading.can_match(rule, at, &rules)?;
            bypass::check(rule, &at.value, &rules).map_err(|problem| at.value.id.fault(problem))?;
        }
        let mut rates = Vec::new();
        for at in &file.rates {
            count(at, "rates", file.rates.len(), MAX_RATES)?;
            rates.push(reading.rate(&at.value)?);
        }
        Ok(Self {
            revision: file.revision.value.clone(),
            digest: Digest::of_json(said),
            tools: reading.by_tool(rules.into_iter().map(|(rule, _)| rule).collect()),
            rates,
        })
    }
}

/// A policy as written, and the same as plain JSON.
pub fn read(text: &str) -> Result<(PolicyFile, Value)> {
    let file = yaml::parse(text).map_err(|fault| fault.map(PolicyProblem::from))?;
    let said = yaml::parse(text).map_err(|fault| fault.map(PolicyProblem::from))?;
    Ok((file, said))
}

struct Reading<'a> {
    known: &'a Known,
}

impl Reading<'_> {
    fn by_tool(&self, mut rules: Vec<Arc<Rule>>) -> HashMap<&'static str, ToolRules> {
        rules.sort_by_key(|rule| rule.effect); // stable: the file's order within an effect
        let of_tool = |tool: &Tool| {
            let speaking = rules.iter().filter(|rule| rule.tools.contains(tool.name));
            let of_tool = ToolRules {
                rules: speaking.map(Arc::clone).collect(),
                defaults: tool.defaults(),
            };
            (tool.name, of_tool)
        };
        self.known.tools.iter().map(of_tool).collect()
    }

    fn rule(&self, file: &RuleFile) -> Result<Rule> {
        let id = &file.id;
        if Name::new(&id.value).is_err() {
            let text = id.value.chars().take(MAX_NAME).collect();
            return Err(id.fault(PolicyProblem::RuleName { text }));
        }
        let effect = file.effect.value;
        let needs = |field, why| Err(id.fault(PolicyProblem::Needed { field, why }));
        let tools = self.tools(&file.tools)?;
        let callers = match file.callers.given() {
            Some(at) => Some(self.callers(at)?),
            None if effect == RuleEffect::Allow => {
                return needs(
                    "callers",
                    "what is allowed without a question is allowed to somebody by name",
                );
            }
            None => None,
        };
        let rule = Rule {
            id: RuleId::new(&id.value),
            effect,
            callers,
            profiles: self.profiles(file, &tools)?,
            arguments: arguments::read(self.known, file, &tools)?,
            bounds: self.bounds(file, &tools)?,
            confirm: confirm(file)?,
            tools,
        };
        if let (Setting::Given(at), RuleEffect::Deny) = (&file.at_most, effect) {
            let why = "what is denied happens no times at all";
            return Err(at.fault(PolicyProblem::Useless { field: "at_most", why }));
        }
        Ok(rule)
    }

    fn tools(&self, at: &At<Vec<At<String>>>) -> Result<BTreeSet<&'static str>> {
        list("tools", at)?;
        let mut tools = BTreeSet::new();
        for entry in &at.value {
            let pattern = Pattern::new(&entry.value);
            let meant = self.known.tools.iter().filter(|tool| pattern.matches(tool.name));
            let before = tools.len();
            tools.extend(meant.map(|tool| tool.name));
            let names = || self.known.tools.iter().map(|tool| tool.name);
            if tools.len() == before && !names().any(|name| pattern.matches(name)) {
                return Err(entry.fault(unknown("tool", &entry.value, names())));
            }
        }
        Ok(tools)
    }

    fn callers(&self, at: &At<Vec<At<String>>>) -> Result<Vec<Pattern>> {
        list("callers", at)?;
        for entry in &at.value {
            let pattern = Pattern::new(&entry.value);
            let exists = match entry.value.strip_prefix("token:") {
                Some(name) => could_be_a_token(name),
                None => pattern.matches("local"),
            };
            if !exists {
                let names = ["local", "token:NAME"].into_iter();
                return Err(entry.fault(unknown("caller", &entry.value, names)));
            }
        }
        Ok(at.value.iter().map(|entry| Pattern::new(&entry.value)).collect())
    }

    fn profiles(&self, file: &RuleFile, tools: &BTreeSet<&'static str>) -> Result<Option<Vec<String>>> {
        let starts = tools.iter().any(|tool| self.known.argument(tool, "profile").is_some());
        let Some(at) = file.profiles.given() else {
            return match file.effect.value {
                RuleEffect::Allow | RuleEffect::Confirm if starts => Err(file.id.fault(PolicyProblem::Needed {
                    field: "profiles",
                    why: "the rule lets sandboxes be started, and the profile says what is in their reach",
                })),
                _ => Ok(None),
            };
        };
        let denies = file.effect.value == RuleEffect::Deny;
        let uses = denies && tools.iter().any(|tool| self.known.argument(tool, "session").is_some());
        if !starts && !uses {
            let why = match denies {
                true => "none of the tools starts a sandbox or uses a session",
                false => "none of the tools starts a sandbox",
            };
            return Err(at.fault(PolicyProblem::Useless { field: "profiles", why }));
        }
        list("profiles", at)?;
        for entry in &at.value {
            if !self.known.profiles.contains(&entry.value) {
                let names = self.known.profiles.iter().map(String::as_str);
                return Err(entry.fault(unknown("profile", &entry.value, names)));
            }
        }
        Ok(Some(at.value.iter().map(|entry| entry.value.clone()).collect()))
    }

    fn bounds(&self, file: &RuleFile, tools: &BTreeSet<&'static str>) -> Result<Vec<Bound>> {
        let mut bounds = Vec::new();
        if let Some(at) = file.at_most.given() {
            let AtMostFile { times, per } = &at.value;
            times.in_range("at_most.times", (1, MAX_TIMES))?;
            let most = times.value;
            bounds.push(Bound::Times { most, per: *per });
        }
        if let Some(at) = file.spend.given() {
            let SpendFile { field, at_most, per } = &at.value;
            if file.effect.value == RuleEffect::Deny {
                let why = "what is denied spends nothing";
                return Err(at.fault(PolicyProblem::Useless { field: "spend", why }));
            }
            at_most.in_range("spend.at_most", (1, MAX_SPEND))?;
            for tool in tools {
                let is = self
                    .known
                    .argument(tool, &field.value)
                    .and_then(|schema| schema.get("type"));
                if is.is_none_or(|is| is != "integer") {
                    let known = self.known.tools.iter().filter(|known| known.name == *tool);
                    let whole = |(_, schema): &(&String, &Value)| schema.get("type").is_some_and(|is| is == "integer");
                    let names = known.flat_map(|tool| tool.properties().iter().filter(whole).map(|(name, _)| name));
                    let problem = unknown("argument with a whole number", &field.value, names.map(String::as_str));
                    return Err(field.fault(problem));
                }
            }
            bounds.push(Bound::Sum {
                field: field.value.clone(),
                most: at_most.value,
                per: *per,
            });
        }
        Ok(bounds)
    }

    /// A rule that one deny rule covers in full says nothing.
    fn can_match(&self, rule: &Rule, at: &At<RuleFile>, all: &[(Arc<Rule>, &At<RuleFile>)]) -> Result<()> {
        if rule.effect == RuleEffect::Deny {
            return Ok(());
        }
        let everybody = [Pattern::new("*")];
        let callers = rule.callers.as_deref().unwrap_or(&everybody);
        // A session is used whatever profiles an allow rule names.
        let starts_only = rule
            .tools
            .iter()
            .all(|tool| self.known.argument(tool, "profile").is_some());
        let covers = |deny: &Rule| {
            let all_callers = match &deny.callers {
                None => true,
                Some(denied) => callers
                    .iter()
                    .all(|caller| denied.iter().any(|wide| wide.covers(caller))),
            };
            let all_profiles = match (&deny.profiles, &rule.profiles) {
                (None, _) => true,
                (Some(denied), Some(named)) => starts_only && named.iter().all(|name| denied.contains(name)),
                (Some(_), None) => false,
            };
            deny.effect == RuleEffect::Deny
                && deny.arguments.is_none()
                && all_callers
                && all_profiles
                && rule.tools.is_subset(&deny.tools)
        };
        match all.iter().find(|(deny, _)| covers(deny)) {
            None => Ok(()),
            Some((deny, _)) => Err(at.value.id.fault(PolicyProblem::Shadowed {
                by: deny.id.as_str().to_owned(),
            })),
        }
    }

    fn rate(&self, file: &RateFile) -> Result<Rate> {
        let tools = self.tools(&file.tools)?;
        let Some((calls, per)) = Rate::parse(&file.limit.value) else {
            let text = file.limit.value.chars().take(MAX_NAME).collect();
            return Err(file.limit.fault(PolicyProblem::Rate { text }));
        };
        if let Some(at) = file.at_once.given() {
            at.in_range("at_once", (1, calls))?;
        }
        Ok(Rate {
            tools,
            calls,
            per,
            at_once: file.at_once.given().map_or(calls, |at| at.value),
        })
    }
}

/// Whether some token could have a name with these letters around any text where there is a `*`. Which tokens there are is
/// not looked at: they come and go without the policy.
fn could_be_a_token(pattern: &str) -> bool {
    let letters = pattern.replace('*', "");
    let start = if pattern.starts_with('*') { "a" } else { "" };
    match letters.is_empty() {
        true => !pattern.is_empty(),
        false => Name::new(&letters).is_ok() || Name::new(&format!("{start}{letters}")).is_ok(),
    }
}

/// Each of them is kept until its period is over.
const MAX_TIMES: u64 = 10_000;
/// What can be added up without overflow, many times.
const MAX_SPEND: u64 = 1 << 53;
