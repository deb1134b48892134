//! How text looks: the parameters of `CSI m`, in the form that the emulator takes.
//!
//! It knows no colon forms but one, takes what follows an unknown number for numbers of their own,
//! and stops at a colour that does not exist.

use std::fmt::Write as _;

/// Writes the sequence with these parameters, or nothing if none of them means anything.
pub(super) fn write<'a>(parameters: impl Iterator<Item = &'a [u16]>, out: &mut Vec<u8>) {
    let mut parameters = parameters.peekable();
    if parameters.peek().is_none() {
        return out.extend_from_slice(b"\x1b[m");
    }
    let mut text = String::new();
    while let Some(parameter) = parameters.next() {
        match parameter {
            [kind @ (38 | 48 | 58)] => {
                let color = separate(&mut parameters);
                push_color(*kind, color, &mut text);
            }
            [kind @ (38 | 48 | 58), rest @ ..] => push_color(*kind, joined(rest), &mut text),
            [4, 0] => push(24, &mut text),
            [4, ..] | [21] => push(4, &mut text),
            [n] if is_known(*n) => push(*n, &mut text),
            _ => {}
        }
    }
    if !text.is_empty() {
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(text.as_bytes());
        out.push(b'm');
    }
}

/// The whole sequence, as it was sent, is one that the emulator takes as it is. Most are.
pub(super) fn is_simple(sequence: &[u8]) -> bool {
    let Some(parameters) = sequence.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m")) else {
        return false;
    };
    // More than fits is not simple.
    parameters.len() <= 32
        && parameters.split(|b| *b == b';').all(|parameter| match parameter {
            [] => true,
            [n] => is_known(u16::from(n.wrapping_sub(b'0'))),
            [t, n] if t.is_ascii_digit() && n.is_ascii_digit() => is_known(u16::from((t - b'0') * 10 + n - b'0')),
            _ => false,
        })
}

/// Numbers that stand for themselves.
fn is_known(n: u16) -> bool {
    matches!(n, 0..=4 | 7 | 22..=24 | 27 | 30..=37 | 39..=47 | 49 | 90..=97 | 100..=107)
}

enum Color {
    Index(u8),
    Rgb(u8, u8, u8),
}

/// `38;5;n` and `38;2;r;g;b`: what follows the number belongs to it.
fn separate<'a>(parameters: &mut impl Iterator<Item = &'a [u16]>) -> Option<Color> {
    let mut next = || parameters.next().and_then(|p| p.first()).copied();
    match next()? {
        5 => color(&[next()?]),
        2 => color(&[next()?, next()?, next()?]),
        _ => None,
    }
}

/// `38:5:n`, `38:2:r:g:b` and `38:2:space:r:g:b` (ITU-T T.416, 13.1.8).
fn joined(rest: &[u16]) -> Option<Color> {
    match rest {
        [5, n, ..] => color(&[*n]),
        [2, r, g, b] | [2, _, r, g, b, ..] => color(&[*r, *g, *b]),
        _ => None,
    }
}

fn color(parts: &[u16]) -> Option<Color> {
    let byte = |n: &u16| u8::try_from(*n).ok();
    match parts {
        [n] => Some(Color::Index(byte(n)?)),
        [r, g, b] => Some(Color::Rgb(byte(r)?, byte(g)?, byte(b)?)),
        _ => None,
    }
}

fn push(n: u16, text: &mut String) {
    let separator = if text.is_empty() { "" } else { ";" };
    write!(text, "{separator}{n}").ok(); // writing to a String does not fail
}

/// The colour of underlines (58) cannot be shown.
fn push_color(kind: u16, color: Option<Color>, text: &mut String) {
    if kind == 58 {
        return;
    }
    match color {
        Some(Color::Index(n)) => [kind, 5, n.into()].iter().for_each(|n| push(*n, text)),
        Some(Color::Rgb(r, g, b)) => [kind, 2, r.into(), g.into(), b.into()]
            .iter()
            .for_each(|n| push(*n, text)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(parameters: &[&[u16]]) -> String {
        let mut out = Vec::new();
        write(parameters.iter().copied(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_form_of_a_colour_is_understood_and_the_unknown_goes_with_its_parts() {
        let table: &[(&[&[u16]], &str)] = &[
            (&[], "\x1b[m"),
            (&[&[0]], "\x1b[0m"),
            (&[&[1], &[31]], "\x1b[1;31m"),
            (&[&[38], &[5], &[200], &[1]], "\x1b[38;5;200;1m"),
            (&[&[38, 5, 200], &[1]], "\x1b[38;5;200;1m"),
            (&[&[48], &[2], &[1], &[2], &[3]], "\x1b[48;2;1;2;3m"),
            (&[&[48, 2, 1, 2, 3]], "\x1b[48;2;1;2;3m"),
            (&[&[48, 2, 0, 1, 2, 3]], "\x1b[48;2;1;2;3m"),
            (&[&[58], &[5], &[1], &[4, 3]], "\x1b[4m"),
            (&[&[58, 2, 0, 1, 2, 3], &[7]], "\x1b[7m"),
            (&[&[4, 0]], "\x1b[24m"),
            (&[&[38], &[5], &[300], &[1]], "\x1b[1m"),
            (&[&[5], &[9], &[53]], ""),
            (&[&[38], &[5]], ""),
        ];
        for (parameters, expected) in table {
            assert_eq!(&canonical(parameters), expected, "{parameters:?}");
        }
    }

    #[test]
    fn what_is_simple_stays_as_it_is() {
        for simple in ["", "0", "1;31", "01;32", "7;4;97", ";1"] {
            assert!(is_simple(format!("\x1b[{simple}m").as_bytes()), "{simple}");
            let parameters: Vec<[u16; 1]> = simple.split(';').map(|n| [n.parse().unwrap_or(0)]).collect();
            let written = canonical(&parameters.iter().map(|p| &p[..]).collect::<Vec<_>>());
            let zeros = |text: &str| text.split(';').map(|n| n.parse().unwrap_or(0)).collect::<Vec<u16>>();
            assert_eq!(zeros(written.trim_matches(['\x1b', '[', 'm'])), zeros(simple));
        }
        for other in ["38;5;1", "5", "4:3", "107", "58", "1\n", "?1", ">4;2", "/", "1:"] {
            assert!(!is_simple(format!("\x1b[{other}m").as_bytes()), "{other}");
        }
        assert!(!is_simple(b"\x1b[1H") && !is_simple(b"\x1b[1m\x1b"));
    }
}
