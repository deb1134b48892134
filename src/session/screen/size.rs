//! The size of a terminal.

use std::num::NonZeroU16;

/// Columns and rows within what programs and the emulator can do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    columns: NonZeroU16,
    rows: NonZeroU16,
}

/// A size that a terminal cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a terminal has {} to {} columns and {} to {} rows, not {columns} x {rows}",
    Size::COLUMNS.0, Size::COLUMNS.1, Size::ROWS.0, Size::ROWS.1
)]
pub struct SizeError {
    /// The columns asked for.
    pub columns: u16,
    /// The rows asked for.
    pub rows: u16,
}

/// What most programs expect.
impl Default for Size {
    fn default() -> Self {
        Self {
            columns: NonZeroU16::MIN.saturating_add(79),
            rows: NonZeroU16::MIN.saturating_add(23),
        }
    }
}

impl Size {
    /// Least and most columns. Below 20 the emulator breaks on wide characters; 500 is more than any
    /// monitor shows and bounds what one erase costs.
    pub const COLUMNS: (u16, u16) = (20, 500);
    /// Least and most rows.
    pub const ROWS: (u16, u16) = (2, 300);

    /// A size within the bounds.
    pub fn new(columns: u16, rows: u16) -> Result<Self, SizeError> {
        let within = |n: u16, (least, most): (u16, u16)| (least..=most).contains(&n);
        let error = SizeError { columns, rows };
        match (NonZeroU16::new(columns), NonZeroU16::new(rows)) {
            (Some(c), Some(r)) if within(columns, Self::COLUMNS) && within(rows, Self::ROWS) => {
                Ok(Self { columns: c, rows: r })
            }
            _ => Err(error),
        }
    }

    /// The same width with the fewest rows.
    pub(super) fn lowest(self) -> Self {
        let rows = NonZeroU16::MIN.saturating_add(Self::ROWS.0 - 1);
        Self { rows, ..self }
    }

    /// Columns.
    pub fn columns(self) -> u16 {
        self.columns.get()
    }

    /// Rows.
    pub fn rows(self) -> u16 {
        self.rows.get()
    }

    pub(super) fn non_zero(self) -> (NonZeroU16, NonZeroU16) {
        (self.rows, self.columns)
    }

    /// Memory that the emulator takes for the main and the alternate screen, in bytes: 32 for each cell.
    pub(in crate::session) fn memory(self) -> usize {
        2 * 32 * self.cells()
    }

    pub(super) fn cells(self) -> usize {
        usize::from(self.columns()) * usize::from(self.rows())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_name_themselves() {
        assert_eq!(Size::new(80, 24).map(|s| (s.columns(), s.rows())), Ok((80, 24)));
        for (columns, rows) in [(19, 24), (501, 24), (80, 1), (80, 301), (0, 0)] {
            let error = Size::new(columns, rows).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("a terminal has 20 to 500 columns and 2 to 300 rows"),
                "{error}"
            );
        }
    }
}
