//! Keys by name, and the bytes that a terminal sends for them.
//!
//! The names are those of ht, tmux, terminalcp and of `Ctrl+C` spellings together; the bytes are
//! xterm's (ctlseqs, "PC-Style Function Keys"), as `TERM=xterm-256color` promises. A text is never
//! taken for a key here: what is literal text is said by whoever calls, see [`super::input`].

mod names;

use std::fmt;

use super::modes::Modes;
use super::sequences::ESC;
use names::{PREFIXES, base, caret, unknown};

/// Longest key name, in characters: the longest spelling of all modifiers and a key has 33.
pub const MAX_NAME: usize = 40;

/// A key and the modifiers held with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    base: Base,
    modifiers: Modifiers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Char(char),
    Enter,
    Tab,
    Escape,
    Backspace,
    /// Keys whose sequence ends in a letter that they alone have.
    Letter(char),
    /// Keys whose sequence is a number and `~`.
    Number(u8),
    /// 1 to 12.
    Function(u8),
    /// What the key shows, or `\r`, and what ends its sequence in application mode.
    Keypad(char, char),
    Focus(char),
}

/// Modifiers held with a key or a mouse button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Shift.
    pub shift: bool,
    /// Alt, also called Meta.
    pub alt: bool,
    /// Control.
    pub control: bool,
}

/// Why there is no such key, or why it cannot be pressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is unknown.
    #[error("no such key: {name:?}{}; hint: text that is to be typed as it is goes in \"text\"", nearest(.names))]
    Unknown {
        /// What was asked for, cut at [`MAX_NAME`] characters.
        name: String,
        /// Known names that look like it.
        names: Vec<&'static str>,
    },
    /// The name is longer than any key's.
    #[error("a key name has at most {MAX_NAME} characters, this has {characters}; hint: text goes in \"text\"")]
    TooLong {
        /// How many it has.
        characters: usize,
    },
    /// The keyboard sends nothing of its own for this.
    #[error("a terminal has no bytes for {modifier} with this key; hint: {hint}")]
    NoBytes {
        /// The modifier that cannot be.
        modifier: &'static str,
        /// What to write instead.
        hint: &'static str,
    },
    /// A report that the program has to ask for first.
    #[error("the program has not asked for focus reports; hint: send other keys")]
    NoFocusReports,
}

impl Key {
    /// The key with this name.
    ///
    /// A single character is its own name. Modifiers come before it: `C-`, `A-` or `M-`, `S-`, or
    /// `Ctrl+`, `Alt+`, `Meta+`, `Shift+`. `^x` is `C-x`, `0x41` the character with this code point.
    /// Names are taken without regard to case; single characters are not.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let characters = name.chars().count();
        if characters > MAX_NAME {
            return Err(KeyError::TooLong { characters });
        }
        let (modifiers, rest) = match caret(name) {
            Some(parsed) => parsed,
            None => Modifiers::strip(name),
        };
        let (base, added) = base(rest).ok_or_else(|| unknown(name))?;
        let key = Self {
            base,
            modifiers: modifiers.and(added),
        };
        key.write(&Modes::default().with_focus_reports(), &mut Vec::new())?;
        Ok(key)
    }

    /// Adds the bytes that the terminal sends when the key is pressed.
    ///
    /// Fails only for focus reports that the program has not asked for.
    pub fn write(&self, modes: &Modes, out: &mut Vec<u8>) -> Result<(), KeyError> {
        let held = self.modifiers;
        match self.base {
            Base::Char(c) => return character(c, held, out),
            Base::Enter => simple(held, b"\r", out),
            Base::Escape => simple(held, b"\x1b", out),
            Base::Tab if held.shift => simple(held, b"\x1b[Z", out),
            Base::Tab => simple(held, b"\t", out),
            Base::Backspace if held.control => simple(held, b"\x08", out),
            Base::Backspace => simple(held, b"\x7f", out),
            Base::Letter(letter) if held.none() && modes.application_cursor => sequence("O", letter, out),
            Base::Letter(letter) if held.none() => sequence("[", letter, out),
            Base::Letter(letter) => sequence(&format!("[1;{}", held.parameter()), letter, out),
            Base::Number(number) if held.none() => sequence(&format!("[{number}"), '~', out),
            Base::Number(number) => sequence(&format!("[{number};{}", held.parameter()), '~', out),
            Base::Function(n) => function(n, held, out),
            Base::Keypad(..) if held.control || held.shift => {
                return Err(KeyError::NoBytes {
                    modifier: "Ctrl or Shift",
                    hint: "use the key of the same name that is not on the keypad",
                });
            }
            Base::Keypad(_, letter) if modes.application_keypad => {
                simple(held, b"", out);
                sequence("O", letter, out);
            }
            Base::Keypad(c, _) => simple(held, c.encode_utf8(&mut [0; 4]).as_bytes(), out),
            Base::Focus(_) if !modes.focus_reports => return Err(KeyError::NoFocusReports),
            Base::Focus(letter) => sequence("[", letter, out),
        }
        Ok(())
    }
}

