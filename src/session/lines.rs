//! Output as plain lines, each with where it starts, in bounded memory.

use std::ops::Range;

use super::Plain;

/// Bytes that are looked at together. Of a longer line there are several pieces, of which each begins with the end of the one before.
pub const MAX_LINE: usize = 16 << 10;
/// What two pieces of a line have in common: more than a text that is looked for.
const OVERLAP: usize = MAX_LINE / 4;

/// Takes bytes, in pieces of any size, and gives lines.
#[derive(Debug, Default)]
pub struct Lines {
    plain: Plain,
    /// Where the unfinished line starts, counted in bytes taken.
    start: u64,
    taken: u64,
}

impl Lines {
    /// Lines of output whose first byte is at this position.
    pub fn from(position: u64) -> Self {
        Self {
            plain: Plain::default(),
            start: position,
            taken: position,
        }
    }

    /// Takes a piece and gives each line that ends in it, where it starts, its text, and true; of a long one the earlier parts come
    /// before, with false.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(u64, &[u8], bool)) {
        for piece in bytes
            .split_inclusive(|b| *b == b'\n')
            .flat_map(|line| line.chunks(OVERLAP))
        {
            self.plain.feed(piece);
            self.taken += piece.len() as u64;
            let ended = self.plain.take_ended();
            // None while a line end belongs to a sequence.
            if let Some(line) = ended.strip_suffix(b"\n") {
                each(self.start, line, true);
                self.start = self.taken;
            }
            if self.plain.unfinished().len() > MAX_LINE - OVERLAP {
                each(self.start, self.plain.unfinished(), false);
                self.plain.keep_of_unfinished(OVERLAP);
            }
        }
    }

    /// The line that has not ended: where it starts, and its text so far, or the end of that.
    pub fn unfinished(&self) -> (u64, &[u8]) {
        (self.start, self.plain.unfinished())
    }
}

/// `line`, if it has at most so many bytes; else what is around the place in it.
pub(super) fn around(line: &[u8], place: Range<usize>, most: usize) -> String {
    if line.len() <= most {
        return String::from_utf8_lossy(line).into_owned();
    }
    let before = most / 4;
    let from = if place.end <= most {
        0
    } else {
        place.start.saturating_sub(before)
    };
    let to = (from + most).min(line.len());
    // Whole characters.
    let from = (from..to).find(|at| !is_within_character(line, *at)).unwrap_or(from);
    let to = (from..=to)
        .rev()
        .find(|at| !is_within_character(line, *at))
        .unwrap_or(to);
    let shown = String::from_utf8_lossy(line.get(from..to).unwrap_or_default());
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
    format!("{left}{shown}{right}")
}

fn is_within_character(line: &[u8], at: usize) -> bool {
    line.get(at).is_some_and(|byte| byte & 0xC0 == 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(u64, String)> {
        let mut lines = Lines::from(100);
        let mut all = Vec::new();
        let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        for piece in pieces {
            lines.feed(piece, |start, line, _| all.push((start, text(line))));
            assert!(lines.plain.unfinished().len() <= MAX_LINE);
        }
        let (start, last) = lines.unfinished();
        all.push((start, text(last)));
        all
    }

    #[test]
    fn lines_are_plain_and_know_where_they_start() {
        let found = lines(&[b"one\r\n\x1b[1mt", b"wo\x1b[m\n 1%\r 2%\n\x1b]0;a\nb\x07x"]);
        let expected = [(100, "one"), (105, "two"), (116, " 2%"), (124, "x")];
        assert_eq!(found, expected.map(|(at, line)| (at, line.to_owned())));
    }

    #[test]
    fn a_long_line_comes_in_parts_that_overlap() {
        let mut long: Vec<u8> = (0..200_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let mut parts: Vec<(u64, Vec<u8>, bool)> = Vec::new();
        let mut lines = Lines::from(100);
        long.extend(b"end\nnext");
        for piece in long.chunks(65_536) {
            lines.feed(piece, |start, line, ended| parts.push((start, line.to_vec(), ended)));
        }
        let whole = &long[..long.len() - 5]; // and a line end, and "next"
        assert!(
            parts
                .iter()
                .all(|(start, part, _)| *start == 100 && part.len() <= MAX_LINE)
        );
        assert_eq!(parts.iter().filter(|(_, _, ended)| *ended).count(), 1);
        assert!(parts.last().unwrap().2 && whole.ends_with(&parts.last().unwrap().1));
        for looked_for in whole.windows(1000).step_by(777) {
            assert!(
                parts
                    .iter()
                    .any(|(_, part, _)| memchr::memmem::find(part, looked_for).is_some())
            );
        }
        assert_eq!(lines.unfinished(), (100 + whole.len() as u64 + 1, &b"next"[..]));
    }

    #[test]
    fn a_place_in_a_long_line_is_shown_with_what_is_around() {
        assert_eq!(around("kürz".as_bytes(), 0..1, 10), "kürz");
        let long = format!("{}ü*{}", "ä".repeat(100), "ö".repeat(100)).into_bytes();
        assert_eq!(around(&long, 202..203, 20), "…äü*ööööööö…");
        assert_eq!(around(&long, 0..2, 7), "äää…");
        assert_eq!(around(&long, 401..403, 8), "…öö");
        assert_eq!(
            around(&[0xBF; 100], 50..51, 10)
                .chars()
                .filter(|c| *c == '\u{FFFD}')
                .count(),
            10
        );
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(bytes in "[a-z\r\n\u{1b}\\[m]{0,200}", cut in 1usize..40) {
            let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(cut).collect();
            prop_assert_eq!(lines(&pieces), lines(&[bytes.as_bytes()]));
        }
    }
}
