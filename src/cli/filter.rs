//! Takes out of a terminal's output what would act on the outer terminal beyond showing text.
//!
//! Dropped: operating system commands but the window title (OSC 52 sets the clipboard), every query that a
//! terminal would answer into the input, window operations, and device control and application strings.

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
    Escape,
    Csi,
    String,
    StringEscape,
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
            State::Text if byte == 0x1b => self.hold(byte, State::Escape),
            State::Text if byte != 0x05 => out.push(byte), // ENQ asks for an answer
            State::Text => {}
            State::Escape => match byte {
                b'[' => self.hold(byte, State::Csi),
                b']' | b'P' | b'X' | b'^' | b'_' => self.hold(byte, State::String),
                0x1b => {}
                b'Z' => self.drop_held(), // DECID asks for an answer
                0x20..=0x2f => self.hold(byte, State::Escape),
                _ => self.show(byte, out),
            },
            State::Csi => match byte {
                0x40..=0x7e if self.is_harmless(byte) => {
                    self.remember(byte);
                    self.show(byte, out);
                }
                0x40..=0x7e => self.drop_held(),
                0x1b => {
                    self.drop_held();
                    self.hold(byte, State::Escape);
                }
                _ => self.hold(byte, State::Csi),
            },
            State::String if byte == 0x07 => self.end_string(byte, out),
            State::String if byte == 0x1b => self.hold(byte, State::StringEscape),
            State::String => self.hold(byte, State::String),
            State::StringEscape if byte == b'\\' => self.end_string(byte, out),
            State::StringEscape => self.drop_held(),
        }
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

    /// Only titles pass: OSC 0, 1 and 2.
    fn end_string(&mut self, byte: u8, out: &mut Vec<u8>) {
        let title = [&b"\x1b]0;"[..], b"\x1b]1;", b"\x1b]2;"]
            .iter()
            .any(|start| self.held.starts_with(start));
        let queries = self.held.ends_with(b";?") || self.held.ends_with(b";?\x1b");
        if title && !queries {
            self.show(byte, out)
        } else {
            self.drop_held()
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
        ];
        for bytes in hostile {
            assert_eq!(Filter::default().pass(bytes), b"", "{bytes:?}");
            let mut split = Filter::default();
            let out: Vec<u8> = bytes.iter().flat_map(|byte| split.pass(&[*byte])).collect();
            assert_eq!(out, b"", "{bytes:?} byte by byte");
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
        let fine = "a\x1b[1;31mred\x1b[0m\x1b[?1049h\x1b[2J\x1b]0;title\x07\x1b(0\x1b7é\r\n".as_bytes();
        assert_eq!(Filter::default().pass(fine), fine);
    }
}
