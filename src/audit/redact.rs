//! Takes secrets that the server holds out of text that leaves it: errors, logs, records, previews.
//!
//! By value, not by the look of things: what is registered is found wherever it stands, also in the forms in which
//! text is usually wrapped. Output of terminals is never passed through here: a sandbox holds no secret of ours.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::model::words::REDACTED;

/// Bytes below which a secret is not looked for: shorter ones stand in other text by chance.
pub const SHORTEST: usize = 12;
/// Secrets at most: far more than a server holds.
pub const SECRETS: usize = 1024;

/// All secrets that are looked for. Clones share them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    forms: Vec<Vec<u8>>,
    secrets: usize,
    finder: Option<AhoCorasick>,
}

/// Why a secret cannot be looked for. Whoever holds it must not use it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It would be found by chance.
    #[error("the secret is shorter than {SHORTEST} bytes and cannot be told from other text; hint: use a longer one")]
    Short,
    /// There are too many, or they are too large.
    #[error("there are more secrets than can be looked for")]
    Many,
}

impl Redactor {
    /// Looks for this secret from now on.
    pub fn add(&self, secret: &str) -> Result<(), RedactError> {
        if secret.len() < SHORTEST {
            return Err(RedactError::Short);
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.forms.iter().any(|form| form == secret.as_bytes()) {
            return Ok(());
        }
        if known.secrets >= SECRETS {
            return Err(RedactError::Many);
        }
        let mut all = known.forms.clone();
        all.extend(forms(secret));
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard) // the one that finds matches that overlap
            .kind(Some(AhoCorasickKind::ContiguousNFA)) // the fastest takes several times as long to build, at every start
            .build(&all)
            .map_err(|_| RedactError::Many)?;
        known.finder = Some(finder);
        known.forms = all;
        known.secrets += 1;
        Ok(())
    }

    /// The text without secrets.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.clean_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A match may begin or end inside a character only if the secret did; then that character goes too.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// All texts of a value without secrets; it stays JSON, which text that was cleaned after it was written as JSON
    /// need not.
    pub fn clean_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.clean(text) {
                    *text = clean;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.clean_json(value)),
            Value::Object(map) => {
                let odd: Vec<String> = map.keys().filter(|key| self.clean(key) != **key).cloned().collect();
                for key in odd {
                    if let Some(value) = map.remove(&key) {
                        map.insert(self.clean(&key).into_owned(), value);
                    }
                }
                map.values_mut().for_each(|value| self.clean_json(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The bytes without secrets.
    pub fn clean_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(finder) = &known.finder else {
            return Cow::Borrowed(bytes);
        };
        let mut clean = Vec::new();
        let mut from = 0;
        // Secrets that overlap are taken out together: what the first leaves of the second is a part of a secret.
        for (start, end) in found(finder, bytes) {
            clean.extend_from_slice(bytes.get(from..start).unwrap_or_default());
            clean.extend_from_slice(REDACTED.as_bytes());
            from = end;
        }
        if from == 0 {
            return Cow::Borrowed(bytes);
        }
        clean.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Cow::Owned(clean)
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A writer, of a log for example, behind which no secret is seen. A secret in pieces over two writes is: so
/// whoever writes to it writes whole lines, as `tracing` does.
#[derive(Clone, Debug)]
pub struct Redacted<W> {
    /// Where the text goes.
    pub inner: W,
    /// What is taken out.
    pub redactor: Redactor,
}

impl<W: io::Write> io::Write for Redacted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(&self.redactor.clean_bytes(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Where secrets stand, from first to last, none overlapping another.
fn found(finder: &AhoCorasick, bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, usize)> = finder
        .find_overlapping_iter(bytes)
        .map(|found| (found.start(), found.end()))
        .collect();
    all.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in all {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// The ways in which a secret is usually written: as it is, in JSON (also in a string in JSON), as Rust and
/// Python print it, in URLs, in base64 at each of the three offsets, in hexadecimal digits.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let json = json(secret);
    let mut forms = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        self::json(&json),
        secret.escape_debug().to_string(),
        secret.escape_default().to_string(),
        json,
    ];
    for hex in [|byte: u8| format!("{byte:02x}"), |byte: u8| format!("{byte:02X}")] {
        forms.push(secret.bytes().map(hex).collect());
        // What RFC 3986 lets stand, and what forms in HTML do.
        for (plain, space) in [
            ("-._~", "%20"),
            ("-._*", "+"),
            ("", "%20"),
            ("-._~!$&'()*+,;=:@/", "%20"),
        ] {
            let percent = |byte: u8| match byte {
                b' ' => space.to_owned(),
                _ if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte) => char::from(byte).to_string(),
                _ => format!("%{}", hex(byte)),
            };
            forms.push(secret.bytes().map(percent).collect());
        }
    }
    for offset in 0..3 {
        let shifted = [vec![0; offset].as_slice(), secret.as_bytes()].concat();
        // Digits that hold bits of the secret only.
        let (first, last) = ((8 * offset).div_ceil(6), 8 * shifted.len() / 6);
        for digits in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.push(digits.get(first..last).unwrap_or_default().to_owned());
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort_unstable();
    forms.dedup();
    forms.into_iter().map(String::into_bytes).collect()
}

/// As it stands between the quotes of a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        for secret in secrets {
            redactor.add(secret).unwrap();
        }
        redactor
    }

    #[test]
    fn secrets_are_taken_out_and_nothing_else_is() {
        let redactor = redactor(&["hunter2hunter2"]);
        assert_eq!(redactor.clean("a hunter2hunter2 b"), "a [redacted] b");
        assert!(matches!(redactor.clean("hunter2"), Cow::Borrowed("hunter2")));
        assert_eq!(redactor.add("hunter2"), Err(RedactError::Short));
        assert_eq!(format!("{redactor:?}"), "[redacted]");
    }

    #[test]
    fn of_two_secrets_that_overlap_nothing_is_left() {
        let redactor = redactor(&["abcdefghijklm", "klmnopqrstuvw"]);
        assert_eq!(redactor.clean(">abcdefghijklmnopqrstuvw<"), ">[redacted]<");
    }

    proptest! {
        #[test]
        fn a_secret_is_found_in_every_form_and_place(
            secret in "[ -~éß\\n\\t]{12,40}", before in ".{0,9}", after in ".{0,9}", bytes in proptest::collection::vec(any::<u8>(), 0..5),
        ) {
            prop_assume!(!secret.contains('[') && !secret.contains(']'));
            let redactor = redactor(&[&secret]);
            let text = format!("{before}{secret}{after}");
            let value = serde_json::json!({"a": text});
            let twice = serde_json::json!({"b": value.to_string()}).to_string();
            let debug = format!("{text:?}");
            for text in [text.clone(), value.to_string(), twice, debug] {
                let clean = redactor.clean(&text);
                prop_assert!(clean.contains(REDACTED), "{text} {clean}");
                prop_assert!(!clean.contains(&secret), "{text} {clean}");
            }
            let mut clean = value;
            redactor.clean_json(&mut clean);
            prop_assert_eq!(clean["a"].as_str().unwrap(), redactor.clean(&text));
            let whole = [bytes.as_slice(), secret.as_bytes(), &bytes].concat();
            for wrapped in [STANDARD_NO_PAD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                prop_assert!(redactor.clean(&wrapped).contains(REDACTED), "{wrapped}");
            }
        }

        #[test]
        fn text_without_secrets_stays_as_it_is(text in ".{0,200}") {
            let redactor = redactor(&["0123456789abcdef-secret"]);
            prop_assert_eq!(redactor.clean(&text), text.as_str());
        }
    }
}
