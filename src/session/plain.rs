//! Terminal output as plain text: escape sequences removed, progress lines collapsed.
//!
//! A small state machine after ECMA-48 and xterm's ctlseqs, for reading, not for drawing: what takes
//! the cursor to the first column, a carriage return or CSI G, starts the line anew, so that of a
//! progress bar only the last state stays.

use super::sequences::{BEL, ESC};

/// Takes bytes, in pieces of any size, and gives text.
#[derive(Debug, Default)]
pub struct Plain {
    done: Vec<u8>,
    line: Vec<u8>,
    /// The line started anew, and what it held goes when more is written.
    returned: bool,
    state: State,
    /// The number in the control sequence that is being read; None if it has more than one, or other signs.
    parameter: Option<u16>,
    /// How many bytes the sequence that is being read has so far.
    sequence: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte: one more final byte.
    Intermediate,
    /// After ESC `[`.
    Control,
    /// In a string that BEL or ST ends.
    Command,
    /// In a string that only ST ends.
    String,
    /// After ESC in a string.
    StringEscape,
}

/// A string that is longer ends with its line at the latest: text must not vanish behind it.
pub(super) const MAX_SEQUENCE: usize = 4096;
const BACKSPACE: u8 = 0x08;
/// CAN and SUB end any sequence.
const ABORT: [u8; 2] = [0x18, 0x1A];

impl Plain {
    /// Takes a piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.take(*byte);
        }
    }

    /// The lines that have ended since the last time, each with its line end.
    pub(super) fn take_ended(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.done)
    }

    /// The line that has not ended.
    pub(super) fn unfinished(&self) -> &[u8] {
        &self.line
    }

    /// Keeps no more than so many bytes of the line that has not ended: the last.
    pub(super) fn keep_of_unfinished(&mut self, most: usize) {
        let excess = self.line.len().saturating_sub(most);
        self.line.drain(..excess);
    }

    /// How many of the bytes taken last belong to a sequence or a character that is not complete.
    pub fn pending(&self) -> usize {
        if self.state == State::Ground {
            incomplete_character(&self.line)
        } else {
            self.sequence
        }
    }

    /// How many of these bytes, which come next, belong to the sequence that is not complete.
    pub(super) fn sequence_end(mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if self.state == State::Ground {
                return at;
            }
            self.take(*byte);
            if self.state == State::Ground && *byte == b'\n' {
                return at;
            }
        }
        bytes.len()
    }

    /// The text. Bytes that are not UTF-8 become U+FFFD; the second value counts them.
    pub fn finish(mut self) -> (String, u64) {
        self.done.append(&mut self.line);
        lossy(&self.done)
    }

    fn take(&mut self, byte: u8) {
        if self.state == State::Ground {
            return self.ground(byte);
        }
        self.sequence += 1;
        self.state = match (self.state, byte) {
            (_, byte) if ABORT.contains(&byte) => State::Ground,
            (State::Escape, b'[') => {
                self.parameter = Some(0);
                State::Control
            }
            (State::Escape, b']') => State::Command,
            (State::Escape, b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape, 0x20..=0x2F) | (State::Intermediate, 0x20..=0x2F) => State::Intermediate,
            (State::Control, 0x20..=0x3F) => {
                self.parameter = self.parameter.and_then(|number| with_digit(number, byte));
                State::Control
            }
            (State::Control, 0x40..=0x7E) => {
                self.control(byte);
                State::Ground
            }
            (State::Command, BEL) | (State::StringEscape, b'\\') => State::Ground,
            (State::String, BEL) if self.sequence > MAX_SEQUENCE => State::Ground,
            (State::Command | State::String, b'\n') if self.sequence > MAX_SEQUENCE => {
                self.ground(byte);
                State::Ground
            }
            (State::Command | State::String, ESC) => State::StringEscape,
            (_, ESC) => {
                self.sequence = 1;
                State::Escape
            }
            // A new sequence begins where the terminator should have been.
            (State::StringEscape, _) => {
                self.state = State::Escape;
                self.sequence = 1;
                return self.take(byte);
            }
            (State::Command | State::String, _) => self.state,
            // A control character within a sequence acts as if it came before it.
            (State::Escape | State::Intermediate | State::Control, 0x00..=0x1F) => {
                self.ground(byte);
                self.state
            }
            _ => State::Ground,
        };
        if self.state == State::Ground {
            self.sequence = 0;
        }
    }

    /// What a control sequence with this last byte does to the line.
    fn control(&mut self, last: u8) {
        match (last, self.parameter) {
            (b'G', Some(0 | 1)) => self.returned = true,
            (b'K', Some(2)) => self.line.clear(),
            (b'K', Some(0)) if self.returned => self.line.clear(),
            _ => {}
        }
    }

    fn ground(&mut self, byte: u8) {
        match byte {
            ESC => {
                self.state = State::Escape;
                self.sequence = 1;
            }
            b'\n' => {
                self.returned = false;
                self.done.append(&mut self.line);
                self.done.push(b'\n');
            }
            b'\r' => self.returned = true,
            BACKSPACE => while self.line.pop().is_some_and(|b| b & 0xC0 == 0x80) {},
            b'\t' | 0x20..=0x7E | 0x80.. => {
                if std::mem::take(&mut self.returned) {
                    self.line.clear();
                }
                self.line.push(byte);
            }
            _ => {}
        }
    }
}

/// The number with one more digit. None if that is no digit.
fn with_digit(number: u16, byte: u8) -> Option<u16> {
    let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
    Some(number.saturating_mul(10).saturating_add(digit))
}

