//! Tools and a prompt of 2026-07-28 that need something of the client first, in one round or more.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    InputRequiredResult,
};
use rmcp::service::RequestContext;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{complete, meant, texts, whole};

/// What stands for a sealed state: nobody who was not given it knows it, and a changed one is another.
const STATES: [&str; 2] = ["round-1.9c1f6b5a", "round-2.51d0e7aa"];

/// One call of one of these tools.
pub(super) fn tool(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let given = object(&request.input_responses);
    let state = request.request_state.as_deref();
    let has = |key: &str| given.contains_key(key);
    let name = request.name.as_ref();
    let all = match name {
        "test_missing_capability" => return needs_sampling(context),
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            ask([("user_name", elicit("What is your name?", "name", "string"))])
        }
        "test_input_required_result_sampling" => ask([("capital_question", sample("What is the capital of France?"))]),
        "test_input_required_result_list_roots" => ask([("client_roots", roots())]),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            ask([("confirm", elicit("Please confirm", "ok", "boolean"))])
        }
        "test_input_required_result_multiple_inputs" => ask([
            ("user_name", elicit("What is your name?", "name", "string")),
            ("greeting", sample("Generate a greeting")),
            ("client_roots", roots()),
        ]),
        "test_input_required_result_multi_round" => return rounds(&given, state),
        "test_input_required_result_capabilities" => return what_it_can(context),
        other => return Err(ErrorData::invalid_params(format!("no tool {other}"), None)),
    };
    let stateful = matches!(
        name,
        "test_input_required_result_request_state"
            | "test_input_required_result_tampered_state"
            | "test_input_required_result_multiple_inputs"
    );
    if state.is_some_and(|state| state != STATES[0]) {
        return Err(ErrorData::invalid_params(
            "the state was not given by this server",
            None,
        ));
    }
    let answered = all.keys().all(|key| has(key)) && (state.is_some() || !stateful);
    if !answered {
        return required(all, stateful.then_some(STATES[0])).map(CallToolResponse::InputRequired);
    }
    complete(texts(format!("state-ok {}", Value::Object(given))))
}

/// A prompt that needs an answer first.
pub(super) fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let given = object(&request.input_responses);
    if !given.contains_key("user_context") {
        let all = ask([(
            "user_context",
            elicit("What context should the prompt use?", "context", "string"),
        )]);
        return required(all, None).map(GetPromptResponse::InputRequired);
    }
    let content = json!({"type": "text", "text": Value::Object(given).to_string()});
    whole::<GetPromptResult>(json!({"messages": [{"role": "user", "content": content}]})).map(Into::into)
}

fn rounds(given: &Map<String, Value>, state: Option<&str>) -> Result<CallToolResponse, ErrorData> {
    let name = ask([("step1", elicit("Step 1: What is your name?", "name", "string"))]);
    let color = ask([(
        "step2",
        elicit("Step 2: What is your favorite color?", "color", "string"),
    )]);
    let (all, next) = match state {
        None => (name, STATES[0]),
        Some(state) if state == STATES[0] && given.contains_key("step1") => (color, STATES[1]),
        Some(state) if state == STATES[0] => (name, STATES[0]),
        Some(state) if state == STATES[1] && given.contains_key("step2") => {
            return complete(texts("both steps are done"));
        }
        Some(state) if state == STATES[1] => (color, STATES[1]),
        Some(_) => {
            return Err(ErrorData::invalid_params(
                "the state was not given by this server",
                None,
            ));
        }
    };
    required(all, Some(next)).map(CallToolResponse::InputRequired)
}

fn needs_sampling(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    if capabilities(context).contains_key("sampling") {
        return complete(texts("the client can sample"));
    }
    Err(ErrorData::missing_required_client_capability(meant(
        json!({"sampling": {}}),
    )?))
}

fn what_it_can(context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
    let can = capabilities(context);
    let every = [
        ("sampling", sample("Say something")),
        ("elicitation", elicit("What is your name?", "name", "string")),
        ("roots", roots()),
    ];
    let all = every
        .into_iter()
        .filter(|(capability, _)| can.contains_key(*capability));
    let all = all
        .map(|(capability, request)| (capability.to_owned(), request))
        .collect();
    required(all, None).map(CallToolResponse::InputRequired)
}

fn capabilities(context: &RequestContext<RoleServer>) -> Map<String, Value> {
    object(&context.client_capabilities())
}

/// A part of a request as a JSON object, empty when there is none.
fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn required(requests: Map<String, Value>, state: Option<&str>) -> Result<InputRequiredResult, ErrorData> {
    let mut result = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        result["requestState"] = state.into();
    }
    meant(result)
}

fn ask<const N: usize>(requests: [(&str, Value); N]) -> Map<String, Value> {
    requests
        .into_iter()
        .map(|(key, request)| (key.to_owned(), request))
        .collect()
}

fn elicit(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}})
}

fn sample(text: &str) -> Value {
    let content = json!({"type": "text", "text": text});
    let params = json!({"messages": [{"role": "user", "content": content}], "maxTokens": 100});
    json!({"method": "sampling/createMessage", "params": params})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}
