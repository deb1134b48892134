//! What a document says to what was asked: the records, a yes or a no.
//!
//! Whatever is neither is for the caller of a write to find out, so a yes is taken from nothing else.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::error::Failure;
use super::normalise::records;
use super::rate::BACK_OFF;
use super::request::Ask;
use super::transport::{HOURLY, shown};

/// Whether a document holds what was asked for, and for a write a yes.
pub(super) fn answers(
    code: u16,
    fields: &Map<String, Value>,
    ask: &Ask,
    secrets: &[&SecretString],
) -> Result<(), Failure> {
    let yes = ask.target.is_some() && fields.contains_key("success");
    let Some(said) = fields.get(ask.endpoint) else {
        return match yes {
            true => Ok(()),
            false => Err(Failure::Malformed(code, "does not hold what was asked for")),
        };
    };
    let rows = records(said).unwrap_or_default();
    let mut refused = rows.iter().filter(|row| row.get("success").is_some_and(is_false));
    if let Some(first) = refused.next() {
        let alone = refused.count() + 1 == rows.len();
        if yes || !alone {
            return Err(Failure::Malformed(code, "says yes and no"));
        }
        let said = first.get("message").and_then(Value::as_str).unwrap_or_default();
        return Err(no(code, said, secrets));
    }
    if ask.target.is_none() {
        return Ok(());
    }
    if rows.iter().any(|row| !is_about(row, ask)) {
        return Err(Failure::Malformed(code, "is about something else"));
    }
    let accepted = yes || is_true(said) || rows.iter().any(|row| !row.is_empty());
    match accepted {
        true => Ok(()),
        false => Err(Failure::Malformed(code, "says neither yes nor no")),
    }
}

/// Whether a record is about the thread or forum that was written to, where it names one.
fn is_about(row: &Map<String, Value>, ask: &Ask) -> bool {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    ["tid", "fid"].iter().all(|key| {
        let asked = ask.asks.get(ask.endpoint).and_then(|asks| asks.get(format!("_{key}")));
        match (asked, row.get(*key)) {
            (Some(asked), Some(said)) => plain(asked) == plain(said),
            _ => true,
        }
    })
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => ["1", "true"].contains(&text.as_str()),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

pub(super) fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => ["0", "false"].contains(&text.as_str()),
        Value::Null => true,
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// A refusal by its message.
pub(super) fn no(code: u16, said: &str, secrets: &[&SecretString]) -> Failure {
    let message = shown(said, secrets);
    let word = said.to_ascii_uppercase();
    if word.contains(HOURLY) {
        Failure::Rate(code, message, BACK_OFF)
    } else if word.contains("SCOPE") {
        Failure::Scope(code, message)
    } else if word.contains("TOKEN") || word.contains("INVALID_KEY") {
        Failure::Auth(code, message)
    } else {
        Failure::Refused(code, message)
    }
}
