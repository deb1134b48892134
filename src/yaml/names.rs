//! The name that was probably meant.

/// The name that the text resembles most, if it is likely to be a slip of the fingers.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Long text is not compared: the effort grows with its length, and nobody mistypes that much.
    let text: String = text.chars().take(64).collect();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&text, name), name))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

/// From here on two names are taken for one with a slip; found by trying: `procesess` is 0.96, `memory` to `home` 0.75.
const LIKELY: f64 = 0.8;

/// The name that was probably meant, or those that there are.
pub fn did_you_mean(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None if known.is_empty() => "see the documentation for the names".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}
