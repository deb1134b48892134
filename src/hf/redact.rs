//! Takes secrets of ours out of what a server sent back.
//!
//! It is done on what is shown, after everything was decoded: a secret may come back in another spelling, also with what
//! nobody sees between its characters. A server that means to hide one from us can, and knows it anyway.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::shape::Reply;
use crate::model::plain::is_invisible;
use crate::model::words::REDACTED;

/// Shorter ones would hide ordinary words.
const SHORTEST: usize = 6;

/// The text without secrets.
pub(super) fn text(mut text: String, secrets: &[&SecretString]) -> String {
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.len() < SHORTEST {
            continue;
        }
        if text.contains(secret) {
            text = text.replace(secret, REDACTED);
        }
        if text.contains(is_invisible) {
            text = without(&text, secret);
        }
    }
    text
}

/// The text without a secret that has invisible characters in it.
fn without(text: &str, secret: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match length(rest, secret) {
            Some(length) => {
                out.push_str(REDACTED);
                rest = rest.get(length..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

/// The bytes at the beginning of a text that show as the secret, if they do.
fn length(text: &str, secret: &str) -> Option<usize> {
    let mut wanted = secret.chars().peekable();
    for (at, found) in text.char_indices() {
        match wanted.peek() {
            None => return Some(at),
            Some(next) if *next == found => drop(wanted.next()),
            // Not before it: what stands there is not part of it.
            Some(_) if at > 0 && is_invisible(found) => {}
            Some(_) => return None,
        }
    }
    wanted.peek().is_none().then_some(text.len())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_does_not_hide_a_secret() {
        let secret = SecretString::from("tok_FAKE_01");
        for hidden in "\u{34f}\u{115f}\u{180b}\u{200b}\u{200d}\u{2800}\u{3164}\u{fe0f}".chars() {
            let spelt = format!("a{hidden} tok_{hidden}FA{hidden}{hidden}KE_01{hidden}b tok_FAKE_0{hidden}");
            let expected = format!("a{hidden} [redacted]{hidden}b tok_FAKE_0{hidden}");
            assert_eq!(text(spelt, &[&secret]), expected, "{}", hidden.escape_unicode());
        }
        assert_eq!(text("\u{fe0f}tok_FAKE_01".to_owned(), &[&secret]), "\u{fe0f}[redacted]");
    }
}
