//! The names of keys and modifiers, and finding a key by its name.

use super::{ALT, Base, CONTROL, KeyError, Modifiers, NONE, SHIFT};

/// `^x`, which is `C-x` for the characters that have a control code.
pub(super) fn caret(name: &str) -> Option<(Modifiers, &str)> {
    let rest = name.strip_prefix('^')?;
    let mut all = rest.chars();
    let (first, None) = (all.next()?, all.next()) else {
        return None;
    };
    (first.is_ascii_alphabetic() || "@[\\]^_?".contains(first)).then_some((CONTROL, rest))
}

/// The key without its modifiers, and modifiers that its name implies.
pub(super) fn base(name: &str) -> Option<(Base, Modifiers)> {
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

pub(super) fn unknown(name: &str) -> KeyError {
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

/// What comes before a key's name, with the modifier it stands for.
pub(super) const PREFIXES: [(&str, Modifiers); 16] = [
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
pub(super) const NAMES: [(&str, Base, Modifiers); 56] = [
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
