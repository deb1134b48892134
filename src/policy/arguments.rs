//! Reads what a rule says of arguments, and refuses what no call has as rules see it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::checks::{list, unknown};
use super::demand::Demand;
use super::error::PolicyProblem;
use super::file::{Others, RuleEffect, RuleFile};
use super::load::{Known, Result, Tool};
use super::rule::Arguments;
use crate::yaml::At;

/// The arguments that a rule about these tools speaks of, if it speaks of any.
pub(super) fn read(known: &Known, file: &RuleFile, tools: &BTreeSet<&'static str>) -> Result<Option<Arguments>> {
    let useless = |field, why| PolicyProblem::Useless { field, why };
    let Some(at) = file.arguments.given() else {
        let alone = "there are no `arguments`";
        return match (file.others.given(), file.optional.given()) {
            (Some(at), _) => Err(at.fault(useless("others", alone))),
            (_, Some(at)) => Err(at.fault(useless("optional", alone))),
            _ => Ok(None),
        };
    };
    let denies = file.effect.value == RuleEffect::Deny;
    let others = match (denies, file.others.given()) {
        (true, Some(at)) => {
            let why = "one more argument would get around a deny rule, so others never matter to it";
            return Err(at.fault(useless("others", why)));
        }
        (true, None) => Others::Allow,
        (false, given) => given.map_or(Others::Refuse, |at| at.value),
    };
    let mut listed = BTreeMap::new();
    for (name, schema) in &at.value {
        listed.insert(name.clone(), demand(known, file, tools, (name, schema))?);
    }
    if denies && listed.is_empty() {
        return Err(at.fault(PolicyProblem::EmptyList { field: "arguments" }));
    }
    let optional = optional(file, &listed)?;
    Ok(Some(Arguments {
        listed,
        optional,
        others,
    }))
}

fn demand(
    known: &Known,
    file: &RuleFile,
    tools: &BTreeSet<&'static str>,
    (name, schema): (&str, &At<Value>),
) -> Result<Demand> {
    if name == "session" && schema.value != Value::Object(Map::new()) {
        let why = "handles of sessions are drawn at random and rules see no short names, so none can be named in advance; hint: \
                   write {}, and speak of `profiles`";
        let field = "arguments.session";
        return Err(schema.fault(PolicyProblem::Useless { field, why }));
    }
    let mut of_tools = Vec::new();
    for tool in tools {
        let Some(of_tool) = known.argument(tool, name) else {
            let tools = known.tools.iter().filter(|known| known.name == *tool);
            if let Some(instead) = tools.clone().find_map(|tool| (tool.instead)(tool.name, name)) {
                let name = name.to_owned();
                return Err(schema.fault(PolicyProblem::SeenAs { name, instead }));
            }
            let names = tools.flat_map(|tool| tool.properties().keys());
            let problem = unknown("argument of the tool", name, names.map(String::as_str));
            return Err(schema.fault(problem));
        };
        of_tools.push(of_tool.clone());
    }
    let untold = known
        .tools
        .iter()
        .any(|tool| tools.contains(tool.name) && (tool.untold)(tool.name, name));
    let may_be_left_out = file
        .optional
        .given()
        .is_some_and(|at| at.value.iter().any(|entry| entry.value == name));
    if untold && file.effect.value != RuleEffect::Allow && !may_be_left_out {
        let (name, asks) = (name.to_owned(), file.effect.value == RuleEffect::Confirm);
        return Err(schema.fault(PolicyProblem::Untold { name, asks }));
    }
    if name == "profile" {
        let names = Value::from(known.profiles.clone());
        let choices = of_tools.iter_mut().filter_map(Value::as_object_mut);
        choices.for_each(|choice| drop(choice.insert("enum".to_owned(), names.clone())));
    }
    let of_tools: Vec<&Value> = of_tools.iter().collect();
    let demand = Demand::new(&schema.value, &of_tools, file.effect.value).map_err(|fault| {
        let argument = name.to_owned();
        schema.fault(PolicyProblem::Argument { argument, fault })
    })?;
    let meets = |profile: &At<String>| demand.is_met_by(&Value::String(profile.value.clone()));
    match (name, file.profiles.given()) {
        ("profile", Some(of_rule)) if !of_rule.value.iter().any(meets) => {
            let why = "it takes none of the rule's `profiles`, so the rule could never match";
            let field = "arguments.profile";
            Err(schema.fault(PolicyProblem::Useless { field, why }))
        }
        _ => Ok(demand),
    }
}

/// Those of the listed arguments that may be left out.
fn optional(file: &RuleFile, listed: &BTreeMap<String, Demand>) -> Result<BTreeSet<String>> {
    let mut optional = BTreeSet::new();
    let Some(at) = file.optional.given() else {
        return Ok(optional);
    };
    if file.effect.value == RuleEffect::Deny {
        let why = "a deny rule speaks of the arguments that are given";
        return Err(at.fault(PolicyProblem::Useless { field: "optional", why }));
    }
    list("optional", at)?;
    for entry in &at.value {
        if !listed.contains_key(&entry.value) {
            let names = listed.keys().map(String::as_str);
            return Err(entry.fault(unknown("listed argument", &entry.value, names)));
        }
        optional.insert(entry.value.clone());
    }
    Ok(optional)
}

impl Known {
    /// What a tool says of an argument.
    pub(super) fn argument(&self, tool: &str, name: &str) -> Option<&'static Value> {
        let tool = self.tools.iter().find(|known| known.name == tool)?;
        tool.properties().get(name)
    }
}

impl Tool {
    /// Its arguments.
    pub(super) fn properties(&self) -> &'static Map<String, Value> {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let properties = self.arguments.get("properties").and_then(Value::as_object);
        properties.unwrap_or(&NONE)
    }

    /// What it takes for arguments that are left out.
    pub(super) fn defaults(&self) -> Map<String, Value> {
        let default = |(name, schema): (&String, &Value)| Some((name.clone(), schema.get("default")?.clone()));
        self.properties().iter().filter_map(default).collect()
    }
}
