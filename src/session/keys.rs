//! Keys by name, and the bytes that a terminal sends for them.
//!
//! The names are those of ht, tmux, terminalcp and of `Ctrl+C` spellings together; the bytes are
//! xterm's (ctlseqs, "PC-Style Function Keys"), as `TERM=xterm-256color` promises. A text is never
//! taken for a key here: what is literal text is said by whoever calls, see [`super::input`].

use std::fmt;

use super::modes::Modes;

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

/// `^x`, which is `C-x` for the characters that have a control code.
fn caret(name: &str) -> Option<(Modifiers, &str)> {
    let rest = name.strip_prefix('^')?;
    let mut all = rest.chars();
    let (first, None) = (all.next()?, all.next()) else {
        return None;
    };
    (first.is_ascii_alphabetic() || "@[\\]^_?".contains(first)).then_some((CONTROL, rest))
}

/// The key without its modifiers, and modifiers that its name implies.
fn base(name: &str) -> Option<(Base, Modifiers)> {
    let mut all = name.chars();
    if let (Some(c), None) = (all.next(), all.next()) {
        return Some((Base::Char(c), Modifiers::default()));
    }
    if let Some(code) = name.strip_prefix("0x") {
        let digits = code.len() <= 6 && code.bytes().all(|b| b.is_ascii_hexdigit());
        let code = digits.then(|| u32::from_str_radix(code, 16).ok()).flatten()?;
        return char::from_u32(code).map(|c| (Base::Char(c), Modifiers::default()));
    }
    let known = NAMES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    if let Some((_, base, implied)) = known {
        return Some((*base, *implied));
    }
    if let Some(number) = name.strip_prefix(['F', 'f']) {
        return match number.parse().ok().filter(|_| !number.starts_with(['0', '+']))? {
            n @ 1..=12 => Some((Base::Function(n), Modifiers::default())),
            // terminfo's xterm-256color: kf13 to kf24 are the first twelve with Shift.
            n @ 13..=24 => Some((Base::Function(n - 12), SHIFT)),
            _ => None,
        };
    }
    keypad(name).map(|base| (base, Modifiers::default()))
}