/// Says which key it is, unless it types a character: that may be a piece of a password.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            Base::Char(_) => f.write_str("Key([redacted])"),
            base => write!(f, "Key({base:?}, {:?})", self.modifiers),
        }
    }
}

impl Modifiers {
    /// Takes modifiers off the front of a name, each at most once.
    fn strip(name: &str) -> (Self, &str) {
        let mut held = Self::default();
        let mut rest = name;
        while let Some((modifier, len)) = PREFIXES.iter().find_map(|(prefix, modifier)| {
            let head = rest.get(..prefix.len())?;
            // A prefix with nothing behind it is a key itself, or an error.
            (head.eq_ignore_ascii_case(prefix) && rest.len() > prefix.len()).then_some((*modifier, prefix.len()))
        }) {
            let both = held.and(modifier);
            if both == held {
                break;
            }
            held = both;
            rest = rest.get(len..).unwrap_or_default();
        }
        (held, rest)
    }

    fn and(self, other: Self) -> Self {
        Self {
            shift: self.shift || other.shift,
            alt: self.alt || other.alt,
            control: self.control || other.control,
        }
    }

    fn none(self) -> bool {
        self == Self::default()
    }

    /// The number in a key's sequence: 2 to 8 (ctlseqs, "PC-Style Function Keys").
    fn parameter(self) -> u8 {
        1 + u8::from(self.shift) + 2 * u8::from(self.alt) + 4 * u8::from(self.control)
    }
}

fn character(c: char, held: Modifiers, out: &mut Vec<u8>) -> Result<(), KeyError> {
    let shifted = if held.shift && !held.control { shift(c)? } else { c };
    let sent = if held.control { control(c)? } else { shifted };
    simple(held, sent.encode_utf8(&mut [0; 4]).as_bytes(), out);
    Ok(())
}

fn shift(c: char) -> Result<char, KeyError> {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if c.is_alphabetic() => Ok(upper),
        _ if c == ' ' => Ok(c),
        _ => Err(KeyError::NoBytes {
            modifier: "Shift",
            hint: "what Shift makes of it depends on the keyboard, so name the character that it makes",
        }),
    }
}

/// ASCII control codes, with the digits that xterm sends them for.
fn control(c: char) -> Result<char, KeyError> {
    let code = match c.to_ascii_lowercase() {
        c @ 'a'..='z' => c as u8 & 0x1F,
        '@' | ' ' | '2' => 0x00,
        '[' | '3' => 0x1B,
        '\\' | '4' => 0x1C,
        ']' | '5' => 0x1D,
        '^' | '6' | '~' => 0x1E,
        '_' | '/' | '-' | '7' => 0x1F,
        '?' | '8' => 0x7F,
        c @ ('0' | '1' | '9') => c as u8,
        _ => {
            return Err(KeyError::NoBytes {
                modifier: "Ctrl",
                hint: "Ctrl goes with a to z, @ [ \\ ] ^ _ ? / - Space, digits and named keys",
            });
        }
    };
    Ok(char::from(code))
}

fn function(n: u8, held: Modifiers, out: &mut Vec<u8>) {
    if let Some(letter) = [(1, 'P'), (2, 'Q'), (3, 'R'), (4, 'S')]
        .iter()
        .find_map(|(f, l)| (*f == n).then_some(*l))
    {
        return match held.none() {
            true => sequence("O", letter, out),
            false => sequence(&format!("[1;{}", held.parameter()), letter, out),
        };
    }
    // 16 and 22 were other keys of the VT220.
    let number = match n {
        5 => 15,
        6..=10 => n + 11,
        _ => n + 12,
    };
    match held.none() {
        true => sequence(&format!("[{number}"), '~', out),
        false => sequence(&format!("[{number};{}", held.parameter()), '~', out),
    }
}

/// Bytes that only Alt changes, by ESC before them.
fn simple(held: Modifiers, bytes: &[u8], out: &mut Vec<u8>) {
    if held.alt {
        out.push(ESC);
    }
    out.extend_from_slice(bytes);
}

fn sequence(middle: &str, last: char, out: &mut Vec<u8>) {
    out.push(ESC);
    out.extend_from_slice(middle.as_bytes());
    out.extend_from_slice(last.encode_utf8(&mut [0; 4]).as_bytes());
}

fn nearest(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        names => format!(", did you mean {}?", names.join(" or ")),
    }
}

const NONE: Modifiers = Modifiers {
    shift: false,
    alt: false,
    control: false,
};
const SHIFT: Modifiers = Modifiers { shift: true, ..NONE };
const ALT: Modifiers = Modifiers { alt: true, ..NONE };
const CONTROL: Modifiers = Modifiers { control: true, ..NONE };

#[cfg(test)]
mod tests;
