//! One MCP service for each caller, with sessions of its own: another's are not there to be asked for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use super::sessions::{OF_ALL, Sessions};
use super::{Backend, MAX_BODY};
use crate::model::Name;
use crate::policy::Caller;
use crate::server::web::refused::Refused;
use crate::tokens::Holder;

/// Requests of one caller that are not answered yet, open streams among them.
pub(super) const REQUESTS: usize = 192;

/// Everybody who asked for something with a token that is still good.
pub(super) struct Callers<B: Backend> {
    backend: Arc<B>,
    table: Mutex<HashMap<Name, Arc<OneCaller<B>>>>,
    mcp_sessions: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// One of them.
pub(super) struct OneCaller<B: Backend> {
    holder: Holder,
    pub(super) service: StreamableHttpService<B::Handler, Sessions>,
    pub(super) sessions: Arc<Sessions>,
    over: CancellationToken,
    requests: Arc<AtomicUsize>,
}

/// One request, while it lasts.
pub(super) struct Running {
    requests: Arc<AtomicUsize>,
}

impl<B: Backend> Callers<B> {
    pub(super) fn new(backend: B, metrics: Arc<Metrics>) -> Self {
        Self {
            backend: Arc::new(backend),
            table: Mutex::default(),
            mcp_sessions: Arc::new(Semaphore::new(OF_ALL)),
            metrics,
        }
    }

    pub(super) fn backend(&self) -> &B {
        &self.backend
    }

    /// The caller with this token. If the name had another token before, what that one began ends first.
    pub(super) async fn enter(&self, holder: &Holder) -> Arc<OneCaller<B>> {
        let before = {
            let table = self.table();
            match table.get(&holder.name) {
                Some(known) if known.holder.digest == holder.digest => return Arc::clone(known),
                other => other.map(|other| other.holder.clone()),
            }
        };
        if let Some(before) = before {
            self.dismiss(&before).await;
        }
        let mut table = self.table();
        let entry = table.entry(holder.name.clone());
        let known = entry.or_insert_with(|| {
            self.metrics.callers.inc();
            Arc::new(self.welcome(holder))
        });
        Arc::clone(known)
    }

    fn welcome(&self, holder: &Holder) -> OneCaller<B> {
        let caller = Caller::Token {
            name: holder.name.clone(),
        };
        let over = CancellationToken::new();
        let sessions = Arc::new(Sessions::new(Arc::clone(&self.mcp_sessions), Arc::clone(&self.metrics)));
        // Host and Origin are checked before anybody is let in here.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_max_request_body_bytes(MAX_BODY)
            .with_json_response(true)
            .with_cancellation_token(over.clone());
        let backend = Arc::clone(&self.backend);
        let ends = over.clone();
        let make = move || Ok(backend.handler(&caller, ends.clone()));
        OneCaller {
            holder: holder.clone(),
            service: StreamableHttpService::new(make, Arc::clone(&sessions), config),
            sessions,
            over,
            requests: Arc::default(),
        }
    }

    /// Ends what callers began whose token is good no more.
    pub(super) async fn dismiss_unless(&self, is_good: impl Fn(&Holder) -> bool) {
        let all: Vec<Holder> = self.table().values().map(|known| known.holder.clone()).collect();
        for holder in all.iter().filter(|holder| !is_good(holder)) {
            self.dismiss(holder).await;
        }
    }

    async fn dismiss(&self, holder: &Holder) {
        {
            let mut table = self.table();
            match table.get(&holder.name) {
                Some(known) if known.holder.digest == holder.digest => known.over.cancel(),
                _ => return, // somebody else did it
            }
            table.remove(&holder.name);
        }
        self.metrics.callers.dec();
        tracing::info!(token = %holder.name, "the token is good no more; what it began ends");
        let name = holder.name.clone();
        self.backend.dismissed(&Caller::Token { name }).await;
    }

    /// Ends all streams and MCP sessions.
    pub(super) fn close(&self) {
        for known in self.table().values() {
            known.over.cancel();
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Name, Arc<OneCaller<B>>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Backend> OneCaller<B> {
    /// Counts a request in.
    pub(super) fn begin(&self) -> Result<Running, Refused> {
        let before = self.requests.fetch_add(1, Ordering::AcqRel);
        let running = Running {
            requests: Arc::clone(&self.requests),
        };
        if before >= REQUESTS {
            Err(Refused::Requests)
        } else {
            Ok(running)
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.requests.fetch_sub(1, Ordering::AcqRel);
    }
}
