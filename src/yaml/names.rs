//! The name that was probably meant.

use crate::model::words;

/// The name that the text resembles most, if it is likely to be a slip of the fingers.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    words::nearest(text, names).map(str::to_owned)
}

/// The name that was probably meant, or those that there are.
pub fn did_you_mean(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None if known.is_empty() => "see the documentation for the names".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}
