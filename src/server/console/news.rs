//! What the page is told that is about no one session: questions, lockdown, the record, and who was turned away.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use super::{Console, Desk};
use crate::audit::follow::{Follow, describe};
use crate::confirm::lockdown::REASON;
use crate::confirm::{Shown, quoted};
use crate::policy::Channel;

/// Bytes at the end of each file of the record that are told first.
const FIRST: u64 = 128 << 10;
/// Lines that are told at a time; of older ones the page would keep none.
const LINES: usize = 500;

/// What the browser has of it.
pub(super) struct News {
    questions: watch::Receiver<u64>,
    told: Option<Vec<String>>,
    locked: Option<Option<String>>,
    refused: Option<u64>,
    record: Option<Arc<Mutex<Follow>>>,
}

impl News {
    pub(super) fn new(desk: &Desk) -> Self {
        let directory = desk.services.audit.directory();
        Self {
            questions: desk.services.confirm.changes(),
            told: None,
            locked: None,
            refused: None,
            record: directory.map(|directory| Arc::new(Mutex::new(Follow::last(directory.to_owned(), FIRST)))),
        }
    }

    /// What is new: questions at once, all else at `all`, which comes once a second.
    pub(super) async fn look(&mut self, console: &Console, all: bool) -> Vec<Value> {
        let mut events = Vec::new();
        if all || self.questions.has_changed().unwrap_or(false) {
            self.questions.mark_unchanged();
            events.extend(self.questions(&console.desk));
        }
        if all {
            events.extend(self.lockdown(&console.desk));
            events.extend(self.record().await);
            events.extend(self.refused(console));
        }
        events
    }

    fn questions(&mut self, desk: &Desk) -> Option<Value> {
        let open: Vec<Shown> = desk.services.confirm.list();
        let open: Vec<Shown> = open.into_iter().filter(|shown| shown.answered.is_none()).collect();
        let ids: Vec<String> = open.iter().map(|shown| shown.id.to_string()).collect();
        if self.told.as_ref() == Some(&ids) {
            return None;
        }
        self.told = Some(ids);
        let open: Vec<Value> = open.iter().map(question).collect();
        Some(json!({"kind": "questions", "questions": open}))
    }

    fn lockdown(&mut self, desk: &Desk) -> Option<Value> {
        let now = match desk.services.lockdown.state() {
            Ok(state) => state.map(|state| {
                let (by, reason) = (quoted(&state.by, REASON), quoted(&state.reason, REASON));
                format!("since {} by {by}, saying {reason}", state.since)
            }),
            Err(error) => Some(format!("its file cannot be read: {error}")),
        };
        if self.locked.as_ref() == Some(&now) {
            return None;
        }
        self.locked = Some(now.clone());
        Some(json!({"kind": "lockdown", "reason": now}))
    }

    async fn record(&self) -> Option<Value> {
        let record = Arc::clone(self.record.as_ref()?);
        let fresh = tokio::task::spawn_blocking(move || record.blocking_lock().fresh()).await;
        let lines: Vec<String> = match fresh.map_err(std::io::Error::other) {
            Ok(Ok(fresh)) => fresh.iter().map(|(_, line)| describe(line)).collect(),
            // Before the first record there is no directory.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Ok(Err(error)) | Err(error) => vec![format!("the record cannot be read: {error}")],
        };
        let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
        (!last.is_empty()).then(|| json!({"kind": "audit", "lines": last}))
    }

    fn refused(&mut self, console: &Console) -> Option<Value> {
        let now = console.counts.total();
        if self.refused == Some(now) {
            return None;
        }
        self.refused = Some(now);
        let text = match now {
            0 => String::new(),
            1 => "1 request or connection to this console was turned away; the log says why.".to_owned(),
            count => format!("{count} requests or connections to this console were turned away; the log says why."),
        };
        Some(json!({"kind": "refused", "text": text}))
    }
}

fn question(shown: &Shown) -> Value {
    json!({
        "id": shown.id.to_string(),
        "action": shown.action.to_string(),
        "caller": shown.caller.to_string(),
        "tool": shown.tool,
        "rule": shown.rule.to_string(),
        "left_ms": u64::try_from(shown.left.as_millis()).unwrap_or(u64::MAX),
        "operator": shown.by.contains(&Channel::Operator),
        "preview": shown.preview,
        "whole": shown.whole,
    })
}
