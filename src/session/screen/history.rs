//! Rows that scrolled off the top of the main screen, as text with looks: a tenth of what their cells take.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use vt100::Callbacks;
use vt100::capture::{BasicFormattedCaptureState, RowContents};

/// Bytes that the rows of one screen may take: two thousand rows that are full of text and colours do not reach it.
pub(super) const MOST: usize = 2 << 20;
/// Memory for what comes in is had in steps of this size.
const STEP: usize = 64 << 10;

/// The rows, oldest first. All have the width that the screen has now.
#[derive(Debug, Default)]
pub(super) struct History {
    text: VecDeque<u8>,
    rows: VecDeque<Kept>,
    /// How many rows may be kept.
    most: usize,
    /// How many are no longer kept.
    pub(super) lost: u64,
    /// The row that is being taken in.
    incoming: String,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    bytes: usize,
    wrapped: bool,
}

impl History {
    /// Keeps so many rows.
    pub(super) fn new(most: usize, lost: u64) -> Self {
        Self {
            most,
            lost,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of memory in use.
    pub(super) fn held(&self) -> usize {
        self.text.capacity() + self.rows.capacity() * size_of::<Kept>() + self.incoming.capacity()
    }

    /// No row is kept any more. Memory is given back.
    pub(super) fn clear(&mut self) {
        self.lost += self.rows.len() as u64;
        *self = Self::new(self.most, self.lost);
    }

    /// Rows as what draws them from the first column on, and whether each goes on in the next.
    pub(super) fn rows(&self, range: Range<usize>) -> impl Iterator<Item = (Vec<u8>, bool)> {
        let start: usize = self.rows.iter().take(range.start).map(|row| row.bytes).sum();
        let rows = self.rows.iter().skip(range.start).take(range.len());
        rows.scan(start, |at, row| {
            let from = *at;
            *at += row.bytes;
            Some((self.text.range(from..*at).copied().collect(), row.wrapped))
        })
    }

    /// Forgets the oldest rows until no more than so much memory is in use.
    pub(super) fn shrink(&mut self, bytes: usize) {
        while self.text.len() + self.rows.len() * size_of::<Kept>() > bytes / 2 {
            let Some(oldest) = self.rows.pop_front() else { break };
            self.text.drain(..oldest.bytes);
            self.lost += 1;
        }
        self.text.shrink_to_fit();
        self.rows.shrink_to_fit();
        self.incoming = String::new();
    }

    fn push(&mut self, wrapped: bool) {
        let bytes = self.incoming.len();
        while self.rows.len() >= self.most || self.text.len() + bytes > MOST {
            let Some(oldest) = self.rows.pop_front() else { return };
            self.text.drain(..oldest.bytes);
            self.lost += 1;
        }
        if self.text.capacity() - self.text.len() < bytes {
            // Doubling would take twice what is needed.
            self.text.reserve_exact(bytes.max(STEP));
        }
        self.text.extend(self.incoming.as_bytes());
        self.rows.push_back(Kept { bytes, wrapped });
    }
}

impl Callbacks for History {
    fn on_scroll(&mut self, row: RowContents<'_>, alternate_screen: bool) {
        if alternate_screen {
            return;
        }
        self.incoming.clear();
        let mut state = BasicFormattedCaptureState::new();
        // Writing to a String does not fail.
        row.write_formatted_basic(&mut self.incoming, &mut state).ok();
        // A row that does not go on has a line end before what comes next.
        let mut next = First(None);
        row.write_formatted_basic(&mut next, &mut state).ok(); // stops at the first character
        self.push(next.0 != Some('\n'));
    }
}

/// Takes one character and no more.
struct First(Option<char>);

impl fmt::Write for First {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.or(text.chars().next());
        Err(fmt::Error)
    }
}
