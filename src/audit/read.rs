//! Reads an audit: verifies its chains, and finds lines in it.
//!
//! Everything read here may have been written by an attacker: sizes are bounded, and nothing is believed that the
//! chain does not show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use super::chain::{self, Hash, LINE, LineError};
use super::record::{Event, Line};

pub use super::anchor::{Anchor, Anchored, To};
pub use super::files::{Found, Name, list};
pub use super::lines::{lines, lines_of};

/// Findings that are kept; more of them say nothing new.
const FINDINGS: usize = 1000;

/// What is wrong with an audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Bytes are no line as it was written.
    #[error("{file}, byte {at}: {why}")]
    Changed {
        /// Where.
        file: Name,
        /// How far into the file.
        at: u64,
        /// In what way.
        why: LineError,
    },
    /// A line does not follow the one before it.
    #[error("{file}, byte {at}: line {n} follows line {after}: lines between them were removed, or lines were moved")]
    Order {
        /// Where.
        file: Name,
        /// How far into the file.
        at: u64,
        /// What the line says of its place.
        n: u64,
        /// The line before it.
        after: u64,
    },
    /// A line holds another hash of the line before it.
    #[error("{file}, byte {at}: line {n} was written after another line than the one that stands before it")]
    Link {
        /// Where.
        file: Name,
        /// How far into the file.
        at: u64,
        /// Which line.
        n: u64,
    },
    /// What a line says of a torn one before it does not fit.
    #[error("{file}, byte {at}: line {n} tells of {told} bytes of a torn line before it, and there are {there}")]
    Torn {
        /// Where.
        file: Name,
        /// How far into the file.
        at: u64,
        /// Which line.
        n: u64,
        /// What it says.
        told: u64,
        /// What is there.
        there: u64,
    },
    /// A file is not there and no line says that it was retired.
    #[error("{file} is gone, and no record says that it was retired")]
    Missing {
        /// Which.
        file: Name,
    },
    /// A file was taken away while it was written to.
    #[error("{file} was removed or renamed while a server wrote to it")]
    Taken {
        /// Which, as the server says.
        file: String,
    },
    /// Lines that an anchor tells of are not there.
    #[error("an anchor tells of line {n} of the chain of {file}, which ends at line {last}: its end was cut off")]
    Cut {
        /// In which file it was.
        file: Name,
        /// Which line.
        n: u64,
        /// The last that is there.
        last: u64,
    },
    /// A line is not the one that an anchor tells of.
    #[error("an anchor tells of another line {n} than the one in the chain of {file}: the chain was rewritten")]
    Rewritten {
        /// In which file it was.
        file: Name,
        /// Which line.
        n: u64,
    },
}

/// What is true of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that were read.
    pub files: u64,
    /// Whole lines in them.
    pub lines: u64,
    /// Lines that were torn: their writer was killed, or the disk was full. Not wrong.
    pub torn: Vec<(Name, u64)>,
    /// Anchors that were found to hold.
    pub anchors: u64,
    /// What is wrong.
    pub wrong: Vec<Wrong>,
}

impl Report {
    /// How much was read, in words.
    pub fn extent(&self) -> String {
        let s = if self.files == 1 { "" } else { "s" };
        format!("{} lines in {} file{s}", self.lines, self.files)
    }
}

/// Verifies all chains in a directory, against these anchors.
pub fn verify(directory: &Path, anchors: &[Anchored]) -> io::Result<Report> {
    verify_listed(directory, list(directory)?, anchors)
}

