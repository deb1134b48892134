//! Rows as an answer: text that is complete alone, and the few facts beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::address::ApiBase;
use super::content::{Fence, cut, visible_json};
use super::error::HfError;
use super::features::Features;
use super::normalise::Row;
use super::operations::{MAX_PER_PAGE, operation};
use super::request::{Ask, Asked};
use super::settings::OutputMode;
use super::transport::Answer;

/// An answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// For people and agents; complete alone.
    pub text: String,
    /// Numbers, handles and what can follow; see [`schema`].
    pub structured: Value,
}

/// Bytes of rows in a text.
const MAX_ROWS_TEXT: usize = 100 * 1024;
/// Bytes of what was sent, in a text.
const MAX_RAW_TEXT: usize = 200 * 1024;
/// Reads that are proposed.
const MAX_NEXT: usize = 12;
/// Numbers of one kind that are listed.
const MAX_LISTED: usize = 100;
/// Characters of a value that stays on its record's line.
const SHORT: usize = 80;

/// The schema of every structured result.
pub fn schema() -> Map<String, Value> {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let numbers = json!({"type": "array", "items": {"type": "integer"}});
    let schema = json!({
        "type": "object",
        "properties": {
            "tool": {"type": "string"},
            "rows": {"type": "integer", "description": "How many records came."},
            "page": {"type": "integer"},
            "ids": {"type": "object", "description": "The numbers in the records, by kind.",
                    "additionalProperties": numbers},
            "next": {"type": "array", "description": "Reads that can follow.", "items": {"type": "object",
                "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
                "required": ["tool", "arguments"]}},
            "records": {"type": "array", "description": "The records, with output_mode structured; content of strangers.",
                        "items": {"type": "object"}},
            "sent": {"type": "boolean", "description": "Whether a write was sent and accepted."},
            "digest": {"type": "string", "description": "SHA-256 of what was or would be sent, or of a draft."},
            "draft": {"type": "object"},
            "drafts": {"type": "array", "items": {"type": "object"}},
            "forums": {"type": "array", "items": {"type": "object"}},
            "issues": {"type": "array", "items": {"type": "object"}},
            "rate_limit_remaining": {"type": "integer", "description": "Calls that are left in this hour."},
            "notes": texts,
        },
        "required": ["tool"],
    });
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// The answer to a read.
pub(super) fn read(
    asked: &Asked,
    ask: &Ask,
    answer: &Answer,
    rows: &[Row],
    features: &Features,
) -> Result<Reply, HfError> {
    let fence = Fence::new().map_err(HfError::Random)?;
    let tool = asked.operation.tool;
    let page = asked.arguments.get("page").and_then(Value::as_u64);
    let mut text = format!("{tool}: {} {}", rows.len(), plural(rows.len(), "row"));
    if let Some(page) = page {
        write!(text, ", page {page}").ok(); // writing to a string cannot fail
    }
    text.push('\n');
    let next = next(asked, rows, features);
    let mut structured = json!({"tool": tool, "rows": rows.len(), "ids": ids(rows), "next": next});
    if let (Some(page), Value::Object(facts)) = (page, &mut structured) {
        facts.insert("page".to_owned(), page.into());
    }
    match asked.manner.output {
        OutputMode::Readable if rows.is_empty() => text.push_str("(nothing)\n"),
        OutputMode::Readable => {
            let mut shown = String::new();
            for (index, row) in rows.iter().enumerate() {
                record(&mut shown, index + 1, row);
            }
            text.push_str(&fence.around(&cut(&shown, MAX_ROWS_TEXT)));
        }
        OutputMode::Structured => {
            let json = visible_json(&serde_json::to_string(rows).unwrap_or_default()); // maps of ours: cannot fail
            text.push_str(&fence.around(&cut(&json, MAX_RAW_TEXT)));
            if let Value::Object(facts) = &mut structured {
                facts.insert("records".to_owned(), rows.to_vec().into());
            }
        }
        OutputMode::Raw => {}
    }
    if asked.manner.output == OutputMode::Raw || asked.manner.raw {
        let raw = raw(ask, answer);
        text.push_str("as Hack Forums sent it:\n");
        text.push_str(&fence.around(&cut(&raw, MAX_RAW_TEXT)));
    }
    for step in &next {
        writeln!(
            text,
            "next: {} {}",
            step["tool"].as_str().unwrap_or_default(),
            step["arguments"]
        )
        .ok(); // as above
    }
    Ok(Reply { text, structured })
}

/// The answer to a write that Hack Forums accepted.
pub(super) fn written(asked: &Asked, ask: &Ask, rows: &[Row]) -> Result<Reply, HfError> {
    let fence = Fence::new().map_err(HfError::Random)?;
    let tool = asked.operation.tool;
    let mut shown = String::new();
    for (index, row) in rows.iter().enumerate() {
        record(&mut shown, index + 1, row);
    }
    let mut text = format!(
        "{tool}: sent and accepted ({})\n",
        ask.target.as_deref().unwrap_or_default()
    );
    if !shown.is_empty() {
        text.push_str(&fence.around(&cut(&shown, MAX_ROWS_TEXT)));
    }
    let digest = super::drafts::digest(&ask.body);
    let structured = json!({"tool": tool, "sent": true, "rows": rows.len(), "ids": ids(rows), "digest": digest});
    Ok(Reply { text, structured })
}

/// What a write would send.
pub(super) fn preview(asked: &Asked, ask: &Ask, base: &ApiBase) -> Reply {
    let tool = asked.operation.tool;
    let body = String::from_utf8_lossy(&ask.body); // JSON or a form of ours
    let digest = super::drafts::digest(&ask.body);
    let text = format!(
        "{tool}: a dry run; nothing was sent. Without dry_run exactly this would be, for {}:\nPOST {}\n\n{body}\n\n{} \
         bytes, SHA-256 {digest}\n",
        ask.target.as_deref().unwrap_or_default(),
        base.join(ask.route),
        ask.body.len(),
    );
    Reply {
        text,
        structured: json!({"tool": tool, "sent": false, "digest": digest}),
    }
}

/// Adds what is known about calls that are left.
pub(super) fn note_rate(reply: &mut Reply, remaining: Option<u64>) {
    let Some(remaining) = remaining else { return };
    if remaining < super::rate::FEW {
        writeln!(
            reply.text,
            "note: Hack Forums takes {remaining} more calls in this hour"
        )
        .ok(); // to a string
    }
    if let Value::Object(facts) = &mut reply.structured {
        facts.insert("rate_limit_remaining".to_owned(), remaining.into());
    }
}

fn raw(ask: &Ask, answer: &Answer) -> String {
    // Written anew from what was read: what came as text may hold a secret of ours in a value that another one replaced.
    if ask.hidden.is_empty() {
        return visible_json(&answer.document.to_string());
    }
    let mut document = answer.document.clone();
    super::normalise::without(&mut document, &ask.hidden);
    visible_json(&document.to_string())
}

/// One record: short values on one line, long ones below it.
fn record(text: &mut String, number: usize, row: &Row) {
    let (mut short, mut long) = (Vec::new(), Vec::new());
    gather("", row, &mut short, &mut long);
    writeln!(text, "[{number}] {}", short.join(" | ")).ok(); // writing to a string cannot fail
    for (name, value) in long {
        writeln!(text, "  {name}:").ok(); // as above
        for line in value.lines() {
            writeln!(text, "    {line}").ok(); // as above
        }
    }
}

fn gather(path: &str, row: &Row, short: &mut Vec<String>, long: &mut Vec<(String, String)>) {
    for (key, value) in row {
        let name = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match value {
            Value::Null => {}
            Value::String(value) if value.is_empty() => {}
            Value::String(value) if is_time(key) => short.push(format!("{name} {}", time(value))),
            Value::String(value) if key == "message" || value.len() > SHORT || value.contains('\n') => {
                long.push((name, value.clone()));
            }
            Value::String(value) => short.push(format!("{name} {value}")),
            Value::Object(inner) => gather(&name, inner, short, long),
            other => short.push(format!("{name} {other}")),
        }
    }
}

fn is_time(key: &str) -> bool {
    [
        "dateline",
        "otherdateline",
        "lastpost",
        "edittime",
        "lastvisit",
        "lastactive",
        "dateadded",
        "startdate",
        "enddate",
    ]
    .contains(&key)
}

fn time(seconds: &str) -> String {
    let parsed = seconds.parse().ok().filter(|seconds: &i64| *seconds > 1_000_000);
    let time = parsed.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| seconds.to_owned(), |time| time.to_string())
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

/// The numbers in the records, by what they are of.
fn ids(rows: &[Row]) -> Value {
    let mut found: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    rows.iter().for_each(|row| collect(row, &mut found));
    let lists = found.into_iter().map(|(kind, ids)| {
        let list: Vec<u64> = ids.into_iter().take(MAX_LISTED).collect();
        (kind.to_owned(), list.into())
    });
    Value::Object(lists.collect())
}

fn collect(row: &Row, found: &mut BTreeMap<&'static str, BTreeSet<u64>>) {
    for (key, value) in row {
        match value {
            Value::String(id) => {
                if let (Some(kind), Some(id)) = (kind(key), positive(id)) {
                    found.entry(kind).or_default().insert(id);
                }
            }
            Value::Object(inner) => collect(inner, found),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_object)
                .for_each(|row| collect(row, found)),
            _ => {}
        }
    }
}

