//! What a program has asked of its terminal that changes how input is sent to it.

/// The input modes in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modes {
    /// Cursor keys send `ESC O` sequences (DECCKM).
    pub application_cursor: bool,
    /// The keypad sends `ESC O` sequences (DECKPAM).
    pub application_keypad: bool,
    /// Pastes are enclosed in `ESC [200~` and `ESC [201~` (mode 2004).
    pub bracketed_paste: bool,
    /// The terminal tells when it gains and loses the focus (mode 1004).
    pub focus_reports: bool,
    /// Which mouse events are reported.
    pub mouse: MouseReports,
    /// How they are written.
    pub mouse_encoding: MouseEncoding,
}

/// Which mouse events a program wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MouseReports {
    /// None.
    #[default]
    None,
    /// Buttons going down (mode 9).
    Presses,
    /// Buttons going down and up (mode 1000).
    Buttons,
    /// The same, and moves while a button is down (mode 1002).
    Drags,
    /// The same, and all moves (mode 1003).
    Moves,
}

/// How mouse events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MouseEncoding {
    /// One byte for each number: columns and rows up to 223.
    #[default]
    Bytes,
    /// One character for each number: columns and rows up to 2015 (mode 1005).
    Utf8,
    /// Decimal numbers (mode 1006).
    Sgr,
}

impl Modes {
    /// The same, with focus reports.
    pub(super) fn with_focus_reports(self) -> Self {
        Self {
            focus_reports: true,
            ..self
        }
    }
}
