//! Stands between the stream and the emulator: keeps what the emulator does not keep, translates what
//! it does not know, answers questions, and lets nothing else through.
//!
//! What is to be drawn is collected and given to the emulator late. Of long plain output only the end
//! is: lines that would scroll out of the history within the same piece cannot be seen by anyone.

use std::collections::BTreeSet;

use unicode_width::UnicodeWidthChar as _;

use super::charset::{self, Charsets};
use super::engine::{Engine, REPLACEMENT};
use super::replies::Replies;
use super::size::Size;

/// Bytes of plain output that wait to be drawn.
const MAX_PLAIN: usize = 1 << 20;
/// The same of other output, of which nothing can be left out.
const MAX_DRAWING: usize = 16 << 10;
/// What waits is drawn once it touches so many cells: some 300 microseconds.
pub(super) const LITTLE: usize = 64 << 10;
/// A line longer than this fills several rows, and they are drawn.
const MAX_LINE: usize = 4 << 10;
/// Memory that is kept for what waits.
const IDLE: usize = 16 << 10;

/// The state beside the emulator's.
pub(super) struct Interpreter {
    pub(super) engine: Engine,
    pub(super) replies: Replies,
    pub(super) title: Title,
    pub(super) bells: u64,
    pub(super) focus_reports: bool,
    pub(super) charsets: Charsets,
    /// What is saved with the cursor, on the main and on the alternate screen: the character sets, and
    /// whether rows count from the margin.
    pub(super) saved: [(Charsets, bool); 2],
    pub(super) insert: bool,
    pub(super) newline: bool,
    pub(super) autowrap: bool,
    pub(super) origin: bool,
    /// First and last row that scroll, from 1.
    pub(super) margins: Option<(u16, u16)>,
    /// The tab stops once a program changed them.
    pub(super) tabs: Option<BTreeSet<u16>>,
    /// The device control string that is being read: what is asked, and of what.
    pub(super) device: Option<(Device, Vec<u8>)>,
    /// Cells touched; bounds the work for a piece of input.
    pub(super) work: usize,
    /// Cells that drawing what waits will touch, besides one for each byte.
    pub(super) owed: usize,
    /// Bytes since the last line end.
    line: usize,
    history: usize,
    waiting: Vec<u8>,
    /// All that waits is text, line ends and looks.
    is_plain: bool,
}

/// The title, and titles that were put aside (XTWINOPS 22 and 23).
#[derive(Debug, Default)]
pub(super) struct Title {
    pub(super) now: String,
    pub(super) aside: Vec<String>,
}

/// Device control strings that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// DECRQSS.
    Setting,
    /// XTGETTCAP.
    Capability,
}

impl Interpreter {
    pub(super) fn new(size: Size, history: usize) -> Self {
        Self {
            engine: Engine::new(size, history),
            replies: Replies::default(),
            title: Title::default(),
            bells: 0,
            focus_reports: false,
            charsets: Charsets::default(),
            saved: Default::default(),
            insert: false,
            newline: false,
            autowrap: true,
            origin: false,
            margins: None,
            tabs: None,
            device: None,
            work: 0,
            owed: 0,
            line: 0,
            history,
            waiting: Vec::new(),
            is_plain: true,
        }
    }

