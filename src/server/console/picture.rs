//! What a browser has of a session's screen, and what it is sent of a newer one.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use serde_json::{Value, json};

use super::about::visible;
use crate::session::screen::{Size, Snapshot};
use crate::session::{Progress, Session};
use crate::tools::picture;

/// What the browser has of one session.
#[derive(Default)]
pub(super) struct Shown {
    progress: Option<Mark>,
    size: (u16, u16),
    /// A number for each row. They cannot be foreseen by the program that draws.
    rows: Vec<u64>,
    hasher: RandomState,
}

/// What says whether there is something new to see: bytes printed, whether they are drawn, whether it has ended, and the
/// size.
type Mark = (u64, u64, bool, bool, Option<Size>);

impl Shown {
    /// What is different now from what the browser has; none if nothing is.
    pub(super) async fn update(&mut self, session: &Session) -> Option<Value> {
        let progress = session.progress();
        let now = mark(&progress);
        if self.progress == Some(now) {
            return None;
        }
        let mut update = self.changes(&session.look(Size::default()).await.ok()?);
        self.progress = Some(now);
        let map = update.as_object_mut()?;
        map.insert("kind".to_owned(), "screen".into());
        map.insert("id".to_owned(), session.about().id.to_string().into());
        Some(update)
    }

    /// The rows that are different from what was sent last.
    fn changes(&mut self, snapshot: &Snapshot) -> Value {
        let rows: Vec<u64> = snapshot.rows.iter().map(|row| self.hasher.hash_one(row)).collect();
        let size = (snapshot.size.columns(), snapshot.size.rows());
        let all = size != self.size || self.rows.len() != rows.len();
        let lines: Vec<(usize, Vec<Value>)> = snapshot
            .rows
            .iter()
            .enumerate()
            .filter(|(number, _)| all || rows.get(*number) != self.rows.get(*number))
            .map(|(number, row)| (number, row.runs.iter().map(picture::cells).collect()))
            .collect();
        let cursor = snapshot
            .cursor
            .visible
            .then_some((snapshot.cursor.row, snapshot.cursor.column));
        (self.size, self.rows) = (size, rows);
        json!({"all": all, "cols": size.0, "rows": size.1, "cursor": cursor, "title": visible(&snapshot.title), "lines": lines})
    }
}

fn mark(progress: &Progress) -> Mark {
    (
        progress.main,
        progress.error,
        progress.drawn,
        progress.finished.is_some(),
        progress.size,
    )
}
