//! What Hack Forums sent, as rows that always look the same.
//!
//! One record or many, numbers or text, `1` or `true`: the API sends any of them. Here every record is a row, every
//! value a text, a list or a record, and nothing is kept that was not asked for. Texts are cleaned and shown as asked.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::content::{decoded, split, visible};
use super::mycode;
use super::operations::Operation;
use super::settings::BodyFormat;

/// Rows that are taken from an answer; a page has at most 30.
pub(super) const MAX_ROWS: usize = 200;
/// Bytes of all texts of an answer together, as they are shown.
pub(super) const MAX_TEXT: usize = 256 * 1024;
/// Of these, what the longest texts of the rows may take: the rest is for the others.
const MAX_LONG: usize = MAX_TEXT / 4 * 3;
/// In place of a text when nothing is left for it.
const NOT_SHOWN: &str = "[not shown]";
/// Values of one record or list.
const MAX_ENTRIES: usize = 256;
/// Records within records.
const MAX_DEPTH: usize = 8;

/// A record.
pub(super) type Row = Map<String, Value>;

/// What is kept, and how texts are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The fields that were asked for, as in [`super::request::Ask::fields`]; all where none.
    pub(super) fields: &'a [&'static str],
    /// Fields that are not shown.
    pub(super) hidden: &'a [&'static str],
    /// How MyCode is shown.
    pub(super) body: BodyFormat,
}

/// The rows of an answer; nothing when it holds none that can be understood.
pub(super) fn rows(value: &Value, operation: &Operation, view: View<'_>) -> Option<Vec<Row>> {
    let records = records(value)?;
    let shape = Shape {
        view,
        most: MAX_LONG / records.len().clamp(1, MAX_ROWS),
        left: Cell::new(MAX_TEXT),
    };
    let mut rows: Vec<Row> = records
        .into_iter()
        .take(MAX_ROWS)
        .map(|record| shape.row(record, "", 0))
        .collect();
    for row in &mut rows {
        tidy(row);
    }
    if operation.newest_first
        && let Some(key) = operation.ids.first()
    {
        let number = |row: &Row| {
            row.get(*key)
                .and_then(Value::as_str)
                .and_then(|id| id.parse::<u64>().ok())
        };
        rows.sort_by_key(|row| std::cmp::Reverse(number(row)));
    }
    Some(rows)
}

/// A document without what must not be shown, for the raw form.
pub(super) fn without(document: &mut Value, hidden: &[&'static str]) {
    match document {
        Value::Object(fields) => {
            fields.retain(|key, _| !hidden.contains(&cut_key(key).as_str()));
            fields.values_mut().for_each(|value| without(value, hidden));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| without(value, hidden)),
        _ => {}
    }
}

/// One record, a list of them, or a record of them by number.
pub(super) fn records(value: &Value) -> Option<Vec<&Row>> {
    match value {
        Value::Null | Value::Bool(false) => Some(Vec::new()),
        Value::Array(items) => items.iter().map(Value::as_object).collect(),
        Value::Object(fields) => {
            let numbered = !fields.is_empty()
                && fields
                    .iter()
                    .all(|(key, value)| value.is_object() && key.bytes().all(|b| b.is_ascii_digit()));
            Some(if numbered {
                fields.values().filter_map(Value::as_object).collect()
            } else if fields.is_empty() {
                Vec::new()
            } else {
                vec![fields]
            })
        }
        _ => None,
    }
}

struct Shape<'a> {
    view: View<'a>,
    /// Bytes of one text.
    most: usize,
    /// Bytes that are left for all that follow.
    left: Cell<usize>,
}

