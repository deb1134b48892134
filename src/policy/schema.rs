//! The JSON Schema that a rule gives for one argument: a closed list of keywords, whole-text patterns, nothing remote.
//!
//! JSON Schema passes over keywords that it does not know and checks that do not suit the value's type. In a rule both
//! are holes, so both are faults here, found by comparing with the schema of the tool itself.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value, json};

use super::error::{MAX_SCHEMA_DEPTH, SchemaFault};
use crate::yaml::nearest;

/// What a keyword is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Any,
    Number,
    Text,
    List,
    Object,
}

// Not `oneOf`: what one choice takes the others do not, so no mistake in them is the safe one. `anyOf` and `not` say it.
const KEYWORDS: [(&str, For); 24] = [
    ("type", For::Any),
    ("const", For::Any),
    ("enum", For::Any),
    ("description", For::Any),
    ("not", For::Any),
    ("anyOf", For::Any),
    ("allOf", For::Any),
    ("minimum", For::Number),
    ("maximum", For::Number),
    ("exclusiveMinimum", For::Number),
    ("exclusiveMaximum", For::Number),
    ("multipleOf", For::Number),
    ("minLength", For::Text),
    ("maxLength", For::Text),
    ("pattern", For::Text),
    ("minItems", For::List),
    ("maxItems", For::List),
    ("uniqueItems", For::List),
    ("items", For::List),
    ("contains", For::List),
    ("properties", For::Object),
    ("required", For::Object),
    ("additionalProperties", For::Object),
    ("propertyNames", For::Object),
];

const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];
/// What a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// The validator of a schema as written, for an argument that the tools describe so.
pub(super) fn compile(written: &Value, tools: &[&Value], strict: Strict) -> Result<Validator, SchemaFault> {
    let mut schema = written.clone();
    prepare(&mut schema, tools, strict, 0)?;
    let validator = build(&schema)?;
    let nothing_left = |tool: &&Value| choices(tool).is_some_and(|all| !all.iter().any(|one| validator.is_valid(one)));
    match tools.iter().any(nothing_left) {
        true => Err(SchemaFault::never(written.to_string(), None, tools)),
        false => Ok(validator),
    }
}

/// Which mistake of a pattern is the safe one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strict {
    /// To match too little: what matches is allowed. A dot is no line end, and objects have no entries but those that are
    /// named.
    Allow,
    /// To match too much: what matches is denied. A dot is anything, so that a line end does not hide a word; and one more
    /// entry does not hide another: what is said of all entries is asked of one.
    Deny,
}

impl Strict {
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Allow => Self::Deny,
            Self::Deny => Self::Allow,
        }
    }
}

fn build(schema: &Value) -> Result<Validator, SchemaFault> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
        .should_validate_formats(false)
        .build(schema)
        .map_err(|error| SchemaFault::Invalid {
            why: error.to_string().chars().take(200).collect(),
        })
}