/// Text of bytes, and how many of them are not UTF-8 and became U+FFFD.
pub fn lossy(bytes: &[u8]) -> (String, u64) {
    let mut text = String::with_capacity(bytes.len());
    let mut invalid = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            invalid += chunk.invalid().len() as u64;
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, invalid)
}

/// How many bytes at the end are the start of a character that more bytes would complete.
pub fn incomplete_character(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let cut = last.map_or(&[][..], |chunk| chunk.invalid());
    let whole = match cut.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 0,
    };
    if cut.len() < whole { cut.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(bytes: &[u8]) -> String {
        let mut plain = Plain::default();
        plain.feed(bytes);
        plain.finish().0
    }

    const TABLE: [(&[u8], &str); 30] = [
        (b"plain\n", "plain\n"),
        (b"\x1b[1;31mred\x1b[0m\n", "red\n"),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b" 10%\r 50%\r100%\ndone\n", "100%\ndone\n"),
        (b" 10%\r", " 10%"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0;2\x1b\\after", "after"),
        (b"\x1b(Bascii", "ascii"),
        (b"\x1b7saved\x1b8", "saved"),
        (b"ab\x08c\x07\x00\n", "ac\n"),
        ("ä\u{8}o".as_bytes(), "o"),
        (b"\x1b[?25lx\x1b[?25h", "x"),
        (b"\x1b[3\x18kept", "kept"),
        (b"\x1b]open\x1b[1mbold", "bold"),
        (b"\x1b[1\nmx", "\nx"),
        (b"tab\there", "tab\there"),
        (b"| 1\x1b[2K\x1b[1G| 2\x1b[2K\x1b[1Gdone\n", "done\n"),
        (b" 10%\x1b[G 50%\x1b[0G100%\n", "100%\n"),
        (b" 10%\x1b[1G", " 10%"),
        (b"a\x1b[12Gb\n", "ab\n"),
        (b"a\x1b[11Gb\x1b[1;1Gc\n", "abc\n"),
        (b" 10%\x1b[2K\n", "\n"),
        (b" 10%\x1b[22K\n", " 10%\n"),
        (b" 10%\r\x1b[K\n", "\n"),
        (b" 10%\r\x1b[0K\ndone\n", "\ndone\n"),
        (b"text\x1b[K\n", "text\n"),
        (b"text\r\x1b[1K\n", "text\n"),
        (b"text\x1b[99999999999999999999K\x1b[4294967297Gx\n", "textx\n"),
        ("\x1bPz\u{201c}x\u{201d}\x1b\\x".as_bytes(), "x"),
    ];

    #[test]
    fn sequences_go_and_text_stays() {
        for (bytes, expected) in TABLE {
            assert_eq!(plain(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn it_does_not_matter_where_the_input_is_split() {
        for (bytes, expected) in TABLE {
            for at in 0..=bytes.len() {
                let mut plain = Plain::default();
                plain.feed(&bytes[..at]);
                plain.feed(&bytes[at..]);
                assert_eq!(plain.finish().0, expected, "{bytes:?} split at {at}");
            }
        }
    }

    #[test]
    fn a_long_string_goes_up_to_its_end() {
        let long = "~".repeat(5 * MAX_SEQUENCE);
        for (before, after, text) in [
            ("a\x1bPq", "\x1b\\AFTER\n", "aAFTER\n"),
            ("a\x1b]52;c;", "\x07AFTER", "aAFTER"),
            ("a\x1b_G", "\x1b\\AFTER", "aAFTER"),
            ("a\x1b_G", "\x07AFTER", "aAFTER"),
            ("a\x1bX", "\x18AFTER", "aAFTER"),
            ("a\x1b^", "\x1aAFTER", "aAFTER"),
            ("a\x1bP", "\x1b[1mAFTER", "aAFTER"),
            // Text does not vanish behind one that never ends.
            ("a\x1b]0;", "\nAFTER\n", "a\nAFTER\n"),
            ("a\x1bP", "\r\nAFTER\n", "a\nAFTER\n"),
        ] {
            let bytes = [before, &long, after].concat();
            assert_eq!(plain(bytes.as_bytes()), text, "{before:?} {after:?}");
        }
    }

    #[test]
    fn an_incomplete_sequence_or_character_is_pending() {
        let pending = |bytes: &[u8]| {
            let mut plain = Plain::default();
            plain.feed(bytes);
            plain.pending()
        };
        assert_eq!(pending(b"x"), 0);
        assert_eq!(pending(b"x\x1b[1;3"), 5);
        assert_eq!(pending(b"x\x1b"), 1);
        assert_eq!(pending("x€".as_bytes()), 0);
        assert_eq!(pending(&"x€".as_bytes()[..3]), 2);
        assert_eq!(pending(b"x\xff"), 0);
        assert_eq!(pending(b"\x1b]0;t\x1b"), 6);
    }

    #[test]
    fn bytes_that_are_no_text_are_counted() {
        assert_eq!(lossy(b"a\xffb\xe2\x82"), ("a\u{FFFD}b\u{FFFD}".to_owned(), 3));
    }

    proptest! {
        #[test]
        fn no_escape_survives_and_splits_do_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(ESC), Just(b'['), Just(b']'), Just(b'\r'), any::<u8>()], 0..200),
            at in 0usize..200,
        ) {
            let at = at.min(bytes.len());
            let mut split = Plain::default();
            split.feed(&bytes[..at]);
            split.feed(&bytes[at..]);
            prop_assert!(split.pending() <= bytes.len());
            let text = split.finish().0;
            prop_assert_eq!(&text, &plain(&bytes));
            prop_assert!(!text.contains(['\x1b', '\r', '\0']));
        }
    }
}
