//! The arguments of a call as they take effect: checked, defaults filled, other names of the same thing resolved, the
//! message as it goes out.
//!
//! Nothing here sends, asks or waits; [`super::request`] makes a request of them. Rules see these arguments and no
//! others, so what rules may name is said here too.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::content;
use super::drafts::Drafts;
use super::fault::{RequestError, TextFault};
use super::features::Features;
use super::mycode;
use super::operations::{Act, Input, Needs, Operation};
use super::request::Manner;
use super::settings::Settings;

/// What of the settings decides what arguments mean.
#[derive(Clone, Debug)]
pub struct Terms {
    features: Features,
    unfiltered: BTreeSet<&'static str>,
    manner: Manner,
}

/// The arguments that take effect.
#[derive(Clone, Debug)]
pub struct Effective {
    /// By name.
    pub values: Map<String, Value>,
    /// What the settings say for those that may be left out.
    pub configured: Map<String, Value>,
}

impl Terms {
    /// Those of these settings.
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            features: settings.features.clone(),
            unfiltered: settings.unfiltered.clone(),
            manner: Manner::configured(settings),
        }
    }

    /// Those of these settings, if there are any, with all that could be turned on: for questions about rules.
    pub fn with_everything(settings: Option<&Settings>) -> Self {
        Self {
            features: Features::all(),
            unfiltered: settings.map(|settings| settings.unfiltered.clone()).unwrap_or_default(),
            manner: settings.map(Manner::configured).unwrap_or_default(),
        }
    }
}

/// What the arguments of a call come to. Reads drafts.
pub fn effective(
    operation: &'static Operation,
    terms: &Terms,
    drafts: &Drafts,
    given: &Map<String, Value>,
) -> Result<Effective, RequestError> {
    check_each(operation, &terms.features, given)?;
    check_needs(operation, terms, given)?;
    let mut configured = terms.manner.to_arguments();
    configured.retain(|name, _| operation.all().any(|input| input.name == name));
    let mut values = named(operation, &terms.features, &configured, given)?;
    match operation.act {
        Act::Read { .. } => {}
        Act::Local(_) => settle_draft(drafts, &mut values)?,
        Act::Write { .. } => {
            settle_texts(drafts, &mut values)?;
            if values.get("dry_run") == Some(&Value::Bool(false)) {
                values.remove("dry_run"); // it says nothing, and rules need not list it
            }
        }
    }
    Ok(Effective { values, configured })
}

/// The schema of the arguments that take effect.
pub fn schema(operation: &'static Operation) -> Map<String, Value> {
    let mut schema = operation.schema(&Features::all());
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| instead(operation, name).is_none());
        if let Some(dry_run) = properties.get_mut("dry_run") {
            *dry_run = json!({"type": "boolean", "const": true});
        }
    }
    schema
}

/// What rules see in the place of an argument that callers may write, where that has another name.
pub fn instead(operation: &'static Operation, name: &str) -> Option<&'static str> {
    let input = operation.all().find(|input| input.name == name)?;
    let seen = match (operation.act, name) {
        (Act::Write { .. }, "message_format" | "draft_id" | "draft_path" | "draft_digest") => "message",
        (Act::Local(_), "draft_path") => "draft_id",
        _ => canonical(operation, input).name,
    };
    (seen != name).then_some(seen)
}

/// The arguments under their own names, with what is meant where they are left out.
fn named(
    operation: &'static Operation,
    features: &Features,
    configured: &Map<String, Value>,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, RequestError> {
    let mut arguments = Map::new();
    for input in operation.inputs(features) {
        let meant = given.get(input.name).or_else(|| configured.get(input.name)).cloned();
        if let Some(value) = meant.or_else(|| input.default()) {
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

fn check_needs(operation: &'static Operation, terms: &Terms, given: &Map<String, Value>) -> Result<(), RequestError> {
    let there = |names: &'static [&'static str]| -> Vec<&'static str> {
        let known = |name: &&&str| operation.inputs(&terms.features).any(|i| i.name == **name);
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
        Needs::Selector(_) if terms.unfiltered.contains(operation.tool) => Ok(()),
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

/// Names a draft in one way only. The file is not looked at.
fn settle_draft(drafts: &Drafts, arguments: &mut Map<String, Value>) -> Result<(), RequestError> {
    if let Some(Value::String(path)) = arguments.remove("draft_path") {
        let id = drafts.id_of(&path)?;
        arguments.insert("draft_id".to_owned(), id.into());
    }
    Ok(())
}

/// Puts the message that goes out in the place of what it comes from.
fn settle_texts(drafts: &Drafts, arguments: &mut Map<String, Value>) -> Result<(), RequestError> {
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
        .filter(|c| !content::is_joiner(*c))
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
