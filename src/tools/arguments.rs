//! Arguments from outside against the schema that is published, then into their type.
//!
//! Only the words of JSON Schema that our schemas use are known here. What a value means beyond its
//! schema (a path, a program) is parsed by the types of [`crate::model`].

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::words::nearest;

/// An argument that is refused: which, by what rule, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad argument {field}: {rule}{}", hint(fix))]
pub struct ArgumentError {
    field: Field,
    rule: String,
    fix: String,
    wrong: Wrong,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// There is nothing of that name.
    Name,
    /// The value.
    Value,
}

/// Where an argument is: `until.text`, `argv[3]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Field(String);

impl ArgumentError {
    /// For a rule that no schema can state.
    pub(super) fn new(field: &str, rule: impl fmt::Display, fix: &str) -> Self {
        Self {
            field: Field(field.to_owned()),
            rule: rule.to_string(),
            fix: fix.to_owned(),
            wrong: Wrong::Value,
        }
    }

    /// For a value that is the name of nothing.
    pub(super) fn no_such(field: &str, rule: impl fmt::Display) -> Self {
        Self {
            wrong: Wrong::Name,
            ..Self::new(field, rule, "")
        }
    }

    /// Whether there is nothing of a name that was written.
    pub(super) fn is_about_a_name(&self) -> bool {
        self.wrong == Wrong::Name
    }
}

/// Checks arguments against their schema and takes them.
pub(super) fn take<T: DeserializeOwned>(
    schema: &Map<String, Value>,
    arguments: Map<String, Value>,
) -> Result<T, ArgumentError> {
    check_entries(&Field::default(), schema, &arguments)?;
    typed(arguments)
}

/// Takes arguments that fit the schema of their type.
pub(super) fn typed<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, ArgumentError> {
    // The schema comes from the type, so this fails only where the schema is wider.
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        let said: String = error.to_string().escape_debug().take(300).collect();
        ArgumentError::new("", said, "")
    })
}

/// The arguments as they are judged: checked, with the schema's defaults where something was left out.
pub(super) fn canonical(
    schema: &Map<String, Value>,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, ArgumentError> {
    check_entries(&Field::default(), schema, &arguments)?;
    fill(schema, &mut arguments);
    Ok(arguments)
}

fn fill(schema: &Map<String, Value>, arguments: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, of_property) in properties.into_iter().flatten() {
        match (arguments.get_mut(name), of_property) {
            (None, of_property) => {
                if let Some(default) = of_property.get("default") {
                    arguments.insert(name.clone(), default.clone());
                }
            }
            (Some(Value::Object(inner)), Value::Object(of_property)) => fill(of_property, inner),
            (Some(Value::Array(items)), of_property) => {
                if let Some(of_item) = of_property.get("items").and_then(Value::as_object) {
                    items
                        .iter_mut()
                        .filter_map(Value::as_object_mut)
                        .for_each(|item| fill(of_item, item));
                }
            }
            (Some(_), _) => {}
        }
    }
}

