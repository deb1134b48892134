//! What a caller types: text, keys, pastes and mouse events, as the bytes that go to the program.
//!
//! All or nothing: if one item cannot be sent, none is.

use std::fmt;

use super::keys::{Key, KeyError, Modifiers};
use super::modes::{Modes, MouseEncoding, MouseReports};

/// Items in one input: no person types more between two looks at the screen.
pub const MAX_ITEMS: usize = 1000;
/// Bytes of one input, as sent: what a program that does not read may cost us in memory.
pub const MAX_BYTES: usize = 64 * 1024;

/// One thing to do at the keyboard or with the mouse.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// Characters, typed as they are; a line end is typed as Enter.
    Text(String),
    /// A key.
    Key(Key),
    /// Text put in at once, in brackets if the program asked for them.
    Paste(String),
    /// A mouse event.
    Mouse(Mouse),
}

/// A mouse event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What happens.
    pub act: MouseAct,
    /// Where: the column, from 1.
    pub column: u16,
    /// Where: the row, from 1.
    pub row: u16,
    /// What is held.
    pub modifiers: Modifiers,
}

/// What the mouse does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseAct {
    /// A button goes down and up.
    Click(Button),
    /// A button goes down.
    Press(Button),
    /// A button goes up.
    Release(Button),
    /// It moves, with a button down or with none.
    Move(Option<Button>),
    /// The wheel turns by one.
    Wheel(Wheel),
}

/// A mouse button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// The first.
    Left,
    /// The second, in the middle.
    Middle,
    /// The third.
    Right,
}

/// Where the wheel turns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wheel {
    /// Away from the person.
    Up,
    /// Towards the person.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// Why an input cannot be sent. Items are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Too many items.
    #[error("one input has at most {MAX_ITEMS} items, this has {items}; hint: send the rest in another call")]
    TooMany {
        /// How many there are.
        items: usize,
    },
    /// Too many bytes.
    #[error(
        "one input has at most {MAX_BYTES} bytes, this has more from item {item} on; hint: send the rest in another \
         call, or write a file"
    )]
    TooLong {
        /// The item that is one too many.
        item: usize,
    },
    /// A key that cannot be pressed.
    #[error("item {item}: {source}")]
    Key {
        /// Which.
        item: usize,
        /// Why.
        source: KeyError,
    },
    /// A control character in a paste, which could end it.
    #[error("item {item}: a paste cannot hold the control character {character:?}; hint: send it as a key")]
    ControlInPaste {
        /// Which.
        item: usize,
        /// The character.
        character: char,
    },
    /// The program does not use the mouse.
    #[error("item {item}: the program has not asked for {what}; hint: terminal_snapshot shows its modes, use keys")]
    NoMouse {
        /// Which.
        item: usize,
        /// What it did not ask for.
        what: &'static str,
    },
    /// A place that is not on the screen, or that the program's way of reporting cannot name.
    #[error("item {item}: column {column}, row {row} is not within 1 to {columns} and 1 to {rows}")]
    OffScreen {
        /// Which.
        item: usize,
        /// The column asked for.
        column: u16,
        /// The row asked for.
        row: u16,
        /// The last column.
        columns: u16,
        /// The last row.
        rows: u16,
    },
}

/// The bytes to send for all items, on a screen of this many columns and rows.
pub fn bytes(items: &[Item], modes: &Modes, (columns, rows): (u16, u16)) -> Result<Vec<u8>, InputError> {
    if items.len() > MAX_ITEMS {
        return Err(InputError::TooMany { items: items.len() });
    }
    let mut out = Vec::new();
    for (item, n) in items.iter().zip(1..) {
        match item {
            Item::Text(text) | Item::Paste(text) if out.len() + text.len() > MAX_BYTES => {
                return Err(InputError::TooLong { item: n });
            }
            Item::Text(text) => typed(text, &mut out),
            Item::Key(key) => key
                .write(modes, &mut out)
                .map_err(|source| InputError::Key { item: n, source })?,
            Item::Paste(text) => paste(text, modes, n, &mut out)?,
            Item::Mouse(mouse) => mouse.write(modes, (columns, rows), n, &mut out)?,
        }
        if out.len() > MAX_BYTES {
            return Err(InputError::TooLong { item: n });
        }
    }
    Ok(out)
}

