//! Output as plain lines, each with where it starts, in bounded memory.

use super::Plain;

/// The longest line, in bytes; of a longer one the end is kept.
pub const MAX_LINE: usize = 4096;

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

    /// Takes a piece and gives each line that ends in it: where it starts, and its text.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(u64, &[u8])) {
        for piece in bytes
            .split_inclusive(|b| *b == b'\n')
            .flat_map(|line| line.chunks(MAX_LINE))
        {
            self.plain.feed(piece);
            self.taken += piece.len() as u64;
            let ended = self.plain.take_ended();
            // None while a line end belongs to a sequence.
            if let Some(line) = ended.strip_suffix(b"\n") {
                let kept = line.len().saturating_sub(MAX_LINE);
                each(self.start, line.get(kept..).unwrap_or_default());
                self.start = self.taken;
            }
            self.plain.keep_of_unfinished(MAX_LINE);
        }
    }

    /// The line that has not ended: where it starts, and its text so far.
    pub fn unfinished(&self) -> (u64, &[u8]) {
        (self.start, self.plain.unfinished())
    }
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
            lines.feed(piece, |start, line| all.push((start, text(line))));
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
    fn a_line_without_end_is_bounded() {
        let found = lines(&[&[b'a'; 1 << 20], b"end\nnext"]);
        assert_eq!((found[0].0, found[0].1.len()), (100, MAX_LINE));
        assert!(found[0].1.ends_with("aend"));
        assert_eq!(found[1], (100 + (1 << 20) + 4, "next".to_owned()));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_cut(bytes in "[a-z\r\n\u{1b}\\[m]{0,200}", cut in 1usize..40) {
            let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(cut).collect();
            prop_assert_eq!(lines(&pieces), lines(&[bytes.as_bytes()]));
        }
    }
}
