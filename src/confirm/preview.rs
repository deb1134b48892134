//! What a person is shown: first what Terrarium states, then what the caller wrote, quoted.
//!
//! Nothing that a caller wrote can look like a statement of ours: it stands on lines that begin with `|`, between
//! quotes, with every control, direction mark and invisible character escaped, and is cut.

use serde_json::Value;

use crate::model::QuestionId;
use crate::model::plain::is_plain;
use crate::policy::{Channel, Digest, Effect, Question, Request};

/// Characters of one argument that are shown.
const ARGUMENT: usize = 2_000;
/// Arguments that are shown.
const ARGUMENTS: usize = 32;

pub(super) fn of(question: &Question, id: QuestionId, action: Digest) -> String {
    let asked = question.asked();
    let by: Vec<&str> = question.by().iter().map(|channel: &Channel| channel.name()).collect();
    let mut text = format!(
        "Question {id}\nAsked by:  {}\nTool:      {}\nRule:      {} (asks: {})\n",
        question.caller(),
        asked.request.tool(),
        question.rule(),
        by.join(", "),
    );
    state(&asked.request, &mut text);
    text.push_str(&format!("Digest:    {action}\nYes means: exactly this, once.\n"));
    text.push_str("\nThe caller wrote, quoted:\n");
    let values = asked.arguments.values();
    for (name, value) in values.iter().take(ARGUMENTS) {
        text.push_str(&format!("| {}: {}\n", quoted(name, 64), of_value(value)));
    }
    if values.len() > ARGUMENTS {
        text.push_str(&format!("| [{} more arguments]\n", values.len() - ARGUMENTS));
    }
    if values.is_empty() {
        text.push_str("| nothing\n");
    }
    text
}

/// What Terrarium itself knows of the request.
fn state(request: &Request, text: &mut String) {
    match request {
        Request::Launch(launch) => {
            let profile = &launch.profile;
            text.push_str(&format!(
                "Profile:   {}\nWorkspace: {}\n",
                profile.name,
                quoted(&launch.workspace.path.to_string_lossy(), 300)
            ));
            if request.tool() == "terminal_open" {
                text.push_str(
                    "Note:      a yes to terminal_open is a yes to everything typed into it while it lasts.\n",
                );
            }
        }
        Request::Observe { session, .. } | Request::Act { session, .. } | Request::Close { session } => {
            text.push_str(&format!("Session:   {session}\n"));
        }
        Request::List => {}
        Request::Hf(hf) => {
            let effect = match hf.effect {
                Effect::Read => "reads",
                Effect::Write => "WRITES, which cannot be taken back",
            };
            text.push_str(&format!("Operation: {} ({effect})\n", hf.operation));
            if let Some(target) = &hf.target {
                text.push_str(&format!("Target:    {}\n", quoted(target, 300)));
            }
            text.push_str(&format!(
                "Body:      {} bytes, SHA-256 {}\n",
                hf.body.len(),
                Digest::of(&hf.body)
            ));
        }
    }
}

fn of_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text, ARGUMENT),
        other => quoted(&other.to_string(), ARGUMENT),
    }
}

/// Text that somebody else wrote: between quotes, harmless to terminals and eyes, and at most `most` characters of it.
pub fn quoted(text: &str, most: usize) -> String {
    let mut quoted = String::from("\"");
    let mut characters = text.chars();
    for character in characters.by_ref().take(most) {
        match character {
            '\n' => quoted.push_str("\\n"),
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_plain(character) => quoted.push(character),
            _ => quoted.extend(character.escape_unicode()),
        }
    }
    quoted.push('"');
    let left = characters.count();
    if left > 0 {
        quoted.push_str(&format!(
            " [cut: {left} more characters; SHA-256 of all {}]",
            Digest::of(text.as_bytes())
        ));
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_cannot_look_like_anything_else() {
        let table = [
            ("plain 'text'", "\"plain 'text'\""),
            ("a\nTool: x", "\"a\\nTool: x\""),
            ("\u{1b}[2J\r\t", "\"\\u{1b}[2J\\u{d}\\u{9}\""),
            (
                "a\u{202e}b\u{200b}c\u{2066}d\u{e0041}",
                "\"a\\u{202e}b\\u{200b}c\\u{2066}d\\u{e0041}\"",
            ),
            ("\" | \\", "\"\\\" | \\\\\""),
            ("grüß 日本", "\"grüß 日本\""),
            ("e\u{301}", "\"e\\u{301}\""),
        ];
        for (text, expected) in table {
            assert_eq!(quoted(text, 100), expected);
        }
        let cut = quoted(&"x".repeat(30), 10);
        assert!(
            cut.starts_with("\"xxxxxxxxxx\" [cut: 20 more characters; SHA-256 of all "),
            "{cut}"
        );
    }

    #[test]
    fn no_control_or_format_character_comes_through() {
        for character in '\0'..=char::MAX {
            let shown = quoted(&character.to_string(), 1);
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
}
