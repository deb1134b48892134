//! Takes out of a terminal's output what would act on the outer terminal beyond showing text.
//!
//! Dropped: operating system commands but the window title (OSC 52 sets the clipboard), every query that a
//! terminal would answer into the input, window operations, device control and application strings, and the same
//! written as C1 controls (ECMA-48, 8-bit or as UTF-8). What is left between the bytes of a sequence is dropped too.

use std::collections::BTreeSet;

/// Longest sequence that is looked at; a longer one is dropped whole.
const MAX_SEQUENCE: usize = 4096;

/// The state between two pieces of output.
#[derive(Debug, Default)]
pub(super) struct Filter {
    state: State,
    held: Vec<u8>,
    /// Modes of the outer terminal that were changed and not changed back.
    changed: BTreeSet<&'static str>,
}

/// Modes that would disturb whoever uses the terminal next, with what changes them back (xterm's ctlseqs).
const MODES: [(&str, u8, &[u8]); 13] = [
    ("1", b'h', b"\x1b[?1l"),
    ("25", b'l', b"\x1b[?25h"),
    ("47", b'h', b"\x1b[?47l"),
    ("1000", b'h', b"\x1b[?1000l"),
    ("1002", b'h', b"\x1b[?1002l"),
    ("1003", b'h', b"\x1b[?1003l"),
    ("1004", b'h', b"\x1b[?1004l"),
    ("1005", b'h', b"\x1b[?1005l"),
    ("1006", b'h', b"\x1b[?1006l"),
    ("1015", b'h', b"\x1b[?1015l"),
    ("1047", b'h', b"\x1b[?1047l"),
    ("1049", b'h', b"\x1b[?1049l"),
    ("2004", b'h', b"\x1b[?2004l"),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Inside a character of which so many bytes are missing.
    Character(u8),
    Escape,
    Csi,
    String,
    StringEscape,
}

/// What of all that is shown may be, and what takes back the changes that it leaves.
pub(super) fn whole(bytes: &[u8]) -> Vec<u8> {
    let mut filter = Filter::default();
    let mut shown = filter.pass(bytes);
    shown.extend(filter.undo());
    shown
}

