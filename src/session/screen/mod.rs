//! The screen of a session: what a person at the terminal would see.
//!
//! Bytes in; a picture, and answers for the program, out. Nothing here reads, writes or waits, and
//! nothing the program sends makes it grow: the screen, its history, the longest sequence, the title
//! and the answers all have bounds. Output of the shell's own marks is cut out before
//! ([`super::marks`]).

mod alternate;
mod charset;
mod controls;
mod drawing;
mod engine;
mod history;
mod interpreter;
mod questions;
mod replies;
mod row;
mod sgr;
mod size;
mod snapshot;

pub use replies::MAX_WAITING;
pub use row::{Color, Row, Run, Style};
pub use size::{Size, SizeError};
pub use snapshot::{Changes, Cursor, FRAMES, Region, Snapshot};

use std::fmt;
use std::ops::Range;

use super::modes::Modes;
use super::sequences::{Sequences, Token};
use interpreter::{Interpreter, LITTLE};
use snapshot::Frames;

/// Rows that are kept above the screen.
pub const HISTORY: usize = 2000;
/// Cells that may be touched in one turn of drawing: some 5 milliseconds.
const WORK: usize = 1 << 20;
/// Output is looked at in pieces of this size, so that the work that one asks for is known before the next.
const PIECE: usize = 512;
/// What a sequence costs besides what it does, in cells: so much for one that only sets looks.
const SIMPLE: usize = 8;
/// And so much for others.
const SEQUENCE: usize = 64;
/// And each of its bytes: a title is read three times and copied twice.
const BYTE: usize = 8;
/// The string terminator of the eight-bit set.
const ST: u8 = 0x9C;

/// A terminal's screen.
pub struct Screen {
    sequences: Sequences,
    parser: vte::Parser,
    interpreter: Interpreter,
    frames: Frames,
}

/// What has happened to a screen, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bells rung.
    pub bells: u64,
    /// Answers given to the program.
    pub replies: u64,
    /// Answers not given, because too many waited already.
    pub replies_dropped: u64,
    /// How often the emulator broke and the screen was drawn anew.
    pub faults: u64,
    /// Rows above the screen that are no longer kept, as far as they were drawn.
    pub history_lost: u64,
}

impl Screen {
    /// A blank screen.
    pub fn new(size: Size) -> Self {
        Self {
            sequences: Sequences::default(),
            parser: vte::Parser::new(),
            interpreter: Interpreter::new(size, HISTORY),
            frames: Frames::default(),
        }
    }

