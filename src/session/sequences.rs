//! Splits what a terminal receives into text and whole control sequences, wherever reads cut it.
//!
//! Follows the states of <https://vt100.net/emu/dec_ansi_parser> as far as finding the ends of
//! sequences needs, in UTF-8: its eight-bit controls are parts of characters. What they mean is for others. Bounded: a sequence that never ends costs
//! [`MAX_SEQUENCE`] bytes.

use super::plain::incomplete_character;

/// Bytes of one sequence that are kept; titles, links and queries are far shorter. What is longer,
/// such as an image, is swallowed up to its end.
pub const MAX_SEQUENCE: usize = 4096;

/// The splitter: holds what is not complete yet.
#[derive(Debug, Default)]
pub struct Sequences {
    held: Vec<u8>,
    state: State,
    /// Bytes of the sequence that were too many.
    cut: bool,
    /// What was given out is still in `held`, and this comes after it.
    given: Option<After>,
}

#[derive(Clone, Copy, Debug)]
enum After {
    Ground,
    /// The ESC of the next sequence was read while looking for the end of a string.
    Escape,
}

/// A piece of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// No escape in it; C0 controls are. No character is cut that the next read completes.
    Text(&'a [u8]),
    /// One sequence from its ESC on: complete, or as far as it came before another began.
    Sequence(&'a [u8]),
    /// A sequence longer than [`MAX_SEQUENCE`].
    TooLong,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After ESC, and after intermediate bytes.
    Escape,
    Intermediate,
    Control,
    /// An operating system command: BEL ends it too.
    Command,
    String,
    StringEscape,
}

enum Step {
    Keep,
    Drop,
    End,
    /// The byte begins another sequence.
    Anew,
}

/// How many bytes at the end of `bytes` are of a sequence that goes on behind them.
pub(super) fn begun(bytes: &[u8]) -> usize {
    let mut sequences = Sequences::default();
    let mut rest = bytes;
    while sequences.next(&mut rest).is_some() {}
    match sequences.state {
        State::Ground => 0,
        _ => sequences.held.len(),
    }
}

impl Sequences {
    /// The next piece of `input`, which is shortened by it. None when more input is needed.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<Token<'s>> {
        if let Some(after) = self.given.take() {
            self.held.clear();
            if let After::Escape = after {
                self.state = State::Escape;
                self.held.push(ESC);
            }
        }
        if self.state == State::Ground {
            return self.text(input);
        }
        while let Some((byte, rest)) = input.split_first() {
            match self.step(*byte) {
                Step::Keep => self.keep(*byte),
                Step::Drop => {}
                Step::End => {
                    self.keep(*byte);
                    *input = rest;
                    return Some(self.end(After::Ground));
                }
                Step::Anew if self.state == State::StringEscape => return Some(self.end(After::Escape)),
                Step::Anew => return Some(self.end(After::Ground)),
            }
            *input = rest;
            self.swallow(input);
        }
        None
    }

    fn text<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<Token<'s>> {
        let all = *input;
        let escape = memchr::memchr(ESC, all);
        let (text, rest) = all.split_at(escape.unwrap_or(all.len()));
        if !self.held.is_empty() && !text.is_empty() {
            // Completes a character: at most three bytes of it are still to come.
            let missing = text.iter().take(3).take_while(|b| **b & 0xC0 == 0x80).count();
            let (end, rest) = all.split_at(missing);
            self.held.extend_from_slice(end);
            *input = rest;
            if rest.is_empty() && incomplete_character(&self.held) == self.held.len() {
                return None;
            }
            self.given = Some(After::Ground);
            return Some(Token::Text(&self.held));
        }
        *input = rest;
        if escape.is_some() {
            if !self.held.is_empty() {
                self.given = Some(After::Ground);
                return Some(Token::Text(&self.held));
            }
            self.begin(input);
            return match text {
                [] => self.next(input),
                text => Some(Token::Text(text)),
            };
        }
        let tail = text.get(text.len().saturating_sub(3)..).unwrap_or_default();
        let (text, cut) = text.split_at(text.len() - incomplete_character(tail));
        self.held.extend_from_slice(cut);
        (!text.is_empty()).then_some(Token::Text(text))
    }

    fn begin(&mut self, input: &mut &[u8]) {
        *input = input.get(1..).unwrap_or_default();
        self.state = State::Escape;
        self.held.push(ESC);
    }

    fn step(&mut self, byte: u8) -> Step {
        if matches!(byte, CAN | SUB) {
            return Step::End;
        }
        self.state = match (self.state, byte) {
            (State::Escape, ESC) => return Step::Drop,
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']') => State::Command,
            (State::Escape, b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::Intermediate, 0x20..=0x2F) => State::Intermediate,
            (State::Escape | State::Intermediate, 0x30..=0x7E) | (State::Control, 0x40..=0x7E) => return Step::End,
            (State::Command, BEL) | (State::StringEscape, b'\\') => return Step::End,
            (State::Command | State::String, ESC) => State::StringEscape,
            (_, ESC) | (State::StringEscape, _) => return Step::Anew,
            (state, _) => state,
        };
        Step::Keep
    }

    fn keep(&mut self, byte: u8) {
        if self.held.len() < MAX_SEQUENCE {
            self.held.push(byte);
        } else {
            self.cut = true;
        }
    }

    /// Skips the rest of a string that is too long already.
    fn swallow(&mut self, input: &mut &[u8]) {
        if self.cut && matches!(self.state, State::Command | State::String) {
            let end = |b: &u8| matches!(*b, ESC | BEL | CAN | SUB);
            *input = input
                .iter()
                .position(end)
                .and_then(|n| input.get(n..))
                .unwrap_or_default();
        }
    }

    fn end(&mut self, after: After) -> Token<'_> {
        self.state = State::Ground;
        self.given = Some(after);
        if std::mem::take(&mut self.cut) {
            Token::TooLong
        } else {
            Token::Sequence(&self.held)
        }
    }
}