fn check(field: &Field, schema: &Map<String, Value>, value: &Value) -> Result<(), ArgumentError> {
    let wrong = |rule: String, fix: &str| {
        Err(ArgumentError {
            field: field.clone(),
            rule,
            fix: fix.to_owned(),
            wrong: Wrong::Value,
        })
    };
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.and_then(Value::as_str).into_iter().collect(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(kind, value)) {
        return match value {
            Value::Null => wrong("null is no value here".to_owned(), "leave it out"),
            other => {
                let wanted: Vec<String> = kinds.into_iter().map(article).collect();
                wrong(
                    format!("must be {}, not {}", wanted.join(" or "), article(kind_of(other))),
                    "",
                )
            }
        };
    }
    if let Some(only) = schema.get("const")
        && only != value
    {
        return wrong(format!("must be {only}"), "");
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        return wrong(
            format!("must be one of {}", names.join(", ")),
            &did_you_mean(value.as_str(), &names),
        );
    }
    match value {
        Value::Number(_) | Value::String(_) => check_bounds(field, schema, value),
        Value::Array(items) => check_items(field, schema, items),
        Value::Object(entries) => check_entries(field, schema, entries),
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn check_bounds(field: &Field, schema: &Map<String, Value>, value: &Value) -> Result<(), ArgumentError> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let (measured, unit, least, most) = match value {
        Value::String(text) => {
            let characters = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            (characters, " characters", bound("minLength"), bound("maxLength"))
        }
        // Beyond i64 is beyond every bound of ours.
        number => (
            number.as_i64().unwrap_or(i64::MAX),
            "",
            bound("minimum"),
            bound("maximum"),
        ),
    };
    if least.is_some_and(|least| measured < least) || most.is_some_and(|most| measured > most) {
        let least = least.map_or_else(|| "at least 0".to_owned(), |n| format!("at least {n}"));
        let most = most.map_or_else(String::new, |n| format!(" and at most {n}"));
        let rule = format!("must be {least}{most}{unit}, not {measured}");
        return Err(ArgumentError {
            field: field.clone(),
            rule,
            fix: String::new(),
            wrong: Wrong::Value,
        });
    }
    Ok(())
}

fn check_items(field: &Field, schema: &Map<String, Value>, items: &[Value]) -> Result<(), ArgumentError> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    let count = items.len() as u64;
    if bound("minItems").is_some_and(|least| count < least) || bound("maxItems").is_some_and(|most| count > most) {
        let rule = format!(
            "must have {} to {} items, not {count}",
            bound("minItems").unwrap_or(0),
            bound("maxItems").unwrap_or(u64::MAX)
        );
        return Err(ArgumentError {
            field: field.clone(),
            rule,
            fix: String::new(),
            wrong: Wrong::Value,
        });
    }
    if let Some(of_item) = schema.get("items").and_then(Value::as_object) {
        for (index, item) in items.iter().enumerate() {
            check(&Field(format!("{}[{index}]", field.0)), of_item, item)?;
        }
    }
    Ok(())
}