/// The same of these files, which may have become others since: servers go on.
pub(super) fn verify_listed(directory: &Path, listed: Vec<Found>, anchors: &[Anchored]) -> io::Result<Report> {
    let mut chains: BTreeMap<u64, Vec<Found>> = BTreeMap::new();
    for found in listed {
        chains.entry(found.name.chain).or_default().push(found);
    }
    let mut verifier = Verifier {
        anchors,
        ..Verifier::default()
    };
    for files in chains.values() {
        let mut place = Place::default();
        let mut before: Option<Name> = None;
        for found in files {
            if found.name.before() != before {
                verifier.missing.extend(found.name.before());
                place.follows = None;
            }
            let last = files.last().is_some_and(|last| last.name == found.name);
            // It may have been retired since it was listed; then a line says so.
            match File::open(&found.path) {
                Ok(file) => verifier.file(found.name, BufReader::new(file), &mut place, last)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    verifier.missing.insert(found.name);
                    place.follows = None;
                }
                Err(error) => return Err(error),
            }
            before = Some(found.name);
        }
        verifier.end_of_chain(&place, before);
    }
    verifier.look_again(directory)?;
    Ok(verifier.report(&chains))
}

/// What is known while chains are read.
#[derive(Default)]
struct Verifier<'a> {
    anchors: &'a [Anchored],
    report: Report,
    retired: BTreeSet<String>,
    taken: BTreeSet<String>,
    missing: BTreeSet<Name>,
}

/// How far a chain has been read.
struct Place {
    /// The line before: its position and hash. `None` where a file is missing.
    follows: Option<(u64, Hash)>,
    /// The first position that was read.
    first: u64,
    /// The last event.
    last: Option<Event>,
    /// Bytes that are no line since the last one that was, where they begin, and the first thing wrong with them.
    odd: u64,
    odd_at: u64,
    odd_why: Option<LineError>,
    /// The last of them were as long as a line and had its end. One that is torn has neither.
    odd_whole: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            follows: Some((0, Hash::default())),
            first: u64::MAX,
            last: None,
            odd: 0,
            odd_at: 0,
            odd_why: None,
            odd_whole: false,
        }
    }
}

impl Place {
    /// Bytes that are no line go on with these, or end with none. What came before them was changed if it was a whole line: a
    /// torn one gets its line end from the line that tells of it, and no other. It may be torn again, by the next start.
    fn odd_ends(&mut self, piece: &[u8]) {
        if self.odd_whole {
            self.odd_why = Some(LineError::Whole);
        }
        let whole = |line: &[u8]| line.trim_ascii_end().ends_with(b"}");
        self.odd_whole = piece.strip_suffix(b"\n").is_some_and(whole);
    }
}

