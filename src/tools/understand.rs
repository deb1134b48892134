//! What a call means: from the name of a tool and its arguments to what is judged, and to the act that would follow.

use std::sync::Arc;

use serde_json::Value;

use super::{Services, ToolCall, ToolError, act, arguments, definition, hf, left_out, listed};
use crate::policy::{Asked, Caller, Opened, Request};

/// What a call means: its arguments as they are judged, and the request that they make.
pub(super) fn understand(services: &Services, caller: &Caller, call: ToolCall) -> Result<(Asked, act::Act), ToolError> {
    if let Some(operation) = crate::hf::operation(&call.name) {
        let (asked, meant) = hf::understand(services, operation, call.arguments)?;
        return Ok((asked, act::Act::Hf(Box::new(meant))));
    }
    let Some(tool) = definition::named(&call.name) else {
        return Err(listed::unknown(&call.name));
    };
    let call = ToolCall {
        arguments: arguments::canonical((tool.arguments)(), call.arguments)?,
        ..call
    };
    let mut arguments = call.arguments.clone();
    let (request, act) = act::parse(services, caller, call)?;
    let mut opened = None;
    let mut of = match &request {
        Request::Launch(launch) => left_out::Of::Profile(&launch.profile),
        _ => left_out::Of::Nothing,
    };
    if let Some(id) = request.session() {
        // A short name may be another session's tomorrow.
        arguments.insert("session".to_owned(), Value::String(id.to_string()));
        let session = services.sessions.get(caller, id)?;
        let about = session.about();
        of = left_out::Of::Session(about.streams);
        opened = Some(Arc::new(Opened {
            profile: Arc::clone(&about.profile),
            workspace: services.workspace.path.clone(),
            alias: about.alias.clone(),
            program: about.command.clone(),
        }));
    }
    let arguments = left_out::judged(&tool, of, arguments);
    let asked = Asked {
        request,
        arguments,
        opened,
    };
    Ok((asked, act))
}
