//! The MCP sessions of one caller, which clients before 2026-07-28 have. Bounded; when all are taken, the one that was
//! not used for longest makes room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::SessionManager;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, LocalSessionManagerError};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::Metrics;

/// MCP sessions of one caller. Each is a task and a few kilobytes.
pub(super) const OF_ONE: usize = 64;
/// Those of all callers.
pub(super) const OF_ALL: usize = 2048;
/// A session that was used more recently than this is not taken for forgotten: no call lasts as long.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// A session that nobody uses ends.
const IDLE: Duration = Duration::from_secs(1800);

/// See the module.
pub(super) struct Sessions {
    inner: LocalSessionManager,
    uses: Mutex<HashMap<SessionId, InUse>>,
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// Held while a session lasts.
struct InUse {
    last: Instant,
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
    _counted: Counted,
}

struct Counted(Arc<Metrics>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.mcp_sessions.dec();
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionsError {
    #[error("as many MCP sessions as may be are in use")]
    Full,
    #[error(transparent)]
    Local(#[from] LocalSessionManagerError),
}

impl Sessions {
    pub(super) fn new(all: Arc<Semaphore>, metrics: Arc<Metrics>) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = Some(IDLE);
        Self {
            inner,
            uses: Mutex::default(),
            own: Arc::new(Semaphore::new(OF_ONE)),
            all,
            metrics,
        }
    }

    /// Makes room for one more where there is none; says whether there is some now.
    pub(super) async fn make_room(&self) -> bool {
        let room = || self.own.available_permits() > 0 && self.all.available_permits() > 0;
        if room() {
            return true;
        }
        let forgotten = {
            let uses = self.uses();
            let oldest = uses.iter().min_by_key(|(_, in_use)| in_use.last);
            oldest
                .filter(|(_, in_use)| in_use.last.elapsed() >= FORGOTTEN)
                .map(|(id, _)| id.clone())
        };
        if let Some(id) = forgotten {
            self.close_session(&id).await.ok(); // it ended by itself
        }
        room()
    }

    fn used(&self, id: &SessionId) {
        if let Some(in_use) = self.uses().get_mut(id) {
            in_use.last = Instant::now();
        }
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<SessionId, InUse>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), SessionsError> {
        let taken = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().map_err(|_| SessionsError::Full);
        let (own, all) = (taken(&self.own)?, taken(&self.all)?);
        let (id, transport) = self.inner.create_session().await?;
        self.metrics.mcp_sessions.inc();
        let in_use = InUse {
            last: Instant::now(),
            _own: own,
            _all: all,
            _counted: Counted(Arc::clone(&self.metrics)),
        };
        self.uses().insert(id.clone(), in_use);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionsError> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionsError> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionsError> {
        let closed = self.inner.close_session(id).await;
        self.uses().remove(id);
        Ok(closed?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl futures_core::Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.used(id);
        Ok(self.inner.create_stream(id, message).await?)
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), SessionsError> {
        self.used(id);
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl futures_core::Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.used(id);
        Ok(self.inner.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl futures_core::Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionsError> {
        self.used(id);
        Ok(self.inner.resume(id, last_event_id).await?)
    }
}
