//! The arguments of a call as they take effect: checked, defaults filled, other names of the same thing resolved, the
//! message as it goes out.
//!
//! Nothing here sends, asks or waits; [`super::request`] makes a request of them.

use serde_json::{Map, Value};

use super::content;
use super::drafts::Drafts;
use super::fault::{RequestError, TextFault};
use super::features::Features;
use super::mycode;
use super::operations::{Input, Needs, Operation};
use super::settings::Settings;

/// The arguments, checked, under their own names and with their defaults; without those that say how the answer looks.
pub(super) fn named(
    operation: &'static Operation,
    settings: &Settings,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, RequestError> {
    let features = &settings.features;
    check_each(operation, features, given)?;
    check_needs(operation, settings, given)?;
    let mut arguments = Map::new();
    for input in operation.inputs(features).filter(|input| !is_manner(input)) {
        if let Some(value) = given.get(input.name).cloned().or_else(|| input.default()) {
            let name = canonical(operation, input).name;
            if arguments.insert(name.to_owned(), value).is_some() {
                return Err(RequestError::Both {
                    field: name_of(operation, name),
                    other: input.name,
                });
            }
        }
    }
    Ok(arguments)
}

fn check_each(
    operation: &'static Operation,
    features: &Features,
    given: &Map<String, Value>,
) -> Result<(), RequestError> {
    for (name, value) in given {
        let field = || name.chars().take(64).collect();
        match operation.inputs(features).find(|input| input.name == name) {
            None => return Err(RequestError::Unknown { field: field() }),
            Some(input) if !input.kind.accepts(value) => return Err(RequestError::Value { field: field() }),
            Some(_) => {}
        }
    }
    let mut required = operation.inputs(features).filter(|input| input.required);
    match required.find(|input| !given.contains_key(input.name)) {
        Some(input) => Err(RequestError::Missing { field: input.name }),
        None => Ok(()),
    }
}

fn check_needs(
    operation: &'static Operation,
    settings: &Settings,
    given: &Map<String, Value>,
) -> Result<(), RequestError> {
    let there = |names: &'static [&'static str]| -> Vec<&'static str> {
        let known = |name: &&&str| operation.inputs(&settings.features).any(|i| i.name == **name);
        names.iter().filter(known).copied().collect()
    };
    let found = |names: &'static [&'static str]| -> Vec<&'static str> {
        names
            .iter()
            .filter(|name| given.contains_key(**name))
            .copied()
            .collect()
    };
    match operation.needs {
        Needs::Nothing => Ok(()),
        Needs::Selector(_) if settings.unfiltered.contains(operation.tool) => Ok(()),
        Needs::AnyOf(names) | Needs::Selector(names) if found(names).is_empty() => {
            Err(RequestError::OneOf { names: there(names) })
        }
        Needs::AnyOf(_) | Needs::Selector(_) => Ok(()),
        Needs::OneOf(names) => match found(names).as_slice() {
            [] => Err(RequestError::OneOf { names: there(names) }),
            [_] => Ok(()),
            [field, other, ..] => Err(RequestError::Both { field, other }),
        },
    }
}

/// The input that sends the same key and comes first: the one that others are other names of.
fn canonical(operation: &'static Operation, input: &'static Input) -> &'static Input {
    let first = input
        .sends
        .and_then(|key| operation.all().find(|other| other.sends == Some(key)));
    first.unwrap_or(input)
}

fn name_of(operation: &'static Operation, name: &str) -> &'static str {
    let input = operation.all().find(|input| input.name == name);
    input.map_or("", |input| input.name)
}

fn is_manner(input: &Input) -> bool {
    ["output_mode", "include_raw_payload", "body_format"].contains(&input.name)
}

/// Puts the message that goes out in the place of what it comes from.
pub(super) fn settle_texts(drafts: &Drafts, arguments: &mut Map<String, Value>) -> Result<(), RequestError> {
    if let Some(subject) = arguments.get("subject").and_then(Value::as_str) {
        if subject.contains(char::is_control) {
            return Err(RequestError::Text {
                field: "subject",
                reason: TextFault::Line,
            });
        }
        sendable("subject", subject)?;
    }
    if let Some(reason) = arguments.get("reason").and_then(Value::as_str) {
        sendable_line("reason", reason)?;
    }
    let take = |arguments: &mut Map<String, Value>, name: &str| match arguments.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let format = take(arguments, "message_format");
    let digest = take(arguments, "draft_digest");
    let draft = match (take(arguments, "draft_id"), take(arguments, "draft_path")) {
        (Some(id), _) => Some(drafts.by_id(&id)?),
        (None, Some(path)) => Some(drafts.by_path(&path)?),
        (None, None) => None,
    };
    if draft.is_none() && digest.is_some() {
        return Err(RequestError::NoDraft);
    }
    let message = match (draft, take(arguments, "message")) {
        (Some(draft), _) => {
            draft.check_sendable()?;
            if digest.is_some_and(|digest| digest != draft.digest) {
                return Err(RequestError::Digest { found: draft.digest });
            }
            draft.mycode
        }
        (None, Some(text)) if format.as_deref() == Some("markdown") => mycode::from_markdown(&text),
        (None, Some(text)) => text,
        (None, None) => return Ok(()), // a write without a message
    };
    sendable("message", &message)?;
    if mycode::check(&message).iter().any(|issue| issue.is_error()) {
        return Err(RequestError::Text {
            field: "message",
            reason: TextFault::Unbalanced,
        });
    }
    arguments.insert("message".to_owned(), message.into());
    Ok(())
}

fn sendable(field: &'static str, text: &str) -> Result<(), RequestError> {
    match fault(text) {
        Some(reason) => Err(RequestError::Text { field, reason }),
        None => Ok(()),
    }
}

/// Why a message or a subject cannot be sent, if it cannot.
pub(super) fn fault(text: &str) -> Option<TextFault> {
    // What is seen counts, and joiners are seen only by what they join.
    let seen: String = content::visible(text)
        .chars()
        .filter(|c| !matches!(c, '\u{200C}' | '\u{200D}'))
        .collect();
    match seen.trim().chars().count() {
        _ if text.chars().any(content::is_control) => Some(TextFault::Control),
        0 => Some(TextFault::Blank),
        1..3 => Some(TextFault::Short),
        _ if text.chars().count() > super::operations::MAX_MESSAGE => Some(TextFault::Long),
        _ => None,
    }
}

/// A text that may be short.
fn sendable_line(field: &'static str, text: &str) -> Result<(), RequestError> {
    match fault(text) {
        Some(reason) if reason != TextFault::Short => Err(RequestError::Text { field, reason }),
        _ => Ok(()),
    }
}