impl Filter {
    /// What of `bytes` may be shown; a sequence that is not complete is held back.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.step(*byte, &mut out);
        }
        out
    }

    /// What takes back the modes that were left changed, and the colours.
    pub(super) fn undo(&mut self) -> Vec<u8> {
        let left = MODES.iter().filter(|(mode, ..)| self.changed.contains(mode));
        let mut undo: Vec<u8> = left.flat_map(|(_, _, back)| back.iter().copied()).collect();
        self.changed.clear();
        undo.extend(b"\x1b[0m");
        undo
    }

    /// Remembers a change of mode: `CSI ? numbers h` or `l`.
    fn remember(&mut self, last: u8) {
        let Some(numbers) = self.held.strip_prefix(b"\x1b[?") else {
            return;
        };
        for number in numbers.split(|byte| *byte == b';') {
            for (mode, change, _) in MODES.iter().filter(|(mode, ..)| mode.as_bytes() == number) {
                match last {
                    last if last == *change => self.changed.insert(mode),
                    b'h' | b'l' => self.changed.remove(mode),
                    _ => false,
                };
            }
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.state != State::Text && matches!(byte, 0x18 | 0x1a) {
            return self.drop_held(); // CAN and SUB end any sequence
        }
        match self.state {
            State::Text => self.text(byte, out),
            State::Character(missing) => match (self.continues(byte), missing) {
                (false, _) => self.anew(byte, out),
                (true, 1) => self.character(byte, out),
                (true, _) => self.hold(byte, State::Character(missing - 1)),
            },
            State::Escape => match byte {
                b'[' => self.hold(byte, State::Csi),
                b']' | b'P' | b'X' | b'^' | b'_' => self.hold(byte, State::String),
                0x1b => {}
                b'Z' => self.drop_held(), // DECID asks for an answer
                0x20..=0x2f => self.hold(byte, State::Escape),
                0x30..=0x7e => self.show(byte, out),
                0x80.. => self.anew(byte, out),
                _ => {} // a terminal obeys it as if it came before
            },
            State::Csi => match byte {
                0x40..=0x7e if self.is_harmless(byte) => {
                    self.remember(byte);
                    self.show(byte, out);
                }
                0x40..=0x7e => self.drop_held(),
                0x1b | 0x80.. => self.anew(byte, out),
                0x20..=0x3f => self.hold(byte, State::Csi),
                _ => {} // as above
            },
            State::String if byte == 0x07 => self.end_string(byte, out),
            State::String if byte == 0x1b => self.hold(byte, State::StringEscape),
            State::String => self.hold(byte, State::String),
            State::StringEscape if byte == b'\\' => self.end_string(byte, out),
            State::StringEscape => {
                self.anew(0x1b, out);
                self.step(byte, out);
            }
        }
    }

    /// Outside of any sequence.
    fn text(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            0x1b => self.hold(byte, State::Escape),
            0x05 => {}        // ENQ asks for an answer
            0x80..=0x9f => {} // C1
            0xc2..=0xdf => self.hold(byte, State::Character(1)),
            0xe0..=0xef => self.hold(byte, State::Character(2)),
            0xf0..=0xf4 => self.hold(byte, State::Character(3)),
            _ => out.push(byte),
        }
    }

    /// Whether `byte` goes on with the character that is held; the long form of a shorter one does not (RFC 3629).
    fn continues(&self, byte: u8) -> bool {
        match *self.held {
            [0xe0] => matches!(byte, 0xa0..=0xbf),
            [0xf0] => matches!(byte, 0x90..=0xbf),
            _ => matches!(byte, 0x80..=0xbf),
        }
    }

    /// Shows a character that is whole, unless it is a control.
    fn character(&mut self, last: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), last) {
            ([0xc2], ..=0x9f) => self.drop_held(),
            _ => self.show(last, out),
        }
    }

    /// Leaves what was not finished, and begins with `byte` as if nothing had been there.
    fn anew(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.drop_held();
        self.text(byte, out);
    }

    fn hold(&mut self, byte: u8, next: State) {
        self.state = next;
        if self.held.len() < MAX_SEQUENCE {
            self.held.push(byte);
        }
    }

    fn show(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.held.len() < MAX_SEQUENCE {
            out.append(&mut self.held);
            out.push(byte);
        }
        self.drop_held();
    }

    fn drop_held(&mut self) {
        self.held.clear();
        self.state = State::Text;
    }

    /// A control sequence that only paints: no device status or attributes, no reports, no window operations.
    fn is_harmless(&self, last: u8) -> bool {
        let parameters = self.held.get(2..).unwrap_or_default();
        match last {
            b'n' | b'c' | b'x' | b'w' | b't' => false,
            b'q' => !parameters.starts_with(b">"), // XTVERSION
            b'p' => !parameters.contains(&b'$'),   // DECRQM
            b'u' => !parameters.starts_with(b"?"), // keyboard protocol query
            b'S' => !parameters.starts_with(b"?"), // graphics query
            b'i' | b'y' | b'z' | b'|' => false,
            _ => true,
        }
    }

    /// Only titles pass: OSC 0, 1 and 2, of characters that only show.
    fn end_string(&mut self, byte: u8, out: &mut Vec<u8>) {
        let end = if byte == 0x07 { 0 } else { 1 }; // the ESC of ST
        let text = self.held.len().checked_sub(end).and_then(|end| self.held.get(2..end));
        let text = text.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let title = ["0;", "1;", "2;"].iter().any(|start| text.starts_with(start));
        if title && !text.ends_with(";?") && !text.contains(char::is_control) {
            self.show(byte, out);
        } else {
            self.drop_held();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipboard_writes_and_queries_never_reach_the_outer_terminal() {
        let hostile = [
            &b"\x1b]52;c;aGk=\x07"[..],
            b"\x1b]52;c;aGk=\x1b\\",
            b"\x1b[6n",
            b"\x1b[c",
            b"\x1b[>c",
            b"\x1b]11;?\x07",
            b"\x1bP$qm\x1b\\",
            b"\x1b_x\x1b\\",
            b"\x1b[18t",
            b"\x1b[>q",
            b"\x1b[?2026$p",
            b"\x05",
            b"\x1bZ",
            // The same as C1 controls: of 8 bits, and as UTF-8.
            b"\x9b\x05",
            b"\xc2\x9b\xc2\x9d",
            // Hidden behind controls, which a terminal obeys where they stand.
            b"\x1b[\x01>q",
            b"\x1b[\x05>c",
            b"\x1b]0;a\x1b[6n",
            b"\x1b]0;a\x05\x07",
            b"\x1b]0;a\xc2\x9b6n\x07",
            b"\x1b]0;a\x9b6n\x07",
        ];
        for bytes in hostile {
            assert_eq!(Filter::default().pass(bytes), b"", "{bytes:?}");
            let mut split = Filter::default();
            let out: Vec<u8> = bytes.iter().flat_map(|byte| split.pass(&[*byte])).collect();
            assert_eq!(out, b"", "{bytes:?} byte by byte");
        }
    }

    #[test]
    fn controls_of_eight_bits_begin_nothing() {
        let table: [(&[u8], &[u8]); 7] = [
            (b"a\xc2\x9d52;c;aGk=\x07", b"a52;c;aGk=\x07"),
            (b"a\xc2\x9b6n", b"a6n"),
            (b"a\x9b6n", b"a6n"),
            // A character that is not finished, or written longer than it is, makes no way for one.
            (b"a\xe2\x9b6n", b"a6n"),
            (b"\xe0\x82\x9b6n", b"6n"),
            (b"\xf0\x80\x82\x9b6n", b"6n"),
            (b"\x1b[1\xc2\x9b6n\xc3\xa9", b"6n\xc3\xa9"),
        ];
        for (bytes, shown) in table {
            assert_eq!(Filter::default().pass(bytes), shown, "{bytes:?}");
        }
    }

    #[test]
    fn modes_that_were_left_changed_are_taken_back_and_no_others() {
        let mut filter = Filter::default();
        assert_eq!(filter.undo(), b"\x1b[0m");
        filter.pass(b"\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1b[?1049l");
        assert_eq!(filter.undo(), b"\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b[0m");
        assert_eq!(filter.undo(), b"\x1b[0m");
    }

    #[test]
    fn text_colours_and_titles_pass_unchanged() {
        let fine =
            "a\x1b[1;31mred\x1b[0m\x1b[?1049h\x1b[2J\x1b]0;tïtle\x07\x1b]2;t\x1b\\\x1b(0\x1b7é 你 🦀\r\n".as_bytes();
        assert_eq!(Filter::default().pass(fine), fine);
    }
}
