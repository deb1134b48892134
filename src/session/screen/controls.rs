//! What each control sequence does (xterm's ctlseqs, ECMA-48, the VT220's manual).
//!
//! An allow list: a sequence that is not named here does nothing. The clipboard, window operations
//! and reports of what a program chose are left out on purpose.

use vte::{Params, Perform};

use super::charset::Charsets;
use super::interpreter::{Device, Interpreter};
use super::replies;
use super::sgr;

/// Characters of a title.
const MAX_TITLE: usize = 256;
/// Titles that a program can put aside, as xterm has it.
const MAX_TITLES: usize = 10;
/// Bytes of a question in a device control string.
const MAX_QUESTION: usize = 64;

impl Perform for Interpreter {
    fn print(&mut self, _: char) {
        // Text does not come this way.
    }

    fn execute(&mut self, byte: u8) {
        if byte < 0x20 {
            self.control(byte);
        }
    }

    fn csi_dispatch(&mut self, parameters: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore {
            return;
        }
        let first = parameters.iter().next().and_then(|p| p.first()).copied().unwrap_or(0);
        match (intermediates, action) {
            ([], 'm') => {
                let mut looks = Vec::new();
                sgr::write(parameters.iter(), &mut looks);
                self.plain(&looks);
            }
            ([], 'h' | 'l') => numbers(parameters).for_each(|mode| self.ansi_mode(mode, action == 'h')),
            (b"?", 'h' | 'l') => numbers(parameters).for_each(|mode| self.dec_mode(mode, action == 'h')),
            ([] | b"?" | b">" | b"=" | b"$" | b"?$", 'c' | 'n' | 'p' | 'q')
                if action != 'q' || intermediates == b">" =>
            {
                self.question(intermediates, action, first);
            }
            (b"!", 'p') => self.soft_reset(),
            (b" ", 'q') if first <= 6 => self.drawing(format!("\x1b[{first} q").as_bytes()),
            (b"?", 'J' | 'K') | ([], _) => self.edit(parameters, first, action),
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        match (intermediates, byte) {
            _ if ignore => {}
            ([], b'7') => self.save(),
            ([], b'8') => self.restore(),
            ([], b'D') => self.scroll(b"\n"),
            ([], b'E') => self.scroll(b"\r\n"),
            ([], b'M') => {
                self.leave_margin();
                // Above the margins nothing scrolls.
                if self.margins.is_none_or(|(top, _)| top == 1) || self.position().0 > 0 {
                    self.scroll(b"\x1bM");
                }
            }
            ([], b'H') => {
                let (_, column) = self.position();
                self.tabs_mut().insert(column);
            }
            ([], b'=' | b'>') => self.drawing(&[0x1B, byte]),
            ([], b'Z') => self.replies.give(replies::PRIMARY),
            ([], b'c') => self.reset(),
            ([], b'n') => self.charsets.shift(2),
            ([], b'o') => self.charsets.shift(3),
            ([slot @ (b'(' | b')' | b'*' | b'+')], last) => self.charsets.designate(*slot, last),
            (b"#", b'8') => self.alignment(),
            _ => {}
        }
    }

    fn osc_dispatch(&mut self, parameters: &[&[u8]], bel: bool) {
        match parameters {
            [b"0" | b"2", title @ ..] => {
                let title = title.join(&b';');
                let shown = String::from_utf8_lossy(&title);
                self.title.now = shown.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect();
            }
            [number @ (b"10" | b"11" | b"12"), b"?"] => {
                let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
                if let Some(reply) = number.and_then(|n| replies::color(n, bel)) {
                    self.replies.give(&reply);
                }
            }
            _ => {}
        }
    }

    fn hook(&mut self, _: &Params, intermediates: &[u8], ignore: bool, action: char) {
        self.device = match (intermediates, action) {
            (b"$", 'q') if !ignore => Some((Device::Setting, Vec::new())),
            (b"+", 'q') if !ignore => Some((Device::Capability, Vec::new())),
            _ => None,
        };
    }

    fn put(&mut self, byte: u8) {
        if let Some((_, question)) = self.device.as_mut().filter(|(_, q)| q.len() < MAX_QUESTION) {
            question.push(byte);
        }
    }

    fn unhook(&mut self) {
        match self.device.take() {
            Some((Device::Setting, question)) => self.tell_setting(&question),
            Some((Device::Capability, _)) => self.replies.give(replies::NO_CAPABILITY),
            None => {}
        }
    }
}

impl Interpreter {
    /// Moves, erases, scrolls: most of what programs send.
    fn edit(&mut self, parameters: &Params, first: u16, action: char) {
        let size = self.engine.size();
        let count = first.max(1);
        let rows = count.min(size.rows());
        match action {
            'J' if first == 3 => self.engine_settled().forget_history(),
            'J' => {
                self.cost(size.cells());
                self.pass(first, action);
            }
            'L' | 'M' => self.pass_rows(rows, first, action),
            // Rows that leave the screen are written into the history.
            'S' if parameters.len() <= 1 => self.pass_rows(5 * rows, first, action),
            'T' if parameters.len() <= 1 => self.pass_rows(rows, first, action),
            'K' => {
                self.cost(2 * usize::from(size.columns()));
                self.pass(first, action);
            }
            '@' | 'P' | 'X' => {
                self.leave_margin();
                self.cost(usize::from(size.columns()));
                self.pass(first, action);
            }
            'C' | 'D' => {
                self.leave_margin();
                self.pass(first, action);
            }
            'A' | 'B' | 'E' | 'F' => self.move_rows(count, action),
            'G' | '`' => self.pass(first, 'G'),
            'a' => {
                self.leave_margin();
                self.pass(first, 'C');
            }
            'e' => {
                self.leave_margin();
                self.pass(first, 'B');
            }
            'd' => {
                self.leave_margin();
                let top = self.margins.filter(|_| self.origin).map_or(1, |(top, _)| top);
                self.pass(count.saturating_add(top - 1), 'd');
            }
            'H' | 'f' => {
                let column = numbers(parameters).nth(1).unwrap_or(1).max(1);
                self.drawing(format!("\x1b[{count};{column}H").as_bytes());
            }
            'I' => self.tab(i32::from(count)),
            'Z' => self.tab(-i32::from(count)),
            'b' => self.repeat(count),
            'g' => self.clear_tabs(first),
            'r' => self.set_margins(parameters),
            's' if first == 0 => self.save(),
            'u' if first == 0 => self.restore(),
            't' => self.title_aside(first),
            _ => {}
        }
    }

