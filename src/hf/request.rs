//! From a tool's arguments to exactly what is sent, or the reason why nothing is.
//!
//! Nothing here sends, asks or waits. The arguments that the policy sees ([`Asked::arguments`]) are those that take
//! effect: defaults filled, other names of the same thing resolved, the message as it goes out.

use serde_json::{Map, Value, json};

use super::arguments::{Effective, Terms, effective};
use super::content;
use super::drafts::Drafts;
use super::fault::RequestError;
use super::operations::{Act, Local, Operation};
use super::settings::{BodyFormat, Encoding, OutputMode, Settings};

/// A call that was understood.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is asked for.
    pub operation: &'static Operation,
    /// The arguments that take effect.
    pub arguments: Map<String, Value>,
    /// What the settings say for arguments that may be left out.
    pub configured: Map<String, Value>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    let Effective { values, configured } = effective(operation, &Terms::of(settings), drafts, given)?;
    let arguments = values;
    let manner = Manner::configured(settings).or_as_given(&arguments);
    let work = match operation.act {
        Act::Read { route, endpoint } => Work::Send(read(operation, settings, (route, endpoint), &arguments)),
        Act::Local(local) => Work::Local(local),
        Act::Write {
            route,
            endpoint,
            target,
        } => {
            let shown = arguments.get("dry_run") == Some(&Value::Bool(true));
            let ask = write(operation, settings, (route, endpoint, target), &arguments);
            if shown { Work::Show(ask) } else { Work::Send(ask) }
        }
    };
    Ok(Asked {
        operation,
        arguments,
        configured,
        manner,
        work,
    })
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
    /// That of the settings.
    pub(super) fn configured(settings: &Settings) -> Self {
        Self {
            output: settings.output,
            raw: settings.raw,
            body: settings.body,
        }
    }

    /// As arguments say it.
    pub(super) fn to_arguments(self) -> Map<String, Value> {
        let values: [(&str, Value); 3] = [
            ("output_mode", self.output.name().into()),
            ("include_raw_payload", self.raw.into()),
            ("body_format", self.body.name().into()),
        ];
        values
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }

    fn or_as_given(self, arguments: &Map<String, Value>) -> Self {
        let word = |name: &str| arguments.get(name).and_then(Value::as_str);
        let raw = arguments.get("include_raw_payload").and_then(Value::as_bool);
        Self {
            output: word("output_mode").and_then(OutputMode::parse).unwrap_or(self.output),
            raw: raw.unwrap_or(self.raw),
            body: word("body_format").and_then(BodyFormat::parse).unwrap_or(self.body),
        }
    }
}