/// Text as typed: the Enter key sends a carriage return, and CR LF is one line end.
fn typed(text: &str, out: &mut Vec<u8>) {
    let mut after_return = false;
    for byte in text.bytes() {
        if byte == b'\n' && !after_return {
            out.push(b'\r');
        } else if byte != b'\n' {
            out.push(byte);
        }
        after_return = byte == b'\r';
    }
}

fn paste(text: &str, modes: &Modes, item: usize, out: &mut Vec<u8>) -> Result<(), InputError> {
    let forbidden = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some(character) = text.chars().find(forbidden) {
        return Err(InputError::ControlInPaste { item, character });
    }
    if modes.bracketed_paste {
        out.extend_from_slice(b"\x1b[200~");
    }
    typed(text, out);
    if modes.bracketed_paste {
        out.extend_from_slice(b"\x1b[201~");
    }
    Ok(())
}

impl Mouse {
    fn write(self, modes: &Modes, screen: (u16, u16), item: usize, out: &mut Vec<u8>) -> Result<(), InputError> {
        self.check(modes, screen, item)?;
        match self.act {
            MouseAct::Click(button) => {
                self.event(button.code(), Motion::Down, modes, out);
                if modes.mouse != MouseReports::Presses {
                    self.event(button.code(), Motion::Up, modes, out);
                }
            }
            MouseAct::Press(button) => self.event(button.code(), Motion::Down, modes, out),
            MouseAct::Release(button) => self.event(button.code(), Motion::Up, modes, out),
            MouseAct::Move(button) => {
                self.event(32 + button.map_or(3, Button::code), Motion::Down, modes, out);
            }
            MouseAct::Wheel(wheel) => self.event(wheel.code(), Motion::Down, modes, out),
        }
        Ok(())
    }

    fn check(self, modes: &Modes, (columns, rows): (u16, u16), item: usize) -> Result<(), InputError> {
        let no = |what| Err(InputError::NoMouse { item, what });
        match (modes.mouse, self.act) {
            (MouseReports::None, _) => return no("mouse events"),
            (MouseReports::Presses, MouseAct::Release(_) | MouseAct::Wheel(_)) => {
                return no("mouse releases or wheels");
            }
            (MouseReports::Presses | MouseReports::Buttons, MouseAct::Move(_)) => return no("mouse moves"),
            (MouseReports::Drags, MouseAct::Move(None)) => return no("mouse moves without a button"),
            _ => {}
        }
        // ctlseqs, "Mouse Tracking": a number is sent as a character, 32 above itself.
        let most = match modes.mouse_encoding {
            MouseEncoding::Bytes => 223,
            MouseEncoding::Utf8 => 2015,
            MouseEncoding::Sgr => u16::MAX,
        };
        let (columns, rows) = (columns.min(most), rows.min(most));
        if (1..=columns).contains(&self.column) && (1..=rows).contains(&self.row) {
            return Ok(());
        }
        Err(InputError::OffScreen {
            item,
            column: self.column,
            row: self.row,
            columns,
            rows,
        })
    }

