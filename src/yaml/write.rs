//! Writes plain values as YAML that [`super::parse()`] would read again.

use serde_json::Value;

/// The value as a YAML document.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    nested(&mut text, value, 0);
    text
}

fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                indent(text, depth);
                text.push_str(&scalar(key));
                text.push(':');
                member(text, value, depth);
            }
        }
        Value::Array(list) => {
            for value in list {
                indent(text, depth);
                text.push('-');
                match is_flat(value) {
                    true => line(text, value),
                    false => member(text, value, depth),
                }
            }
        }
        other => line(text, other),
    }
}

fn member(text: &mut String, value: &Value, depth: usize) {
    let empty =
        |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|m| m.is_empty());
    match value {
        Value::Object(_) | Value::Array(_) if !empty(value) && !is_row(value) => {
            text.push('\n');
            nested(text, value, depth + 1);
        }
        other => line(text, other),
    }
}

/// An object of a line: what a list of paths consists of.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().all(|value| !value.is_object() && !value.is_array()),
        other => !other.is_array(),
    }
}

/// A list of plain values that fits into a line or two.
fn is_row(value: &Value) -> bool {
    let short = |value: &Value| value.as_str().is_some_and(|text| text.len() <= 24);
    value.as_array().is_some_and(|list| list.iter().all(short))
}

fn line(text: &mut String, value: &Value) {
    text.push(' ');
    text.push_str(&flow(value));
    text.push('\n');
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let members: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key), flow(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// Plain where nobody could take it for something else, else in quotes; JSON's quoted text is YAML's.
fn scalar(text: &str) -> String {
    let start = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '~' | '.' | '_'));
    let body = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '~' | '.' | '_' | '-' | '+' | '%' | ' ');
    let size =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_alphabetic() || c == '%');
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "~" | "y" | "n" | ".inf" | ".nan"
    );
    let size = size && !text.starts_with("0x") && !text.starts_with("0o");
    match (start || size) && text.chars().all(body) && !word && !text.ends_with(' ') {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

fn indent(text: &mut String, depth: usize) {
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_that_could_be_taken_for_something_else_is_quoted() {
        for (text, written) in [
            ("cat", "cat"),
            ("512MiB", "512MiB"),
            ("25%", "25%"),
            ("~/.cargo/bin", "~/.cargo/bin"),
            ("0", "\"0\""),
            ("no", "\"no\""),
            ("~", "\"~\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("", "\"\""),
            ("it's\n", "\"it's\\n\""),
            ("1e3", "\"1e3\""),
            ("- a", "\"- a\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn what_is_written_reads_as_the_same() {
        let value = json!({"a": {"b": [], "c": {}, "d": ["x", "y"]}, "e": [{"path": "/usr", "optional": true}], "f": 3,
            "g": "a long text: with signs", "h": [{"reason": "r", "names": ["a"]}]});
        let text = write(&value);
        assert_eq!(super::super::parse::<Value>(&text).unwrap(), value, "{text}");
    }
}
