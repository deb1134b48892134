//! How errors are worded, and the word for what is hidden.

use std::error::Error;

/// From here on two names are taken for one with a slip; found by trying: `procesess` is 0.96, `memory` to `home` 0.75.
const LIKELY: f64 = 0.8;

/// The name that the text resembles most, if it is likely to be a slip of the fingers.
pub fn nearest<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Long text is not compared: the effort grows with its length, and nobody mistypes that much.
    let text: String = text.chars().take(64).collect();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&text, name), name))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// What stands in place of a secret. It needs no escape in JSON, URLs or shells' double quotes.
pub const REDACTED: &str = "[redacted]";

/// An error and what it comes from, on one line. A cause that the text before it ends with is not said again.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