impl Shape<'_> {
    fn row(&self, record: &Row, path: &str, depth: usize) -> Row {
        let mut row = Row::new();
        for (key, value) in record.iter().take(MAX_ENTRIES) {
            // What decides is the name that is shown, not one that only looks different before it is cleaned.
            let key = cut_key(key);
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            if self.keeps(&path) {
                let value = self.value(value, &key, &path, depth + 1);
                row.insert(key, value);
            }
        }
        row
    }

    fn value(&self, value: &Value, key: &str, path: &str, depth: usize) -> Value {
        match value {
            _ if depth > MAX_DEPTH => Value::Null,
            Value::Null => Value::Null,
            Value::Bool(value) => if *value { "1" } else { "0" }.into(),
            Value::Number(number) => number.to_string().into(),
            Value::String(text) => self.text(text, key).into(),
            Value::Array(items) => items
                .iter()
                .take(MAX_ENTRIES)
                .map(|item| self.value(item, key, path, depth + 1))
                .collect(),
            Value::Object(record) => Value::Object(self.row(record, path, depth)),
        }
    }

    /// A text as it is shown, within what is left. Markup can make it longer than it came, so that is what counts.
    fn text(&self, text: &str, key: &str) -> String {
        let most = self.most.min(self.left.get());
        if most == 0 && !text.is_empty() {
            return NOT_SHOWN.to_owned();
        }
        // Work on what is not shown is wasted.
        let (text, beyond) = split(text, most);
        let mut shown = match (self.view.body, key) {
            (BodyFormat::Raw, _) => visible(text).into_owned(),
            (BodyFormat::Clean, "message") => mycode::clean(text),
            (BodyFormat::Markdown, "message") => mycode::markdown(text),
            (_, _) => visible(&decoded(text)).into_owned(),
        };
        let end = split(&shown, most).0.len();
        let beyond = beyond.len() + shown.len() - end;
        shown.truncate(end);
        self.left.set(self.left.get() - end);
        if beyond > 0 {
            shown.push_str(&format!("\n[{beyond} bytes more are not shown]"));
        }
        shown
    }

    /// Whether a field was asked for: it, a record that it is in, or something in it.
    fn keeps(&self, path: &str) -> bool {
        let top = path.split('.').next().unwrap_or(path);
        if self.view.hidden.contains(&top) {
            return false;
        }
        let within = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let fields = self.view.fields;
        fields.is_empty() || fields.iter().any(|field| within(field, path) || within(path, field))
    }
}

/// A key cannot be told from ours by its looks alone, but it can be kept short and visible.
fn cut_key(key: &str) -> String {
    visible(key).chars().filter(|c| !c.is_whitespace()).take(64).collect()
}

