//! Gives text to the emulator, and makes up for what it does otherwise than terminals.

use unicode_width::UnicodeWidthChar as _;
use vt100::{Cell, Parser};

use super::history::History;

/// Stands in the last column where a wide character had no room: the emulator takes a row for wrapped only if something is
/// there. Not a character that texts have.
const FILLER: &str = "\u{FDD1}";

/// Draws. The emulator does two things otherwise than terminals do: a tab after a character in the last column takes the cursor
/// back onto it, and a row is not wrapped whose last column is left to a wide character that has no room there.
pub(super) fn draw(parser: &mut Parser<History>, columns: u16, bytes: &[u8]) {
    let (mut drawn, mut from) = (0, 0);
    let is_ascii = bytes.is_ascii();
    while let Some(at) = bytes.get(from..).and_then(|rest| awkward(rest, is_ascii)) {
        let at = from + at;
        from = at + 1;
        parser.process(bytes.get(drawn..at).unwrap_or_default());
        drawn = at;
        let (_, column) = parser.screen().cursor_position();
        if bytes.get(at) == Some(&b'\t') {
            if column >= columns {
                drawn = from;
            }
        } else if column + 1 == columns {
            parser.process(FILLER.as_bytes());
        }
    }
    parser.process(bytes.get(drawn..).unwrap_or_default());
}

/// Where the first tab or wide character is.
fn awkward(bytes: &[u8], is_ascii: bool) -> Option<usize> {
    if is_ascii {
        return memchr::memchr(b'\t', bytes);
    }
    let is_wide = |rest: &[u8]| {
        let mut characters = rest.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
        characters.next().and_then(char::width) >= Some(2)
    };
    // The first wide character is U+1100.
    (0..bytes.len()).find(|at| match bytes.get(*at..) {
        Some([b'\t', ..]) => true,
        Some(rest @ [lead, ..]) if *lead >= 0xE1 => is_wide(rest.get(..4).unwrap_or(rest)),
        _ => false,
    })
}

/// Nothing but what stands for a wide character's place is in it.
pub(super) fn is_left_out(cell: &Cell) -> bool {
    cell.contents() == FILLER
}

/// What is in it.
pub(super) fn text(cell: &Cell) -> &str {
    if is_left_out(cell) { " " } else { cell.contents() }
}
