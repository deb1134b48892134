//! A picture of the screen, a part of it, and what changed since an earlier one.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::row::Row;
use super::size::Size;
use crate::session::modes::Modes;

/// Earlier pictures that changes can be told from.
pub const FRAMES: usize = 32;

/// The screen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its number. The same picture has the same number.
    pub frame: u64,
    /// Columns and rows.
    pub size: Size,
    /// The cursor.
    pub cursor: Cursor,
    /// The window's title: at most 256 characters, no controls; chosen by the program.
    pub title: String,
    /// The alternate screen is shown, as editors and pagers do.
    pub alternate: bool,
    /// The input modes in force.
    pub modes: Modes,
    /// Rows above the screen that are kept.
    pub history: usize,
    /// All rows, top first.
    pub rows: Vec<Row>,
}

/// The cursor. Rows and columns count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Its row.
    pub row: u16,
    /// Its column.
    pub column: u16,
    /// It is shown.
    pub visible: bool,
    /// Its shape, by the number of DECSCUSR: 0 is the usual, 1 and 2 block, 3 and 4 line below, 5 and 6 bar.
    pub style: u8,
}

/// A part of the screen. Rows and columns count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first row.
    pub top: u16,
    /// The first column.
    pub left: u16,
    /// How many rows; more than there are is no error.
    pub rows: u16,
    /// How many columns; the same.
    pub columns: u16,
}

/// What is different from an earlier picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Nothing, the cursor and the title included.
    Nothing,
    /// These rows, counted from 0; none if only the cursor, the title or a mode is different.
    Rows(Vec<usize>),
    /// That cannot be said: the earlier picture is not known any more, or had another size.
    All,
}

impl Snapshot {
    /// The rows down to the last in which something can be seen.
    pub fn shown(&self) -> &[Row] {
        let end = self
            .rows
            .iter()
            .rposition(|row| !row.is_blank())
            .map_or(0, |last| last + 1);
        self.rows.get(..end).unwrap_or_default()
    }

    /// The characters, without blanks at the ends of rows and of the screen.
    pub fn text(&self) -> String {
        let rows: Vec<String> = self.shown().iter().map(Row::text).collect();
        rows.join("\n")
    }

    /// The rows of a part, each cut to its columns.
    pub fn part(&self, region: Region) -> Vec<Row> {
        let columns = region.left..region.left.saturating_add(region.columns);
        let rows = self.rows.iter().skip(region.top.into()).take(region.rows.into());
        rows.map(|row| row.part(columns.clone())).collect()
    }
}

/// The pictures that were given out, by what can be told from a number for each row.
#[derive(Debug, Default)]
pub(super) struct Frames {
    kept: VecDeque<Frame>,
    last: u64,
    /// The numbers cannot be foreseen by the program that draws.
    hasher: RandomState,
}

#[derive(Debug)]
struct Frame {
    number: u64,
    size: Size,
    rest: u64,
    rows: Vec<u64>,
}

impl Frames {
    /// Numbers a picture: as the last one if it is the same.
    pub(super) fn number(&mut self, snapshot: &mut Snapshot) {
        let frame = Frame {
            number: self.last + 1,
            size: snapshot.size,
            rest: self.rest(snapshot),
            rows: self.rows(snapshot),
        };
        let same = |last: &&Frame| (last.size, last.rest, &last.rows) == (frame.size, frame.rest, &frame.rows);
        if let Some(last) = self.kept.back().filter(same) {
            snapshot.frame = last.number;
            return;
        }
        self.last = frame.number;
        snapshot.frame = frame.number;
        self.kept.push_back(frame);
        if self.kept.len() > FRAMES {
            self.kept.pop_front();
        }
    }

    pub(super) fn changes(&self, since: u64, snapshot: &Snapshot) -> Changes {
        let Some(earlier) = self.kept.iter().find(|frame| frame.number == since) else {
            return Changes::All;
        };
        if earlier.size != snapshot.size {
            return Changes::All;
        }
        let rows = self.rows(snapshot);
        let pairs = rows.iter().zip(&earlier.rows).enumerate();
        let changed: Vec<usize> = pairs
            .filter(|(_, (now, then))| now != then)
            .map(|(row, _)| row)
            .collect();
        if changed.is_empty() && self.rest(snapshot) == earlier.rest {
            Changes::Nothing
        } else {
            Changes::Rows(changed)
        }
    }

    fn rows(&self, snapshot: &Snapshot) -> Vec<u64> {
        snapshot.rows.iter().map(|row| self.hasher.hash_one(row)).collect()
    }

    fn rest(&self, snapshot: &Snapshot) -> u64 {
        let Snapshot {
            cursor,
            title,
            alternate,
            modes,
            ..
        } = snapshot;
        self.hasher.hash_one((cursor, title, alternate, modes))
    }
}
