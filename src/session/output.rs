//! What a command printed on one stream: the first bytes, the last bytes, and how many there were.
//!
//! Bytes are kept as they came. Positions are counted from the first byte ever printed, so that
//! reading is never destructive and a repeated read gives the same answer.

use std::collections::VecDeque;

use super::plain::{MAX_SEQUENCE, Plain};
use super::sequences::{ESC, begun};

/// The first bytes that are kept for good: half of the longest answer of one call.
pub const HEAD: usize = 100_000;

/// How far before the end of a beginning the terminal's sequences are looked for. Colours and most links are shorter.
const SEQUENCE: usize = 256;

/// How far before a place a sequence is looked for that goes on behind it: first, and where no line has ended since.
const REACHES: [usize; 2] = [2 * MAX_SEQUENCE, 1 << 20];

/// Room is given in steps of this size.
const STEP: usize = 256 << 10;

/// The kept output of one stream.
#[derive(Debug)]
pub(super) struct Output {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes that the tail may have at present, and at most.
    room: usize,
    tail_capacity: usize,
    total: u64,
    /// Line ends among all bytes.
    lines: u64,
    /// Line ends among the bytes that are no longer kept.
    dropped_lines: u64,
}

/// A place in the output: what was printed before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes.
    pub bytes: u64,
    /// Line ends.
    pub lines: u64,
}

/// A piece of the output, as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Where it starts.
    pub start: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many of them belong to a sequence of the terminal's that began before them.
    pub begun: usize,
    /// How many bytes between the position that was asked for and `start` are no longer kept.
    pub dropped: u64,
    /// Where the output ends at present.
    pub total: u64,
}

/// The beginning and the end of the output, and what lies between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The beginning.
    pub head: Vec<u8>,
    /// What is left out, if anything is.
    pub omitted: Option<Omitted>,
    /// The end; empty when nothing is left out.
    pub tail: Vec<u8>,
    /// The length of the whole.
    pub total: u64,
}

/// What an excerpt leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// Where it starts.
    pub cursor: u64,
    /// How long it is.
    pub bytes: u64,
    /// How many line ends are in it.
    pub lines: u64,
}

