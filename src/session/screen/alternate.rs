//! The alternate screen, and the cursor that is saved on each.

use super::interpreter::Interpreter;

impl Interpreter {
    /// To the alternate screen and back. Cursor, margins and origin are those of both, as in xterm; the emulator has them for each.
    pub(super) fn switch(&mut self, mode: u16, set: bool) {
        let alternate = self.engine_settled().is_alternate();
        let mut place = self.position();
        match (mode, set) {
            (1049, true) => {
                self.remember();
                self.drawing(b"\x1b[?1049h");
            }
            (1049, false) if alternate => {
                self.drawing(b"\x1b[?1049l");
                self.recall();
                place = self.position();
            }
            (1049, false) => return self.restore(),
            (1047, false) if alternate => self.drawing(b"\x1b[2J\x1b[?47l"),
            (_, true) => self.drawing(b"\x1b[?47h"),
            (_, false) => self.drawing(b"\x1b[?47l"),
        }
        self.cost(self.engine.size().cells());
        let (top, bottom) = self.margins.unwrap_or((1, self.engine.size().rows()));
        let (origin, first) = if self.origin { ("\x1b[?6h", top) } else { ("", 1) };
        let (row, column) = ((place.0 + 2).saturating_sub(first).max(1), place.1 + 1);
        self.drawing(format!("\x1b[?6l\x1b[{top};{bottom}r{origin}\x1b[{row};{column}H").as_bytes());
    }

    pub(super) fn save(&mut self) {
        self.remember();
        self.drawing(b"\x1b7");
    }

    pub(super) fn restore(&mut self) {
        self.recall();
        self.drawing(b"\x1b8");
    }

    /// Saves what the emulator does not save with the cursor.
    fn remember(&mut self) {
        let screen = usize::from(self.engine_settled().is_alternate());
        if let Some(saved) = self.saved.get_mut(screen) {
            *saved = (self.charsets, self.origin);
        }
    }

    fn recall(&mut self) {
        let screen = usize::from(self.engine_settled().is_alternate());
        (self.charsets, self.origin) = self.saved.get(screen).copied().unwrap_or_default();
    }
}