    fn event(self, code: u8, motion: Motion, modes: &Modes, out: &mut Vec<u8>) {
        let held = self.modifiers;
        let held = 4 * u8::from(held.shift) + 8 * u8::from(held.alt) + 16 * u8::from(held.control);
        // Mode 9 knows no modifiers.
        let held = if modes.mouse == MouseReports::Presses { 0 } else { held };
        let number = |n: u16, out: &mut Vec<u8>| match modes.mouse_encoding {
            MouseEncoding::Utf8 => {
                let c = char::from_u32(u32::from(n) + 32).unwrap_or(' ');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.push(u8::try_from(n + 32).unwrap_or(u8::MAX)),
        };
        if modes.mouse_encoding == MouseEncoding::Sgr {
            let last = if motion == Motion::Up { 'm' } else { 'M' };
            let text = format!("\x1b[<{};{};{}{last}", code + held, self.column, self.row);
            return out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(b"\x1b[M");
        // Which button went up cannot be said.
        let code = if motion == Motion::Up { 3 } else { code };
        number(u16::from(code + held), out);
        number(self.column, out);
        number(self.row, out);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Motion {
    Down,
    Up,
}

impl Button {
    fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Middle => 1,
            Self::Right => 2,
        }
    }
}

impl Wheel {
    fn code(self) -> u8 {
        match self {
            Self::Up => 64,
            Self::Down => 65,
            Self::Left => 66,
            Self::Right => 67,
        }
    }
}

/// Says what kind it is and how long, never what is typed.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text([redacted], {} bytes)", text.len()),
            Self::Paste(text) => write!(f, "Paste([redacted], {} bytes)", text.len()),
            Self::Key(key) => key.fmt(f),
            Self::Mouse(mouse) => mouse.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCREEN: (u16, u16) = (80, 24);

    fn modes(mouse: MouseReports, mouse_encoding: MouseEncoding) -> Modes {
        Modes {
            mouse,
            mouse_encoding,
            ..Modes::default()
        }
    }

    fn mouse(act: MouseAct, column: u16, row: u16) -> Item {
        Item::Mouse(Mouse {
            act,
            column,
            row,
            modifiers: Modifiers::default(),
        })
    }

    fn text(items: &[Item], modes: &Modes) -> String {
        String::from_utf8(bytes(items, modes, SCREEN).unwrap()).unwrap()
    }

    #[test]
    fn text_is_typed_as_it_is_and_line_ends_as_enter() {
        let plain = Modes::default();
        assert_eq!(
            text(&[Item::Text("Left C-c \u{3}ä\n".into())], &plain),
            "Left C-c \u{3}ä\r"
        );
        assert_eq!(text(&[Item::Text("a\r\nb\nc\r".into())], &plain), "a\rb\rc\r");
        let enter = Item::Key(Key::parse("Enter").unwrap());
        assert_eq!(text(&[Item::Text("x".into()), enter], &plain), "x\r");
    }

    #[test]
    fn a_paste_is_in_brackets_when_asked_for_and_cannot_end_them() {
        let paste = |text: &str| [Item::Paste(text.into())];
        let brackets = Modes {
            bracketed_paste: true,
            ..Modes::default()
        };
        assert_eq!(text(&paste("a\n\tb"), &Modes::default()), "a\r\tb");
        assert_eq!(text(&paste("a\nb"), &brackets), "\x1b[200~a\rb\x1b[201~");
        for bad in ["\x1b[201~rm", "\u{3}", "\u{9b}201~"] {
            let error = bytes(&paste(bad), &brackets, SCREEN).unwrap_err();
            assert!(matches!(error, InputError::ControlInPaste { item: 1, .. }), "{error}");
        }
    }

    #[test]
    fn mouse_events_are_written_as_the_program_asked() {
        let click = [mouse(MouseAct::Click(Button::Left), 3, 2)];
        let sgr = modes(MouseReports::Buttons, MouseEncoding::Sgr);
        assert_eq!(text(&click, &sgr), "\x1b[<0;3;2M\x1b[<0;3;2m");
        assert_eq!(
            text(&click, &modes(MouseReports::Buttons, MouseEncoding::Bytes)),
            "\x1b[M #\"\x1b[M##\""
        );
        assert_eq!(
            text(&click, &modes(MouseReports::Presses, MouseEncoding::Bytes)),
            "\x1b[M #\""
        );
        let up = [mouse(MouseAct::Wheel(Wheel::Up), 80, 24)];
        assert_eq!(text(&up, &sgr), "\x1b[<64;80;24M");
        let drag = [mouse(MouseAct::Move(Some(Button::Right)), 1, 1)];
        assert_eq!(
            text(&drag, &modes(MouseReports::Drags, MouseEncoding::Sgr)),
            "\x1b[<34;1;1M"
        );
        let held = Item::Mouse(Mouse {
            act: MouseAct::Press(Button::Middle),
            column: 1,
            row: 1,
            modifiers: Modifiers {
                control: true,
                ..Modifiers::default()
            },
        });
        assert_eq!(text(&[held], &sgr), "\x1b[<17;1;1M");
        let far = [mouse(MouseAct::Press(Button::Left), 300, 1)];
        let wide = modes(MouseReports::Buttons, MouseEncoding::Utf8);
        assert_eq!(bytes(&far, &wide, (400, 9)).unwrap(), "\x1b[M \u{14c}!".as_bytes());
    }

    #[test]
    fn the_mouse_is_not_moved_where_or_when_it_cannot_be() {
        let error = |item: Item, modes: Modes| bytes(&[item], &modes, (400, 24)).unwrap_err();
        let click = |column, row| mouse(MouseAct::Click(Button::Left), column, row);
        let off = error(click(1, 1), Modes::default());
        assert_eq!(
            off,
            InputError::NoMouse {
                item: 1,
                what: "mouse events"
            }
        );
        let buttons = modes(MouseReports::Buttons, MouseEncoding::Sgr);
        let moves = error(mouse(MouseAct::Move(None), 1, 1), buttons);
        assert_eq!(
            moves,
            InputError::NoMouse {
                item: 1,
                what: "mouse moves"
            }
        );
        for (column, row) in [(0, 1), (1, 0), (401, 1), (1, 25)] {
            assert!(matches!(
                error(click(column, row), buttons),
                InputError::OffScreen { columns: 400, .. }
            ));
        }
        let narrow = error(click(224, 1), modes(MouseReports::Buttons, MouseEncoding::Bytes));
        assert!(matches!(narrow, InputError::OffScreen { columns: 223, .. }));
    }

    #[test]
    fn the_bounds_name_themselves() {
        let key = Item::Key(Key::parse("F24").unwrap());
        let many = bytes(&vec![key.clone(); MAX_ITEMS + 1], &Modes::default(), SCREEN).unwrap_err();
        assert_eq!(many, InputError::TooMany { items: MAX_ITEMS + 1 });
        assert!(many.to_string().contains("at most 1000 items"), "{many}");
        assert_eq!(
            bytes(&vec![key; MAX_ITEMS], &Modes::default(), SCREEN).unwrap().len(),
            7000
        );
        let long = [Item::Text("x".into()), Item::Paste("x".repeat(MAX_BYTES))];
        let error = bytes(&long, &Modes::default(), SCREEN).unwrap_err();
        assert_eq!(error, InputError::TooLong { item: 2 });
        assert_eq!(bytes(&long[1..], &Modes::default(), SCREEN).unwrap().len(), MAX_BYTES);
    }

    #[test]
    fn what_is_typed_is_not_shown() {
        let items = [
            Item::Text("hunter2".into()),
            Item::Key(Key::parse("h").unwrap()),
            Item::Paste("hunter2".into()),
        ];
        let shown = format!("{items:?}");
        assert!(!shown.contains("hunter") && !shown.contains('h'), "{shown}");
    }

    proptest! {
        #[test]
        fn an_input_is_bounded_and_a_paste_ends_once(texts in prop::collection::vec(any::<String>(), 0..6)) {
            let brackets = Modes { bracketed_paste: true, ..Modes::default() };
            let items: Vec<Item> = texts.into_iter().map(Item::Paste).collect();
            if let Ok(sent) = bytes(&items, &brackets, SCREEN) {
                prop_assert!(sent.len() <= MAX_BYTES);
                let ends = sent.windows(6).filter(|w| w == b"\x1b[201~").count();
                prop_assert_eq!(ends, items.len());
                prop_assert!(!sent.contains(&b'\n'));
            }
        }
    }
}
