//! JSON Schemas of arguments and results, from the types that hold them.
//!
//! What is published is what [`super::arguments`] enforces: both read the same schema.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The schema of a tool's arguments.
pub(super) fn of_arguments<T: JsonSchema>() -> Map<String, Value> {
    make::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The schema of a tool's structured result.
pub(super) fn of_result<T: JsonSchema>() -> Map<String, Value> {
    make::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn make<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let settings = settings.with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    match schema {
        Value::Object(mut root) => {
            root.remove("title");
            root.remove("description");
            if !root.contains_key("properties") {
                root.insert("properties".to_owned(), Value::Object(Map::new()));
            }
            root
        }
        _ => Map::new(),
    }
}

/// Removes what clients stumble over: formats that are not of JSON Schema, and `null` as the value
/// of what can be left out.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("format").is_some_and(is_rust_format) {
                object.remove("format");
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::Array(choices)) = object.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            if let Some(kind) = object.get_mut("type") {
                without_null(kind);
            }
            if let Some(one) = only_choice(object.get("anyOf")) {
                object.remove("anyOf");
                for (key, value) in one {
                    object.entry(key).or_insert(value);
                }
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn is_rust_format(format: &Value) -> bool {
    let formats = ["int64", "uint64", "int32", "uint16", "uint32", "uint", "double"];
    format.as_str().is_some_and(|f| formats.contains(&f))
}

fn without_null(kind: &mut Value) {
    if let Value::Array(kinds) = kind {
        kinds.retain(|k| k != "null");
        if let [only] = kinds.as_slice() {
            *kind = only.clone();
        }
    }
}

/// The one choice besides `null`.
fn only_choice(choices: Option<&Value>) -> Option<Map<String, Value>> {
    let choices = choices?.as_array()?;
    let mut real = choices
        .iter()
        .filter(|c| c.get("type").is_none_or(|kind| kind != "null"));
    match (real.next(), real.next(), choices.len()) {
        (Some(one), None, 2) => one.as_object().cloned(),
        _ => None,
    }
}
