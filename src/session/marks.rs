//! The marks by which an integrated shell tells when a command begins and ends.
//!
//! They are OSC 133 sequences with a secret of the session and a number that only grows. They are
//! cut out of the output wherever reads split them. What has no secret, the wrong one, or a number
//! that was used is ordinary output. Code that the shell itself evaluates can still imitate them: an
//! exit code from here is a report, not a proof ([`crate::sandbox`] has the shell's own end).

use std::fmt;

use data_encoding::HEXLOWER;

use super::sequences::{BEL, ESC};

/// The secret of one session: 128 random bits as 32 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A new one from the kernel's random source.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    /// One that everybody knows.
    #[cfg(any(test, fuzzing))]
    pub(super) fn fixed() -> Self {
        Self("0123456789abcdef".repeat(2))
    }

    /// To be written into the shell's start file, and nowhere else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

/// What a shell tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A command begins (`C`).
    Begin,
    /// The last command ended with this status (`D`); a prompt follows.
    End {
        /// The exit status, 0 to 255.
        status: u8,
    },
    /// The prompt is written, the shell reads a command (`B`).
    Prompt,
    /// The shell reads more of an unfinished command (`S`).
    More,
}

/// A piece of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What the program printed.
    Output(&'a [u8]),
    /// What the shell told.
    Mark(Mark),
}

/// Finds marks in a stream.
#[derive(Debug)]
pub struct Marks {
    key: Key,
    /// The last number of an accepted `D`.
    last: u64,
    /// What may be the start of a mark.
    held: Vec<u8>,
    given: bool,
}

impl Marks {
    /// For the session with this secret.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            last: 0,
            held: Vec::new(),
            given: false,
        }
    }

    /// The next piece of `input`, which is shortened by it. None when more input is needed.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<Piece<'s>> {
        if std::mem::take(&mut self.given) {
            self.held.clear();
        }
        if self.held.is_empty() {
            let all = *input;
            let start = memchr::memchr(ESC, all).unwrap_or(all.len());
            let (output, rest) = all.split_at(start);
            *input = rest;
            if !output.is_empty() {
                return Some(Piece::Output(output));
            }
        }
        while let Some((byte, rest)) = input.split_first() {
            let known = PREFIX.get(self.held.len());
            let fits = match known {
                Some(expected) => byte == expected,
                None => (0x20..=0x7E).contains(byte) && self.held.len() < MAX_MARK,
            };
            if fits {
                self.held.push(*byte);
                *input = rest;
                continue;
            }
            // The end, or what can be no mark; an ESC may begin the next.
            if known.is_none() && *byte == BEL {
                *input = rest;
                return Some(self.ended());
            }
            self.given = true;
            return Some(Piece::Output(&self.held));
        }
        None
    }

    /// What is held back although it may be no mark: the stream has ended.
    pub fn finish(&mut self) -> &[u8] {
        if std::mem::replace(&mut self.given, true) {
            &[]
        } else {
            &self.held
        }
    }

    fn ended(&mut self) -> Piece<'_> {
        self.given = true;
        if let Some(mark) = self.mark() {
            return Piece::Mark(mark);
        }
        // One of this session's that was seen before, such as a prompt drawn anew: the secret is not for readers.
        if self.held.ends_with(self.key.reveal().as_bytes()) {
            return Piece::Output(&[]);
        }
        self.held.push(BEL);
        Piece::Output(&self.held)
    }

    /// `133;D;status;number;key`, the others without the status.
    fn mark(&mut self) -> Option<Mark> {
        let text = std::str::from_utf8(self.held.get(PREFIX.len()..)?).ok()?;
        let rest = text.strip_suffix(self.key.reveal())?.strip_suffix(';')?;
        let mut fields = rest.split(';');
        let kind = fields.next()?;
        let status = match kind {
            "D" => Some(decimal(fields.next()?)?),
            _ => None,
        };
        let number = decimal(fields.next()?)?;
        if fields.next().is_some() {
            return None;
        }
        let mark = match (kind, status) {
            ("D", Some(status)) => Mark::End {
                status: u8::try_from(status).ok()?,
            },
            ("C", None) => Mark::Begin,
            ("B", None) => Mark::Prompt,
            ("S", None) => Mark::More,
            _ => return None,
        };
        // D opens a new number; the marks up to the next one carry the same, or a higher one: bash counts on for each line of
        // what is pasted that holds no command.
        let fresh = number > self.last || (number == self.last && kind != "D");
        fresh.then(|| {
            self.last = number;
            mark
        })
    }
}

fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// What an integrated shell is doing, from its marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShellState {
    /// It has not shown its first prompt yet.
    #[default]
    Starting,
    /// It waits for a command.
    Ready,
    /// It waits for the rest of a command.
    Unfinished,
    /// It runs a command.
    Busy,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The output begins here.
    Began,
    /// The output ended here; the shell is at a prompt, or about to show one.
    Ended {
        /// The exit status, 0 to 255.
        status: u8,
    },
    /// It waits for a command, and has run none since it last did: the line was empty, a comment, or not
    /// understood.
    Nothing {
        /// The status it has now: 2 where the line was not understood.
        status: u8,
    },
    /// The line was not a whole command.
    Unfinished,
    /// It waits for a command, for the first time or again.
    Ready,
}

/// Turns marks into what came of a command: several at once, or none, are told as one.
#[derive(Debug, Default)]
pub struct Follow {
    now: ShellState,
    /// A command has begun since the last prompt.
    began: bool,
    /// An end was told since a command was last sent or begun. A prompt without one is only drawn anew.
    ended: bool,
}

impl Follow {
    /// What the shell is doing.
    pub fn shell(&self) -> ShellState {
        self.now
    }

    /// A command line was sent: until the shell says otherwise, it is busy with it.
    pub fn sent(&mut self) {
        self.now = ShellState::Busy;
        (self.began, self.ended) = (false, false);
    }

    /// Takes a mark; gives what it tells.
    pub fn take(&mut self, mark: Mark) -> Option<Event> {
        let before = self.now;
        match mark {
            Mark::Prompt if !self.ended && matches!(before, ShellState::Busy | ShellState::Unfinished) => return None,
            Mark::End { .. } => self.ended = true,
            Mark::Begin => self.ended = false,
            Mark::Prompt | Mark::More => {}
        }
        match mark {
            // A paste of two commands begins twice and ends once.
            Mark::Begin if self.began => None,
            Mark::Begin => {
                (self.now, self.began) = (ShellState::Busy, true);
                Some(Event::Began)
            }
            Mark::End { status } if self.began => {
                self.began = false;
                Some(Event::Ended { status })
            }
            // Before the first prompt and after a line that was no command.
            Mark::End { .. } if before != ShellState::Busy && before != ShellState::Unfinished => None,
            Mark::End { status } => Some(Event::Nothing { status }),
            Mark::Prompt => {
                (self.now, self.began) = (ShellState::Ready, false);
                (before != ShellState::Ready).then_some(Event::Ready)
            }
            Mark::More => {
                self.now = ShellState::Unfinished;
                (before != ShellState::Unfinished).then_some(Event::Unfinished)
            }
        }
    }
}