    /// Up or down, and for some to the first column.
    fn move_rows(&mut self, count: u16, action: char) {
        self.leave_margin();
        match self.rows_to_margin(count, matches!(action, 'B' | 'E')) {
            0 if matches!(action, 'E' | 'F') => self.drawing(b"\r"),
            0 => {}
            count => self.pass(count, action),
        }
    }

    /// The last character again. Longer than a line nobody repeats; a terminal is not to be kept busy with few bytes.
    fn repeat(&mut self, count: u16) {
        let columns = self.engine.size().columns();
        let mut count = count.min(columns);
        self.cost(2 * usize::from(columns));
        if !self.autowrap {
            self.leave_margin();
            count = count.min(columns - self.position().1);
        }
        self.pass(count, 'b');
    }

    /// So many rows up or down at the most: the margins stop a cursor that is not beyond them (xterm's CursorUp, CursorDown).
    fn rows_to_margin(&mut self, count: u16, down: bool) -> u16 {
        let Some((top, bottom)) = self.margins else {
            return count;
        };
        let row = self.position().0 + 1;
        let (beyond, left) = match down {
            true => (row > bottom, bottom.saturating_sub(row)),
            false => (row < top, row.saturating_sub(top)),
        };
        if beyond { count } else { count.min(left) }
    }

    /// What may move all rows and clear one.
    fn scroll(&mut self, bytes: &[u8]) {
        let size = self.engine.size();
        self.cost(5 * usize::from(size.columns()) + usize::from(size.rows()));
        self.drawing(bytes);
    }

    /// What moves rows, and costs as much as clearing so many.
    fn pass_rows(&mut self, cleared: u16, parameter: u16, action: char) {
        let size = self.engine.size();
        self.cost(usize::from(cleared) * usize::from(size.columns()) + usize::from(size.rows()));
        self.pass(parameter, action);
    }

