//! Tools, prompts and resources that answer at once, or talk with the client while they run.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    ProgressNotificationParam, ServerNotification, ServerRequest,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use super::{meant, string, texts, whole};

/// One red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="; // pragma: allowlist secret (a picture of one pixel)
/// No sound at all.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
const PAUSE: Duration = Duration::from_millis(50);

/// Every tool.
pub(super) fn tools() -> Value {
    let plain = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_error_handling",
        "test_tool_with_progress",
        "test_tool_with_logging",
        "test_logging_tool",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_missing_capability",
        "test_streaming_elicitation",
        "test_input_required_result_elicitation",
        "test_input_required_result_sampling",
        "test_input_required_result_list_roots",
        "test_input_required_result_request_state",
        "test_input_required_result_multiple_inputs",
        "test_input_required_result_multi_round",
        "test_input_required_result_tampered_state",
        "test_input_required_result_capabilities",
    ];
    let tool = |name: &str, schema: Value| json!({"name": name, "description": format!("Fixture {name}"), "inputSchema": schema});
    let takes = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let mut all: Vec<Value> = plain
        .iter()
        .map(|name| tool(name, json!({"type": "object", "properties": {}})))
        .collect();
    all.push(tool("test_sampling", takes("prompt")));
    all.push(tool("test_elicitation", takes("message")));
    all.push(tool("json_schema_2020_12_tool", full_schema()));
    let mirrored = json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    all.push(tool("test_custom_header", mirrored));
    Value::Array(all)
}

/// One keyword of each kind that must survive.
fn full_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// The tools that always answer the same.
pub(super) fn content(name: &str) -> Option<Value> {
    let embedded = |uri: &str, kind: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let blocks = match name {
        "test_simple_text" => return Some(texts("This is a simple text response for testing.")),
        "test_error_handling" => {
            let mut error = texts("This tool intentionally returns an error for testing");
            error["isError"] = true.into();
            return Some(error);
        }
        "test_image_content" => vec![image],
        "test_audio_content" => vec![json!({"type": "audio", "data": WAV, "mimeType": "audio/wav"})],
        "test_embedded_resource" => {
            vec![embedded(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content.",
            )]
        }
        "test_multiple_content_types" => vec![
            json!({"type": "text", "text": "Multiple content types test:"}),
            image,
            embedded(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#,
            ),
        ],
        "test_logging_tool" | "json_schema_2020_12_tool" | "test_custom_header" => return Some(texts("done")),
        _ => return None,
    };
    Some(json!({"content": blocks}))
}

/// The tools that talk with the client while they run.
pub(super) async fn conversation(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<Value>, ErrorData> {
    let arguments = request.arguments.as_ref();
    let elicit = |message: &str, schema: Value| json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}});
    let answer = match request.name.as_ref() {
        "test_tool_with_progress" => progress(context).await,
        "test_tool_with_logging" => logging(context).await?,
        "test_sampling" => {
            let content = json!({"type": "text", "text": string(arguments, "prompt")});
            let params = json!({"messages": [{"role": "user", "content": content}], "maxTokens": 100});
            let said = ask(context, json!({"method": "sampling/createMessage", "params": params})).await?;
            texts(format!(
                "LLM response: {}",
                said["content"]["text"].as_str().unwrap_or_default()
            ))
        }
        "test_elicitation" => {
            let field = |what: &str| json!({"type": "string", "description": what});
            let schema = json!({
                "type": "object",
                "properties": {"username": field("User's response"), "email": field("User's email address")},
                "required": ["username", "email"],
            });
            let said = ask(context, elicit(&string(arguments, "message"), schema)).await?;
            texts(format!(
                "User response: action={}, content={}",
                said["action"], said["content"]
            ))
        }
        "test_elicitation_sep1034_defaults" => {
            let said = ask(context, elicit("Please check the defaults", defaults())).await?;
            texts(format!(
                "Elicitation completed: action={}, content={}",
                said["action"], said["content"]
            ))
        }
        "test_elicitation_sep1330_enums" => {
            let said = ask(context, elicit("Please choose", enums())).await?;
            texts(format!(
                "Elicitation completed: action={}, content={}",
                said["action"], said["content"]
            ))
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// Tells three times how far it is, to who wants to know.
async fn progress(context: &RequestContext<RoleServer>) -> Value {
    if let Some(token) = context.meta.get_progress_token() {
        for percent in [0.0, 50.0, 100.0] {
            let progress = ProgressNotificationParam::new(token.clone(), percent).with_total(100.0);
            context.peer.notify_progress(progress).await.ok(); // a client that left needs none
            tokio::time::sleep(PAUSE).await;
        }
    }
    texts("done")
}

/// Logs three lines.
async fn logging(context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    for line in [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ] {
        let log = json!({"method": "notifications/message", "params": {"level": "info", "data": line}});
        let log: ServerNotification = meant(log)?;
        context.peer.send_notification(log).await.ok(); // a client that left needs none
        tokio::time::sleep(PAUSE).await;
    }
    Ok(texts("done"))
}

/// Asks the client, who answers before the call ends.
async fn ask(context: &RequestContext<RoleServer>, request: Value) -> Result<Value, ErrorData> {
    let request: ServerRequest = meant(request)?;
    let answer = context.peer.send_request(request).await;
    let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    serde_json::to_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn defaults() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    }})
}

