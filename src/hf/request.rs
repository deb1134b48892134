//! From a tool's arguments to exactly what is sent, or the reason why nothing is.
//!
//! Nothing here sends, asks or waits. The arguments that the policy sees ([`Asked::arguments`]) are those that take
//! effect: defaults filled, other names of the same thing resolved, the message as it goes out.

use serde_json::{Map, Value, json};

use super::content;
use super::drafts::Drafts;
use super::fault::{RequestError, TextFault};
use super::features::Features;
use super::mycode;
use super::operations::{Act, Input, Local, Needs, Operation};
use super::settings::{BodyFormat, Encoding, OutputMode, Settings};

/// A call that was understood.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is asked for.
    pub operation: &'static Operation,
    /// The arguments that take effect.
    pub arguments: Map<String, Value>,
    /// How the answer looks.
    pub manner: Manner,
    /// What is done.
    pub work: Work,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Work {
    /// This is sent.
    Send(Ask),
    /// This is shown, and not sent.
    Show(Ask),
    /// Local data is used.
    Local(Local),
}

/// A request as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Below the API's base, as in `read/posts`.
    pub route: &'static str,
    /// The endpoint that the answer is under.
    pub endpoint: &'static str,
    /// What `body` says, for tests and previews.
    pub asks: Value,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// How the bytes are to be read.
    pub encoding: Encoding,
    /// The requested fields, as in [`super::operations::Fields::names`]; none where the API chooses.
    pub fields: Vec<&'static str>,
    /// Fields that must not be shown, requested or not.
    pub hidden: Vec<&'static str>,
    /// Whom or what a write meets.
    pub target: Option<String>,
}

/// How the answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Text, rows or what was sent.
    pub output: OutputMode,
    /// Whether what was sent is added.
    pub raw: bool,
    /// How MyCode is shown.
    pub body: BodyFormat,
}

/// Understands a call.
pub fn understand(
    operation: &'static Operation,
    settings: &Settings,
    drafts: &Drafts,
    given: &Map<String, Value>,
) -> Result<Asked, RequestError> {
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
    let manner = Manner::of(settings, given);
    let work = match operation.act {
        Act::Read { route, endpoint } => Work::Send(read(operation, settings, (route, endpoint), &arguments)),
        Act::Local(local) => Work::Local(local),
        Act::Write {
            route,
            endpoint,
            target,
        } => {
            let shown = arguments.get("dry_run") == Some(&Value::Bool(true));
            settle_texts(drafts, &mut arguments)?;
            if !shown {
                arguments.remove("dry_run"); // it says nothing, and rules need not list it
            }
            let ask = write(operation, settings, (route, endpoint, target), &arguments);
            if shown { Work::Show(ask) } else { Work::Send(ask) }
        }
    };
    Ok(Asked {
        operation,
        arguments,
        manner,
        work,
    })
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

fn read(
    operation: &'static Operation,
    settings: &Settings,
    (route, endpoint): (&'static str, &'static str),
    arguments: &Map<String, Value>,
) -> Ask {
    let (mut fields, mut hidden) = (Vec::new(), Vec::new());
    for group in operation.fields {
        let wanted = group
            .flag
            .is_none_or(|flag| arguments.get(flag) == Some(&Value::Bool(true)));
        let names = group.names.split_whitespace();
        match settings.features.has(group.family) {
            true if wanted => fields.extend(names),
            true => {}
            false => hidden.extend(names),
        }
    }
    let mut inner = selectors(operation, arguments);
    for field in &fields {
        insert_path(&mut inner, field);
    }
    let mut ask = Ask::new(settings, route, endpoint, inner);
    ask.fields = fields;
    ask.hidden = hidden;
    ask
}

fn write(
    operation: &'static Operation,
    settings: &Settings,
    (route, endpoint, target): (&'static str, &'static str, Option<&'static str>),
    arguments: &Map<String, Value>,
) -> Ask {
    let mut inner = selectors(operation, arguments);
    if let Some(message) = arguments.get("message") {
        inner.insert("_message".to_owned(), message.clone());
    }
    let mut ask = Ask::new(settings, route, endpoint, inner);
    let named = target.and_then(|name| Some(format!("{name} {}", arguments.get(name)?)));
    ask.target = Some(named.unwrap_or_else(|| "account".to_owned()));
    ask
}

fn selectors(operation: &'static Operation, arguments: &Map<String, Value>) -> Map<String, Value> {
    let sent = operation.all().filter_map(|input| {
        let value = arguments.get(input.name)?;
        Some((input.sends?.to_owned(), value.clone()))
    });
    sent.collect()
}

/// `author.uid` becomes `{"author": {"uid": true}}`.
fn insert_path(into: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), Value::Bool(true));
        }
        Some((record, rest)) => {
            let inner = into.entry(record).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert_path(inner, rest);
            }
        }
    }
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

impl Ask {
    fn new(settings: &Settings, route: &'static str, endpoint: &'static str, inner: Map<String, Value>) -> Self {
        let asks = json!({ endpoint: inner });
        let body = match settings.encoding {
            // So written that a preview shows every byte.
            Encoding::Json => content::visible_json(&json!({ "asks": asks }).to_string()),
            Encoding::Form => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("asks", &asks.to_string());
                form.finish()
            }
        };
        Self {
            route,
            endpoint,
            asks,
            body: body.into_bytes(),
            encoding: settings.encoding,
            fields: Vec::new(),
            hidden: Vec::new(),
            target: None,
        }
    }
}

impl Manner {
    fn of(settings: &Settings, given: &Map<String, Value>) -> Self {
        let word = |name: &str| given.get(name).and_then(Value::as_str);
        let output = word("output_mode")
            .and_then(OutputMode::parse)
            .unwrap_or(settings.output);
        let raw = given.get("include_raw_payload").and_then(Value::as_bool);
        let body = match (word("body_format").and_then(BodyFormat::parse), output) {
            (Some(body), _) => body,
            (None, OutputMode::Raw) => BodyFormat::Raw,
            (None, _) => settings.body,
        };
        Self {
            output,
            raw: raw.unwrap_or(settings.raw),
            body,
        }
    }
}