pub(super) const ESC: u8 = 0x1B;
pub(super) const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1A;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pieces, written out; neighbouring texts are one.
    fn split(pieces: &[&[u8]]) -> Vec<(char, Vec<u8>)> {
        let mut sequences = Sequences::default();
        let mut found: Vec<(char, Vec<u8>)> = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(token) = sequences.next(&mut piece) {
                match (token, found.last_mut()) {
                    (Token::Text(text), Some(('t', before))) => before.extend_from_slice(text),
                    (Token::Text(text), _) => found.push(('t', text.to_vec())),
                    (Token::Sequence(sequence), _) => found.push(('s', sequence.to_vec())),
                    (Token::TooLong, _) => found.push(('x', Vec::new())),
                }
            }
            assert!(piece.is_empty());
            assert!(sequences.held.len() <= MAX_SEQUENCE);
        }
        found
    }

    fn shown(bytes: &[u8]) -> String {
        let parts = split(&[bytes]);
        let parts: Vec<String> = parts
            .iter()
            .map(|(kind, b)| format!("{kind}:{}", b.escape_ascii()))
            .collect();
        parts.join(" ")
    }

    #[test]
    fn every_kind_of_sequence_ends_where_it_should() {
        let table: &[(&[u8], &str)] = &[
            (b"a\n\x1b[1;31mb", r"t:a\n s:\x1b[1;31m t:b"),
            (b"\x1b(0x\x1b7y", r"s:\x1b(0 t:x s:\x1b7 t:y"),
            (b"\x1b]0;t\x07a", r"s:\x1b]0;t\x07 t:a"),
            (b"\x1b]0;t\x1b\\a", r"s:\x1b]0;t\x1b\\ t:a"),
            (b"\x1bP$qm\x1b\\a", r"s:\x1bP$qm\x1b\\ t:a"),
            (b"\x1b_apc\x07x\x1b\\a", r"s:\x1b_apc\x07x\x1b\\ t:a"),
            (b"\x1bPq\x9ca\x1b\\b", r"s:\x1bPq\x9ca\x1b\\ t:b"),
            ("\x1bP\u{201c}\x1b\\a".as_bytes(), r"s:\x1bP\xe2\x80\x9c\x1b\\ t:a"),
            (b"\x1b[1\x18a", r"s:\x1b[1\x18 t:a"),
            (b"\x1b[1\x1b[2ma", r"s:\x1b[1 s:\x1b[2m t:a"),
            (b"\x1b]0;t\x1b[1ma", r"s:\x1b]0;t\x1b s:\x1b[1m t:a"),
            (b"\x1b]0;t\x1b\x1b[1ma", r"s:\x1b]0;t\x1b s:\x1b[1m t:a"),
            (b"\x1b\x1bMa", r"s:\x1bM t:a"),
            (b"\x1b[1\nma", r"s:\x1b[1\nm t:a"),
        ];
        for (bytes, expected) in table {
            assert_eq!(&shown(bytes), expected);
        }
    }

    #[test]
    fn a_sequence_that_never_ends_is_swallowed_and_bounded() {
        let mut bytes = b"\x1b]0;".to_vec();
        bytes.extend(vec![b'x'; 1 << 20]);
        let parts = split(&[&bytes, &bytes[4..], b"\x07after"]);
        assert_eq!(parts, [('x', Vec::new()), ('t', b"after".to_vec())]);
        assert_eq!(
            split(&[b"\x1b[", &[b'1'; 9000], b"m."]),
            [('x', Vec::new()), ('t', b".".to_vec())]
        );
    }

    #[test]
    fn a_character_split_over_reads_comes_whole() {
        let euro = "a\u{20ac}b".as_bytes();
        let mut sequences = Sequences::default();
        let mut first = &euro[..3];
        assert_eq!(sequences.next(&mut first), Some(Token::Text(b"a")));
        assert_eq!(sequences.next(&mut first), None);
        let mut rest = &euro[3..];
        assert_eq!(sequences.next(&mut rest), Some(Token::Text("\u{20ac}".as_bytes())));
        assert_eq!(sequences.next(&mut rest), Some(Token::Text(b"b")));
        assert_eq!(split(&[b"\xe2\x82", b"\x1b[m"])[0], ('t', b"\xe2\x82".to_vec()));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_it_does_not_matter_where_it_is_split(
            bytes in prop::collection::vec(prop_oneof![
                3 => Just(ESC), 1 => Just(b'['), 1 => Just(b']'), 1 => Just(b'P'), 1 => Just(b'\\'), 1 => Just(BEL),
                1 => Just(0xE2), 1 => Just(0x82), 4 => any::<u8>()
            ], 0..120),
            cuts in prop::collection::vec(0usize..120, 0..5),
        ) {
            let whole = split(&[&bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|n| n.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let split = split(&pieces);
            // What is incomplete at the end is held back; only the rest can be compared.
            prop_assert_eq!(&split, &whole);
            let escapes_aside = |b: &[u8]| b.iter().filter(|b| **b != ESC).copied().collect::<Vec<u8>>();
            let joined: Vec<u8> = split.iter().flat_map(|(_, b)| b.clone()).collect();
            prop_assert!(escapes_aside(&bytes).starts_with(&escapes_aside(&joined)));
        }
    }
}