    /// Takes output and gives how many bytes were taken: fewer than there are when they cause more work than a turn is
    /// to take. The caller then lets others run and gives the rest again.
    #[must_use]
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        if self.interpreter.is_full() {
            self.settle();
        }
        self.feed_within(bytes, WORK)
    }

    /// The same in next to no time.
    #[must_use]
    pub fn feed_little(&mut self, bytes: &[u8]) -> usize {
        match self.interpreter.is_full() {
            true => 0,
            false => self.feed_within(bytes, LITTLE),
        }
    }

    fn feed_within(&mut self, bytes: &[u8], work: usize) -> usize {
        self.interpreter.work = 0;
        let mut left = bytes;
        while self.interpreter.work < work && !left.is_empty() {
            let (mut piece, after) = left.split_at(left.len().min(PIECE));
            while self.interpreter.work < work
                && let Some(token) = self.sequences.next(&mut piece)
            {
                match token {
                    Token::Text(text) => self.interpreter.text(text),
                    Token::Sequence(sequence) if sgr::is_simple(sequence) => {
                        self.interpreter.work += SIMPLE;
                        self.interpreter.plain(sequence);
                    }
                    Token::Sequence(sequence) => {
                        self.interpreter.work += SEQUENCE + BYTE * sequence.len();
                        parse(&mut self.parser, &mut self.interpreter, sequence);
                    }
                    // Whatever came before it ends here too.
                    Token::TooLong => self.parser.advance(&mut self.interpreter, b"\x18"),
                }
            }
            left = left.get(left.len() - after.len() - piece.len()..).unwrap_or_default();
        }
        bytes.len() - left.len()
    }

    /// The same for output that was fed before: nothing is answered again. Takes all.
    pub fn replay(&mut self, bytes: &[u8]) {
        self.interpreter.replies.muted = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.feed(rest);
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.interpreter.replies.muted = false;
    }

    /// Draws what waits to be drawn and gives its memory back. Without it, the next look does so.
    pub fn settle(&mut self) {
        self.interpreter.settle();
    }

    /// Answers to the program's questions, to be written to it now.
    pub fn take_replies(&mut self) -> Vec<u8> {
        self.interpreter.replies.take()
    }

    /// Another size. Long lines of the main screen wrap anew when the width changes.
    pub fn resize(&mut self, size: Size) {
        let interpreter = &mut self.interpreter;
        if size == interpreter.engine_settled().size() {
            return;
        }
        interpreter.engine.resize(size);
        (interpreter.margins, interpreter.tabs) = (None, None);
        let origin = if interpreter.origin { &b"\x1b[?6l"[..] } else { b"" };
        interpreter.origin = false;
        for (_, origin) in &mut interpreter.saved {
            *origin = false;
        }
        let (row, column) = interpreter.position();
        interpreter.drawing(origin);
        interpreter.drawing(format!("\x1b[{};{}H", row + 1, column + 1).as_bytes());
    }

    /// The size at present.
    pub fn size(&self) -> Size {
        self.interpreter.engine.size()
    }

    /// The input modes that the program has set, by which keys are written.
    pub fn modes(&mut self) -> Modes {
        let focus_reports = self.interpreter.focus_reports;
        Modes {
            focus_reports,
            ..self.interpreter.engine_settled().modes()
        }
    }

    /// The picture at present, under a number by which [`Screen::changes`] finds it again.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut snapshot = self.look();
        self.frames.number(&mut snapshot);
        snapshot
    }

    /// The same without a number: those who watch take no place of the pictures that callers know.
    pub fn look(&mut self) -> Snapshot {
        let modes = self.modes();
        let (row, column) = self.interpreter.position();
        let engine = &self.interpreter.engine;
        Snapshot {
            frame: 0,
            size: engine.size(),
            cursor: Cursor {
                row,
                column,
                visible: !engine.is_cursor_hidden(),
                style: engine.cursor_style(),
            },
            title: self.interpreter.title.now.clone(),
            alternate: engine.is_alternate(),
            modes,
            history: engine.history_len(),
            rows: engine.rows(),
        }
    }

    /// What is different in `snapshot` from the picture with the number `since`.
    pub fn changes(&self, since: u64, snapshot: &Snapshot) -> Changes {
        self.frames.changes(since, snapshot)
    }

    /// Rows above the screen, of [`Snapshot::history`]; 0 is the oldest.
    pub fn history(&mut self, rows: Range<usize>) -> Vec<Row> {
        self.interpreter.engine_settled().history(rows)
    }

    /// Memory that the rows above the screen take, in bytes.
    pub fn history_held(&self) -> usize {
        self.interpreter.engine.history_held()
    }

    /// Forgets the oldest rows above the screen until they take no more than this, in bytes.
    pub fn shrink_history(&mut self, bytes: usize) {
        self.interpreter.engine.shrink_history(bytes);
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        let interpreter = &self.interpreter;
        Counts {
            bells: interpreter.bells,
            replies: interpreter.replies.given,
            replies_dropped: interpreter.replies.dropped,
            faults: interpreter.engine.faults(),
            history_lost: interpreter.engine.history_lost(),
        }
    }
}

/// Has the sequence do what it does. Of a device control string, a byte of a character would be the end for the parser.
fn parse(parser: &mut vte::Parser, interpreter: &mut Interpreter, sequence: &[u8]) {
    if sequence.starts_with(b"\x1bP") {
        for part in sequence.split(|byte| *byte == ST) {
            parser.advance(interpreter, part);
        }
    } else {
        parser.advance(interpreter, sequence);
    }
}

/// Says how large it is, not what it shows.
impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Screen({:?}, {:?})", self.size(), self.counts())
    }
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod resizing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;
