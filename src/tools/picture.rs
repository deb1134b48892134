//! A session's screen as an answer shows it.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::session::Terminal;
use crate::session::modes::{Modes, MouseReports};
use crate::session::screen::{Changes, Color, Region, Row, Run, Snapshot};

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
        let picture = Self::numbers(&snapshot, shown);
        let mut text = picture.head(&snapshot.modes);
        if !history.is_empty() {
            writeln!(text, "--- {} rows above the screen", history.len()).ok(); // to a string: cannot fail
            for row in &history {
                push(&mut text, row, wanted.format);
            }
            text.push_str("--- screen\n");
        }
        match (changes, wanted.region) {
            (Changes::Nothing, _) => text.push_str("(unchanged)\n"),
            (_, Some(region)) => {
                for row in snapshot.part(region) {
                    push(&mut text, &row, wanted.format);
                }
            }
            (Changes::Rows(rows), None) => {
                for number in rows {
                    write!(text, "{number}: ").ok(); // as above
                    if let Some(row) = snapshot.rows.get(number) {
                        push(&mut text, row, wanted.format);
                    }
                }
            }
            (Changes::All, None) => {
                for row in snapshot.shown() {
                    push(&mut text, row, wanted.format);
                }
            }
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

fn push(text: &mut String, row: &Row, format: Format) {
    match format {
        Format::Text => text.push_str(&row.text()),
        Format::Ansi => text.push_str(&row.ansi()),
        Format::Cells => {
            let runs: Vec<serde_json::Value> = row.runs.iter().map(cells).collect();
            text.push_str(&serde_json::Value::from(runs).to_string());
        }
    }
    text.push('\n');
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
