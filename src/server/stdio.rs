//! One client on standard input and output, until it is gone or we are told to end.
//!
//! The end of input is watched for here: rmcp alone would wait for running calls for seconds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handler::Handler;
use super::opening::Opening;
use super::signals;
use super::streams::{self, Watched};
use crate::policy::Caller;
use crate::tools::Services;

/// From the end of input to our own end, all together.
const END: Duration = Duration::from_millis(180);
/// What commands get to end by themselves.
const GRACE: Duration = Duration::from_millis(40);
/// What their certain end may take.
const PATIENCE: Duration = Duration::from_millis(140);

/// Why a server ended in another way than with its client.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard output takes nothing.
    #[error("cannot answer the client")]
    Answer {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The client does not speak the protocol.
    #[error("cannot begin to speak MCP with the client")]
    Initialize {
        /// Why.
        #[source]
        source: Box<ServerInitializeError>,
    },
}

/// Serves the client on standard input and output. Returns when it is gone or a signal ends us, and
/// all sessions with us.
pub async fn serve(services: Arc<Services>, caller: Caller) -> Result<(), ServeError> {
    let over = CancellationToken::new();
    signals::end_on(&over, &CancellationToken::new()).map_err(|source| ServeError::Signals { source })?;
    let transport = Opening::new(Watched::new(streams::input(), over.clone()), streams::output());
    let handler = Handler::new(Arc::clone(&services), caller, CancellationToken::new());
    let connection = async {
        match handler.serve(transport).await {
            Ok(running) => {
                running.waiting().await.ok(); // why it ended does not matter, only that it did
                Ok(())
            }
            // A client that leaves before it said anything is a client that left.
            Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            // Its own text names our types.
            Err(ServerInitializeError::TransportError { error, .. }) => Err(ServeError::Answer { source: error.error }),
            Err(source) => Err(ServeError::Initialize {
                source: Box::new(source),
            }),
        }
    };
    tokio::pin!(connection);
    let early = tokio::select! {
        ended = &mut connection => Some(ended),
        () = over.cancelled() => None,
    };
    let deadline = Instant::now() + END;
    services.end(GRACE, PATIENCE).await;
    match early {
        Some(ended) => ended,
        // Answers of calls that ended just now are still on their way.
        None => tokio::time::timeout_at(deadline, connection).await.unwrap_or(Ok(())),
    }
}