fn kind(key: &str) -> Option<&'static str> {
    Some(match key {
        "fid" => "forum_ids",
        "tid" | "dispute_tid" => "thread_ids",
        "pid" => "post_ids",
        "uid" | "from" | "to" | "fromid" | "toid" | "inituid" | "otheruid" | "muid" | "claimantuid"
        | "defendantuid" | "buyer" | "seller" | "lastposteruid" => "user_ids",
        "cid" | "contractid" => "contract_ids",
        "cdid" | "idispute" | "odispute" => "dispute_ids",
        "crid" | "ibrating" | "obrating" => "rating_ids",
        "smid" => "sigmarket_listing_ids",
        _ => return None,
    })
}

fn positive(text: &str) -> Option<u64> {
    text.parse()
        .ok()
        .filter(|id| (1..=super::operations::MAX_ID).contains(id))
}

/// The reads that can follow: the next page, and what the records name. Never a write.
fn next(asked: &Asked, rows: &[Row], features: &Features) -> Vec<Value> {
    let mut steps = Vec::new();
    let page = asked.arguments.get("page").and_then(Value::as_u64);
    let full = asked
        .arguments
        .get("per_page")
        .and_then(Value::as_u64)
        .unwrap_or(MAX_PER_PAGE);
    if let Some(page) = page
        && rows.len() as u64 >= full
    {
        let mut arguments = asked.arguments.clone();
        arguments.retain(|name, value| asked.configured.get(name) != Some(value));
        arguments.insert("page".to_owned(), (page + 1).into());
        steps.push(json!({"tool": asked.operation.tool, "arguments": arguments}));
    }
    for hint in asked.operation.hints {
        let offered = operation(hint.tool).is_some_and(|target| {
            let takes = target.inputs(features).any(|input| input.name == hint.argument);
            target.is_offered(features) && takes && !target.writes()
        });
        if !offered {
            continue;
        }
        for row in rows {
            let id = row.get(hint.key).and_then(Value::as_str).and_then(positive);
            // What was just asked for need not be asked again.
            let Some(id) = id else { continue };
            let same = hint.tool == asked.operation.tool && asked.arguments.get(hint.argument) == Some(&id.into());
            let step = json!({"tool": hint.tool, "arguments": {hint.argument: id}});
            if !same && !steps.contains(&step) && steps.len() < MAX_NEXT {
                steps.push(step);
            }
        }
    }
    steps
}
