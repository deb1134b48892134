//! The other side: one call to a server on pipes, for `terrarium call`.

use std::time::Duration;

use rmcp::ServiceError;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ContentBlock, ProtocolVersion, ServerResult,
};
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, PeerRequestOptions};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};

/// What the server said.
#[derive(Debug)]
pub struct Said {
    /// Its text.
    pub text: String,
    /// Whether it calls it an error.
    pub is_error: bool,
    /// Its structured result.
    pub structured: Option<Value>,
    /// The whole result as it came.
    pub raw: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It ended before it answered; it has said why on standard error.
    #[error("the server ended before it could be asked")]
    Ended,
    /// The server does not speak the protocol.
    #[error("cannot begin to speak MCP with the server")]
    Initialize {
        /// Why.
        #[source]
        source: Box<ClientInitializeError>,
    },
    /// The server refused the call, or is gone.
    #[error("the server did not answer the call")]
    Call {
        /// Why.
        #[source]
        source: Box<ServiceError>,
    },
    /// It says that there can be no such call.
    #[error("{message}")]
    Refused {
        /// In its words.
        message: String,
    },
    /// The answer is not one to a call.
    #[error("the server answered with something else than a tool's result")]
    Answer,
    /// Whoever called gave up.
    #[error("interrupted")]
    Interrupted,
}

/// How long a cancelled call may take to reach the server.
const GOODBYE: Duration = Duration::from_millis(500);

/// Makes one call. When `interrupted` completes first the call is cancelled.
pub async fn call<R, W>(
    input: R,
    output: W,
    tool: String,
    arguments: Map<String, Value>,
    interrupted: impl Future<Output = ()>,
) -> Result<Said, CallError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let lifecycle = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    let client =
        ().serve_with_lifecycle((input, output), lifecycle)
            .await
            .map_err(|source| match source {
                ClientInitializeError::ConnectionClosed(_) => CallError::Ended,
                source => CallError::Initialize {
                    source: Box::new(source),
                },
            })?;
    let wrong = |source| match source {
        ServiceError::McpError(refusal) => CallError::Refused {
            message: refusal.message.into_owned(),
        },
        source => CallError::Call {
            source: Box::new(source),
        },
    };
    let params = CallToolRequestParams::new(tool).with_arguments(arguments);
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    let request = client
        .send_cancellable_request(request, PeerRequestOptions::no_options())
        .await
        .map_err(wrong)?;
    let (id, peer) = (request.id.clone(), client.peer().clone());
    let answer = tokio::select! {
        answer = request.await_response() => answer.map_err(wrong)?,
        () = interrupted => {
            let cancel = rmcp::model::CancelledNotificationParam::new(Some(id), Some("interrupted".to_owned()));
            tokio::time::timeout(GOODBYE, peer.notify_cancelled(cancel)).await.ok(); // closing its input says it too
            return Err(CallError::Interrupted);
        }
    };
    match answer {
        ServerResult::CallToolResult(result) => Ok(said(&result)),
        _ => Err(CallError::Answer),
    }
}

fn said(result: &CallToolResult) -> Said {
    let texts = result.content.iter().filter_map(|block| match block {
        ContentBlock::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    Said {
        text: texts.collect(),
        is_error: result.is_error == Some(true),
        structured: result.structured_content.clone(),
        raw: serde_json::to_value(result).unwrap_or_default(), // it came as JSON
    }
}