impl Output {
    /// Keeps at most `capacity` bytes, and no more than [`Output::LEAST`] until it is given room.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            room: HEAD,
            tail_capacity: capacity.saturating_sub(HEAD).max(HEAD),
            total: 0,
            lines: 0,
            dropped_lines: 0,
        }
    }

    /// What it may always keep.
    pub(super) const LEAST: usize = 2 * HEAD;

    /// How much room it needs to take in so many bytes without losing others sooner than it must.
    pub(super) fn wants(&self, bytes: usize) -> usize {
        let needed = self.head.len() + self.tail.len() + bytes;
        if needed <= HEAD + self.room {
            return 0;
        }
        STEP.min(self.tail_capacity - self.room)
    }

    /// Gives it so much room more.
    pub(super) fn give_room(&mut self, bytes: usize) {
        self.room = (self.room + bytes).min(self.tail_capacity);
        // Growing by itself it would take twice what it needs.
        self.tail.reserve_exact(self.room - self.tail.len());
    }

    /// Adds what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.lines += line_ends(bytes);
        let room = HEAD.saturating_sub(self.head.len());
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(first);
        let unkept = rest.len().saturating_sub(self.room);
        let (unkept, kept) = rest.split_at(unkept);
        let excess = (self.tail.len() + kept.len()).saturating_sub(self.room);
        self.dropped_lines += line_ends(unkept) + self.tail_lines(excess);
        self.tail.drain(..excess);
        self.tail.extend(kept);
    }

    /// Line ends among the first `count` bytes of the tail.
    fn tail_lines(&self, count: usize) -> u64 {
        let (older, newer) = self.tail.as_slices();
        let (in_older, in_newer) = (count.min(older.len()), count.saturating_sub(older.len()));
        line_ends(older.get(..in_older).unwrap_or_default()) + line_ends(newer.get(..in_newer).unwrap_or_default())
    }

    /// How much was printed.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The end at present.
    pub(super) fn place(&self) -> Place {
        Place {
            bytes: self.total,
            lines: self.lines,
        }
    }

    /// How much memory is in use.
    pub(super) fn held(&self) -> usize {
        self.head.capacity() + self.tail.capacity()
    }

    /// No more will come: gives back memory that is not in use.
    pub(super) fn settle(&mut self) {
        self.head.shrink_to_fit();
        self.tail.shrink_to_fit();
    }

    /// At most `max` bytes from `cursor` on, or from the first kept byte after it.
    pub(super) fn read(&self, cursor: u64, max: usize) -> Chunk {
        let (start, bytes) = self.kept(cursor, max);
        Chunk {
            start,
            begun: self.rest_of_begun(start, &bytes),
            bytes,
            dropped: start - cursor.min(self.total),
            total: self.total,
        }
    }

    /// The same without anything about them: where they start, and the bytes.
    fn kept(&self, cursor: u64, max: usize) -> (u64, Vec<u8>) {
        let cursor = cursor.min(self.total);
        let head = self.head.len() as u64;
        let (older, newer) = self.tail.as_slices();
        let (start, skipped, parts) = if cursor >= head {
            let start = cursor.max(self.tail_start());
            (start, start - self.tail_start(), [&[], older, newer])
        } else if self.tail_start() == head {
            (cursor, cursor, [&self.head, older, newer])
        } else {
            // The tail follows without a gap only as long as nothing was dropped.
            (cursor, cursor, [&self.head[..], &[], &[]])
        };
        let (mut bytes, mut skip) = (Vec::new(), index(skipped));
        for part in parts {
            let (skipped, rest) = part.split_at(skip.min(part.len()));
            skip -= skipped.len();
            bytes.extend_from_slice(rest.get(..max - bytes.len()).unwrap_or(rest));
        }
        (start, bytes)
    }

    /// The whole if it is no longer than `max`, else its beginning and its end, cut between lines
    /// where lines are short enough.
    pub(super) fn excerpt(&self, max: usize) -> Excerpt {
        if self.total <= max as u64 {
            return Excerpt {
                head: self.kept(0, max).1,
                omitted: None,
                tail: Vec::new(),
                total: self.total,
            };
        }
        let half = (max / 2).min(HEAD);
        let (_, mut head) = self.kept(0, half);
        head.truncate(head_cut(&head));
        let from = self.total - half as u64;
        let (_, mut tail) = self.kept(from, half);
        tail.drain(..self.tail_cut(from, &tail));
        let cursor = head.len() as u64;
        Excerpt {
            omitted: Some(Omitted {
                cursor,
                bytes: self.total - cursor - tail.len() as u64,
                lines: self.lines_between(head.len(), tail.len()),
            }),
            head,
            tail,
            total: self.total,
        }
    }

    /// The same for a part, whose beginning may no longer be kept.
    pub(super) fn excerpt_of(&self, start: Place, end: Place, max: usize) -> Excerpt {
        let total = end.bytes.saturating_sub(start.bytes);
        let whole = index(total);
        let (first, mut head) = self.kept(start.bytes, whole.min(max));
        if whole <= max && first == start.bytes {
            return Excerpt {
                head,
                omitted: None,
                tail: Vec::new(),
                total,
            };
        }
        let half = max / 2;
        head.truncate(if first == start.bytes { half } else { 0 });
        head.truncate(head_cut(&head));
        let from = end
            .bytes
            .saturating_sub(half as u64)
            .max(start.bytes + head.len() as u64);
        let (last, mut tail) = self.kept(from, index(end.bytes.saturating_sub(from)));
        tail.truncate(index(end.bytes.saturating_sub(last)));
        tail.drain(..self.tail_cut(last, &tail));
        let shown = line_ends(&head) + line_ends(&tail);
        Excerpt {
            omitted: Some(Omitted {
                cursor: start.bytes + head.len() as u64,
                bytes: total.saturating_sub((head.len() + tail.len()) as u64),
                lines: end.lines.saturating_sub(start.lines).saturating_sub(shown),
            }),
            head,
            tail,
            total,
        }
    }

    /// Where an end that was read from `start` on begins, by the rule of [`head_cut`].
    fn tail_cut(&self, start: u64, bytes: &[u8]) -> usize {
        let rest = self.rest_of_begun(start, bytes);
        let after = bytes.get(rest..).unwrap_or_default();
        match after.iter().position(|b| *b == b'\n') {
            Some(at) if rest + at < bytes.len() / 4 => rest + at + 1,
            _ => rest + after.iter().take(3).take_while(|b| is_continuation(**b)).count(),
        }
    }

    /// How many of these bytes, which were read from `start` on, belong to a sequence that began before them.
    fn rest_of_begun(&self, start: u64, bytes: &[u8]) -> usize {
        let follows = start < self.head.len() as u64 || self.tail_start() == self.head.len() as u64;
        let first = if follows { 0 } else { self.tail_start() };
        for reach in REACHES {
            let from = start.saturating_sub(reach as u64).max(first).min(start);
            let (_, before) = self.kept(from, index(start - from));
            let escape = memchr::memrchr(ESC, &before);
            // What began longer before the end of a line has ended with it.
            let decides = memchr::memrchr(b'\n', &before).is_some_and(|at| at >= MAX_SEQUENCE);
            if let Some(sequence) = escape.and_then(|at| before.get(at..)) {
                let mut plain = Plain::default();
                plain.feed(sequence);
                return plain.sequence_end(bytes);
            }
            if decides || from == first {
                break;
            }
        }
        0
    }

    fn tail_start(&self) -> u64 {
        self.total - self.tail.len() as u64
    }

    /// Line ends after the first `head` bytes and before the last `tail` bytes.
    fn lines_between(&self, head: usize, tail: usize) -> u64 {
        let kept_tail = self.tail.len().saturating_sub(tail);
        // Where the output is only a little longer than the answer, the end reaches into our head.
        let in_head = self.head.len().saturating_sub(tail.saturating_sub(self.tail.len()));
        let middle = self.head.get(head..in_head).unwrap_or_default();
        line_ends(middle) + self.dropped_lines + self.tail_lines(kept_tail)
    }
}