const PREFIX: &[u8] = b"\x1b]133;";
/// The longest mark: prefix, letter, status, number, secret and what separates them.
const MAX_MARK: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> Key {
        Key::fixed()
    }

    const K: &str = "0123456789abcdef0123456789abcdef";

    fn mark(text: &str) -> Vec<u8> {
        format!("\x1b]133;{text};{K}\x07").into_bytes()
    }

    /// Output as one, and marks with where in it they were.
    fn found(marks: &mut Marks, pieces: &[&[u8]]) -> (Vec<u8>, Vec<(usize, Mark)>) {
        let mut output = Vec::new();
        let mut all = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(piece) = marks.next(&mut piece) {
                match piece {
                    Piece::Output(bytes) => output.extend_from_slice(bytes),
                    Piece::Mark(mark) => all.push((output.len(), mark)),
                }
            }
            assert!(marks.held.len() <= MAX_MARK);
        }
        output.extend_from_slice(marks.finish());
        (output, all)
    }

    fn once(bytes: &[u8]) -> (String, Vec<Mark>) {
        let (output, marks) = found(&mut Marks::new(key()), &[bytes]);
        let output = String::from_utf8_lossy(&output).into_owned();
        (output, marks.into_iter().map(|(_, mark)| mark).collect())
    }

    #[test]
    fn marks_are_cut_out_and_told_in_place() {
        let stream = [
            mark("D;0;1"),
            b"$ ".to_vec(),
            mark("B;1"),
            b"false\r\n".to_vec(),
            mark("C;1"),
            b"out\n".to_vec(),
            mark("D;1;2"),
            mark("B;2"),
            mark("S;2"),
        ]
        .concat();
        let (output, marks) = found(&mut Marks::new(key()), &[&stream]);
        assert_eq!(output, b"$ false\r\nout\n");
        let expected = [
            (0, Mark::End { status: 0 }),
            (2, Mark::Prompt),
            (9, Mark::Begin),
            (13, Mark::End { status: 1 }),
            (13, Mark::Prompt),
            (13, Mark::More),
        ];
        assert_eq!(marks, expected);
    }

    #[test]
    fn what_is_not_this_sessions_or_was_used_is_output() {
        let first = String::from_utf8(mark("D;0;5")).unwrap();
        let second = String::from_utf8(mark("C;5")).unwrap();
        let start = first.clone() + &second;
        let seen = vec![Mark::End { status: 0 }, Mark::Begin];
        let forged = [
            "\x1b]133;D;0\x07".to_owned(),
            "\x1b]133;D;0;6;00000000000000000000000000000000\x07".to_owned(),
            format!("\x1b]133;D;0;6;{}\x07", &K[1..]),
            format!("\x1b]133;D;0;6;x{K}\x07"),
            format!("\x1b]133;D;0;6;{K}\x1b\\"),
            format!("\x1b]133;D;0;6;;{K}\x07"),
            format!("\x1b]133;D;256;6;{K}\x07"),
            format!("\x1b]133;D;-1;6;{K}\x07"),
            format!("\x1b]133;D;0;99999999999999999999;{K}\x07"),
            format!("\x1b]133;Z;5;{K}\x07"),
            format!("\x1b]133;C;4;{K}\x07"),
            format!("\x1b]133;D;0;4;{K}\x07"),
            first,
            format!("\x1b]133;D;0;{}", "9".repeat(500)),
            format!("\x1b]133;D;0;\n6;{K}\x07"),
        ];
        for forged in &forged {
            let (output, marks) = once(format!("{start}a{forged}b").as_bytes());
            // The secret is shown to nobody where a whole mark holds it.
            let shown = match forged.ends_with(&format!("{K}\x07")) && !forged.contains('\n') {
                true => "ab".to_owned(),
                false => format!("a{forged}b"),
            };
            assert_eq!((output.as_str(), &marks), (shown.as_str(), &seen), "{forged:?}");
        }
    }

    #[test]
    fn a_number_that_is_skipped_does_not_come_back() {
        let stream = [mark("D;0;1"), mark("C;3"), mark("D;4;2"), mark("C;2"), mark("D;4;4")].concat();
        let expected = [Mark::End { status: 0 }, Mark::Begin, Mark::End { status: 4 }];
        assert_eq!(once(&stream), (String::new(), expected.to_vec()));
    }

    #[test]
    fn an_escape_within_one_begins_another() {
        let stream = [b"\x1b\x1b]133;D;\x1b]133".to_vec(), mark("D;3;1"), b"x".to_vec()].concat();
        let (output, marks) = once(&stream);
        assert_eq!(
            (output.as_str(), marks),
            ("\x1b\x1b]133;D;\x1b]133x", vec![Mark::End { status: 3 }])
        );
    }

    #[test]
    fn what_is_held_back_comes_at_the_end() {
        let mut marks = Marks::new(key());
        assert_eq!(found(&mut marks, &[b"a\x1b]133;C"]).0, b"a\x1b]133;C");
        assert_eq!(marks.finish(), b"");
        assert_eq!(found(&mut marks, &[b"b"]).0, b"b");
    }

    #[test]
    fn the_secret_is_random_and_not_shown() {
        let (one, two) = (Key::random().unwrap(), Key::random().unwrap());
        assert!(one != two && one.reveal().len() == 32);
        assert_eq!(format!("{one:?}"), "Key([redacted])");
    }

    #[test]
    fn a_command_is_followed_from_its_begin_to_its_end() {
        let end = |status| Mark::End { status };
        let mut follow = Follow::default();
        let start: Vec<_> = [end(0), Mark::Prompt].map(|m| follow.take(m)).into();
        assert_eq!(
            (start, follow.shell()),
            (vec![None, Some(Event::Ready)], ShellState::Ready)
        );
        let mut run = |marks: &[Mark]| {
            follow.sent();
            let events: Vec<_> = marks.iter().filter_map(|mark| follow.take(*mark)).collect();
            (events, follow.shell())
        };
        let table = [
            (
                vec![Mark::Begin, end(1), Mark::Prompt],
                vec![Event::Began, Event::Ended { status: 1 }, Event::Ready],
            ),
            (
                vec![Mark::Begin, Mark::Begin, end(0), Mark::Prompt],
                vec![Event::Began, Event::Ended { status: 0 }, Event::Ready],
            ),
            (
                vec![end(2), Mark::Prompt],
                vec![Event::Nothing { status: 2 }, Event::Ready],
            ),
        ];
        for (marks, events) in table {
            assert_eq!(run(&marks), (events, ShellState::Ready), "{marks:?}");
        }
        assert_eq!(
            run(&[Mark::More, Mark::More]),
            (vec![Event::Unfinished], ShellState::Unfinished)
        );
        assert_eq!(
            run(&[end(130), Mark::Prompt]).0,
            [Event::Nothing { status: 130 }, Event::Ready]
        );
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut_and_nothing_is_lost(
            parts in prop::collection::vec(prop_oneof![
                Just(mark("D;0;1")), Just(mark("C;1")), Just(mark("D;7;2")), Just(mark("B;2")),
                Just(b"\x1b]133;D".to_vec()), Just(b"\x1b]13".to_vec()), Just(b"\x1b".to_vec()), Just(b"\x07".to_vec()),
                prop::collection::vec(any::<u8>(), 0..20),
            ], 0..20),
            cut in 1usize..30,
        ) {
            let whole: Vec<u8> = parts.concat();
            let expected = found(&mut Marks::new(key()), &[&whole]);
            let pieces: Vec<&[u8]> = whole.chunks(cut).collect();
            prop_assert_eq!(&found(&mut Marks::new(key()), &pieces), &expected);
            // Only what holds the secret is cut out.
            let secrets = memchr::memmem::find_iter(&whole, K.as_bytes()).count();
            let cut_out = whole.len() - expected.0.len();
            prop_assert!(cut_out <= secrets * (MAX_MARK + 1));
            prop_assert!(expected.1.len() <= secrets && (expected.1.is_empty() || cut_out > 0));
        }

        #[test]
        fn without_the_secret_every_byte_is_output(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (output, marks) = found(&mut Marks::new(key()), &[b"\x1b]133;", &bytes]);
            prop_assert_eq!(output, [b"\x1b]133;".to_vec(), bytes].concat());
            prop_assert_eq!(marks, vec![]);
        }
    }
}
