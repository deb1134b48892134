//! Finds lines in output: the first and the last that match, and how many are between them.

use std::collections::VecDeque;

use super::lines::{Lines, around};
use super::waits::Pattern;

/// Lines that one search gives at most.
pub const MAX_MATCHES: usize = 1000;
/// Bytes of a line that are shown; of a longer one it is what is around the match.
pub const MAX_SHOWN: usize = 500;

/// A search through output, from a position on.
#[derive(Debug)]
pub struct Grep {
    pattern: Pattern,
    lines: Lines,
    found: Found,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first lines.
    pub first: Vec<Match>,
    /// How many lines match between the first and the last.
    pub omitted: u64,
    /// The last lines.
    pub last: VecDeque<Match>,
    /// How many lines were looked at.
    pub lines: u64,
    half: usize,
    /// Where the last line that matches starts.
    matched: Option<u64>,
}

/// A line that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where it starts in the output, for a read around it.
    pub cursor: u64,
    /// The line, counted from 1 from where the search began.
    pub number: u64,
    /// Its text, or [`MAX_SHOWN`] bytes around what matches.
    pub text: String,
}

impl Grep {
    /// Searches output whose first byte is at `position`, for at most `most` lines: 2 to [`MAX_MATCHES`],
    /// and what is outside of that counts as the nearer of the two.
    pub fn new(pattern: Pattern, position: u64, most: usize) -> Self {
        Self {
            pattern,
            lines: Lines::from(position),
            found: Found {
                first: Vec::new(),
                omitted: 0,
                last: VecDeque::new(),
                lines: 0,
                half: most.clamp(2, MAX_MATCHES) / 2,
                matched: None,
            },
        }
    }

    /// Takes the next piece of the output.
    pub fn feed(&mut self, bytes: &[u8]) {
        let (pattern, found) = (&self.pattern, &mut self.found);
        self.lines
            .feed(bytes, |start, line, ended| found.look(pattern, start, line, ended));
    }

    /// The output goes on at `position`: what was between is no longer kept.
    pub fn skip_to(&mut self, position: u64) {
        let (start, line) = self.lines.unfinished();
        if !line.is_empty() {
            self.found.look(&self.pattern, start, line, true);
        }
        self.lines = Lines::from(position);
    }

    /// What was found, the last line included even if it has not ended.
    pub fn finish(mut self) -> Found {
        let (start, line) = self.lines.unfinished();
        if !line.is_empty() {
            self.found.look(&self.pattern, start, line, true);
        }
        self.found
    }
}

impl Found {
    fn look(&mut self, pattern: &Pattern, cursor: u64, line: &[u8], ended: bool) {
        let number = self.lines + 1;
        self.lines += u64::from(ended);
        if self.matched == Some(cursor) {
            return; // another part of a line that was found
        }
        let Some(place) = pattern.find(line) else { return };
        self.matched = Some(cursor);
        let matched = Match {
            cursor,
            number,
            text: around(line, place, MAX_SHOWN),
        };
        if self.first.len() < self.half {
            return self.first.push(matched);
        }
        self.last.push_back(matched);
        if self.last.len() > self.half {
            self.last.pop_front();
            self.omitted += 1;
        }
    }

    /// How many lines match.
    pub fn total(&self) -> u64 {
        self.first.len() as u64 + self.omitted + self.last.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grep(pattern: &str, most: usize, pieces: &[&[u8]]) -> Found {
        let mut grep = Grep::new(Pattern::regex(pattern).unwrap(), 0, most);
        pieces.iter().for_each(|piece| grep.feed(piece));
        grep.finish()
    }

    #[test]
    fn the_line_that_matters_is_found_with_its_place() {
        let mut log: String = (0..10_000).map(|n| format!("line {n} \x1b[32mok\x1b[m\r\n")).collect();
        let at = log.len();
        log.push_str("line 10000 \x1b[31merr\x1b[mor: it\r\nlast");
        let found = grep("error", 10, &[log.as_bytes()]);
        let expected = Match {
            cursor: at as u64,
            number: 10_001,
            text: "line 10000 error: it".to_owned(),
        };
        assert_eq!(
            (found.first.as_slice(), found.lines, found.total()),
            (&[expected][..], 10_002, 1)
        );
        assert_eq!(grep("^last$", 10, &[log.as_bytes()]).total(), 1);
    }

    #[test]
    fn of_many_the_first_and_the_last_are_kept() {
        let log: String = (0..1000).map(|n| format!("{n}\n")).collect();
        let found = grep("7", 4, &[log.as_bytes()]);
        let texts = |m: &Match| m.text.clone();
        assert_eq!(found.first.iter().map(texts).collect::<Vec<_>>(), ["7", "17"]);
        assert_eq!(found.last.iter().map(texts).collect::<Vec<_>>(), ["987", "997"]);
        assert_eq!((found.omitted, found.total()), (267, 271));
        let long = grep("x", 9999, &["€x".repeat(1000).as_bytes()]);
        assert_eq!(long.first[0].text.chars().count(), 251);
        assert_eq!(long.half, MAX_MATCHES / 2);
    }

    proptest! {
        #[test]
        fn it_finds_what_looking_at_each_line_finds(
            lines in prop::collection::vec("[ab ]{0,10}", 0..50), cut in 1usize..30, most in 2usize..12,
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let found = grep("a+b", most, &pieces);
            let matching: Vec<&String> = lines.iter().filter(|line| line.contains("ab")).collect();
            prop_assert_eq!(found.total(), matching.len() as u64);
            prop_assert!(found.first.len() + found.last.len() <= most);
            for m in found.first.iter().chain(&found.last) {
                prop_assert!(text[m.cursor as usize..].starts_with(&m.text));
                prop_assert_eq!(&m.text, &lines[m.number as usize - 1]);
            }
        }
    }
}
