//! Between our types and MCP's. The only place where MCP's error codes are known.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestMethod, CallToolRequestParams, CallToolResult, ConstString as _, ContentBlock, ErrorCode,
    PaginatedRequestParams, ReadResourceRequestMethod, SubscribeRequestMethod, SubscriptionsListenRequestMethod, Tool,
    ToolAnnotations, UnsubscribeRequestMethod,
};

use crate::audit::Redactor;
use crate::model::words::with_causes;
use crate::tools::resources::ResourceError;
use crate::tools::{HfTool, Hints, Listed, Reply, ToolCall, ToolError};

/// A call as it arrived.
pub(super) fn call(request: CallToolRequestParams) -> ToolCall {
    ToolCall {
        name: request.name.into_owned(),
        arguments: request.arguments.unwrap_or_default(),
    }
}

/// A tool as it is listed.
pub(super) fn tool(Listed { definition, arguments }: Listed) -> Tool {
    let hints = ToolAnnotations::with_title(definition.title);
    let hints = match definition.hints {
        Hints::ReadOnly => hints.read_only(true).idempotent(true).open_world(false),
        Hints::Runs => hints.read_only(false).destructive(true).open_world(true),
        Hints::Ends => hints
            .read_only(false)
            .destructive(true)
            .idempotent(true)
            .open_world(false),
        Hints::Sets => hints
            .read_only(false)
            .destructive(false)
            .idempotent(true)
            .open_world(false),
    };
    Tool::new(
        Cow::Borrowed(definition.name),
        Cow::Borrowed(definition.description),
        Arc::new(arguments),
    )
    .with_title(definition.title)
    .with_raw_output_schema(Arc::new((definition.result)()))
    .with_annotations(hints)
}

/// A tool of Hack Forums as it is listed.
pub(super) fn hf_tool(tool: &HfTool) -> Tool {
    let hints = ToolAnnotations::with_title(tool.title)
        .read_only(tool.reads)
        .destructive(!tool.reads)
        .idempotent(tool.reads)
        .open_world(tool.remote);
    Tool::new(
        Cow::Borrowed(tool.name),
        Cow::Borrowed(tool.description),
        Arc::new(tool.arguments.clone()),
    )
    .with_title(tool.title)
    .with_raw_output_schema(Arc::new(tool.result.clone()))
    .with_annotations(hints)
}

/// An answer. What an agent can put right is a result with `isError`; only a tool that does not
/// exist is an error of the protocol.
///
/// No secret that the server holds stands in what goes wrong. Output of terminals is as it was: a sandbox has none.
pub(super) fn result(reply: Result<Reply, ToolError>, redactor: &Redactor) -> Result<CallToolResult, ErrorData> {
    let clean = |text: String| redactor.clean(&text).into_owned();
    match reply {
        Ok(reply) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(reply.text)]);
            result.structured_content = Some(reply.structured);
            Ok(result)
        }
        Err(error @ ToolError::UnknownTool { .. }) => Err(ErrorData::invalid_params(clean(error.to_string()), None)),
        Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(clean(with_causes(
            &error,
        )))])),
    }
}

/// Why a resource is not to be had. There is no result that could say it.
pub(super) fn resource_error(error: &ResourceError, redactor: &Redactor) -> ErrorData {
    let text = redactor.clean(&with_causes(error)).into_owned();
    match error {
        ResourceError::NoSuch { .. } => ErrorData::resource_not_found(text, None),
        ResourceError::Still { .. } | ResourceError::TooMany { .. } => ErrorData::invalid_params(text, None),
        ResourceError::Tool(_) => ErrorData::invalid_request(text, None),
    }
}

/// Whether this is a request that is answered where its parameters fit.
pub(super) fn is_known(method: &str) -> bool {
    unknown(method).code != ErrorCode::METHOD_NOT_FOUND
}

/// A request that nothing here answers. rmcp also hands over as unknown what it knows, if the parameters do not fit.
pub(super) fn unknown(method: &str) -> ErrorData {
    let resource = "write {\"uri\": \"terrarium://sessions/ID/screen\"}";
    let hint = match method {
        CallToolRequestMethod::VALUE => "write {\"name\": \"TOOL\", \"arguments\": {...}}",
        ReadResourceRequestMethod::VALUE | SubscribeRequestMethod::VALUE | UnsubscribeRequestMethod::VALUE => resource,
        SubscriptionsListenRequestMethod::VALUE => {
            "write {\"notifications\": {\"resourceSubscriptions\": [\"terrarium://sessions/ID/screen\"]}}"
        }
        _ => return ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method.to_owned(), None),
    };
    ErrorData::invalid_params(format!("{method}: the parameters do not fit; hint: {hint}"), None)
}

/// Refuses a cursor: all lists have one page, so that none was given out.
pub(super) fn first_page(page: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match page.and_then(|page| page.cursor) {
        Some(_) => Err(ErrorData::invalid_params(
            "this cursor was not given out; hint: a list has one page, leave the cursor out",
            None,
        )),
        None => Ok(()),
    }
}