/// Where to cut a beginning: after its last line if that costs no more than a quarter, else between
/// two characters and not in a sequence of the terminal's.
fn head_cut(bytes: &[u8]) -> usize {
    let begun = begun(bytes.get(bytes.len().saturating_sub(SEQUENCE)..).unwrap_or_default());
    match bytes.iter().rposition(|b| *b == b'\n') {
        Some(at) if at + 1 >= bytes.len() / 4 * 3 => at + 1,
        _ if begun > 0 => bytes.len() - begun,
        _ => {
            let back = bytes
                .iter()
                .rev()
                .take(4)
                .position(|b| !is_continuation(*b))
                .unwrap_or(0);
            match bytes.len().checked_sub(back + 1) {
                Some(start) if bytes.get(start).is_some_and(|b| *b >= 0xC0) => start,
                _ => bytes.len(),
            }
        }
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(count: usize) -> Vec<u8> {
        (0..count).flat_map(|n| format!("line {n}\n").into_bytes()).collect()
    }

    #[test]
    fn a_short_output_is_whole() {
        let mut output = Output::new(0);
        output.push(b"hi\n");
        assert_eq!(
            output.excerpt(1000),
            Excerpt {
                head: b"hi\n".to_vec(),
                omitted: None,
                tail: Vec::new(),
                total: 3
            }
        );
        assert_eq!(output.read(1, 100).bytes, b"i\n");
        assert_eq!(output.read(99, 100).start, 3);
    }

    #[test]
    fn a_long_output_loses_its_middle_and_says_how_much() {
        let mut output = Output::new(4 << 20);
        output.give_room(4 << 20);
        let all = lines(1000);
        output.push(&all);
        let excerpt = output.excerpt(1000);
        let omitted = excerpt.omitted.unwrap();
        assert_eq!(
            excerpt.head.len() as u64 + omitted.bytes + excerpt.tail.len() as u64,
            all.len() as u64
        );
        assert!(excerpt.head.ends_with(b"\n") && excerpt.tail.starts_with(b"line "));
        let shown = line_ends(&excerpt.head) + line_ends(&excerpt.tail);
        assert_eq!(shown + omitted.lines, 1000);
        let rest = output.read(omitted.cursor, index(omitted.bytes)).bytes;
        assert_eq!([excerpt.head, rest, excerpt.tail].concat(), all);
    }

    #[test]
    fn what_is_dropped_is_counted() {
        let mut output = Output::new(0);
        let all = lines(100_000);
        for piece in all.chunks(60_001) {
            output.push(piece);
        }
        assert_eq!(output.total(), all.len() as u64);
        assert!(output.held() < 4 * HEAD, "{}", output.held());
        let gap = output.read(HEAD as u64, 10);
        assert_eq!(gap.dropped, all.len() as u64 - 2 * HEAD as u64);
        assert_eq!(gap.bytes, all[all.len() - HEAD..][..10]);
        let excerpt = output.excerpt(2 * HEAD);
        let shown = line_ends(&excerpt.head) + line_ends(&excerpt.tail);
        assert_eq!(shown + excerpt.omitted.unwrap().lines, 100_000);
    }

    #[test]
    fn room_is_asked_for_in_time_and_only_up_to_the_most() {
        let mut output = Output::new(1 << 20);
        let mut given = 0;
        for _ in 0..100 {
            let wanted = output.wants(50_000);
            output.give_room(wanted);
            given += wanted;
            output.push(&[b'x'; 50_000]);
            assert!(output.held() <= Output::LEAST + given + 64, "{} {given}", output.held());
        }
        assert_eq!(Output::LEAST + given, 1 << 20);
        assert_eq!(output.read(4 << 20, 10).dropped, 0);
        let mut starved = Output::new(1 << 20);
        starved.push(&[b'x'; 500_000]);
        assert!(starved.wants(1) > 0 && starved.held() <= Output::LEAST + 64);
    }

    #[test]
    fn no_character_is_cut() {
        let mut output = Output::new(0);
        output.push("ä€😀".repeat(1000).as_bytes());
        for max in 1000..1040 {
            let excerpt = output.excerpt(max);
            String::from_utf8(excerpt.head).unwrap();
            String::from_utf8(excerpt.tail).unwrap();
        }
    }

    #[test]
    fn no_sequence_is_cut() {
        let mut output = Output::new(0);
        output.push(&b"\x1b[38;5;208mab\x1b]8;;http://localhost/page\x07c\x1b[m".repeat(100));
        for max in 1000..1100 {
            let excerpt = output.excerpt(max);
            for half in [&excerpt.head, &excerpt.tail] {
                assert_eq!(begun(half), 0, "{max}");
                let mut plain = Plain::default();
                plain.feed(half);
                let shown = plain.finish().0.replace("abc", "");
                assert!(
                    ["", "a", "ab", "b", "c", "bc", "ac"].contains(&shown.as_str()),
                    "{max}: {shown}"
                );
            }
        }
    }

    #[test]
    fn a_long_string_is_left_out_wherever_it_is_cut() {
        let image = ["before\n\x1bPq", &"~".repeat(600_000), "\x1b\\after\n"].concat();
        let mut output = Output::new(4 << 20);
        output.give_room(1 << 20);
        output.push(image.as_bytes());
        let text = |bytes: &[u8]| {
            let mut plain = Plain::default();
            plain.feed(bytes);
            plain.finish().0
        };
        let excerpt = output.excerpt(1000);
        assert_eq!(
            (text(&excerpt.head).as_str(), text(&excerpt.tail).as_str()),
            ("before\n", "after\n")
        );
        let within = output.read(300_000, 1000);
        assert_eq!((within.begun, within.bytes.len()), (1000, 1000));
        let last = output.read(image.len() as u64 - 100, 1000);
        assert_eq!(text(&last.bytes[last.begun..]), "after\n");
        // No text behind a string without end vanishes, nor what has no string before it.
        output.push(&[b"\x1bPq", &b"~".repeat(9000)[..], b"\nline\n", &b"x".repeat(9000)[..]].concat());
        let last = output.read(output.total() - 9003, 1000);
        assert_eq!((last.begun, &last.bytes[..4]), (0, &b"ne\nx"[..]));
        let last = output.read(output.total() - 9006 - 100, 1000);
        assert_eq!(
            (last.begun, text(&last.bytes[last.begun..]).get(..6)),
            (100, Some("\nline\n"))
        );
    }

    proptest! {
        #[test]
        fn every_piece_is_where_its_cursor_says(
            pieces in prop::collection::vec(0usize..90_000, 0..8), cursor in 0u64..500_000, max in 0usize..200_000,
        ) {
            let total: usize = pieces.iter().sum();
            let all: Vec<u8> = (0..total).map(|n| (n * 7 % 251) as u8).collect();
            let mut output = Output::new(0);
            let mut at = 0;
            for len in pieces {
                output.push(&all[at..at + len]);
                at += len;
            }
            let chunk = output.read(cursor, max);
            let start = chunk.start as usize;
            prop_assert!(chunk.bytes.len() <= max);
            prop_assert_eq!(&chunk.bytes[..], &all[start..start + chunk.bytes.len()]);
            prop_assert_eq!(chunk.dropped, chunk.start - cursor.min(total as u64));
        }
    }
}