fn check_entries(
    field: &Field,
    schema: &Map<String, Value>,
    entries: &Map<String, Value>,
) -> Result<(), ArgumentError> {
    let most = schema.get("maxProperties").and_then(Value::as_u64);
    if let Some(most) = most.filter(|most| entries.len() as u64 > *most) {
        return Err(ArgumentError {
            field: field.clone(),
            rule: format!("must have at most {most} entries, not {}", entries.len()),
            fix: String::new(),
            wrong: Wrong::Value,
        });
    }
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in entries {
        let inner = field.with(name);
        let of_others = schema.get("additionalProperties");
        match (properties.get(name), of_others) {
            (Some(Value::Object(of_property)), _) => check(&inner, of_property, value)?,
            (None, Some(Value::Object(of_others))) => check(&inner, of_others, value)?,
            (None, Some(Value::Bool(false))) => {
                let names: Vec<&str> = properties.keys().map(String::as_str).collect();
                let rule = if names.is_empty() {
                    "is unknown: this takes no arguments".to_owned()
                } else {
                    format!("is unknown; known are {}", names.join(", "))
                };
                let fix = did_you_mean(Some(name), &names);
                return Err(ArgumentError {
                    field: inner,
                    rule,
                    fix,
                    wrong: Wrong::Name,
                });
            }
            _ => {}
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !entries.contains_key(name) {
            let rule = "is missing and cannot be left out".to_owned();
            return Err(ArgumentError {
                field: field.with(name),
                rule,
                fix: String::new(),
                wrong: Wrong::Value,
            });
        }
    }
    Ok(())
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "integer" => value.is_i64() || value.is_u64(),
        other => kind_of(value) == other,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {kind}")
}

fn hint(fix: &str) -> String {
    if fix.is_empty() {
        String::new()
    } else {
        format!("; hint: {fix}")
    }
}

/// The known name that is nearest to a wrong one, if any is near.
fn did_you_mean(wrong: Option<&str>, names: &[&str]) -> String {
    let near = nearest(wrong.unwrap_or_default(), names.iter().copied());
    near.map_or_else(String::new, |name| format!("did you mean {name:?}?"))
}

impl Field {
    fn with(&self, name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        if self.0.is_empty() {
            Self(name)
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The caller chose the name and may have made it as long as a call may be.
        let shown: String = self.0.chars().take(100).collect();
        fmt::Debug::fmt(&shown, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::tools::schema;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde and schemars")]
    struct Sample {
        #[schemars(length(max = 5))]
        command: Option<String>,
        #[schemars(range(min = 0, max = 10))]
        yield_ms: Option<i64>,
        #[schemars(length(min = 1, max = 2), inner(length(max = 3)))]
        argv: Option<Vec<String>>,
        #[schemars(extend("maxProperties" = 1))]
        env: Option<BTreeMap<String, String>>,
        stream: Option<Kind>,
        until: Option<Until>,
        needed: bool,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Stdout,
        Stderr,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde and schemars")]
    struct Until {
        exit: Option<bool>,
    }

    #[test]
    fn canonical_arguments_have_the_defaults_of_their_schema_and_nothing_else() {
        let schema = json!({"additionalProperties": false, "properties": {
            "size": {"type": "integer", "default": 5},
            "name": {"type": "string"},
            "until": {"type": "object", "additionalProperties": false, "properties": {"exit": {"default": true}}},
            "input": {"type": "array", "items": {"type": "object", "properties": {"show": {"default": false}}}},
        }});
        let fill = |given: Value| canonical(schema.as_object().unwrap(), given.as_object().unwrap().clone());
        assert_eq!(Value::Object(fill(json!({})).unwrap()), json!({"size": 5}));
        let given = json!({"size": 6, "until": {}, "input": [{}, {"show": true}]});
        let expected = json!({"size": 6, "until": {"exit": true}, "input": [{"show": false}, {"show": true}]});
        assert_eq!(Value::Object(fill(given).unwrap()), expected);
        assert!(fill(json!({"sise": 5})).is_err());
        assert!(fill(json!({"size": true})).is_err());
    }

    #[test]
    fn what_is_missing_or_too_many_is_named() {
        for (given, expected) in [
            (json!({}), r#"bad argument "needed": is missing and cannot be left out"#),
            (
                json!({"needed": true, "env": {"A": "1", "B": "2"}}),
                r#"bad argument "env": must have at most 1 entries, not 2"#,
            ),
        ] {
            let given = given.as_object().unwrap().clone();
            let found = take::<Sample>(&schema::of_arguments::<Sample>(), given);
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_wrong_argument_is_named_with_the_rule_and_the_fix() {
        let table = [
            (json!({"needed": true}), ""),
            (
                json!({"needed": true, "command": "äöüß€", "yield_ms": 10, "argv": ["abc"]}),
                "",
            ),
            (
                json!({"needed": true, "comand": "x"}),
                r#""comand": is unknown; known are argv, command, env, needed, stream, until, yield_ms; hint: did you mean "command"?"#,
            ),
            (json!({"needed": 1}), r#""needed": must be a boolean, not a number"#),
            (
                json!({"needed": true, "command": null}),
                r#""command": null is no value here; hint: leave it out"#,
            ),
            (
                json!({"needed": true, "command": "123456"}),
                r#""command": must be at least 0 and at most 5 characters, not 6"#,
            ),
            (
                json!({"needed": true, "yield_ms": 11}),
                r#""yield_ms": must be at least 0 and at most 10, not 11"#,
            ),
            (
                json!({"needed": true, "yield_ms": 1.5}),
                r#""yield_ms": must be an integer, not a number"#,
            ),
            (
                json!({"needed": true, "argv": []}),
                r#""argv": must have 1 to 2 items, not 0"#,
            ),
            (
                json!({"needed": true, "argv": ["a", "long"]}),
                r#""argv[1]": must be at least 0 and at most 3 characters, not 4"#,
            ),
            (
                json!({"needed": true, "env": {"A": 1}}),
                r#""env.A": must be a string, not a number"#,
            ),
            (
                json!({"needed": true, "stream": "stdot"}),
                r#""stream": must be one of stdout, stderr; hint: did you mean "stdout"?"#,
            ),
            (
                json!({"needed": true, "until": {"exti": true}}),
                r#""until.exti": is unknown; known are exit; hint: did you mean "exit"?"#,
            ),
        ];
        let schema = schema::of_arguments::<Sample>();
        for (arguments, expected) in table {
            let what = arguments.to_string();
            let found = match take::<Sample>(&schema, arguments.as_object().unwrap().clone()) {
                Ok(_) => String::new(),
                Err(error) => error.to_string().replace("bad argument ", ""),
            };
            assert_eq!(found, expected, "{what}");
        }
    }
}
