//! Takes secrets of ours out of what a server sent back.
//!
//! It is done on what is shown, after everything was decoded: a secret may come back in another spelling. A server that
//! means to hide one from us can, and knows it anyway.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::shape::Reply;

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";
/// Shorter ones would hide ordinary words.
const SHORTEST: usize = 6;

/// The text without secrets.
pub(super) fn text(mut text: String, secrets: &[&SecretString]) -> String {
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.len() >= SHORTEST && text.contains(secret) {
            text = text.replace(secret, REDACTED);
        }
    }
    text
}

/// A document without secrets.
pub(super) fn value(value: &mut Value, secrets: &[&SecretString]) {
    match value {
        Value::String(old) => *old = text(std::mem::take(old), secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| self::value(item, secrets)),
        Value::Object(fields) => {
            for (key, mut inner) in std::mem::take(fields) {
                self::value(&mut inner, secrets);
                fields.insert(text(key, secrets), inner);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An answer without secrets.
pub(super) fn reply(reply: &mut Reply, secrets: &[&SecretString]) {
    reply.text = text(std::mem::take(&mut reply.text), secrets);
    value(&mut reply.structured, secrets);
}