/// `KP0` to `KP9`, `KP*` and so on (ctlseqs, "VT220-Style Function Keys").
fn keypad(name: &str) -> Option<Base> {
    let head = name.get(..2)?;
    let mut rest = name.get(2..)?.chars();
    let (shown, None) = (rest.next()?, rest.next()) else {
        return None;
    };
    let letter = match shown {
        '0'..='9' => char::from_u32(u32::from('p') + shown.to_digit(10)?)?,
        '*' => 'j',
        '+' => 'k',
        ',' => 'l',
        '-' => 'm',
        '.' => 'n',
        '/' => 'o',
        '=' => 'X',
        _ => return None,
    };
    head.eq_ignore_ascii_case("KP").then_some(Base::Keypad(shown, letter))
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

fn unknown(name: &str) -> KeyError {
    let (_, rest) = Modifiers::strip(name);
    let wanted = rest.to_ascii_lowercase();
    let mut scored: Vec<(f64, &'static str)> = NAMES
        .iter()
        .map(|(known, ..)| *known)
        .chain(["F1", "KP0"])
        .map(|known| (strsim::jaro_winkler(&wanted, &known.to_ascii_lowercase()), known))
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    KeyError::Unknown {
        name: name.to_owned(),
        names: scored.into_iter().take(3).map(|(_, known)| known).collect(),
    }
}

fn nearest(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        names => format!(", did you mean {}?", names.join(" or ")),
    }
}

const ESC: u8 = 0x1B;
const NONE: Modifiers = Modifiers {
    shift: false,
    alt: false,
    control: false,
};
const SHIFT: Modifiers = Modifiers { shift: true, ..NONE };
const ALT: Modifiers = Modifiers { alt: true, ..NONE };
const CONTROL: Modifiers = Modifiers { control: true, ..NONE };

const PREFIXES: [(&str, Modifiers); 16] = [
    ("C-", CONTROL),
    ("Ctrl+", CONTROL),
    ("Ctrl-", CONTROL),
    ("Control+", CONTROL),
    ("Control-", CONTROL),
    ("A-", ALT),
    ("M-", ALT),
    ("Alt+", ALT),
    ("Alt-", ALT),
    ("Meta+", ALT),
    ("Meta-", ALT),
    ("Option+", ALT),
    ("Option-", ALT),
    ("S-", SHIFT),
    ("Shift+", SHIFT),
    ("Shift-", SHIFT),
];

/// Every name but those with a number in them, the usual one first.
const NAMES: [(&str, Base, Modifiers); 56] = [
    ("Enter", Base::Enter, NONE),
    ("Return", Base::Enter, NONE),
    ("CR", Base::Enter, NONE),
    ("Tab", Base::Tab, NONE),
    ("BTab", Base::Tab, SHIFT),
    ("BackTab", Base::Tab, SHIFT),
    ("Space", Base::Char(' '), NONE),
    ("Plus", Base::Char('+'), NONE),
    ("Minus", Base::Char('-'), NONE),
    ("Escape", Base::Escape, NONE),
    ("Esc", Base::Escape, NONE),
    ("Backspace", Base::Backspace, NONE),
    ("BSpace", Base::Backspace, NONE),
    ("BS", Base::Backspace, NONE),
    ("Left", Base::Letter('D'), NONE),
    ("ArrowLeft", Base::Letter('D'), NONE),
    ("Right", Base::Letter('C'), NONE),
    ("ArrowRight", Base::Letter('C'), NONE),
    ("Up", Base::Letter('A'), NONE),
    ("ArrowUp", Base::Letter('A'), NONE),
    ("Down", Base::Letter('B'), NONE),
    ("ArrowDown", Base::Letter('B'), NONE),
    ("Home", Base::Letter('H'), NONE),
    ("End", Base::Letter('F'), NONE),
    ("Insert", Base::Number(2), NONE),
    ("Ins", Base::Number(2), NONE),
    ("IC", Base::Number(2), NONE),
    ("Delete", Base::Number(3), NONE),
    ("Del", Base::Number(3), NONE),
    ("DC", Base::Number(3), NONE),
    ("PageUp", Base::Number(5), NONE),
    ("PgUp", Base::Number(5), NONE),
    ("PPage", Base::Number(5), NONE),
    ("Prior", Base::Number(5), NONE),
    ("PageDown", Base::Number(6), NONE),
    ("PgDn", Base::Number(6), NONE),
    ("PgDown", Base::Number(6), NONE),
    ("NPage", Base::Number(6), NONE),
    ("Next", Base::Number(6), NONE),
    ("KPEnter", Base::Keypad('\r', 'M'), NONE),
    ("KPMultiply", Base::Keypad('*', 'j'), NONE),
    ("KPPlus", Base::Keypad('+', 'k'), NONE),
    ("KPAdd", Base::Keypad('+', 'k'), NONE),
    ("KPComma", Base::Keypad(',', 'l'), NONE),
    ("KPMinus", Base::Keypad('-', 'm'), NONE),
    ("KPSubtract", Base::Keypad('-', 'm'), NONE),
    ("KPDecimal", Base::Keypad('.', 'n'), NONE),
    ("KPPeriod", Base::Keypad('.', 'n'), NONE),
    ("KPDivide", Base::Keypad('/', 'o'), NONE),
    ("KPEqual", Base::Keypad('=', 'X'), NONE),
    ("FocusIn", Base::Focus('I'), NONE),
    ("FocusOut", Base::Focus('O'), NONE),
    ("LineFeed", Base::Char('\n'), NONE),
    ("LF", Base::Char('\n'), NONE),
    ("Null", Base::Char('\0'), NONE),
    ("Nul", Base::Char('\0'), NONE),
];

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
