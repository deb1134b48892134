//! What must hold for every byte that a command prints, and for every key and pattern that a caller names.

use std::str::from_utf8;
use std::time::{Duration, Instant};

use super::grep::Grep;
use super::keys::Key;
use super::marks::{Marks, Piece};
use super::modes::Modes;
use super::output::{HEAD, Output};
use super::plain::{Plain, incomplete_character, lossy};
use super::screen::{HISTORY, Screen, Size};
use super::waits::{Condition, IdleFrom, MAX_SHOWN, Pattern, Scope, Wait};

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

/// The longest message about a key or a pattern.
const MESSAGE: usize = 4096;

/// A name is a key that sends something, or is refused in few words without control characters.
pub fn keys(bytes: &[u8]) {
    let [modes, name @ ..] = bytes else { return };
    let Ok(name) = from_utf8(name) else { return };
    let modes = Modes {
        application_cursor: modes & 1 != 0,
        application_keypad: modes & 2 != 0,
        focus_reports: modes & 4 != 0,
        ..Modes::default()
    };
    match Key::parse(name) {
        Ok(key) => {
            let mut sent = Vec::new();
            match key.write(&modes, &mut sent) {
                Ok(()) => assert!(!sent.is_empty() && sent.len() < 16, "{sent:?}"),
                Err(error) => assert!(!modes.focus_reports && sent.is_empty(), "{error}"),
            }
        }
        Err(error) => short(&error.to_string()),
    }
}

/// `@` in the input is this session's secret, so that the fuzzer can make marks. Nothing else is cut out, in
/// whichever pieces it comes, and what is held back is bounded.
pub fn marks(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let key = super::marks::Key::fixed();
    let mut stream = Vec::new();
    for byte in bytes {
        match byte {
            b'@' => stream.extend_from_slice(key.reveal().as_bytes()),
            byte => stream.push(*byte),
        }
    }
    let all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut marks = Marks::new(key.clone());
        let (mut output, mut found) = (Vec::new(), Vec::new());
        for mut piece in pieces {
            while let Some(piece) = marks.next(&mut piece) {
                match piece {
                    Piece::Output(bytes) => output.extend_from_slice(bytes),
                    Piece::Mark(mark) => found.push((output.len(), mark)),
                }
            }
        }
        output.extend_from_slice(marks.finish());
        (output, found)
    };
    let whole = all(&mut std::iter::once(&stream[..]));
    let split = all(&mut stream.chunks(usize::from(*cut) + 1));
    assert_eq!(whole, split);
    let (output, found) = whole;
    assert!(output.len() <= stream.len());
    if memchr::memmem::find(&stream, key.reveal().as_bytes()).is_none() {
        assert!(output == stream && found.is_empty());
    }
}

/// A byte of 0xFF is followed by a new size; all else is output. Pieces do not matter, the emulator does not break,
/// and everything stays within its bounds.
pub fn screen(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let Ok(size) = Size::new(22, 6) else { return };
    let (mut whole, mut split) = (Screen::new(size), Screen::new(size));
    let mut parts = bytes.split(|b| *b == 0xFF);
    feed(&mut whole, parts.next().unwrap_or_default());
    feed_pieces(&mut split, bytes.split(|b| *b == 0xFF).next().unwrap_or_default(), *cut);
    for part in parts {
        let [columns, rows, output @ ..] = part else { continue };
        if let Ok(size) = Size::new(20 + u16::from(*columns) % 40, 2 + u16::from(*rows) % 12) {
            whole.resize(size);
            split.resize(size);
        }
        feed(&mut whole, output);
        feed_pieces(&mut split, output, *cut);
    }
    assert_eq!(whole.counts().faults, 0, "the emulator broke");
    let snapshot = whole.snapshot();
    assert_eq!(snapshot, split.snapshot());
    assert_eq!(whole.take_replies(), split.take_replies());
    assert!(snapshot.cursor.column < snapshot.size.columns() && snapshot.cursor.row < snapshot.size.rows());
    for row in &snapshot.rows {
        assert!(row.columns() <= snapshot.size.columns());
        assert!(!row.text().contains(char::is_control));
    }
    let history = whole.history(0..HISTORY);
    assert_eq!(history.len(), snapshot.history);
    assert_eq!(history, split.history(0..HISTORY));
}

fn feed(screen: &mut Screen, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let taken = screen.feed(bytes);
        bytes = bytes.get(taken..).unwrap_or_default();
    }
}

fn feed_pieces(screen: &mut Screen, bytes: &[u8], cut: u8) {
    bytes.chunks(usize::from(cut) + 1).for_each(|piece| feed(screen, piece));
}

/// The first line is a pattern, the rest is printed: what a wait finds first, a search finds first too.
pub fn waits(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let end = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    let (pattern, output) = bytes.split_at(end);
    let Ok(pattern) = from_utf8(pattern) else { return };
    for pattern in [Pattern::text(pattern), Pattern::regex(pattern)] {
        match pattern {
            Ok(pattern) => looked_for(&pattern, output, usize::from(*cut) + 1),
            Err(error) => assert!(error.to_string().len() <= MESSAGE),
        }
    }
}

fn looked_for(pattern: &Pattern, output: &[u8], cut: usize) {
    let now = Instant::now();
    let conditions = vec![
        Condition::Found {
            pattern: pattern.clone(),
            scope: Scope::Output,
        },
        Condition::Idle {
            quiet: Duration::from_secs(1),
            from: IdleFrom::FirstOutput,
        },
    ];
    let Ok(mut wait) = Wait::new(conditions, now) else {
        return;
    };
    let found = output.chunks(cut).find_map(|piece| wait.output(piece, now));
    let mut grep = Grep::new(pattern.clone(), 0, 10);
    grep.feed(output);
    let searched = grep.finish();
    // A wait also looks at lines that are still growing: it may find what the whole line does not have any more.
    if searched.total() > 0 {
        assert!(found.is_some());
    }
    if let Some(line) = found.and_then(|found| found.line) {
        assert!(line.len() <= 3 * MAX_SHOWN + 6);
    }
    assert!(wait.deadline().is_none_or(|at| at >= now));
}

/// A message for an agent is short and holds no control characters.
fn short(message: &str) {
    assert!(
        message.len() <= MESSAGE && !message.contains(char::is_control),
        "{message:?}"
    );
}
