//! Streamable HTTP at `/mcp`: many callers at once, each known by a bearer token.
//!
//! ```text
//! accept (room for strangers) -> TLS -> one request: host, origin, token -> the caller's own MCP service -> tools
//! ```
//!
//! Each caller has a service of its own with its own MCP sessions, so that another's cannot even be asked for. What
//! calls do is the business of whatever stands behind ([`Backend`]): the terminals, or a test's fixture.

mod answer;
mod callers;
mod connection;
mod metrics;
mod recorder;
mod sessions;
mod tls;

pub use metrics::Metrics;
pub use tls::{TlsError, TlsFiles};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::ServerHandler;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::policy::Caller;
use crate::server::web::doors::Doors;
use crate::server::web::hosts::Allowed;
pub use crate::server::web::hosts::{HostName, NotAHost};
use crate::server::web::listen;
use crate::tokens::Tokens;
use callers::Callers;
use tls::Tls;

/// The longest body of a request. Standard input of a command is the largest thing in one.
const MAX_BODY: usize = 4 << 20;
/// How often is looked whether tokens are still good.
const LOOK: Duration = Duration::from_secs(1);
/// What running calls get to end by themselves once we are told to end.
const DRAIN: Duration = Duration::from_secs(3);
/// What their answers get to leave after everything behind has ended.
const FAREWELL: Duration = Duration::from_millis(500);
/// What connections get to close.
const CLOSE: Duration = Duration::from_millis(500);

/// What stands behind the front end.
pub trait Backend: Send + Sync + 'static {
    /// What answers one MCP session or one stateless request.
    type Handler: ServerHandler;

    /// A handler for this caller, whose calls end with `over`: it fires before [`Self::dismissed`].
    fn handler(&self, caller: &Caller, over: CancellationToken) -> Self::Handler;

    /// The caller's token is good no more: whatever of theirs goes on must end.
    fn dismissed(&self, caller: &Caller) -> impl Future<Output = ()> + Send;

    /// Sets gauges of what goes on behind, just before they are read.
    fn measure(&self, metrics: &Metrics);

    /// Starts nothing more, and ends everything within a bound.
    fn end(&self) -> impl Future<Output = ()> + Send;
}

/// Where and how to listen.
#[derive(Debug)]
pub struct HttpOptions {
    /// The address; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Names that it is reached by, besides its address and this machine's own names for itself.
    pub hosts: Vec<HostName>,
    /// What keeps others from listening.
    pub exposure: Exposure,
    /// Who may come in.
    pub tokens: Tokens,
}

/// What keeps others from listening and from meddling.
#[derive(Debug)]
pub enum Exposure {
    /// The connection never leaves this machine.
    Loopback,
    /// TLS of our own.
    Tls(TlsFiles),
    /// A proxy that speaks TLS stands in front, and nobody else can reach us.
    BehindProxy,
}

/// Why there is no HTTP front end, or it ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Others could listen.
    #[error(
        "{address} can be reached from other machines, and plain HTTP shows tokens to whoever listens; hint: give \
         --tls-cert and --tls-key, or --behind-proxy where a proxy that speaks TLS stands in front, or listen on 127.0.0.1"
    )]
    Exposed {
        /// Where.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}; hint: name an address of this machine with a port that is free, or port 0 for any"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What all connections share.
struct Front<B: Backend> {
    allowed: Allowed,
    tokens: Tokens,
    callers: Callers<B>,
    doors: Doors,
    tls: Option<Tls>,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
    /// Told whenever a call is answered.
    answered: Notify,
    /// Connections must close.
    closing: CancellationToken,
}

/// Serves until `over` fires, which it may do once for a drain and, by `at_once`, again to skip it. `bound` hears the
/// address.
pub async fn serve_http<B: Backend>(
    backend: B,
    options: HttpOptions,
    metrics: Arc<Metrics>,
    over: CancellationToken,
    at_once: CancellationToken,
    bound: impl FnOnce(SocketAddr),
) -> Result<(), HttpError> {
    let address = options.address;
    let shared = matches!(options.exposure, Exposure::BehindProxy);
    let tls = match options.exposure {
        Exposure::Tls(files) => Some(Tls::load(files)?),
        Exposure::Loopback if !address.ip().is_loopback() => return Err(HttpError::Exposed { address }),
        Exposure::Loopback => None,
        Exposure::BehindProxy => None,
    };
    let failed = |source| HttpError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let front = Arc::new(Front {
        allowed: Allowed::new(local, &options.hosts, tls.is_some(), shared),
        tokens: options.tokens,
        callers: Callers::new(backend, Arc::clone(&metrics)),
        doors: Doors::new(shared, metrics.http.clone()),
        tls,
        metrics,
        draining: AtomicBool::new(false),
        answered: Notify::new(),
        closing: CancellationToken::new(),
    });
    bound(local);
    let connections = tokio_util::task::TaskTracker::new();
    let serve = |stream, visitor| connection::serve(Arc::clone(&front), stream, visitor);
    tokio::select! {
        () = listen::accept(&listener, &front.doors, &connections, serve) => {}
        () = watch(&front) => {}
        () = over.cancelled() => {}
    }
    drop(listener);
    drain(&front, connections, &at_once).await;
    Ok(())
}

/// Ends what revoked and expired tokens began, and takes certificates that were renewed. Never done.
async fn watch<B: Backend>(front: &Front<B>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        front
            .callers
            .dismiss_unless(|holder| front.tokens.is_still(holder))
            .await;
        if let Some(tls) = &front.tls {
            tls.renew();
        }
    }
}

/// Lets calls end by themselves, then ends what is behind, lets the answers out, and closes.
async fn drain<B: Backend>(front: &Front<B>, connections: tokio_util::task::TaskTracker, at_once: &CancellationToken) {
    front.draining.store(true, Ordering::Release);
    tokio::select! {
        () = front.all_answered() => {}
        () = tokio::time::sleep(DRAIN) => {}
        () = at_once.cancelled() => {}
    }
    front.callers.backend().end().await;
    tokio::time::timeout(FAREWELL, front.all_answered()).await.ok(); // who does not read has had their time
    front.callers.close();
    front.closing.cancel();
    connections.close();
    if tokio::time::timeout(CLOSE, connections.wait()).await.is_err() {
        tracing::debug!("some connections were cut");
    }
}

impl<B: Backend> Front<B> {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    async fn all_answered(&self) {
        loop {
            let answered = self.answered.notified();
            if self.metrics.calls_in_flight() == 0 {
                return;
            }
            answered.await;
        }
    }
}
