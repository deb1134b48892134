//! The tools of Hack Forums: made from the table of operations, as far as the operator turned them on.
//!
//! What a call sends is [`crate::hf`]'s business; here it is judged like any other.

use std::sync::LazyLock;

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::arguments::{self, ArgumentError};
use super::{Reply, Services, ToolError};
use crate::hf::features::Features;
use crate::hf::operations::{Act, Local};
use crate::hf::{self, OPERATIONS, Operation};
use crate::policy::{Arguments, Asked, Caller, Digest, HfGrant, Request, Tool};

/// A tool of Hack Forums as clients see it.
#[derive(Clone, Debug)]
pub struct HfTool {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does and how to use it.
    pub description: &'static str,
    /// The schema of its arguments, without what is turned off.
    pub arguments: Map<String, Value>,
    /// The schema of its structured result.
    pub result: Map<String, Value>,
    /// Whether it changes nothing.
    pub reads: bool,
    /// Whether it asks Hack Forums.
    pub remote: bool,
    /// Whether it changes something there.
    pub writes: bool,
}

/// The tools that are turned on, and that some rule could allow the caller.
pub fn tools<'a>(services: &'a Services, caller: &'a Caller) -> impl Iterator<Item = HfTool> + 'a {
    let policy = services.policy.get();
    services.hf.iter().flat_map(move |hf| {
        let policy = policy.clone();
        let offered = hf
            .offered()
            .filter(move |operation| policy.offers(caller, operation.tool));
        offered.map(|operation| HfTool {
            name: operation.tool,
            title: operation.title,
            description: operation.description,
            arguments: operation.schema(&hf.settings().features),
            result: hf::shape::schema(),
            reads: matches!(
                operation.act,
                Act::Read { .. } | Act::Local(Local::Forums | Local::DraftsList | Local::DraftsRead)
            ),
            remote: !matches!(operation.act, Act::Local(_)),
            writes: operation.writes(),
        })
    })
}

/// All of them as rules see them, turned on or not: a rule is no typing mistake because something is off.
pub(super) fn known() -> impl Iterator<Item = Tool> {
    static SCHEMAS: LazyLock<Vec<Map<String, Value>>> =
        LazyLock::new(|| OPERATIONS.iter().map(hf::arguments::schema).collect());
    OPERATIONS
        .iter()
        .zip(SCHEMAS.iter())
        .map(|(operation, arguments)| Tool {
            name: operation.tool,
            arguments,
            instead: |tool, name| hf::arguments::instead(hf::operation(tool)?, name),
            untold: |_, _| false,
        })
}

/// The arguments of a call as rules see them, whatever is turned on.
pub(super) fn canonical(
    operation: &'static Operation,
    given: &Map<String, Value>,
    settings: Option<&hf::Settings>,
    drafts: &hf::drafts::Drafts,
) -> Result<Arguments, ToolError> {
    let schema = operation.schema(&Features::all());
    arguments::canonical(&schema, given.clone())?;
    let terms = hf::arguments::Terms::with_everything(settings);
    let effective = hf::arguments::effective(operation, &terms, drafts, given)
        .map_err(|error| ArgumentError::new(error.field(), &error, ""))?;
    let schema = Digest::of_json(&Value::Object(schema));
    Ok(Arguments::new(effective.values, schema).configured(effective.configured))
}

/// What a call means: checked against its schema, then understood.
pub(super) fn understand(
    services: &Services,
    operation: &'static Operation,
    given: Map<String, Value>,
) -> Result<(Asked, hf::Asked), ToolError> {
    let off = ToolError::HfOff { tool: operation.tool };
    let hf = services.hf.as_ref().ok_or(off)?;
    services.hide_token()?; // it may be another one since the last call
    if !operation.is_offered(&hf.settings().features) {
        return Err(ToolError::HfOff { tool: operation.tool });
    }
    let schema = operation.schema(&hf.settings().features);
    arguments::canonical(&schema, given.clone())?;
    let meant = hf
        .understand(operation, &given)
        .map_err(|error| ArgumentError::new(error.field(), &error, ""))?;
    // Those that take effect: rules and approvals speak of what is sent.
    let schema = Digest::of_json(&Value::Object(schema));
    let arguments = Arguments::new(meant.arguments.clone(), schema).configured(meant.configured.clone());
    let asked = Asked {
        request: Request::Hf(meant.to_request().into()),
        arguments,
        opened: None,
    };
    Ok((asked, meant))
}

/// Does what was granted. A write that is cancelled under way has no known outcome; the journal says so.
pub(super) async fn apply(
    services: &Services,
    grant: &HfGrant,
    asked: &hf::Asked,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let hf = services.hf.as_ref().ok_or(ToolError::WrongGrant)?;
    let reply = tokio::select! {
        biased;
        reply = hf.apply(grant, asked) => reply?,
        () = cancelled.cancelled() => return Err(ToolError::Cancelled),
    };
    let redactor = services.audit.redactor();
    let mut structured = reply.structured;
    redactor.clean_json(&mut structured);
    Ok(Reply {
        text: redactor.clean(&reply.text).into_owned(),
        structured,
    })
}

impl Services {
    /// Looks for the token of Hack Forums, if there is one, in all that leaves from now on.
    pub fn hide_token(&self) -> Result<(), ToolError> {
        let token = self.hf.as_ref().and_then(|hf| hf.tokens().token().ok());
        match token {
            Some(token) => Ok(self.audit.redactor().add(token.secret().expose_secret())?),
            None => Ok(()), // whoever needs it says why there is none
        }
    }
}