fn tidy(row: &mut Row) {
    if let Some(Value::String(amount)) = row.get_mut("amount")
        && let Some((whole, fraction)) = amount.split_once('.')
        && fraction.bytes().all(|b| b == b'0')
    {
        *amount = whole.to_owned();
    }
    if let Some(Value::String(avatar)) = row.get_mut("avatar") {
        let path = avatar.strip_prefix("./").or_else(|| avatar.strip_prefix('/'));
        if let Some(path) = path {
            *avatar = format!("https://hackforums.net/{path}");
        }
    }
    if let Some(groups) = row.get_mut("additionalgroups")
        && let Value::String(text) = groups
    {
        let list = text.split(',').map(str::trim).filter(|group| !group.is_empty());
        *groups = list.collect::<Vec<_>>().into();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hf::operations::operation;

    const VIEW: View<'_> = View {
        fields: &[
            "pid",
            "subject",
            "message",
            "amount",
            "avatar",
            "additionalgroups",
            "firstpost.author.uid",
        ],
        hidden: &[],
        body: BodyFormat::Markdown,
    };

    fn of(value: Value) -> Value {
        json!(rows(&value, operation("hf_posts_read").unwrap(), VIEW))
    }

    #[test]
    fn every_form_of_an_answer_gives_the_same_rows() {
        let expected = json!([{"pid": "7", "subject": "a \"b\""}]);
        for value in [
            json!([{"pid": 7, "subject": "a &quot;b&quot;", "other": 1}]),
            json!({"pid": "7", "subject": "a \"b\""}),
            json!({"0": {"pid": 7, "subject": "a &#34;b&#34;"}}),
        ] {
            assert_eq!(of(value.clone()), expected, "{value}");
        }
        for none in [json!([]), json!({}), json!(null), json!(false)] {
            assert_eq!(of(none), json!([]));
        }
        for wrong in [json!("x"), json!(3), json!([1]), json!([[{}]])] {
            assert_eq!(of(wrong), json!(null));
        }
    }

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let row = json!({
            "pid": true, "lastposter": "x", "amount": "12.00", "avatar": "./a.png", "additionalgroups": "1, 2,",
            "firstpost": {"author": {"uid": 3, "username": "x"}, "pid": 9},
        });
        let expected = json!([{
            "pid": "1", "amount": "12", "avatar": "https://hackforums.net/a.png", "additionalgroups": ["1", "2"],
            "firstpost": {"author": {"uid": "3"}},
        }]);
        assert_eq!(of(row), expected);
        let view = View {
            fields: &[],
            hidden: &["message"],
            ..VIEW
        };
        let kept = rows(
            &json!({"message": "x", "\u{7f}mess\u{200b}age": "x", "new": 1}),
            operation("hf_posts_read").unwrap(),
            view,
        );
        assert_eq!(json!(kept), json!([{"new": "1"}]));
    }

    #[test]
    fn newer_contracts_come_first() {
        let value = json!([{"cid": "9"}, {"cid": "10"}, {"cid": 2}]);
        let view = View {
            fields: &["cid"],
            ..VIEW
        };
        let kept = rows(&value, operation("hf_contracts_read").unwrap(), view);
        assert_eq!(json!(kept), json!([{"cid": "10"}, {"cid": "9"}, {"cid": "2"}]));
    }

    fn bytes(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(bytes).sum(),
            Value::Object(fields) => fields.values().map(bytes).sum(),
            _ => 0,
        }
    }

    #[test]
    fn the_texts_of_an_answer_are_bounded_together_as_they_are_shown() {
        let quotes = "[quote]".repeat(6) + &"\n".repeat(500_000);
        let many: Row = (0..200).map(|n| (format!("t{n}"), "x".repeat(9000).into())).collect();
        let all = View { fields: &[], ..VIEW };
        for (value, view) in [
            (
                json!([{"message": quotes}, {"message": quotes}, {"message": quotes}, {"message": quotes}]),
                VIEW,
            ),
            (json!(many), all),
            (json!([{"message": vec![quotes; 4]}]), VIEW),
            (json!({"message": vec!["y".repeat(2000); 900]}), VIEW),
        ] {
            let kept = rows(&value, operation("hf_posts_read").unwrap(), view);
            let shown = bytes(&json!(kept));
            // Texts, and for each value at most a note on what is not shown.
            assert!(shown <= MAX_TEXT + 40 * 1000, "{shown}");
        }
        // Who comes last is not left out.
        let mut posts = vec![json!({"message": "x".repeat(60_000), "subject": "s"}); 30];
        posts.push(json!({"message": "last", "subject": "short"}));
        let kept = of(json!(posts));
        assert_eq!(kept[30], json!({"message": "last", "subject": "short"}));
        assert!(kept[0]["message"].as_str().unwrap().len() > 6000);
        let one = of(json!({"message": "x".repeat(60_000)}));
        assert_eq!(bytes(&one), 60_000);
    }

    proptest! {
        #[test]
        fn texts_are_bounded_and_hold_nothing_hidden(text in "\\PC{0,40}|[\u{0}-\u{ff}\u{202e}]{0,40}", times in 1_usize..4000) {
            let value = json!([{"subject": text.repeat(times)}, {"message": text}]);
            let shown = of(value).to_string();
            prop_assert!(shown.len() < 4 * MAX_TEXT);
            prop_assert!(!shown.chars().any(crate::hf::content::is_hidden));
        }
    }
}
