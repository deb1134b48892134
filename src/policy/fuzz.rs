//! What must hold for every policy, and for every schema of an argument against a second, plain reading of it.

use std::collections::BTreeMap;
use std::str::from_utf8;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::schema::{Strict, compile};
use super::{Arguments, Caller, Known, Policy, Tool};

/// The longest message about a file.
const MESSAGE: usize = 8192;

/// The tools of the table of decisions, which are none of the real ones' business.
pub(super) static TOOLS: LazyLock<Vec<(&'static str, Map<String, Value>)>> = LazyLock::new(|| {
    let text = include_str!("table/tools.json");
    let tools: BTreeMap<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let schema = |properties: Value| match json!({"type": "object", "properties": properties}) {
        Value::Object(schema) => schema,
        _ => Map::new(),
    };
    tools
        .into_iter()
        .map(|(name, properties)| (&*name.leak(), schema(properties)))
        .collect()
});

/// All that the rules of the table can speak of.
pub(super) fn known() -> Known {
    let tool = |(name, arguments): &'static (&'static str, Map<String, Value>)| Tool {
        name,
        arguments,
        instead: |_, _| None,
        untold: |_, _| false,
    };
    Known {
        tools: TOOLS.iter().map(tool).collect(),
        profiles: ["default", "read-only", "build", "network", "strict"]
            .map(str::to_owned)
            .to_vec(),
    }
}

/// A policy either has a fault at a place, or judges every call; and no caller is let in whom no rule names.
pub fn policy(bytes: &[u8]) {
    static KNOWN: LazyLock<Known> = LazyLock::new(known);
    let Ok(text) = from_utf8(bytes) else { return };
    let policy = match Policy::parse(text, &KNOWN) {
        Ok(policy) => policy,
        Err(fault) => {
            let message = fault.problem.to_string();
            assert!(message.len() < MESSAGE, "{} bytes of message", message.len());
            return;
        }
    };
    let callers = ["local", "token:ci"].iter().filter_map(|name| Caller::in_words(name));
    for caller in callers {
        for (tool, _) in TOOLS.iter() {
            let arguments = Arguments::none();
            let found = policy.explain(&caller, tool, &arguments, Some("default"));
            let denied = found.effect == super::file::RuleEffect::Deny;
            assert_eq!(denied, found.why.is_some());
            assert!(
                denied || policy.offers(&caller, tool),
                "{tool} is allowed and not shown"
            );
        }
        let unknown = policy.explain(&caller, "no_such_tool", &Arguments::none(), None);
        assert_eq!(unknown.rule.as_str(), "none");
    }
}

/// `{"schema": ..., "value": ...}`: what is taken for a value is what a plain reading of the schema takes for one.
pub fn matching(bytes: &[u8]) {
    let Ok(Value::Object(given)) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let (Some(schema), Some(value)) = (given.get("schema"), given.get("value")) else {
        return;
    };
    let mut taken = Vec::new();
    for strict in [Strict::Allow, Strict::Deny] {
        let Ok(validator) = compile(schema, &[], strict) else {
            return;
        };
        let found = validator.is_valid(value);
        if let Some(expected) = holds(schema, value, strict) {
            assert_eq!(found, expected, "{strict:?} {schema} {value}");
        }
        taken.push(found);
    }
    // What a rule would allow, the same rule would deny: nothing gets by for being read in the other way.
    assert!(taken != [true, false], "{schema} {value}");
}

/// The plain reading; none where it would be as long as the other (fractions, numbers that no double holds).
fn holds(schema: &Value, value: &Value, strict: Strict) -> Option<bool> {
    let object = match schema {
        Value::Bool(all) => return Some(*all),
        other => other.as_object()?,
    };
    let mut all = true;
    for (keyword, wanted) in object {
        let one = |schema: &Value| holds(schema, value, strict);
        all &= match keyword.as_str() {
            "type" => match wanted {
                Value::Array(names) => names.iter().any(|name| is_a(name, value)),
                name => is_a(name, value),
            },
            "const" => same(wanted, value)?,
            "enum" => any(wanted.as_array()?.iter().map(|wanted| same(wanted, value)))?,
            "not" => !holds(wanted, value, strict.opposite())?,
            "anyOf" => any(wanted.as_array()?.iter().map(one))?,
            "allOf" => !any(wanted.as_array()?.iter().map(|schema| one(schema).map(|holds| !holds)))?,
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => bound(keyword, wanted, value)?,
            "minLength" | "maxLength" | "pattern" => text(keyword, wanted, value, strict)?,
            "minItems" | "maxItems" | "uniqueItems" | "items" | "contains" => list(keyword, wanted, value, strict)?,
            "properties" | "required" | "propertyNames" => entries(keyword, wanted, value, strict)?,
            "additionalProperties" | "description" => true,
            _ => return None,
        };
    }
    let named = object.get("properties").and_then(Value::as_object);
    let closed = Value::Bool(strict == Strict::Deny);
    let others = match (object.get("additionalProperties"), named) {
        (Some(others), _) => others,
        (None, Some(_)) => &closed,
        (None, None) => return Some(all),
    };
    if let Value::Object(entries) = value {
        let further = entries
            .iter()
            .filter(|(name, _)| !named.is_some_and(|named| named.contains_key(*name)));
        all &= of_all(further.map(|(_, value)| holds(others, value, strict)), strict)?;
    }
    Some(all)
}

