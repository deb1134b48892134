//! Takes out of a terminal's output what would act on the outer terminal beyond showing text.
//!
//! What programs draw with passes ([`drawing`]) and window titles do; everything else is dropped: the other operating
//! system commands (OSC 52 sets the clipboard), what a terminal would answer into the input, at once or later, window
//! operations, other encodings, device control and application strings, and all of it written as C1 controls (ECMA-48,
//! 8-bit or as UTF-8). What is left between the bytes of a sequence is dropped too.

mod drawing;

use drawing::Changed;

/// Longest sequence that is looked at; a longer one is dropped whole.
const MAX_SEQUENCE: usize = 4096;

/// The state between two pieces of output.
#[derive(Debug, Default)]
pub(super) struct Filter {
    state: State,
    held: Vec<u8>,
    /// What of the outer terminal was changed and not changed back.
    changed: Changed,
}

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

    /// What takes back the changes that were left, and the colours.
    pub(super) fn undo(&mut self) -> Vec<u8> {
        self.changed.undo()
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
                b'[' if self.held.len() == 1 => self.hold(byte, State::Csi),
                // `ESC k` begins a title in tmux and screen.
                b']' | b'P' | b'X' | b'^' | b'_' | b'k' if self.held.len() == 1 => self.hold(byte, State::String),
                0x1b => self.anew(byte, out),
                0x20..=0x2f => self.hold(byte, State::Escape),
                0x30..=0x7e => self.escape(byte, out),
                0x80.. => self.anew(byte, out),
                _ => {} // a terminal obeys it as if it came before
            },
            State::Csi => match byte {
                0x40..=0x7e => self.control(byte, out),
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
            0x05 => {} // ENQ asks for an answer
            0x0e => {
                self.changed.shifted();
                out.push(byte);
            }
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

    /// A sequence of ESC, intermediate bytes and a last one.
    fn escape(&mut self, last: u8, out: &mut Vec<u8>) {
        let intermediates = self.held.get(1..).unwrap_or_default();
        match self.changed.escape(intermediates, last) {
            true => self.show(last, out),
            false => self.drop_held(),
        }
    }

    /// A control sequence: what may be shown of it.
    fn control(&mut self, last: u8, out: &mut Vec<u8>) {
        let whole = self.held.len() < MAX_SEQUENCE;
        let between = self.held.get(2..).filter(|_| whole);
        if let Some(shown) = between.and_then(|between| self.changed.control(between, last)) {
            out.extend(b"\x1b[");
            out.extend(shown);
        }
        self.drop_held();
    }

    /// Only titles pass: OSC 0, 1 and 2, of characters that only show.
    fn end_string(&mut self, byte: u8, out: &mut Vec<u8>) {
        let end = if byte == 0x07 { 0 } else { 1 }; // the ESC of ST
        let text = self.held.len().checked_sub(end).and_then(|end| self.held.get(2..end));
        let text = text.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let command = self.held.get(1) == Some(&b']'); // `ESC P 1;1|` sets what keys type
        let title = command && ["0;", "1;", "2;"].iter().any(|start| text.starts_with(start));
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
            // Other encodings: a part of a character would be C1 after them.
            b"\x1b%@",
            b"\x1b%8",
            b"\x1b F",
            b"\x1b G",
            // Questions and reports of later terminals.
            b"\x1b[&u",
            b"\x1b[1$u",
            b"\x1b[#R",
            b"\x1b[#S",
            b"\x1b[?4m",
            b"\x1b[?4g",
            b"\x1b[\"v",
            b"\x1b[?u",
            b"\x1b[1*y",
            // Modes in which a terminal reports by itself, and those that nobody takes back.
            b"\x1b[?2048h",
            b"\x1b[?2031h",
            b"\x1b[?2l",
            b"\x1b[2h",
            b"\x1b[20h",
            b"\x1b[?1001h",
            b"\x1b[?1000r",
            b"\x1b[>1u",
            b"\x1b[=5u",
            b"\x1b[>1;2m",
            b"\x1b[1;2;3;4;5T",
            b"\x1b(K",
            b"\x1b((0",
            b"\x1bl",
            // A title of tmux and screen.
            b"\x1bktitle\x1b\\",
        ];
        nothing_passes(&hostile);
    }

    #[test]
    fn what_begins_as_a_title_is_none_in_other_strings() {
        nothing_passes(&[
            &b"\x1bP1;1|17/6c730d\x1b\\"[..], // sets what a key types (DECUDK)
            b"\x1bP0;1;0q#0~\x07",
            b"\x1bk0;title\x1b\\",
            b"\x1b_2;x\x1b\\",
            b"\x1b^1;x\x07",
            b"\x1bX2;x\x07",
        ]);
    }

    fn nothing_passes(hostile: &[&[u8]]) {
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
    fn a_mode_that_is_not_known_takes_no_other_with_it() {
        let shown = Filter::default().pass(b"\x1b[?12;2048;25h\x1b[4;2l");
        assert_eq!(shown, b"\x1b[?12;25h\x1b[4l");
    }

    #[test]
    fn what_would_change_the_next_programs_text_or_keys_is_taken_back() {
        let soft = "\x1b[!p\x1b[?7h\x1b7\x1b[r\x1b8\x1b(B\x0f\x1b>";
        let table = [
            ("\x1b[4h", "\x1b[4l"),
            ("\x1b[2;5r", soft),
            ("\x1b=", soft),
            ("\x1b(0", soft),
            ("\x0e", soft),
            ("\x1bn", soft),
            ("\x1b[?6h", soft),
            ("\x1b[?9h", "\x1b[?9l"),
            ("\x1b[?1016h", "\x1b[?1016l"),
            ("\x1b[?5h", "\x1b[?5l"),
            ("\x1b[?7l", "\x1b[?7h"),
            ("\x1b[?2026h", "\x1b[?2026l"),
            ("\x1b[>4;2m", "\x1b[>4m"),
            ("\x1b[3 q", "\x1b[0 q"),
            ("\x1b[3g", "\x1b[?5W"),
        ];
        for (change, back) in table {
            let mut filter = Filter::default();
            assert_eq!(filter.pass(change.as_bytes()), change.as_bytes(), "{change:?}");
            let undo = String::from_utf8(filter.undo()).unwrap();
            assert_eq!(undo, format!("{back}\x1b[0m"), "{change:?}");
            assert_eq!(filter.undo(), b"\x1b[0m", "{change:?}");
        }
    }

    /// What the programs draw in their sandboxes, as `tests/it/oracle.rs` says.
    #[test]
    fn recorded_programs_draw_through_it_what_they_drew() {
        use crate::session::screen::{Screen, Size};
        let streams = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
        let mut seen = 0;
        for entry in std::fs::read_dir(streams).unwrap() {
            let path = entry.unwrap().path();
            let size = path.extension().unwrap().to_str().unwrap();
            let (columns, rows) = size.split_once('x').unwrap();
            let drawn = |mut bytes: &[u8]| {
                let mut screen = Screen::new(Size::new(columns.parse().unwrap(), rows.parse().unwrap()).unwrap());
                while !bytes.is_empty() {
                    bytes = &bytes[screen.feed(bytes)..];
                }
                let picture = screen.snapshot();
                format!("{:?} {:?}", picture.rows, picture.cursor)
            };
            let stream = std::fs::read(&path).unwrap();
            for end in [stream.len() / 3, stream.len() / 2, stream.len()] {
                let cut = &stream[..end];
                let mut filter = Filter::default();
                let shown: Vec<u8> = cut.chunks(100).flat_map(|piece| filter.pass(piece)).collect();
                assert_eq!(drawn(&shown), drawn(cut), "{} to {end}", path.display());
            }
            seen += 1;
        }
        assert!(seen >= 20, "only {seen} were found");
    }

    #[test]
    fn text_colours_and_titles_pass_unchanged() {
        let fine =
            "a\x1b[1;31mred\x1b[0m\x1b[?1049h\x1b[2J\x1b]0;tïtle\x07\x1b]2;t\x1b\\\x1b(0\x1b7é 你 🦀\r\n".as_bytes();
        assert_eq!(Filter::default().pass(fine), fine);
    }
}
