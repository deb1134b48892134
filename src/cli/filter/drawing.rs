//! The control sequences that programs draw with, and what takes back the changes that they leave behind.
//!
//! An allow list, by all of a sequence but its numbers (xterm's ctlseqs, ECMA-48): what is not named here is a
//! question, a report, a setting that nobody takes back, or unknown.

use std::collections::BTreeSet;

/// Prefix, intermediate bytes and last bytes of the sequences that pass with any numbers.
const ANY: [(&[u8], &[u8], &[u8]); 4] = [
    (b"", b"", b"@ABCDEFGHIJKLMPXZ`abdefgmrs"),
    (b"?", b"", b"JK"),
    (b"", b"!", b"p"),
    (b"", b" ", b"q"),
];
/// The same with no numbers, and with one at the most: with more, or with one, they are others.
const NONE: [u8; 1] = *b"u";
const ONE: [u8; 2] = *b"ST";

/// Last bytes of sequences of two. What else ESC begins sets a state, asks, or begins a string.
const ESCAPES: &[u8] = b"78=>DEHMcno";
/// Sizes of a row and the test picture, after `ESC #`.
const ROWS: &[u8] = b"34568";
/// Character sets that are drawn with: line drawing, British, ASCII.
const CHARACTER_SETS: &[u8] = b"0AB";

/// Modes that programs draw with or take keys by: the last byte of what changes them, and what changes them back.
const MODES: [(&str, u8, &[u8]); 23] = [
    ("4", b'h', b"\x1b[4l"),
    ("?1", b'h', b"\x1b[?1l"),
    ("?5", b'h', b"\x1b[?5l"),
    ("?6", b'h', b""), // by the soft reset: this would move the cursor
    ("?7", b'l', b"\x1b[?7h"),
    ("?9", b'h', b"\x1b[?9l"),
    ("?12", b'h', b"\x1b[?12l"),
    ("?25", b'l', b"\x1b[?25h"),
    ("?47", b'h', b"\x1b[?47l"),
    ("?1000", b'h', b"\x1b[?1000l"),
    ("?1002", b'h', b"\x1b[?1002l"),
    ("?1003", b'h', b"\x1b[?1003l"),
    ("?1004", b'h', b"\x1b[?1004l"),
    ("?1005", b'h', b"\x1b[?1005l"),
    ("?1006", b'h', b"\x1b[?1006l"),
    ("?1015", b'h', b"\x1b[?1015l"),
    ("?1016", b'h', b"\x1b[?1016l"),
    ("?1047", b'h', b"\x1b[?1047l"),
    ("?1048", b'l', b""), // the cursor, put aside and taken back
    ("?1049", b'h', b"\x1b[?1049l"),
    ("?2004", b'h', b"\x1b[?2004l"),
    ("?2026", b'h', b"\x1b[?2026l"),
    ("?69", b'h', b"\x1b[?69l"),
];
/// Margins, origin, character sets and keypad. The second half is for terminals that know no DECSTR, and for those
/// whose DECSTR ends wrapping; the cursor stays where it is.
const SOFT_RESET: &[u8] = b"\x1b[!p\x1b[?7h\x1b7\x1b[r\x1b8\x1b(B\x0f\x1b>";
const TABS: &[u8] = b"\x1b[?5W";
const SHAPE: &[u8] = b"\x1b[0 q";
const OTHER_KEYS: &[u8] = b"\x1b[>4m";
const COLOURS: &[u8] = b"\x1b[0m";

/// What was changed and not changed back.
#[derive(Debug, Default)]
pub(super) struct Changed {
    modes: BTreeSet<&'static str>,
    /// What DECSTR puts right. DECRC can change it back unseen, so it counts as changed from then on.
    soft: bool,
    tabs: bool,
    /// Of the cursor.
    shape: bool,
    /// How keys with modifiers are told.
    other_keys: bool,
}

/// A control sequence, taken apart.
struct Control<'a> {
    prefix: &'a [u8],
    numbers: &'a str,
    intermediates: &'a [u8],
    last: u8,
}