/// Checks the keywords of a schema and of those in it, closes objects where too little is the safe mistake, and ties patterns to both ends.
fn prepare(schema: &mut Value, tools: &[&Value], strict: Strict, depth: usize) -> Result<(), SchemaFault> {
    if depth > MAX_SCHEMA_DEPTH {
        return Err(SchemaFault::TooDeep);
    }
    if schema.is_boolean() && depth > 0 {
        return Ok(());
    }
    let object = schema.as_object_mut().ok_or(SchemaFault::NotAnObject)?;
    for (keyword, value) in object.iter() {
        keyword_suits(keyword, tools)?;
        value_suits(keyword, value, tools)?;
    }
    bounds_leave_something(object, tools)?;
    if let Some(only) = only_type(tools) {
        object.entry("type").or_insert(only);
    }
    // What is denied must not get by with one more entry.
    if strict == Strict::Allow && object.contains_key("properties") {
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for (keyword, value) in object.iter_mut() {
        let inner = |name: &str| -> Vec<&Value> { tools.iter().filter_map(|tool| tool.get(name)).collect() };
        match (keyword.as_str(), value) {
            ("pattern", Value::String(pattern)) => *pattern = whole(pattern, strict)?,
            ("not", value) => prepare(value, tools, strict.opposite(), depth + 1)?,
            ("items" | "contains", value) => prepare(value, &inner("items"), strict, depth + 1)?,
            ("additionalProperties", value) => prepare(value, &inner("additionalProperties"), strict, depth + 1)?,
            ("propertyNames", value) => {
                let names: Vec<Value> = tools.iter().map(|tool| name_of_entry(tool)).collect();
                prepare(value, &names.iter().collect::<Vec<_>>(), strict, depth + 1)?;
            }
            ("anyOf" | "allOf", Value::Array(choices)) => {
                choices
                    .iter_mut()
                    .try_for_each(|choice| prepare(choice, tools, strict, depth + 1))?;
            }
            ("properties", Value::Object(properties)) => {
                for (name, value) in properties {
                    let of_tools = inner("properties").into_iter().filter_map(|all| all.get(name));
                    prepare(value, &of_tools.collect::<Vec<_>>(), strict, depth + 1)?;
                }
            }
            _ => {}
        }
    }
    if strict == Strict::Deny {
        one_is_enough(object);
    }
    Ok(())
}

/// What is said of all items, names or further entries holds where there are none, or for one of them at least.
fn one_is_enough(object: &mut Map<String, Value>) {
    let named = object.get("properties").and_then(Value::as_object);
    let named: Map<String, Value> = named
        .into_iter()
        .flat_map(Map::keys)
        .map(|name| (name.clone(), true.into()))
        .collect();
    let mut either = Vec::new();
    if let Some(items) = object.remove("items") {
        either.push(json!({"anyOf": [{"maxItems": 0}, {"contains": items}]}));
    }
    if let Some(names) = object.remove("propertyNames") {
        either.push(json!({"anyOf": [{"maxProperties": 0}, {"not": {"propertyNames": {"not": names}}}]}));
    }
    if let Some(others) = object.remove("additionalProperties") {
        let of_others = |all: Value| json!({"properties": named, "additionalProperties": all});
        either.push(json!({"anyOf": [of_others(false.into()), {"not": of_others(json!({"not": others}))}]}));
    }
    if either.is_empty() {
        return;
    }
    if let Value::Array(all) = object.entry("allOf").or_insert_with(|| json!([])) {
        all.append(&mut either);
    }
}

/// The type that all tools give the argument: checks of JSON Schema pass over values of other types.
fn only_type(tools: &[&Value]) -> Option<Value> {
    let mut types = tools.iter().map(|tool| tool.get("type"));
    let first = types.next()??;
    types.all(|other| other == Some(first)).then(|| first.clone())
}

/// The types that a schema names; a value may have any of them.
pub(super) fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let (one, several) = match schema.get("type") {
        Some(Value::Array(names)) => (None, names.as_slice()),
        name => (name, [].as_slice()),
    };
    one.into_iter().chain(several).filter_map(Value::as_str)
}

fn keyword_suits(keyword: &str, tools: &[&Value]) -> Result<(), SchemaFault> {
    let names = KEYWORDS.iter().map(|(name, _)| *name);
    let Some(wanted) = For::keyword(keyword) else {
        return Err(SchemaFault::Keyword {
            keyword: keyword.chars().take(64).collect(),
            nearest: nearest(keyword, names.clone()),
            known: names.map(str::to_owned).collect(),
        });
    };
    for is in tools.iter().flat_map(|tool| types(tool)) {
        let suits = match wanted {
            For::Any => true,
            For::Number => matches!(is, "integer" | "number"),
            For::Text => is == "string",
            For::List => is == "array",
            For::Object => is == "object",
        };
        if !suits {
            return Err(SchemaFault::WrongType {
                keyword: keyword.to_owned(),
                wanted: wanted.name(),
                is: is.to_owned(),
            });
        }
    }
    Ok(())
}

