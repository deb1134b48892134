//! A row of the screen as text, as text with colours, and as styled runs.

use std::fmt::Write as _;
use std::hash::Hash;
use std::ops::Range;

/// One row: runs of characters that look alike, from the left, without the blank rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// The runs, next to each other from column 0.
    pub runs: Vec<Run>,
    /// The text goes on in the next row.
    pub wrapped: bool,
}

/// Characters that look alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The characters; blanks are spaces.
    pub text: String,
    /// How many columns they take.
    pub columns: u16,
    /// How they look.
    pub style: Style,
}

/// How characters look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// The colour of the characters.
    pub foreground: Color,
    /// The colour behind them.
    pub background: Color,
    /// Bold.
    pub bold: bool,
    /// Dim.
    pub dim: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Foreground and background exchanged.
    pub inverse: bool,
}

/// A colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Color {
    /// The terminal's own.
    #[default]
    Default,
    /// One of the 256 of the palette.
    Index(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

impl Row {
    /// A row of the cells that a screen has: text or nothing, columns, style.
    pub(super) fn of_cells<'a>(cells: impl Iterator<Item = (&'a str, u16, Style)>, wrapped: bool) -> Self {
        let mut row = Self {
            runs: Vec::new(),
            wrapped,
        };
        for (text, columns, style) in cells {
            let text = if text.is_empty() { " " } else { text };
            row.push(text, columns, style);
        }
        if !wrapped {
            row.trim();
        }
        row
    }

    fn push(&mut self, text: &str, columns: u16, style: Style) {
        match self.runs.last_mut() {
            Some(run) if run.style == style => {
                run.text.push_str(text);
                run.columns += columns;
            }
            _ => self.runs.push(Run {
                text: text.to_owned(),
                columns,
                style,
            }),
        }
    }

    /// Takes spaces that nothing can be seen of off the end.
    fn trim(&mut self) {
        while let Some(run) = self.runs.last_mut().filter(|run| run.style.is_blank()) {
            let kept = run.text.trim_end_matches(' ').len();
            run.columns -= u16::try_from(run.text.len() - kept).unwrap_or(run.columns);
            run.text.truncate(kept);
            if kept > 0 {
                return;
            }
            self.runs.pop();
        }
    }

    /// How many columns it takes.
    pub fn columns(&self) -> u16 {
        self.runs.iter().map(|run| run.columns).sum()
    }

    /// Nothing can be seen in it.
    pub fn is_blank(&self) -> bool {
        self.runs
            .iter()
            .all(|run| run.style.is_blank() && run.text.trim_end_matches(' ').is_empty())
    }

    /// The characters, without spaces at the end.
    pub fn text(&self) -> String {
        let mut text: String = self.runs.iter().map(|run| run.text.as_str()).collect();
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    /// The characters with escape sequences for their looks; the last one resets them.
    pub fn ansi(&self) -> String {
        let mut text = String::new();
        let mut style = Style::default();
        for run in &self.runs {
            if run.style != style {
                style = run.style;
                style.write(&mut text);
            }
            text.push_str(&run.text);
        }
        if style != Style::default() {
            text.push_str("\x1b[m");
        }
        text
    }

    /// What begins before a column, and the rest.
    pub(super) fn split_at(&self, column: u16) -> (Self, Self) {
        let (mut before, mut after) = (Self::default(), Self::default());
        let mut at = 0;
        for run in &self.runs {
            for (text, width) in clusters(&run.text, run.columns) {
                let side = if at < column { &mut before } else { &mut after };
                side.push(text, width, run.style);
                at += width;
            }
        }
        (before, after)
    }

    /// The part in these columns. Of a character that is half outside, spaces stay.
    pub fn part(&self, columns: Range<u16>) -> Self {
        let mut row = Self::default();
        let mut at = 0;
        for run in &self.runs {
            for (text, width) in clusters(&run.text, run.columns) {
                let (from, to) = (at, at + width);
                at = to;
                if from >= columns.start && to <= columns.end {
                    row.push(text, width, run.style);
                } else if to > columns.start && from < columns.end {
                    row.push(" ", 1, run.style);
                }
            }
        }
        row.trim();
        row
    }
}