fn enums() -> Value {
    let titled = |titles: [&str; 3]| -> Vec<Value> {
        let values = ["value1", "value2", "value3"];
        values
            .iter()
            .zip(titles)
            .map(|(value, title)| json!({"const": value, "title": title}))
            .collect()
    };
    let options = ["option1", "option2", "option3"];
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])}},
    }})
}

/// Every prompt.
pub(super) fn prompts() -> Value {
    let argument = |name: &str| json!({"name": name, "description": "An argument", "required": true});
    let prompt = |name: &str, arguments: Vec<Value>| json!({"name": name, "description": format!("Fixture {name}"), "arguments": arguments});
    json!([
        prompt("test_simple_prompt", vec![]),
        prompt("test_prompt_with_arguments", vec![argument("arg1"), argument("arg2")]),
        prompt("test_prompt_with_embedded_resource", vec![argument("resourceUri")]),
        prompt("test_prompt_with_image", vec![]),
        prompt("test_input_required_result_prompt", vec![]),
    ])
}

/// A prompt that is complete at once.
pub(super) fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let given = |name: &str| string(request.arguments.as_ref(), name);
    let user = |content: Value| json!({"role": "user", "content": content});
    let says = |text: String| user(json!({"type": "text", "text": text}));
    let messages = match request.name.as_str() {
        "test_simple_prompt" => vec![says("This is a simple prompt for testing.".to_owned())],
        "test_prompt_with_arguments" => {
            vec![says(format!(
                "Prompt with arguments: arg1='{}', arg2='{}'",
                given("arg1"),
                given("arg2")
            ))]
        }
        "test_prompt_with_embedded_resource" => vec![
            user(json!({"type": "resource", "resource": {
                "uri": given("resourceUri"), "mimeType": "text/plain", "text": "Embedded resource content for testing.",
            }})),
            says("Please process the embedded resource above.".to_owned()),
        ],
        "test_prompt_with_image" => vec![
            user(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
            says("Please analyze the image above.".to_owned()),
        ],
        other => return Err(ErrorData::invalid_params(format!("no prompt {other}"), None)),
    };
    whole::<GetPromptResult>(json!({"messages": messages})).map(Into::into)
}

/// Every resource.
pub(super) fn resources() -> Value {
    let one = |name: &str, kind: &str| json!({"uri": format!("test://{name}"), "name": name, "description": format!("Fixture {name}"), "mimeType": kind});
    json!([
        one("static-text", "text/plain"),
        one("static-binary", "image/png"),
        one("watched-resource", "text/plain"),
    ])
}

/// A resource's contents.
pub(super) fn resource(uri: &str) -> Option<Value> {
    let text = |kind: &str, text: String| json!({"uri": uri, "mimeType": kind, "text": text});
    match uri {
        "test://static-text" => Some(text(
            "text/plain",
            "This is the content of the static text resource.".to_owned(),
        )),
        "test://static-binary" => Some(json!({"uri": uri, "mimeType": "image/png", "blob": PNG})),
        "test://watched-resource" => Some(text("text/plain", "watched".to_owned())),
        _ => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            Some(text("application/json", data.to_string()))
        }
    }
}