impl Verifier<'_> {
    fn file(&mut self, name: Name, mut input: impl BufRead, place: &mut Place, last: bool) -> io::Result<()> {
        self.report.files += 1;
        place.last = None; // a file without a line follows one that says so
        let mut at = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.by_ref().take(LINE as u64).read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            match chain::open(line.strip_suffix(b"\n").unwrap_or(&line)) {
                Ok((said, hash)) => {
                    self.line(name, at, &said, hash, place);
                    if last && !line.ends_with(b"\n") {
                        self.report.torn.push((name, at)); // but for its end, which the next one brings
                    }
                }
                Err(why) => {
                    if place.odd == 0 {
                        place.odd_at = at;
                    }
                    place.odd += read as u64;
                    // A torn line is the first part of one, which has no hash yet.
                    if why != LineError::Form || place.odd_why.is_none() {
                        place.odd_why = Some(why);
                    }
                    place.odd_ends(&line);
                }
            }
            at += read as u64;
        }
        if place.odd > 0 {
            place.odd_ends(&[]);
            match place.odd_why.take() {
                Some(LineError::Form) | None if last => self.report.torn.push((name, place.odd_at)),
                why => self.wrong(Wrong::Changed {
                    file: name,
                    at: place.odd_at,
                    why: why.unwrap_or(LineError::Form),
                }),
            }
            place.odd = 0;
            place.odd_whole = false;
        }
        Ok(())
    }

    fn line(&mut self, file: Name, at: u64, line: &Line<'_>, hash: Hash, place: &mut Place) {
        self.report.lines += 1;
        self.torn(file, at, line, place);
        if let Some((after, head)) = place.follows {
            if line.n != after + 1 {
                self.wrong(Wrong::Order {
                    file,
                    at,
                    n: line.n,
                    after,
                });
            } else if line.prev.as_bytes() != head.digits().as_bytes() {
                self.wrong(Wrong::Link { file, at, n: line.n });
            }
        }
        place.follows = Some((line.n, hash));
        place.first = place.first.min(line.n);
        place.last = Some(line.event);
        match (line.event, &line.file) {
            (Event::Retired, Some(name)) => {
                self.retired.insert(name.to_string());
            }
            (Event::Opened, Some(name)) => {
                self.taken.insert(name.to_string());
            }
            _ => {}
        }
        let anchors = self.anchors;
        for anchor in anchors.iter().filter(|a| a.name.chain == file.chain && a.n == line.n) {
            if anchor.hash == hash {
                self.report.anchors += 1;
            } else {
                self.wrong(Wrong::Rewritten { file, n: line.n });
            }
        }
    }

    /// Bytes that are no line are in order if the line behind them tells of exactly so many: it was torn.
    fn torn(&mut self, file: Name, at: u64, line: &Line<'_>, place: &mut Place) {
        let there = place.odd.saturating_sub(1); // the line end was written with the line that tells
        let changed = place.odd_why.take().filter(|why| *why != LineError::Form);
        match (line.torn, place.odd, changed) {
            (None, 0, _) => {}
            (Some(0), 0, _) => self.report.torn.push((file, at)), // but for its end
            (Some(told), 1.., None) if told == there => self.report.torn.push((file, place.odd_at)),
            (Some(told), _, None) => self.wrong(Wrong::Torn {
                file,
                at,
                n: line.n,
                told,
                there,
            }),
            (_, _, why) => self.wrong(Wrong::Changed {
                file,
                at: place.odd_at,
                why: why.unwrap_or(LineError::Form),
            }),
        }
        place.odd = 0;
        place.odd_whole = false;
    }

    fn end_of_chain(&mut self, place: &Place, last: Option<Name>) {
        let Some(last) = last else { return };
        if place.last == Some(Event::Rotated) {
            self.missing.insert(last.next());
        }
        let end = place.follows.map_or(0, |(n, _)| n);
        let anchors = self.anchors;
        for anchor in anchors.iter().filter(|a| a.name.chain == last.chain && a.n > end) {
            self.wrong(Wrong::Cut {
                file: anchor.name,
                n: anchor.n,
                last: end,
            });
        }
    }

    /// What seems to be gone may have been made since the files were listed, or retired since, on record in a file that was
    /// read before or made since.
    fn look_again(&mut self, directory: &Path) -> io::Result<()> {
        self.missing.retain(|name| !directory.join(name.to_string()).exists());
        if !self.missing.is_empty() {
            let retired = lines(directory)?.filter(|(_, line)| line.event == Event::Retired);
            let names = retired.filter_map(|(_, line)| line.file.map(|name| name.to_string()));
            self.retired.extend(names);
        }
        Ok(())
    }

    /// What can be said only when every line is known.
    fn report(mut self, chains: &BTreeMap<u64, Vec<Found>>) -> Report {
        for anchor in self.anchors {
            if !chains.contains_key(&anchor.name.chain) {
                self.missing.insert(anchor.name);
            }
        }
        for file in std::mem::take(&mut self.missing) {
            if !self.retired.contains(&file.to_string()) {
                self.wrong(Wrong::Missing { file });
            }
        }
        for file in std::mem::take(&mut self.taken) {
            self.wrong(Wrong::Taken { file });
        }
        self.report
    }

    fn wrong(&mut self, wrong: Wrong) {
        if self.report.wrong.len() < FINDINGS {
            self.report.wrong.push(wrong);
        }
    }
}

/// Verifies one chain in one file, for the fuzzer.
#[cfg(any(test, fuzzing))]
pub(super) fn verify_bytes(bytes: &[u8]) -> Report {
    let name = Name { chain: 1, number: 1 };
    let mut verifier = Verifier::default();
    let mut place = Place::default();
    verifier.file(name, bytes, &mut place, true).unwrap_or_default(); // memory cannot fail to be read
    verifier.end_of_chain(&place, Some(name));
    verifier.report(&BTreeMap::new())
}
