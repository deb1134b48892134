//! A session's screen as an answer shows it.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::session::Terminal;
use crate::session::modes::{Modes, MouseReports};
use crate::session::screen::{Changes, Color, Region, Row, Run, Snapshot};

/// Bytes of rows in one answer; the row in which they end is whole.
const MAX_ROWS: usize = 200_000;

/// How the rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Text,
    Ansi,
    Cells,
}

/// What to show.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) format: Format,
    /// The frame that the caller knows.
    pub(super) since: Option<u64>,
    pub(super) region: Option<Region>,
    /// Rows above the screen: how many, and how many of the newest to skip.
    pub(super) history: usize,
    pub(super) history_skip: usize,
}

/// The numbers of a picture.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Picture {
    /// The picture's number: give it as `since` to see only what is different later.
    frame: i64,
    /// What the text holds: every row, the rows that are different, or none because nothing is.
    shown: Shown,
    cols: i64,
    rows: i64,
    /// The cursor's row, from 0.
    cursor_row: i64,
    /// The cursor's column, from 0.
    cursor_column: i64,
    cursor_visible: bool,
    /// The alternate screen is shown, as editors and pagers do.
    alternate_screen: bool,
    /// The window's title, chosen by the program.
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    /// Rows above the screen that are kept.
    history_rows: i64,
    /// Rows that were asked for and that the text has no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_left_out: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Shown {
    All,
    Changes,
    Unchanged,
}

impl Picture {
    /// Looks at a terminal: the text of the answer, and its numbers.
    pub(super) fn of(terminal: &mut Terminal, wanted: Wanted) -> (String, Self) {
        let screen = terminal.screen();
        let snapshot = screen.snapshot();
        let changes = wanted
            .since
            .map_or(Changes::All, |since| screen.changes(since, &snapshot));
        let history = {
            let end = snapshot.history.saturating_sub(wanted.history_skip);
            screen.history(end.saturating_sub(wanted.history)..end)
        };
        let shown = match changes {
            Changes::All => Shown::All,
            Changes::Rows(_) => Shown::Changes,
            Changes::Nothing => Shown::Unchanged,
        };
        let mut rows = Rows::new(wanted.format);
        let screen = rows.screen(&snapshot, changes, wanted.region);
        // The newest first: they have the room that the screen leaves.
        let mut above: Vec<String> = history.iter().rev().filter_map(|row| rows.written(row)).collect();
        above.reverse();
        let mut picture = Self::numbers(&snapshot, shown);
        picture.rows_left_out = (rows.left_out > 0).then(|| super::answer::number(rows.left_out));
        let mut text = picture.head(&snapshot.modes);
        if !above.is_empty() {
            writeln!(text, "--- {} rows above the screen", above.len()).ok(); // to a string: cannot fail
            text.extend(above);
            text.push_str("--- screen\n");
        }
        text.push_str(&screen);
        if rows.left_out > 0 {
            writeln!(
                text,
                "[{} rows left out: an answer has {MAX_ROWS} bytes of rows; hint: region and scrollback_skip give others, format \
                 text more of them]",
                rows.left_out
            )
            .ok(); // as above
        }
        (text, picture)
    }

    fn numbers(snapshot: &Snapshot, shown: Shown) -> Self {
        let cursor = snapshot.cursor;
        Self {
            frame: super::answer::number(snapshot.frame),
            shown,
            cols: snapshot.size.columns().into(),
            rows: snapshot.size.rows().into(),
            cursor_row: cursor.row.into(),
            cursor_column: cursor.column.into(),
            cursor_visible: cursor.visible,
            alternate_screen: snapshot.alternate,
            title: snapshot.title.clone(),
            history_rows: super::answer::number(snapshot.history),
            rows_left_out: None,
        }
    }

    /// One line about the screen.
    fn head(&self, modes: &Modes) -> String {
        let mut line = format!(
            "screen {}x{}, cursor row {} column {}{}, frame {}",
            self.cols,
            self.rows,
            self.cursor_row,
            self.cursor_column,
            if self.cursor_visible { "" } else { " (hidden)" },
            self.frame
        );
        if self.alternate_screen {
            line.push_str(", alternate screen");
        }
        if modes.mouse != MouseReports::None {
            line.push_str(", takes the mouse");
        }
        if modes.application_cursor {
            line.push_str(", application cursor keys");
        }
        if self.history_rows > 0 {
            write!(line, ", {} rows above", self.history_rows).ok(); // to a string: cannot fail
        }
        if !self.title.is_empty() {
            write!(line, ", title {:?}", self.title).ok(); // the same
        }
        line.push('\n');
        line
    }
}

/// Rows as an answer writes them, while there is room.
struct Rows {
    format: Format,
    room: usize,
    left_out: usize,
}

impl Rows {
    fn new(format: Format) -> Self {
        Self {
            format,
            room: MAX_ROWS,
            left_out: 0,
        }
    }

    /// What is to be shown of the screen.
    fn screen(&mut self, snapshot: &Snapshot, changes: Changes, region: Option<Region>) -> String {
        let part = region.map(|region| (usize::from(region.top), snapshot.part(region)));
        let (first, rows) = match &part {
            Some((top, rows)) => (*top, rows.as_slice()),
            None => (0, snapshot.shown()),
        };
        match changes {
            Changes::Nothing => "(unchanged)\n".to_owned(),
            Changes::All => rows.iter().filter_map(|row| self.written(row)).collect(),
            Changes::Rows(numbers) => {
                let rows = if region.is_some() { rows } else { &snapshot.rows };
                let within = |number: usize| rows.get(number.checked_sub(first)?).map(|row| (number, row));
                let changed = numbers.into_iter().filter_map(within);
                changed
                    .filter_map(|(number, row)| Some(format!("{number}: {}", self.written(row)?)))
                    .collect()
            }
        }
    }

    fn written(&mut self, row: &Row) -> Option<String> {
        if self.room == 0 {
            self.left_out += 1;
            return None;
        }
        let mut text = match self.format {
            Format::Text => row.text(),
            Format::Ansi => row.ansi(),
            Format::Cells => {
                let runs: Vec<serde_json::Value> = row.runs.iter().map(cells).collect();
                serde_json::Value::from(runs).to_string()
            }
        };
        text.push('\n');
        self.room = self.room.saturating_sub(text.len());
        Some(text)
    }
}

/// One run; only what differs from plain text is named.
pub(crate) fn cells(run: &Run) -> serde_json::Value {
    let mut map = serde_json::Map::new();
    map.insert("text".to_owned(), run.text.clone().into());
    map.insert("cols".to_owned(), run.columns.into());
    for (name, color) in [("fg", run.style.foreground), ("bg", run.style.background)] {
        match color {
            Color::Default => {}
            Color::Index(index) => drop(map.insert(name.to_owned(), index.into())),
            Color::Rgb(red, green, blue) => {
                map.insert(name.to_owned(), format!("#{red:02x}{green:02x}{blue:02x}").into());
            }
        }
    }
    let style = run.style;
    for (name, set) in [
        ("bold", style.bold),
        ("dim", style.dim),
        ("italic", style.italic),
        ("underline", style.underline),
        ("inverse", style.inverse),
    ] {
        if set {
            map.insert(name.to_owned(), true.into());
        }
    }
    map.into()
}
