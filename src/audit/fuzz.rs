//! What the fuzzer feeds to the audit.

use super::read;
use super::redact::{Redactor, SHORTEST};
use crate::model::words::REDACTED;

/// An audit that somebody may have written: it is read without a panic, and a chain that verifies reads whole.
pub fn audit(bytes: &[u8]) {
    let report = read::verify_bytes(bytes);
    let lines = read::lines_of(bytes).count();
    assert_eq!(u64::try_from(lines).unwrap_or(u64::MAX), report.lines);
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Some(anchored) = read::Anchored::parse(line) {
            assert_eq!(read::Anchored::parse(&anchored.to_string()), Some(anchored));
        }
    }
}

/// A secret, a line end, and a text: the secret does not come out.
pub fn redact(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some((secret, text)) = text.split_once('\n') else {
        return;
    };
    let redactor = Redactor::default();
    // What stands for a secret cannot be told from one that looks like it.
    if secret.contains(['[', ']']) || redactor.add(secret).is_err() {
        assert!(secret.len() < SHORTEST || secret.contains(['[', ']']));
        return;
    }
    for text in [text.to_owned(), format!("{text}{secret}{text}")] {
        let clean = redactor.clean(&text);
        assert!(!clean.contains(secret));
        assert!(!text.contains(secret) || clean.contains(REDACTED));
        assert_eq!(redactor.clean_bytes(text.as_bytes()), clean.as_bytes());
    }
}
