//! What a person is shown: first what Terrarium states, then what the caller wrote, quoted.
//!
//! Nothing that a caller wrote can look like a statement of ours: it stands on lines that begin with `|`, between
//! quotes, with every control, direction mark and invisible character escaped, and such a line is broken before a terminal
//! would break it. Lists show the beginning of what is long and say so; whoever decides can have the whole, which is as long
//! as tools accept.

use serde_json::Value;
use unicode_width::UnicodeWidthChar as _;

use crate::model::QuestionId;
use crate::model::plain::is_plain;
use crate::policy::{Asked, Channel, Digest, Effect, Question, Request};

/// Characters of one argument where the beginning is shown.
const ARGUMENT: usize = 2_000;
/// Arguments where the beginning is shown.
const ARGUMENTS: usize = 32;
/// Characters that a client's form may have to show of what the caller wrote: clients have windows of a few pages, and
/// what one cuts off nobody reads.
pub(super) const FORM: usize = 16_000;

/// Columns of a line with what somebody else wrote: one less than terminals have at least.
const COLUMNS: usize = 79;

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The beginning of what is long.
    Brief,
    /// All of it.
    Whole,
}

/// What a person is shown of a question.
pub(super) struct Preview {
    pub(super) text: String,
    /// Whether it is all there is.
    pub(super) whole: bool,
}

/// Quotes, and remembers whether something was left out.
struct Quoting {
    extent: Extent,
    cut: bool,
}

pub(super) fn of(question: &Question, id: QuestionId, action: Digest, extent: Extent) -> Preview {
    let asked = question.asked();
    let mut quoting = Quoting { extent, cut: false };
    let by: Vec<&str> = question.by().iter().map(|channel: &Channel| channel.name()).collect();
    let mut text = format!(
        "Question {id}\nAsked by:  {}\nTool:      {}\nRule:      {} (asks: {})\n",
        question.caller(),
        asked.request.tool(),
        question.rule(),
        by.join(", "),
    );
    state(asked, &mut quoting, &mut text);
    let written = written(question, &mut quoting);
    if quoting.cut {
        text.push_str(&format!(
            "Shown:     NOT ALL of what is asked; `terrarium approvals show {id}` shows all of it.\n"
        ));
    }
    text.push_str(&format!("Digest:    {action}\nYes means: exactly this, once.\n"));
    text.push_str("\nThe caller wrote, quoted:\n");
    text.push_str(&written);
    Preview {
        text,
        whole: !quoting.cut,
    }
}

/// Whether a form can show all of it.
pub(super) fn fits_a_form(question: &Question) -> bool {
    let mut quoting = Quoting {
        extent: Extent::Whole,
        cut: false,
    };
    written(question, &mut quoting).chars().nth(FORM).is_none()
}

/// The lines that quote what the caller wrote.
fn written(question: &Question, quoting: &mut Quoting) -> String {
    let values = question.asked().arguments.values();
    let shown = match quoting.extent {
        Extent::Brief => ARGUMENTS,
        Extent::Whole => usize::MAX,
    };
    let mut text = String::new();
    for (name, value) in values.iter().take(shown) {
        text.push_str(&format!("| {}: {}\n", quoting.quoted(name, 64), quoting.value(value)));
    }
    if values.len() > shown {
        quoting.cut = true;
        text.push_str(&format!("| [{} more arguments]\n", values.len() - shown));
    }
    if values.is_empty() {
        text.push_str("| nothing\n");
    }
    text
}

/// What Terrarium itself knows of the request.
fn state(asked: &Asked, quoting: &mut Quoting, text: &mut String) {
    let request = &asked.request;
    match request {
        Request::Launch(launch) => {
            let profile = &launch.profile;
            text.push_str(&format!(
                "Profile:   {}\nWorkspace: {}\n",
                profile.name,
                quoting.quoted(&launch.workspace.path.to_string_lossy(), 300)
            ));
            if request.tool() == "terminal_open" {
                text.push_str(
                    "Note:      a yes to terminal_open is a yes to everything typed into it while it lasts.\n",
                );
            }
        }
        Request::Observe { session, .. } | Request::Act { session, .. } | Request::Close { session } => {
            text.push_str(&format!("Session:   {session}\n"));
            if let Some(opened) = &asked.opened {
                text.push_str(&format!(
                    "Alias:     {}\nProfile:   {}\nWorkspace: {}\nProgram:   {}\n",
                    quoting.quoted(&opened.alias, 64),
                    opened.profile.name,
                    quoting.quoted(&opened.workspace.to_string_lossy(), 300),
                    quoting.quoted(&opened.program, 300),
                ));
            }
        }
        Request::List => {}
        Request::Hf(hf) => {
            let effect = match hf.effect {
                Effect::Read => "reads",
                Effect::Write => "WRITES, which cannot be taken back",
            };
            text.push_str(&format!("Operation: {} ({effect})\n", hf.operation));
            if let Some(target) = &hf.target {
                text.push_str(&format!("Target:    {}\n", quoting.quoted(target, 300)));
            }
            text.push_str(&format!(
                "Body:      {} bytes, SHA-256 {}\n",
                hf.body.len(),
                Digest::of(&hf.body)
            ));
        }
    }
}

/// The same with lines of somebody else's words broken by us. Where a terminal breaks them, words chosen for its width
/// begin a line, as only ours do.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        let indent = match (line.starts_with('|'), line.contains('"')) {
            (true, _) => "|   ",
            (false, true) => "           ",
            (false, false) => {
                folded.push_str(line);
                continue;
            }
        };
        let mut column = 0;
        for character in line.chars() {
            let width = character.width().unwrap_or(0);
            if column + width > COLUMNS {
                folded.push('\n');
                folded.push_str(indent);
                column = indent.len();
            }
            folded.push(character);
            column += width;
        }
    }
    folded
}

impl Quoting {
    fn value(&mut self, value: &Value) -> String {
        match value {
            Value::String(text) => self.quoted(text, ARGUMENT),
            other => self.quoted(&other.to_string(), ARGUMENT),
        }
    }

    /// All of it, or the first `most` characters.
    fn quoted(&mut self, text: &str, most: usize) -> String {
        let most = match self.extent {
            Extent::Brief => most,
            Extent::Whole => usize::MAX,
        };
        self.cut |= text.chars().nth(most).is_some();
        quoted(text, most)
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
    fn what_somebody_wrote_begins_no_line() {
        for padding in [" ", "-", "日"] {
            for length in 0..200 {
                let line = quoted(&format!("{}Tool:      terminal_list", padding.repeat(length)), 1000);
                let text = format!("Tool:      terminal_run\nProgram:   {line}\n\n| \"command\": {line}\n");
                let shown = folded(&text);
                let told: Vec<&str> = shown.lines().filter(|line| line.starts_with("Tool:")).collect();
                assert_eq!(told, ["Tool:      terminal_run"], "{length}");
                for line in shown.lines() {
                    let columns: usize = line.chars().filter_map(|c| c.width()).sum();
                    assert!(columns <= COLUMNS, "{line}");
                    assert!(
                        ["Tool:", "Program:", "           ", "| \"", "|   "]
                            .iter()
                            .any(|begin| line.starts_with(begin))
                            || line.is_empty(),
                        "{line}"
                    );
                }
                let whole = shown.replace("\n|   ", "").replace("\n           ", "");
                assert_eq!(whole, text);
            }
        }
    }

    #[test]
    fn no_control_or_format_character_comes_through() {
        for character in '\0'..=char::MAX {
            let shown = quoted(&character.to_string(), 1);
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
}
