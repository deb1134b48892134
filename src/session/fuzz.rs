//! What must hold for every byte that a command prints.

use super::output::{HEAD, Output};
use super::plain::{Plain, incomplete_character, lossy};

/// Longer inputs say nothing new.
const MOST: usize = 4 * HEAD;

/// The first bytes say how often the rest is printed, in pieces of which size, and how much is asked for.
pub fn output(bytes: &[u8]) {
    let [times, piece, max_low, max_high, pattern @ ..] = bytes else {
        return;
    };
    let times = usize::from(*times).min(MOST / pattern.len().max(1)) + 1;
    let piece = usize::from(*piece) * 37 + 1;
    let max = 16 + usize::from(u16::from_le_bytes([*max_low, *max_high]));
    let all = pattern.repeat(times);
    let mut output = Output::new(0);
    for piece in all.chunks(piece) {
        output.push(piece);
    }
    excerpt(&output, &all, max);
    reads(&output, &all, max);
    plain(pattern, piece);
}

/// Head, tail and what is left out make the whole; no character of valid text is cut.
fn excerpt(output: &Output, all: &[u8], max: usize) {
    let excerpt = output.excerpt(max);
    let omitted = excerpt.omitted.map_or(0, |omitted| omitted.bytes);
    let shown = excerpt.head.len() + excerpt.tail.len();
    assert!(shown <= max && excerpt.total == all.len() as u64);
    assert_eq!(shown as u64 + omitted, excerpt.total);
    assert!(all.starts_with(&excerpt.head) && all.ends_with(&excerpt.tail));
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let left_out = excerpt.omitted.map_or(0, |omitted| omitted.lines);
    assert_eq!(lines(&excerpt.head) + lines(&excerpt.tail) + left_out, lines(all));
    if std::str::from_utf8(all).is_ok() {
        assert_eq!((lossy(&excerpt.head).1, lossy(&excerpt.tail).1), (0, 0));
    }
}

/// Reading on and on gives every kept byte once, and says what is missing.
fn reads(output: &Output, all: &[u8], max: usize) {
    let (mut cursor, mut dropped) = (0, 0);
    while cursor < output.total() {
        let chunk = output.read(cursor, max);
        let start = usize::try_from(chunk.start).unwrap_or(usize::MAX);
        assert!(!chunk.bytes.is_empty() && chunk.bytes.len() <= max);
        assert_eq!(all.get(start..start + chunk.bytes.len()), Some(&chunk.bytes[..]));
        dropped += chunk.dropped;
        cursor = chunk.start + chunk.bytes.len() as u64;
    }
    assert!(all.len() as u64 - dropped <= 2 * HEAD as u64);
}

/// Pieces do not matter, no control of the terminal survives, and what is pending is at the end.
fn plain(bytes: &[u8], piece: usize) {
    let (mut whole, mut pieces) = (Plain::default(), Plain::default());
    whole.feed(bytes);
    bytes.chunks(piece).for_each(|piece| pieces.feed(piece));
    assert!(whole.pending() <= bytes.len() && whole.pending() == pieces.pending());
    assert!(incomplete_character(bytes) < 4);
    let (text, unclear) = whole.finish();
    assert_eq!(pieces.finish(), (text.clone(), unclear));
    assert!(
        text.chars().all(|c| !c.is_ascii_control() || c == '\n' || c == '\t'),
        "{text:?}"
    );
    assert!(unclear <= bytes.len() as u64);
}
