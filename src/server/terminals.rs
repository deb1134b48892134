//! The terminals behind the HTTP front end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::handler::Handler;
use super::http::{Backend, HttpError, HttpOptions, Metrics, serve_http};
use super::signals;
use crate::policy::Caller;
use crate::tools::Services;

/// What commands get to end by themselves.
const GRACE: Duration = Duration::from_millis(500);
/// What their certain end may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the server ended in another way than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeHttpError {
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The front end.
    #[error(transparent)]
    Http(#[from] HttpError),
}

struct Terminals {
    services: Arc<Services>,
    metrics: Arc<Metrics>,
}

impl Backend for Terminals {
    type Handler = Handler;

    fn handler(&self, caller: &Caller, over: CancellationToken) -> Handler {
        Handler::new(Arc::clone(&self.services), caller.clone(), over).counting(Arc::clone(&self.metrics))
    }

    async fn dismissed(&self, caller: &Caller) {
        self.services.end_of(caller, GRACE).await;
    }

    fn measure(&self, metrics: &Metrics) {
        metrics.set_sessions(self.services.sessions.live());
    }

    async fn end(&self) {
        self.services.end(GRACE, PATIENCE).await;
    }
}

/// Serves HTTP callers until a signal ends us, and all sessions with us. `bound` hears the address.
pub async fn serve_terminals(
    services: Arc<Services>,
    options: HttpOptions,
    metrics: Arc<Metrics>,
    bound: impl FnOnce(SocketAddr),
) -> Result<(), ServeHttpError> {
    let (over, at_once) = (CancellationToken::new(), CancellationToken::new());
    signals::end_on(&over, &at_once).map_err(|source| ServeHttpError::Signals { source })?;
    let terminals = Terminals {
        services,
        metrics: Arc::clone(&metrics),
    };
    Ok(serve_http(terminals, options, metrics, over, at_once, bound).await?)
}