    fn pass(&mut self, parameter: u16, action: char) {
        match parameter {
            0 => self.drawing(format!("\x1b[{action}").as_bytes()),
            n => self.drawing(format!("\x1b[{n}{action}").as_bytes()),
        }
    }

    fn ansi_mode(&mut self, mode: u16, set: bool) {
        match mode {
            4 => self.insert = set,
            20 => self.newline = set,
            _ => {}
        }
    }

    fn dec_mode(&mut self, mode: u16, set: bool) {
        let last = if set { 'h' } else { 'l' };
        match mode {
            6 => self.origin = set,
            7 => return self.autowrap = set,
            1004 => return self.focus_reports = set,
            1048 if set => return self.save(),
            1048 => return self.restore(),
            47 | 1047 | 1049 => return self.switch(mode, set),
            1 | 9 | 25 | 1000 | 1002 | 1003 | 1005 | 1006 | 2004 => {}
            _ => return,
        }
        self.drawing(format!("\x1b[?{mode}{last}").as_bytes());
    }

    /// DECSTBM. The cursor goes home, which is the first row unless rows count from the margin.
    fn set_margins(&mut self, parameters: &Params) {
        let rows = self.engine.size().rows();
        let mut given = numbers(parameters);
        let top = given.next().unwrap_or(1).max(1);
        let bottom = given.next().filter(|bottom| *bottom > 0).unwrap_or(rows).min(rows);
        if top >= bottom {
            return;
        }
        self.settle();
        self.margins = ((top, bottom) != (1, rows)).then_some((top, bottom));
        self.drawing(format!("\x1b[{top};{bottom}r\x1b[H").as_bytes());
    }

    fn clear_tabs(&mut self, which: u16) {
        let (_, column) = self.position();
        match which {
            0 => {
                self.tabs_mut().remove(&column);
            }
            3 => self.tabs_mut().clear(),
            _ => {}
        }
    }

    fn title_aside(&mut self, operation: u16) {
        match operation {
            22 if self.title.aside.len() < MAX_TITLES => self.title.aside.push(self.title.now.clone()),
            23 => {
                if let Some(title) = self.title.aside.pop() {
                    self.title.now = title;
                }
            }
            _ => {}
        }
    }

    /// DECALN: the screen full of E.
    fn alignment(&mut self) {
        let size = self.engine_settled().size();
        self.cost(12 * size.cells());
        let mut looks = String::new();
        self.engine.style().write(&mut looks);
        (self.margins, self.origin) = (None, false);
        self.drawing(b"\x1b[r\x1b[?6l\x1b[m");
        let line = "E".repeat(usize::from(size.columns()));
        for row in 1..=size.rows() {
            self.drawing(format!("\x1b[{row}H{line}").as_bytes());
        }
        self.drawing(format!("\x1b[H{looks}").as_bytes());
    }

    /// DECSTR.
    fn soft_reset(&mut self) {
        let (row, column) = self.position();
        self.forget_modes();
        let place = format!(
            "\x1b[r\x1b[?6;1l\x1b[?25h\x1b>\x1b[m\x1b[H\x1b7\x1b[{};{}H",
            row + 1,
            column + 1
        );
        self.drawing(place.as_bytes());
    }

    /// RIS.
    fn reset(&mut self) {
        self.settle();
        self.forget_modes();
        self.tabs = None;
        self.focus_reports = false;
        self.title.aside.clear();
        self.cost(self.engine.size().cells());
        self.drawing(b"\x1b[?47l\x1bc");
        self.engine_settled().forget_history();
    }

    /// What the emulator does not keep is as at the start.
    pub(super) fn forget_modes(&mut self) {
        self.charsets = Charsets::default();
        self.saved = Default::default();
        (self.insert, self.newline, self.autowrap) = (false, false, true);
        (self.origin, self.margins) = (false, None);
    }
}

/// The parameters without what colons add to them.
fn numbers(parameters: &Params) -> impl Iterator<Item = u16> {
    parameters.iter().map(|p| p.first().copied().unwrap_or(0))
}