/// The characters of a run with what combines with each, and their columns.
fn clusters(text: &str, columns: u16) -> impl Iterator<Item = (&str, u16)> {
    use unicode_width::UnicodeWidthChar as _;
    // The usual case first: one column each.
    let plain = text.len() == usize::from(columns);
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut all = rest.char_indices();
        let (_, first) = all.next()?;
        let width = if plain {
            1
        } else {
            first.width().unwrap_or(1).clamp(1, 2)
        };
        let end = all
            .find(|(_, c)| plain || c.width() != Some(0))
            .map_or(rest.len(), |(at, _)| at);
        let (cluster, after) = rest.split_at(end);
        rest = after;
        Some((cluster, if width == 2 { 2 } else { 1 }))
    })
}

impl Style {
    /// A space in it cannot be told from nothing.
    fn is_blank(&self) -> bool {
        self.background == Color::Default && !self.inverse && !self.underline
    }

    /// Writes the sequence that sets it, whatever was set before (ECMA-48, 8.3.117).
    pub(super) fn write(&self, text: &mut String) {
        text.push_str("\x1b[0");
        let flags = [
            (self.bold, 1),
            (self.dim, 2),
            (self.italic, 3),
            (self.underline, 4),
            (self.inverse, 7),
        ];
        for (_, code) in flags.iter().filter(|(set, _)| *set) {
            write!(text, ";{code}").ok(); // writing to a String does not fail
        }
        self.foreground.write(30, text);
        self.background.write(40, text);
        text.push('m');
    }
}

impl Color {
    fn write(self, base: u8, text: &mut String) {
        match self {
            Self::Default => Ok(()),
            Self::Index(n @ 0..=7) => write!(text, ";{}", base + n),
            Self::Index(n @ 8..=15) => write!(text, ";{}", base + 52 + n),
            Self::Index(n) => write!(text, ";{};5;{n}", base + 8),
            Self::Rgb(r, g, b) => write!(text, ";{};2;{r};{g};{b}", base + 8),
        }
        .ok(); // the same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Style = Style {
        foreground: Color::Index(1),
        background: Color::Default,
        bold: true,
        dim: false,
        italic: false,
        underline: false,
        inverse: false,
    };

    fn row(cells: &[(&str, u16, Style)]) -> Row {
        Row::of_cells(cells.iter().copied(), false)
    }

    #[test]
    fn cells_that_look_alike_are_one_run_and_the_blank_rest_goes() {
        let plain = Style::default();
        let row = row(&[
            ("a", 1, plain),
            ("", 1, plain),
            ("b", 1, RED),
            ("界", 2, RED),
            ("", 1, plain),
            (" ", 1, RED),
        ]);
        assert_eq!(row.runs.len(), 2);
        assert_eq!(row.text(), "a b界");
        assert_eq!(row.columns(), 5);
        assert_eq!(row.ansi(), "a \x1b[0;1;31mb界\x1b[m");
        assert!(!row.is_blank() && Row::default().is_blank());
    }

    #[test]
    fn a_coloured_blank_is_seen() {
        let back = Style {
            background: Color::Index(12),
            ..Style::default()
        };
        let row = row(&[("", 1, back), ("", 1, back)]);
        assert!(!row.is_blank());
        assert_eq!((row.text().as_str(), row.ansi().as_str()), ("", "\x1b[0;104m  \x1b[m"));
        let colours = Style {
            foreground: Color::Index(200),
            background: Color::Rgb(1, 2, 3),
            ..Style::default()
        };
        assert_eq!(
            Row::of_cells([("x", 1, colours)].into_iter(), false).ansi(),
            "\x1b[0;38;5;200;48;2;1;2;3mx\x1b[m"
        );
    }

    #[test]
    fn a_part_of_a_row_cuts_no_character_in_two() {
        let plain = Style::default();
        let row = row(&[
            ("a", 1, plain),
            ("界", 2, plain),
            ("e\u{301}", 1, RED),
            ("界", 2, RED),
            ("z", 1, plain),
        ]);
        assert_eq!(row.part(0..9).text(), "a界e\u{301}界z");
        assert_eq!(row.part(2..4).text(), " e\u{301}");
        assert_eq!(row.part(3..5).ansi(), "\x1b[0;1;31me\u{301}\x1b[m");
        assert_eq!(row.part(6..7).text(), "z");
        assert_eq!(row.part(7..9).text(), "");
    }
}
