//! The emulator behind the screen: only this file knows it, with what draws in it and what takes its rows.
//!
//! It is fed nothing but what [`super::interpreter`] writes. A panic in it is caught, counted, and
//! answered with a new emulator that shows what the old one showed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use vt100::Parser;

use super::drawing::{draw, is_left_out, text};
use super::history::History;
use super::row::{Color, Row, Style};
use super::size::Size;
use crate::session::modes::{Modes, MouseEncoding, MouseReports};

/// Stands for U+FFFD, which the emulator does not draw. Not a character that texts have.
pub(super) const REPLACEMENT: char = '\u{FDD0}';

/// The emulator.
pub(super) struct Engine {
    parser: Parser<History>,
    size: Size,
    history: usize,
    faults: u64,
    /// Something may look otherwise than usual, blanks too.
    styled: bool,
}

impl Engine {
    /// A blank screen that keeps `history` rows above it.
    pub(super) fn new(size: Size, history: usize) -> Self {
        Self {
            parser: parser(size, History::new(history, 0)),
            size,
            history,
            faults: 0,
            styled: false,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.styled = self.styled || sets_style(bytes);
        let (parser, columns) = (&mut self.parser, self.size.columns());
        if catch_unwind(AssertUnwindSafe(|| draw(parser, columns, bytes))).is_err() {
            self.fault();
        }
    }

    /// Another size. Rows that wrapped are wrapped anew when the width changes.
    pub(super) fn resize(&mut self, size: Size) {
        self.redraw(size);
    }

    /// How often the emulator broke.
    pub(super) fn faults(&self) -> u64 {
        self.faults
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Row and column of the cursor from 0. The column is one too many after a character in the last.
    pub(super) fn position(&self) -> (u16, u16) {
        self.parser.screen().cursor_position()
    }

    pub(super) fn is_alternate(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    pub(super) fn is_cursor_hidden(&self) -> bool {
        self.parser.screen().hide_cursor()
    }

    /// The number that sets the cursor's style (DECSCUSR).
    pub(super) fn cursor_style(&self) -> u8 {
        use vt100::CursorStyle;
        match self.parser.screen().cursor_style() {
            CursorStyle::Default => 0,
            CursorStyle::BlinkBlock => 1,
            CursorStyle::SteadyBlock => 2,
            CursorStyle::BlinkUnderline => 3,
            CursorStyle::SteadyUnderline => 4,
            CursorStyle::BlinkVerticalBar => 5,
            CursorStyle::SteadyVerticalBar => 6,
        }
    }

    /// The input modes that the emulator keeps.
    pub(super) fn modes(&self) -> Modes {
        use vt100::{MouseProtocolEncoding as Encoding, MouseProtocolMode as Mode};
        let screen = self.parser.screen();
        Modes {
            application_cursor: screen.application_cursor(),
            application_keypad: screen.application_keypad(),
            bracketed_paste: screen.bracketed_paste(),
            focus_reports: false,
            mouse: match screen.mouse_protocol_mode() {
                Mode::None => MouseReports::None,
                Mode::Press => MouseReports::Presses,
                Mode::PressRelease => MouseReports::Buttons,
                Mode::ButtonMotion => MouseReports::Drags,
                Mode::AnyMotion => MouseReports::Moves,
            },
            mouse_encoding: match screen.mouse_protocol_encoding() {
                Encoding::Default => MouseEncoding::Bytes,
                Encoding::Utf8 => MouseEncoding::Utf8,
                Encoding::Sgr => MouseEncoding::Sgr,
            },
        }
    }

    /// How the next character will look.
    pub(super) fn style(&self) -> Style {
        let screen = self.parser.screen();
        Style {
            foreground: color(screen.fgcolor()),
            background: color(screen.bgcolor()),
            bold: screen.bold(),
            dim: screen.dim(),
            italic: screen.italic(),
            underline: screen.underline(),
            inverse: screen.inverse(),
        }
    }

    /// The rows of the screen, top first.
    pub(super) fn rows(&self) -> Vec<Row> {
        let screen = self.parser.screen();
        let row = |(drawn, row): (String, u16)| match drawn.is_empty() {
            true => Row {
                wrapped: screen.row_wrapped(row),
                ..Row::default()
            },
            false => self.row(row),
        };
        // Finding a cell is slow, and most rows of most screens have nothing to find. Where blanks look alike, text tells.
        let (columns, rows) = (self.size.columns(), 0..self.size.rows());
        match self.styled {
            true => screen.rows_formatted(0, columns).zip(rows).map(row).collect(),
            false => screen.rows(0, columns).zip(rows).map(row).collect(),
        }
    }

    /// How many rows above the screen are kept. The alternate screen has none.
    pub(super) fn history_len(&self) -> usize {
        if self.is_alternate() {
            return 0;
        }
        self.parser.callbacks().len()
    }

    /// How many rows above the screen are no longer kept.
    pub(super) fn history_lost(&self) -> u64 {
        self.parser.callbacks().lost
    }

    /// Forgets the rows above the screen.
    pub(super) fn forget_history(&mut self) {
        if !self.is_alternate() {
            self.parser.callbacks_mut().clear();
        }
    }

    /// Memory that the rows above the screen take, in bytes.
    pub(super) fn history_held(&self) -> usize {
        self.parser.callbacks().held()
    }

    /// Has the rows above the screen take no more than this, in bytes.
    pub(super) fn shrink_history(&mut self, bytes: usize) {
        self.parser.callbacks_mut().shrink(bytes);
    }

    /// Rows above the screen; 0 is the oldest that is kept.
    pub(super) fn history(&self, range: Range<usize>) -> Vec<Row> {
        let kept = self.history_len();
        self.above(range.start.min(kept)..range.end.min(kept))
    }

    fn above(&self, range: Range<usize>) -> Vec<Row> {
        if range.is_empty() {
            return Vec::new();
        }
        let mut page = Self::new(self.size.lowest(), 0);
        let rows = self.parser.callbacks().rows(range);
        rows.map(|(drawn, wrapped)| {
            page.parser.process(b"\x1b[m\x1b[H\x1b[K");
            page.parser.process(&drawn);
            let mut row = page.row(0);
            row.wrapped = wrapped;
            row
        })
        .collect()
    }

    fn row(&self, row: u16) -> Row {
        let screen = self.parser.screen();
        let last = self.size.columns() - 1;
        let cells = (0..=last)
            .map_while(|column| screen.cell(row, column).map(|cell| (column, cell)))
            .filter(|(column, cell)| !cell.is_wide_continuation() && (*column < last || !is_left_out(cell)))
            .map(|(_, cell)| (text(cell), 1 + u16::from(cell.is_wide()), style(cell)));
        let mut row = Row::of_cells(cells, screen.row_wrapped(row));
        for run in &mut row.runs {
            if run.text.contains(REPLACEMENT) {
                run.text = run.text.replace(REPLACEMENT, "\u{FFFD}");
            }
        }
        row
    }

    /// Counts that it broke, and draws everything anew.
    pub(super) fn fault(&mut self) {
        self.faults += 1;
        tracing::warn!(
            faults = self.faults,
            "the terminal emulator broke; the screen is drawn anew"
        );
        self.redraw(self.size);
    }

    /// Draws everything into a new emulator of this size.
    fn redraw(&mut self, size: Size) {
        let drawn = catch_unwind(AssertUnwindSafe(|| self.drawing(size)));
        // A screen that cannot even be read is given up: the next output draws a new one.
        self.parser = drawn.unwrap_or_else(|_| parser(size, History::new(self.history, 0)));
        self.size = size;
    }

    /// What shows the same at this size. Afterwards the old emulator is of no use.
    fn drawing(&mut self, size: Size) -> Parser<History> {
        let rest = self.parser.screen().input_mode_formatted();
        let (style, hidden) = (self.style(), self.is_cursor_hidden());
        let alternate = self.is_alternate().then(|| {
            let shown = (self.rows(), self.position(), self.recalled());
            self.parser.process(b"\x1b[?47l");
            shown
        });
        let mut new = parser(size, History::new(self.history, self.history_lost()));
        let mut rows = self.history(0..self.history);
        let above = rows.len();
        rows.extend(self.rows());
        let (row, column) = self.position();
        write_rows(&mut new, size, &rows, (above + usize::from(row), column));
        let now = new.screen().cursor_position();
        let saved = match self.recalled() {
            saved if saved == (row, column) => now,
            (0, 0) => (0, 0),
            // With the rows that scrolled in or out.
            (saved, column) => ((saved + now.0).saturating_sub(row).min(size.rows() - 1), column),
        };
        let looks = self.style();
        save_at(&mut new, saved, looks);
        move_to(&mut new, now);
        if let Some((rows, cursor, saved)) = alternate {
            new.process(b"\x1b[?47h");
            for (row, n) in rows.iter().zip(1..=size.rows()) {
                let shown = row.part(0..size.columns()).ansi();
                new.process(format!("\x1b[{n}H{shown}").as_bytes());
            }
            save_at(&mut new, saved, looks);
            move_to(&mut new, cursor);
        }
        let mut last = if hidden { "\x1b[?25l" } else { "" }.to_owned() + &rest;
        style.write(&mut last);
        new.process(last.as_bytes());
        new
    }

    /// Takes the cursor to where it was saved: its row and column there.
    fn recalled(&mut self) -> (u16, u16) {
        self.parser.process(b"\x1b8");
        self.position()
    }
}

/// Takes the cursor there, or as far as the screen goes.
fn move_to(parser: &mut Parser<History>, (row, column): (u16, u16)) {
    parser.process(format!("\x1b[{};{}H", row + 1, column + 1).as_bytes());
}

/// Saves the cursor there, with these looks.
fn save_at(parser: &mut Parser<History>, place: (u16, u16), looks: Style) {
    let mut text = String::new();
    looks.write(&mut text);
    parser.process(text.as_bytes());
    move_to(parser, place);
    parser.process(b"\x1b7\x1b[m");
}

/// Whether one of these sequences has what comes after it look otherwise than usual (SGR).
fn sets_style(bytes: &[u8]) -> bool {
    let sets = |at: usize| {
        let parameters = bytes.get(at + 1..)?.strip_prefix(b"[")?;
        let end = parameters.iter().position(|byte| (b'@'..=b'~').contains(byte))?;
        Some(end > 0 && parameters.get(end) == Some(&b'm'))
    };
    memchr::memchr_iter(0x1B, bytes).any(|at| sets(at) == Some(true))
}

/// Writes rows as lines, so that they wrap at the new width, and puts the cursor where it was in them.
fn write_rows(new: &mut Parser<History>, size: Size, rows: &[Row], (row, column): (usize, u16)) {
    let last = rows.iter().rposition(|row| !row.is_blank()).unwrap_or(0).max(row);
    let written = |parser: &Parser<History>| parser.callbacks().lost + parser.callbacks().len() as u64;
    let mut cursor = (0, 0);
    for (at, line) in rows.iter().enumerate().take(last + 1) {
        if at == row {
            let (before, after) = line.split_at(column);
            draw(new, size.columns(), before.ansi().as_bytes());
            let gap = column - before.columns().min(column);
            let (row, column) = new.screen().cursor_position();
            cursor = (
                written(new) + u64::from(row),
                column.saturating_add(gap).min(size.columns() - 1),
            );
            draw(new, size.columns(), after.ansi().as_bytes());
        } else {
            draw(new, size.columns(), line.ansi().as_bytes());
        }
        if at < last && !line.wrapped {
            new.process(b"\r\n");
        }
    }
    let (line, column) = cursor;
    let line = line.saturating_sub(written(new));
    new.process(format!("\x1b[m\x1b[{};{}H", line + 1, column + 1).as_bytes());
}

fn parser(size: Size, history: History) -> Parser<History> {
    let (rows, columns) = size.non_zero();
    // The emulator keeps nothing above the screen: its rows take 32 bytes for each cell.
    Parser::new_with_callbacks(rows, columns, 0, history)
}

fn style(cell: &vt100::Cell) -> Style {
    Style {
        foreground: color(cell.fgcolor()),
        background: color(cell.bgcolor()),
        bold: cell.bold(),
        dim: cell.dim(),
        italic: cell.italic(),
        underline: cell.underline(),
        inverse: cell.inverse(),
    }
}

fn color(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Default,
        vt100::Color::Idx(n) => Color::Index(n),
        vt100::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}
