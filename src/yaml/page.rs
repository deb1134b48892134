//! Pages about files that are made from their schemas: what such pages have in common.

use serde_json::Value;

/// The schema of a field, behind its reference if it has one.
pub fn follow<'a>(root: &'a Value, field: &'a Value) -> &'a Value {
    let reference = field.get("$ref").and_then(Value::as_str);
    let pointer = reference.and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(field)
}

/// What a field is for, as a cell of a table.
pub fn one_line(field: &Value) -> String {
    let text = field.get("description").and_then(Value::as_str).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

/// The words among which one is chosen.
pub fn choices(field: &Value) -> Vec<String> {
    let quoted = |value: &Value| value.as_str().map(|text| format!("`{text}`"));
    let one_of = field.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let constants = one_of.chain([field]).filter_map(|choice| choice.get("const"));
    let listed = field.get("enum").and_then(Value::as_array).into_iter().flatten();
    constants.chain(listed).filter_map(quoted).collect()
}