    /// Text and C0 controls, no escape.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.work += bytes.len();
        self.count_text(bytes);
        if self.draws_as_is() && bytes.is_ascii() && bytes.iter().all(|b| is_usual(*b)) {
            return self.plain(bytes);
        }
        for chunk in bytes.utf8_chunks() {
            self.characters(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.character(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    fn characters(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let usual = rest.bytes().position(|b| !is_usual(b)).unwrap_or(rest.len());
            // All that is not usual begins a character, so this is a place between two.
            let (run, after) = rest.split_at_checked(usual).unwrap_or(("", rest));
            if self.draws_as_is() {
                self.plain(run.as_bytes());
            } else {
                run.chars().for_each(|c| self.character(c));
            }
            let mut others = after.chars();
            if let Some(c) = others.next() {
                self.character(c);
            }
            rest = others.as_str();
        }
    }

    /// Counts what is to be drawn, and draws it when it is much: the work is done in the turn in which it is counted.
    pub(super) fn cost(&mut self, cells: usize) {
        self.work += cells;
        self.owed += cells;
        if self.owed >= LITTLE {
            self.settle();
        }
    }

    /// Counts what text costs where all of it is drawn. Of whole lines most never are ([`Interpreter::unseen`]).
    fn count_text(&mut self, bytes: &[u8]) {
        let mut lines = 0;
        let skips = self.is_plain && self.margins.is_none();
        if skips {
            let is_cut = bytes.first() == Some(&b'\n') && self.waiting.last() == Some(&b'\r');
            lines = memchr::memmem::find_iter(bytes, b"\r\n").count() + usize::from(is_cut);
        }
        self.line = if lines > 0 { 0 } else { self.line + bytes.len() };
        let ends = memchr::memchr3_iter(b'\n', 0x0B, 0x0C, bytes).count() - lines;
        // What leaves the screen is written into the history.
        let scrolled = 5 * ends * usize::from(self.engine.size().columns());
        let drawn = if !skips || self.line > MAX_LINE {
            16 * bytes.len()
        } else {
            0
        };
        if scrolled + drawn > 0 {
            self.cost(scrolled + drawn);
        }
    }

    /// So much plain output waits that drawing its end takes long.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() > MAX_PLAIN - MAX_DRAWING
    }

    /// No mode is set that the emulator does not know.
    fn draws_as_is(&self) -> bool {
        self.autowrap && !self.insert && !self.newline && self.tabs.is_none() && !self.charsets.is_drawing()
    }

    fn character(&mut self, c: char) {
        match c {
            '\0'..='\x1f' => self.control(u32::from(c) as u8),
            // The second asks for a coloured form: which width that has, programs and terminals disagree about.
            '\x7f'..='\u{9f}' | '\u{fe0f}' => {}
            char::REPLACEMENT_CHARACTER => self.draw(REPLACEMENT),
            c if self.charsets.is_drawing() => self.draw(charset::drawn(c)),
            c => self.draw(c),
        }
    }

    /// A C0 control.
    pub(super) fn control(&mut self, byte: u8) {
        match byte {
            0x07 => self.bells += 1,
            0x08 => {
                self.leave_margin();
                self.drawing(b"\x08");
            }
            b'\t' if self.tabs.is_some() => self.tab(1),
            b'\t' | b'\r' => self.plain(&[byte]),
            b'\n' | 0x0B | 0x0C if self.newline => self.plain(b"\r\n"),
            b'\n' | 0x0B | 0x0C => self.plain(b"\n"),
            0x0E => self.charsets.shift(1),
            0x0F => self.charsets.shift(0),
            _ => {}
        }
    }

    fn draw(&mut self, c: char) {
        if self.insert || !self.autowrap {
            self.make_room(c);
        }
        self.plain(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Before a character in insert mode, or in the last column without wrapping.
    fn make_room(&mut self, c: char) {
        let width = u16::try_from(c.width().unwrap_or(0)).unwrap_or(0);
        if width == 0 {
            return;
        }
        self.cost(usize::from(self.engine.size().columns()));
        let columns = self.engine_settled().size().columns();
        let (_, column) = self.engine.position();
        if column + width > columns {
            if !self.autowrap {
                let column = columns - width + 1;
                self.drawing(format!("\x1b[{column}G").as_bytes());
            } else if self.insert {
                self.drawing(b"\r\n");
            }
        }
        if self.insert {
            self.drawing(format!("\x1b[{width}@").as_bytes());
        }
    }

    /// Moves by tab stops, forwards or backwards.
    pub(super) fn tab(&mut self, by: i32) {
        self.cost(usize::from(self.engine.size().columns()));
        let columns = self.engine_settled().size().columns();
        let (_, column) = self.engine.position();
        if by > 0 && column >= columns {
            return;
        }
        let mut column = column.min(columns - 1);
        for _ in 0..by.unsigned_abs().min(u32::from(columns)) {
            let next = if by > 0 {
                self.next_tab(column)
            } else {
                self.tab_before(column)
            };
            column = next.unwrap_or(if by > 0 { columns - 1 } else { 0 }).min(columns - 1);
        }
        self.drawing(format!("\x1b[{}G", column + 1).as_bytes());
    }

    fn next_tab(&self, column: u16) -> Option<u16> {
        match &self.tabs {
            Some(tabs) => tabs.range(column + 1..).next().copied(),
            None => Some((column / 8 + 1) * 8),
        }
    }

    fn tab_before(&self, column: u16) -> Option<u16> {
        match &self.tabs {
            Some(tabs) => tabs.range(..column).next_back().copied(),
            None => column.checked_sub(1).map(|before| before / 8 * 8),
        }
    }

    /// The tab stops, to be changed.
    pub(super) fn tabs_mut(&mut self) -> &mut BTreeSet<u16> {
        let columns = self.engine.size().columns();
        self.tabs
            .get_or_insert_with(|| (1..columns.div_ceil(8)).map(|n| n * 8).collect())
    }

    /// After a character in the last column the emulator's cursor is beyond it, and xterm's on it:
    /// what moves or edits from there needs the latter.
    pub(super) fn leave_margin(&mut self) {
        let columns = self.engine_settled().size().columns();
        if self.engine.position().1 >= columns {
            self.drawing(format!("\x1b[{columns}G").as_bytes());
        }
    }

    /// Row and column of the cursor, from 0, on the screen.
    pub(super) fn position(&mut self) -> (u16, u16) {
        let columns = self.engine_settled().size().columns();
        let (row, column) = self.engine.position();
        (row, column.min(columns - 1))
    }

    /// Text, line ends and looks.
    pub(super) fn plain(&mut self, bytes: &[u8]) {
        let skips = self.is_plain && self.margins.is_none();
        let most = if skips { MAX_PLAIN } else { MAX_DRAWING };
        if self.waiting.len() + bytes.len() > most {
            self.settle();
        }
        self.waiting.extend_from_slice(bytes);
    }

    /// All else.
    pub(super) fn drawing(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > MAX_DRAWING {
            self.settle();
        }
        self.waiting.extend_from_slice(bytes);
        self.is_plain = false;
    }

    /// The emulator, with nothing waiting.
    pub(super) fn engine_settled(&mut self) -> &mut Engine {
        self.settle();
        &mut self.engine
    }

    /// Draws what waits.
    pub(super) fn settle(&mut self) {
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            let skipped = self.unseen(&waiting);
            let (unseen, seen) = waiting.split_at(skipped);
            if !unseen.is_empty() {
                self.engine.feed(&looks(unseen));
            }
            self.engine.feed(seen);
            // In a flood as much will wait again.
            let idle = waiting.len() < waiting.capacity() / 4;
            self.waiting = waiting;
            self.waiting.clear();
            if idle {
                self.waiting.shrink_to(IDLE);
            }
        }
        (self.is_plain, self.owed) = (true, 0);
    }

    /// How much at the start of what waits scrolls out of the history before its end is drawn.
    fn unseen(&self, waiting: &[u8]) -> usize {
        if !self.is_plain || self.margins.is_some() || waiting.len() < MAX_DRAWING {
            return 0;
        }
        let kept = self.history + usize::from(self.engine.size().rows());
        // After both characters the cursor is in the first column, whatever came before.
        memchr::memmem::rfind_iter(waiting, b"\r\n")
            .nth(kept)
            .map_or(0, |at| at + 2)
    }
}

/// A byte of text that the emulator can be given as it is. Not so: controls, and the first bytes of
/// U+0080 to U+00BF, and of U+F000 to U+FFFF.
fn is_usual(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E | b'\n' | b'\r' | b'\t' | 0x80..=0xBF | 0xC3..=0xEE | 0xF0..=0xF4)
}

/// The sequences in plain output, which all set looks.
fn looks(plain: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = plain;
    while let Some(at) = memchr::memchr(0x1B, rest) {
        let sequence = rest.get(at..).unwrap_or_default();
        let end = memchr::memchr(b'm', sequence).map_or(sequence.len(), |n| n + 1);
        let (sequence, after) = sequence.split_at(end);
        found.extend_from_slice(sequence);
        rest = after;
    }
    found
}
