//! Which characters show as themselves, and lines and JSON of which all do.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Whether a character shows as itself: no control, no mark of direction, nothing invisible or combining. What
/// `char::escape_debug` lets through is printable; what stays invisible even so is listed.
pub fn is_plain(character: char) -> bool {
    let space = matches!(
        character,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    );
    let mut escaped = character.escape_debug();
    !space
        && !is_invisible(character)
        && (character == '\'' || (escaped.next() == Some(character) && escaped.next().is_none()))
}

/// Whether a character is text that nobody sees and that is no space: marks of direction, joiners, fillers, selectors, tags, and
/// separators of lines that most programs do not know.
pub fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Lines in which everything shows: what would not stands as `\u{1b}`.
pub fn plain_lines(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '"' | '\\' => plain.push(character),
            _ if is_plain(character) => plain.push(character),
            _ => plain.extend(character.escape_unicode()),
        }
    }
    plain
}

/// Writes JSON in one line in which nothing acts on a terminal or hides from an eye: JSON itself lets U+009B, which
/// terminals take for `ESC [`, stand as it is.
pub fn write_json(into: &mut impl Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(into, Plain))
}

/// The same of JSON that somebody else wrote; what it says stays the same.
pub fn plain_json(json: &str) -> String {
    let mut bytes = Vec::with_capacity(json.len());
    fragment(&mut bytes, json).ok(); // memory takes all
    String::from_utf8(bytes).unwrap_or_default() // pieces of text, and ASCII
}

struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        fragment(writer, text)
    }
}

/// Outside of ASCII, JSON has text only, where four digits stand for any character.
fn fragment<W: ?Sized + Write>(writer: &mut W, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '\u{7f}' || (!c.is_ascii() && !is_plain(c))) {
        let (plain, after) = rest.split_at(at);
        writer.write_all(plain.as_bytes())?;
        let mut characters = after.chars();
        let mut units = [0; 2];
        for unit in characters
            .next()
            .into_iter()
            .flat_map(|c| c.encode_utf16(&mut units).to_vec())
        {
            write!(writer, "\\u{unit:04x}")?;
        }
        rest = characters.as_str();
    }
    writer.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lines_keep_what_shows_and_nothing_acts_on_a_terminal() {
        let fine = "cannot read \"a\\b\": it's 日本 ü\nhint: …";
        assert_eq!(plain_lines(fine), fine);
        assert_eq!(
            plain_lines("a\u{1b}]0;x\u{7}\u{9b}\tb\r"),
            r"a\u{1b}]0;x\u{7}\u{9b}\u{9}b\u{d}"
        );
    }

    #[test]
    fn json_says_the_same_and_shows_as_nothing_else() {
        let hostile = "\u{9b}2J\u{7f}\u{1b}\u{202e}a\u{200b}\u{e0041}ü 日本 \"\\\u{10ffff}";
        let value = json!({"a": hostile, hostile: [1, 2.5, true, null, -3, "ü"]});
        let mut written = Vec::new();
        write_json(&mut written, &value).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        assert!(
            written.contains("ü 日本") && written.contains("\\u009b2J\\u007f"),
            "{written}"
        );
        assert!(written.contains("\\udb40\\udc41"), "{written}");
        assert!(
            written.chars().all(|c| c.is_ascii_graphic() || c == ' ' || is_plain(c)),
            "{written}"
        );
        assert_eq!(plain_json(&value.to_string()), written);
        assert_eq!(plain_json(&written), written);
    }
}
