//! What the MCP conformance suite asks a server to have, behind the HTTP front end that the terminals are behind.
//! `.ci/interop` starts it. Usage: conformance TOKENS
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON never panics, and writing to an object neither"
)]
#![expect(deprecated, reason = "what the suite asks of older revisions")]
#![expect(clippy::print_stderr, reason = "says where it listens, as the program does")]

mod fixtures;
mod rounds;

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use terrarium::policy::Caller;
use terrarium::server::http::{Backend, Exposure, HttpOptions, Metrics, serve_http};
use terrarium::tokens::Tokens;
use tokio_util::sync::CancellationToken;

struct Fixtures;

struct Handler;

impl Backend for Fixtures {
    type Handler = Handler;

    fn handler(&self, _caller: &Caller, _over: CancellationToken) -> Handler {
        Handler
    }

    async fn dismissed(&self, _caller: &Caller) {}

    fn measure(&self, _metrics: &Metrics) {}

    async fn end(&self) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tokens = std::env::args_os().nth(1).ok_or("usage: conformance TOKENS")?;
    let options = HttpOptions {
        address: "127.0.0.1:0".parse()?,
        hosts: Vec::new(),
        exposure: Exposure::Loopback,
        tokens: Tokens::open(tokens.into())?,
    };
    let (over, at_once) = (CancellationToken::new(), CancellationToken::new());
    let say = |address| eprintln!("conformance: listening on http://{address}/mcp");
    serve_http(Fixtures, options, Arc::new(Metrics::new()), over, at_once, say).await?;
    Ok(())
}

/// JSON as whatever the protocol says that it is.
fn meant<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// JSON as a result, which 2026-07-28 wants marked as a whole one; for older clients the SDK takes the mark away.
fn whole<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    value["resultType"] = "complete".into();
    meant(value)
}

fn complete(value: Value) -> Result<CallToolResponse, ErrorData> {
    whole::<CallToolResult>(value).map(CallToolResponse::Complete)
}

fn texts(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

fn string(arguments: Option<&JsonObject>, name: &str) -> String {
    let value = arguments.and_then(|arguments| arguments.get(name));
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let config = json!({
            "protocolVersion": "2025-11-25",
            "serverInfo": {"name": "conformance", "version": "1"},
            "capabilities": {
                "tools": {}, "prompts": {}, "completions": {}, "logging": {},
                "resources": {"subscribe": true},
            },
        });
        serde_json::from_value(config).unwrap_or_default()
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        whole(json!({"tools": fixtures::tools()}))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools: Vec<Tool> = meant(fixtures::tools()).ok()?;
        tools.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(answer) = fixtures::content(&request.name) {
            return complete(answer);
        }
        if let Some(answer) = fixtures::conversation(&request, &context).await? {
            return complete(answer);
        }
        rounds::tool(&request, &context)
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        whole(json!({"prompts": fixtures::prompts()}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name == "test_input_required_result_prompt" {
            return rounds::prompt(&request);
        }
        fixtures::prompt(&request)
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        whole(json!({"completion": {"values": ["paris", "park"], "total": 2, "hasMore": false}}))
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        whole(json!({"resources": fixtures::resources()}))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        whole(json!({"resourceTemplates": [{
            "uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json",
        }]}))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        match fixtures::resource(&uri) {
            Some(contents) => whole::<ReadResourceResult>(json!({"contents": [contents]})).map(Into::into),
            None => Err(ErrorData::resource_not_found(
                "no such resource",
                Some(json!({"uri": uri})),
            )),
        }
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn subscribe(
        &self,
        _request: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }
}