/// What is said of all entries: of what is denied one is enough, so that one more hides nothing.
fn of_all(entries: impl Iterator<Item = Option<bool>>, strict: Strict) -> Option<bool> {
    let entries = entries.collect::<Option<Vec<bool>>>()?;
    Some(match strict {
        Strict::Allow => !entries.contains(&false),
        Strict::Deny => entries.is_empty() || entries.contains(&true),
    })
}

fn any(mut all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all.try_fold(false, |found, one| Some(found | one?))
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("number") => value.is_number(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// A number that a double holds exactly.
fn exact(value: &Value) -> Option<f64> {
    let number = value.as_f64()?;
    (number.abs() < 9e15).then_some(number)
}

fn same(one: &Value, other: &Value) -> Option<bool> {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => Some(exact(one)? == exact(other)?),
        (Value::Array(a), Value::Array(b)) => {
            let differs = any(a.iter().zip(b).map(|(a, b)| same(a, b).map(|same| !same)))?;
            Some(a.len() == b.len() && !differs)
        }
        (Value::Object(a), Value::Object(b)) => {
            let pair = |(name, value): (&String, &Value)| match b.get(name) {
                Some(other) => same(value, other).map(|same| !same),
                None => Some(true),
            };
            Some(a.len() == b.len() && !any(a.iter().map(pair))?)
        }
        _ => Some(one == other),
    }
}

fn bound(keyword: &str, wanted: &Value, value: &Value) -> Option<bool> {
    if !value.is_number() {
        return Some(true);
    }
    let (wanted, value) = (exact(wanted)?, exact(value)?);
    Some(match keyword {
        "minimum" => value >= wanted,
        "maximum" => value <= wanted,
        "exclusiveMinimum" => value > wanted,
        _ => value < wanted,
    })
}

fn text(keyword: &str, wanted: &Value, value: &Value, strict: Strict) -> Option<bool> {
    let Value::String(value) = value else { return Some(true) };
    let length = || value.chars().count() as f64;
    Some(match keyword {
        "minLength" => length() >= exact(wanted)?,
        "maxLength" => length() <= exact(wanted)?,
        _ => {
            let pattern = wanted.as_str()?;
            // ECMAScript and this crate differ in classes of letters; only plain patterns are compared.
            if !pattern
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"[]-{}().*+?|,^ ".contains(&b))
            {
                return None;
            }
            let tied = regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
                .dot_matches_new_line(strict == Strict::Deny)
                .build();
            tied.ok()?.is_match(value)
        }
    })
}

fn list(keyword: &str, wanted: &Value, value: &Value, strict: Strict) -> Option<bool> {
    let Value::Array(items) = value else { return Some(true) };
    let one = |item: &Value| holds(wanted, item, strict);
    Some(match keyword {
        "minItems" => items.len() as f64 >= exact(wanted)?,
        "maxItems" => items.len() as f64 <= exact(wanted)?,
        "items" => of_all(items.iter().map(one), strict)?,
        "contains" => any(items.iter().map(one))?,
        _ if wanted.as_bool()? => {
            let twice = |(at, one): (usize, &Value)| any(items.iter().skip(at + 1).map(|other| same(one, other)));
            !any(items.iter().enumerate().map(twice))?
        }
        _ => true,
    })
}

fn entries(keyword: &str, wanted: &Value, value: &Value, strict: Strict) -> Option<bool> {
    let Value::Object(entries) = value else {
        return Some(true);
    };
    Some(match keyword {
        "required" => {
            let names = wanted.as_array()?.iter();
            names.filter_map(Value::as_str).all(|name| entries.contains_key(name))
        }
        "propertyNames" => {
            let name = |name: &String| holds(wanted, &Value::String(name.clone()), strict);
            of_all(entries.keys().map(name), strict)?
        }
        _ => {
            let property = |(name, schema): (&String, &Value)| match entries.get(name) {
                Some(value) => holds(schema, value, strict).map(|holds| !holds),
                None => Some(false),
            };
            !any(wanted.as_object()?.iter().map(property))?
        }
    })
}