impl<'a> Control<'a> {
    /// Of what stands between `CSI` and the last byte. None where that is in another order than ECMA-48 has it.
    fn parse(between: &'a [u8], last: u8) -> Option<Self> {
        let prefix = between.iter().take_while(|byte| matches!(byte, b'<'..=b'?')).count();
        let (prefix, rest) = between.split_at_checked(prefix)?;
        let numbers = rest.iter().take_while(|byte| matches!(byte, b'0'..=b';')).count();
        let (numbers, intermediates) = rest.split_at_checked(numbers)?;
        let in_order = intermediates.iter().all(|byte| matches!(byte, 0x20..=0x2f));
        Some(Self {
            prefix,
            numbers: std::str::from_utf8(numbers).ok()?,
            intermediates,
            last,
        })
        .filter(|_| in_order)
    }

    fn is_any(&self) -> bool {
        ANY.iter().any(|(prefix, intermediates, last)| {
            (*prefix, *intermediates) == (self.prefix, self.intermediates) && last.contains(&self.last)
        })
    }
}

impl Changed {
    /// What may be shown of the control sequence with this between `CSI` and its last byte, without its `CSI`: all, less or nothing.
    pub(super) fn control(&mut self, between: &[u8], last: u8) -> Option<Vec<u8>> {
        let control = Control::parse(between, last)?;
        let plain = control.prefix.is_empty() && control.intermediates.is_empty();
        let passes = match (control.prefix, control.intermediates, last) {
            (b"" | b"?", b"", b'h' | b'l') => return self.set_modes(&control),
            (b">", b"", b'm') => self.set_other_keys(control.numbers),
            _ if plain && NONE.contains(&last) => control.numbers.is_empty(),
            _ if plain && ONE.contains(&last) => !control.numbers.contains([';', ':']),
            _ => control.is_any(),
        };
        match (control.prefix, control.intermediates, last) {
            (b"", b"", b'r' | b's') => self.soft |= !control.numbers.is_empty(),
            (b"", b"", b'g') => self.tabs = true,
            (b"", b" ", b'q') => self.shape = !matches!(control.numbers, "" | "0"),
            _ => {}
        }
        passes.then(|| [between, &[last]].concat())
    }

    /// Whether a sequence of ESC, these intermediate bytes and this last one may be shown.
    pub(super) fn escape(&mut self, intermediates: &[u8], last: u8) -> bool {
        match (intermediates, last) {
            ([], b'=' | b'n' | b'o') | ([b'(' | b')' | b'*' | b'+'], _) => self.soft = true,
            ([], b'H') => self.tabs = true,
            _ => {}
        }
        match intermediates {
            [] => ESCAPES.contains(&last),
            [b'(' | b')' | b'*' | b'+'] => CHARACTER_SETS.contains(&last),
            [b'#'] => ROWS.contains(&last),
            _ => false,
        }
    }

    /// A shift to another character set was shown.
    pub(super) fn shifted(&mut self) {
        self.soft = true;
    }

    /// Takes back what was left changed, and the colours.
    pub(super) fn undo(&mut self) -> Vec<u8> {
        let changed = std::mem::take(self);
        let modes = MODES.iter().filter(|(mode, ..)| changed.modes.contains(mode));
        let others = [
            (changed.soft, SOFT_RESET),
            (changed.tabs, TABS),
            (changed.shape, SHAPE),
            (changed.other_keys, OTHER_KEYS),
        ];
        let others = others.into_iter().filter_map(|(is, back)| is.then_some(back));
        let undo = modes.map(|(_, _, back)| *back).chain(others).chain([COLOURS]);
        undo.flatten().copied().collect()
    }

    /// Those of the modes that are known.
    fn set_modes(&mut self, control: &Control<'_>) -> Option<Vec<u8>> {
        let prefix = std::str::from_utf8(control.prefix).ok()?;
        let mut known = Vec::new();
        for number in control.numbers.split(';') {
            let name = format!("{prefix}{number}");
            let Some((mode, change, _)) = MODES.iter().find(|(mode, ..)| *mode == name) else {
                continue;
            };
            known.push(number);
            self.soft |= matches!(*mode, "?6" | "?69");
            match control.last == *change {
                true => self.modes.insert(mode),
                false => self.modes.remove(mode),
            };
        }
        let last = char::from(control.last);
        (!known.is_empty()).then(|| format!("{prefix}{}{last}", known.join(";")).into_bytes())
    }

    /// Whether it is about the fourth of xterm's settings for keys, which vim and tmux set: the others are not taken back.
    fn set_other_keys(&mut self, numbers: &str) -> bool {
        let value = numbers.strip_prefix('4').map(|rest| rest.trim_start_matches(';'));
        let known = matches!(value, Some("" | "0" | "1" | "2"));
        self.other_keys |= known;
        known
    }
}