fn value_suits(keyword: &str, value: &Value, tools: &[&Value]) -> Result<(), SchemaFault> {
    let empty = |keyword| Err(SchemaFault::Empty { keyword });
    match (keyword, value) {
        ("enum", Value::Array(list)) if list.is_empty() => empty("enum"),
        ("anyOf", Value::Array(list)) if list.is_empty() => empty("anyOf"),
        ("enum", Value::Array(list)) => list.iter().try_for_each(|value| taken(value, tools)),
        ("const", value) => taken(value, tools),
        ("properties", Value::Object(entries)) => entries.keys().try_for_each(|name| has_entry(name, tools)),
        ("required", Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str);
            names.try_for_each(|name| has_entry(name, tools))
        }
        ("type", value) => {
            let given: Vec<&str> = match value {
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().into_iter().collect(),
            };
            if given.is_empty() {
                return empty("type");
            }
            given.into_iter().try_for_each(|name| type_suits(name, tools))
        }
        _ => Ok(()),
    }
}

fn type_suits(name: &str, tools: &[&Value]) -> Result<(), SchemaFault> {
    if !TYPES.contains(&name) {
        return Err(SchemaFault::Keyword {
            keyword: name.chars().take(64).collect(),
            nearest: nearest(name, TYPES),
            known: TYPES.map(str::to_owned).to_vec(),
        });
    }
    for is in tools.iter().flat_map(|tool| types(tool)) {
        if is != name && !(is == "integer" && name == "number") {
            return Err(SchemaFault::WrongType {
                keyword: format!("type {name}"),
                wanted: "value of that type",
                is: is.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether each tool would take the value at all.
fn taken(value: &Value, tools: &[&Value]) -> Result<(), SchemaFault> {
    for tool in tools {
        if !build(tool)?.is_valid(value) || (value.is_f64() && tool.get("type").is_some_and(|is| is == "integer")) {
            return Err(SchemaFault::never(value.to_string(), value.as_str(), &[tool]));
        }
    }
    Ok(())
}

/// Whether an object of each tool's could have an entry of this name.
fn has_entry(name: &str, tools: &[&Value]) -> Result<(), SchemaFault> {
    for names in tools.iter().filter_map(|tool| entries(tool)) {
        if !names.contains(&name) {
            return Err(SchemaFault::NoEntry {
                name: name.chars().take(64).collect(),
                nearest: nearest(name, names.iter().copied()),
                known: names.into_iter().map(str::to_owned).collect(),
            });
        }
    }
    Ok(())
}

/// The names of all entries that an object of the tool's may have, where it has no others.
fn entries(tool: &Value) -> Option<Vec<&str>> {
    let closed = tool.get("additionalProperties") == Some(&Value::Bool(false));
    let properties = tool.get("properties").and_then(Value::as_object)?;
    closed.then(|| properties.keys().map(String::as_str).collect())
}

/// The schema of the names of entries.
fn name_of_entry(tool: &Value) -> Value {
    match entries(tool) {
        Some(names) => json!({"type": "string", "enum": names}),
        None => json!({"type": "string"}),
    }
}

/// All that a tool takes, where that is a list of values.
fn choices(tool: &Value) -> Option<Vec<Value>> {
    match (tool.get("const"), tool.get("enum").and_then(Value::as_array)) {
        (Some(only), _) => Some(vec![only.clone()]),
        (None, Some(all)) => Some(all.clone()),
        (None, None) => types(tool)
            .eq(["boolean"])
            .then(|| vec![Value::Bool(false), Value::Bool(true)]),
    }
}

/// Whether what the rule bounds, and what each tool bounds, leave a value.
fn bounds_leave_something(object: &Map<String, Value>, tools: &[&Value]) -> Result<(), SchemaFault> {
    let none = Map::new();
    let of_tools = || tools.iter().filter_map(|tool| tool.as_object());
    for (least, most) in [
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
    ] {
        for tool in of_tools().chain([&none]) {
            let whole = least != "minimum" || tool.get("type").is_some_and(|is| is == "integer");
            let lower = lower(object, least, whole).max(lower(tool, least, whole));
            let upper = upper(object, most, whole).min(upper(tool, most, whole));
            if lower > upper {
                let mut value = format!("a value with {least} {lower} and {most} {upper}");
                if !object.contains_key(least) && !object.contains_key(most) {
                    value = Value::Object(object.clone()).to_string();
                }
                return Err(SchemaFault::never(value, None, &[]));
            }
        }
    }
    Ok(())
}

/// The least that a schema takes.
fn lower(schema: &Map<String, Value>, least: &str, whole: bool) -> f64 {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64).unwrap_or(f64::NEG_INFINITY);
    match (least, whole) {
        ("minimum", true) => number(least).ceil().max(number("exclusiveMinimum").floor() + 1.0),
        ("minimum", false) => number(least).max(number("exclusiveMinimum")),
        _ => number(least),
    }
}

/// The most that a schema takes.
fn upper(schema: &Map<String, Value>, most: &str, whole: bool) -> f64 {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64).unwrap_or(f64::INFINITY);
    match (most, whole) {
        ("maximum", true) => number(most).floor().min(number("exclusiveMaximum").ceil() - 1.0),
        ("maximum", false) => number(most).min(number("exclusiveMaximum")),
        _ => number(most),
    }
}

/// The pattern tied to both ends of the text. It must be one by itself first: it could end the group otherwise.
fn whole(pattern: &str, strict: Strict) -> Result<String, SchemaFault> {
    let compiled = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
    match compiled {
        Ok(_) => Ok(match strict {
            Strict::Allow => format!("^(?:{pattern})$"),
            Strict::Deny => format!("^(?s:{pattern})$"),
        }),
        Err(error) => {
            let why = error.to_string();
            Err(SchemaFault::Pattern {
                pattern: pattern.chars().take(64).collect(),
                why: why.lines().last().unwrap_or_default().chars().take(200).collect(),
            })
        }
    }
}

impl For {
    /// What this keyword is for, if it is one.
    pub(super) fn keyword(name: &str) -> Option<Self> {
        let (_, wanted) = KEYWORDS.iter().find(|(keyword, _)| *keyword == name)?;
        Some(*wanted)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "value",
            Self::Number => "number",
            Self::Text => "text",
            Self::List => "list",
            Self::Object => "object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_must_match_the_whole_text() {
        let table = [
            ("EMP[0-9]{6}", "EMP123456", true),
            ("EMP[0-9]{6}", "EMP123456'; DROP TABLE x", false),
            ("EMP[0-9]{6}", "xEMP123456", false),
            ("EMP[0-9]{6}", "EMP123456\n", false),
            ("^EMP[0-9]{6}$", "EMP123456\n", false),
            ("(?m)^a$", "b\na", false),
            ("(?m)^a$", "a\nb", false),
            ("a|b", "a", true),
            ("a|b", "ac", false),
            ("a|b", "cb", false),
            ("", "", true),
            ("", "a", false),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            ("a", "A", false),
            ("[a-z]+", "é", false),
        ];
        for (pattern, text, expected) in table {
            let validator = compile(&json!({"pattern": pattern}), &[], Strict::Allow).unwrap();
            assert_eq!(validator.is_valid(&json!(text)), expected, "{pattern:?} {text:?}");
        }
    }

    fn refused(table: &[(Value, &Value, &str)]) {
        for (schema, tool, expected) in table {
            match compile(schema, &[tool], Strict::Allow) {
                Ok(_) => panic!("taken: {schema}"),
                Err(fault) => assert!(fault.to_string().contains(expected), "{schema}: {fault}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_compiled_is_a_fault() {
        let text = json!({"type": "string", "maxLength": 5});
        let list = json!({"type": "array", "items": {"type": "string"}});
        let table = [
            (json!({"pattern": "("}), &text, "the pattern \"(\" is none"),
            (json!({"pattern": "(?=a)"}), &text, "the pattern \"(?=a)\" is none"),
            (json!({"pattern": "(a)\\1"}), &text, "is none that is read here"),
            (json!({"pattern": "a)|(?:b"}), &text, "is none that is read here"),
            (
                json!({"pattern": "(a{1000}){1000}"}),
                &text,
                "is none that is read here",
            ),
            (json!({"pattern": "(?x)a #"}), &text, "no JSON Schema"),
            (
                json!({"minLength": 3, "maxLength": 2}),
                &text,
                "minLength 3 and maxLength 2",
            ),
            (json!({"maxLength": -1}), &text, "no JSON Schema"),
            (json!({"maxLength": "5"}), &text, "no JSON Schema"),
            (json!({"items": {"maximum": 5}}), &list, "maximum is for a number"),
            (json!({"not": {"maxx": 1}}), &text, "unknown keyword \"maxx\""),
            (
                json!({"anyOf": [{"maxLength": 1}, {"maxx": 1}]}),
                &text,
                "unknown keyword \"maxx\"",
            ),
        ];
        refused(&table);
    }

    #[test]
    fn what_would_check_nothing_or_never_match_is_a_fault() {
        let text = json!({"type": "string", "maxLength": 5});
        let number = json!({"type": "integer", "minimum": 1});
        let choice = json!({"type": "string", "enum": ["a", "b"]});
        let table = [
            (json!(5), &text, "its schema must be an object"),
            (json!([1]), &text, "its schema must be an object"),
            (json!({"maxx": 5}), &number, "unknown keyword \"maxx\"; hint: "),
            (json!({"maxLenght": 5}), &text, "did you mean \"maxLength\"?"),
            (json!({"$ref": "http://h/"}), &text, "unknown keyword \"$ref\""),
            (json!({"$id": "http://h/"}), &text, "unknown keyword \"$id\""),
            (json!({"format": "email"}), &text, "unknown keyword \"format\""),
            (json!({"type": "int"}), &number, "did you mean \"integer\"?"),
            (
                json!({"type": "string"}),
                &number,
                "type string is for a value of that type, and the argument is a integer",
            ),
            (json!({"type": []}), &number, "type is empty"),
            (json!({"enum": []}), &text, "enum is empty"),
            (json!({"anyOf": []}), &text, "anyOf is empty"),
            (json!({"oneOf": [{}]}), &text, "unknown keyword \"oneOf\""),
            (
                json!({"maximum": 5}),
                &text,
                "maximum is for a number, and the argument is a string",
            ),
            (
                json!({"maxLength": 5}),
                &number,
                "maxLength is for a text, and the argument is a integer",
            ),
            (json!({"items": {}}), &text, "items is for a list"),
            (json!({"const": true}), &number, "the tool never takes true"),
            (json!({"const": 1.5}), &number, "the tool never takes 1.5"),
            (json!({"const": 1.0}), &number, "the tool never takes 1.0"),
            (json!({"const": 0}), &number, "the tool never takes 0"),
            (json!({"const": "abcdef"}), &text, "the tool never takes \"abcdef\""),
            (json!({"enum": ["a", "c"]}), &choice, "the tool never takes \"c\""),
        ];
        refused(&table);
        let deep = (0..40).fold(json!({"maxLength": 1}), |inner, _| json!({"not": inner}));
        assert_eq!(
            compile(&deep, &[&text], Strict::Allow).unwrap_err(),
            SchemaFault::TooDeep
        );
    }

    /// An argument, a schema for it, and what is wrong with that.
    const NEVER: &[(&str, &str, &str)] = &[
        (
            "amount",
            r#"{"minimum": 101}"#,
            "never takes a value with minimum 101 and maximum 100",
        ),
        (
            "amount",
            r#"{"maximum": 0}"#,
            "never takes a value with minimum 1 and maximum 0",
        ),
        (
            "amount",
            r#"{"exclusiveMinimum": 100}"#,
            r#"never takes {"exclusiveMinimum":100}"#,
        ),
        (
            "amount",
            r#"{"exclusiveMaximum": 1}"#,
            r#"never takes {"exclusiveMaximum":1}"#,
        ),
        (
            "text",
            r#"{"minLength": 6}"#,
            "never takes a value with minLength 6 and maxLength 5",
        ),
        (
            "list",
            r#"{"maxItems": 0}"#,
            "never takes a value with minItems 1 and maxItems 0",
        ),
        (
            "list",
            r#"{"contains": {"minimum": 200}}"#,
            "minimum 200 and maximum 100",
        ),
        ("yes", r#"{"const": false}"#, "never takes false"),
        (
            "yes",
            r#"{"not": {"const": true}}"#,
            r#"never takes {"not":{"const":true}}"#,
        ),
        (
            "flag",
            r#"{"allOf": [{"const": true}, {"const": false}]}"#,
            r#"never takes {"allOf""#,
        ),
        (
            "choice",
            r#"{"pattern": "c.*"}"#,
            r#"never takes {"pattern":"c.*"}, so the rule could never match; hint: there are a, b"#,
        ),
        (
            "closed",
            r#"{"properties": {"txet": {}}}"#,
            r#"takes no entry "txet" in it; hint: did you mean "text"?"#,
        ),
        ("closed", r#"{"required": ["txet"]}"#, r#"takes no entry "txet" in it"#),
        (
            "closed",
            r#"{"not": {"required": ["txet"]}}"#,
            r#"takes no entry "txet" in it"#,
        ),
        (
            "closed",
            r#"{"propertyNames": {"const": "txet"}}"#,
            r#"never takes "txet", so the rule could never match; hint: did"#,
        ),
        (
            "closed",
            r#"{"properties": {"amount": {"minimum": 101}}}"#,
            "minimum 101 and maximum 100",
        ),
        ("amount", r#"{"minimum": 100}"#, ""),
        ("amount", r#"{"exclusiveMinimum": 99}"#, ""),
        ("list", r#"{"minItems": 3}"#, ""),
        ("closed", r#"{"required": ["text"], "properties": {"text": {}}}"#, ""),
        ("open", r#"{"required": ["LD_PRELOAD"]}"#, ""),
    ];

    #[test]
    fn what_the_tool_never_takes_is_a_fault() {
        let amount = json!({"type": "integer", "minimum": 1, "maximum": 100});
        let text = json!({"type": "string", "maxLength": 5});
        let tools = json!({
            "amount": amount,
            "text": text,
            "list": {"type": "array", "minItems": 1, "maxItems": 3, "items": amount},
            "flag": {"type": "boolean"},
            "yes": {"type": "boolean", "const": true},
            "choice": {"type": "string", "enum": ["a", "b"]},
            "closed": {"type": "object", "additionalProperties": false, "properties": {"text": text, "amount": amount}},
            "open": {"type": "object", "additionalProperties": text},
        });
        for (tool, schema, expected) in NEVER {
            let compiled = compile(&serde_json::from_str(schema).unwrap(), &[&tools[tool]], Strict::Allow);
            let found = compiled.err().map(|fault| fault.to_string()).unwrap_or_default();
            assert!(
                found.contains(expected) && found.is_empty() == expected.is_empty(),
                "{schema}: {found}"
            );
        }
    }

    #[test]
    fn a_line_end_does_not_hide_a_word_that_is_denied() {
        let hides = json!("a\ncasino\nb");
        let pattern = json!({"pattern": ".*casino.*"});
        assert!(!compile(&pattern, &[], Strict::Allow).unwrap().is_valid(&hides));
        assert!(compile(&pattern, &[], Strict::Deny).unwrap().is_valid(&hides));
        let not = json!({"not": pattern});
        assert!(!compile(&not, &[], Strict::Allow).unwrap().is_valid(&hides));
        assert!(compile(&not, &[], Strict::Deny).unwrap().is_valid(&hides));
    }

    #[test]
    fn one_more_entry_does_not_hide_one_that_is_denied() {
        let denied = json!({"properties": {"LD_PRELOAD": {}}, "required": ["LD_PRELOAD"]});
        let (alone, hidden) = (json!({"LD_PRELOAD": "x"}), json!({"LD_PRELOAD": "x", "FOO": "y"}));
        let tool = json!({"type": "object"});
        let holds = |schema: &Value, strict, value: &Value| compile(schema, &[&tool], strict).unwrap().is_valid(value);
        let nested = json!({"allOf": [denied.clone()]});
        for schema in [&denied, &nested] {
            for value in [&alone, &hidden] {
                assert!(holds(schema, Strict::Deny, value), "{schema} {value}");
                let not = json!({"not": schema});
                assert!(!holds(&not, Strict::Allow, value), "{not} {value}");
            }
            assert!(!holds(schema, Strict::Allow, &hidden), "{schema}");
            assert!(!holds(schema, Strict::Deny, &json!({"FOO": "y"})), "{schema}");
        }
        let closed = json!({"properties": {"a": {}}, "additionalProperties": false});
        assert!(!holds(&closed, Strict::Deny, &json!({"a": 1, "b": 2})), "as written");
    }

    #[test]
    fn one_more_entry_does_not_hide_what_is_denied_by_what_is_said_of_all() {
        // The schema, a value that it takes, the same with one more entry, and one that has nothing to do with it.
        let table = [
            (
                json!({"propertyNames": {"pattern": "LD_.*"}}),
                [json!({"LD_X": "a"}), json!({"LD_X": "a", "A": "1"}), json!({"A": "1"})],
            ),
            (
                json!({"additionalProperties": {"pattern": "evil.*"}}),
                [json!({"B": "evil"}), json!({"B": "evil", "A": "1"}), json!({"A": "1"})],
            ),
            (
                json!({"properties": {"C": {}}, "required": ["C"], "additionalProperties": {"pattern": "evil.*"}}),
                [
                    json!({"C": "1", "B": "evil"}),
                    json!({"C": "1", "B": "evil", "A": "1"}),
                    json!({"C": "evil", "A": "1"}),
                ],
            ),
            (
                json!({"items": {"pattern": "evil.*"}}),
                [json!(["evil"]), json!(["ls", "evil\n"]), json!(["ls"])],
            ),
            (
                json!({"items": {"items": {"const": 1}}, "allOf": [{"minItems": 1}]}),
                [json!([[1]]), json!([[2], [2, 1]]), json!([[2]])],
            ),
        ];
        let holds = |schema: &Value, strict, value: &Value| compile(schema, &[], strict).unwrap().is_valid(value);
        for (schema, [alone, hidden, other]) in table {
            let not = json!({"not": schema});
            assert_eq!(
                [&alone, &hidden, &other].map(|value| holds(&schema, Strict::Deny, value)),
                [true, true, false],
                "{schema}"
            );
            assert_eq!(
                [&alone, &hidden, &other].map(|value| holds(&not, Strict::Allow, value)),
                [false, false, true],
                "{not}"
            );
            assert_eq!(
                [&alone, &hidden, &other].map(|value| holds(&schema, Strict::Allow, value)),
                [true, false, false],
                "{schema}"
            );
            assert_eq!(
                [&alone, &hidden, &other].map(|value| holds(&not, Strict::Deny, value)),
                [false, true, true],
                "{not}"
            );
        }
    }

    #[test]
    fn a_check_does_not_pass_over_a_value_of_another_type() {
        let tool = json!({"type": "string"});
        for schema in [json!({"maxLength": 3}), json!({"pattern": "a"}), json!({})] {
            let validator = compile(&schema, &[&tool], Strict::Allow).unwrap();
            for value in [json!(1), json!(true), json!(null), json!(["a"])] {
                assert!(!validator.is_valid(&value), "{schema} {value}");
            }
        }
    }

    #[test]
    fn values_are_not_taken_for_one_another() {
        let table = [
            (json!({"const": 1}), json!(1), true),
            (json!({"const": 1}), json!(true), false),
            (json!({"const": 1}), json!("1"), false),
            (json!({"const": true}), json!(1), false),
            (json!({"const": true}), json!("true"), false),
            (json!({"type": "integer"}), json!(true), false),
            (json!({"maximum": 5}), json!(5), true),
            (json!({"maximum": 5}), json!(6), false),
            (json!({"maximum": 5, "type": "integer"}), json!(null), false),
            (json!({"maxLength": 3}), json!("äöü"), true),
            (json!({"properties": {"a": {}}}), json!({"a": 1}), true),
            (json!({"properties": {"a": {}}}), json!({"a": 1, "b": 2}), false),
            (
                json!({"properties": {"a": {}}, "additionalProperties": true}),
                json!({"b": 2}),
                true,
            ),
        ];
        for (schema, value, expected) in table {
            let validator = compile(&schema, &[], Strict::Allow).unwrap();
            assert_eq!(validator.is_valid(&value), expected, "{schema} {value}");
        }
    }
}
