//! The messages of a client: not those that come too early, and no more than it reads answers to.
//!
//! rmcp ends a server whose client sends an answer or a notification before it has chosen an era of
//! the protocol: a late cancellation from before a reconnection must not cost a client its server.
//! And rmcp reads on while answers wait to be written: a client that reads none would fill the memory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::RoleServer;
use rmcp::model::{ClientRequest, GetMeta as _, JsonRpcMessage, ProtocolVersion};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

/// Messages to the client that may wait to be written before no more is read. As many as calls may run at once.
const UNWRITTEN: usize = 1024;

/// One line, one message.
pub(super) struct Opening<R: AsyncRead, W: AsyncWrite> {
    lines: AsyncRwTransport<RoleServer, R, W>,
    /// Whether the client has chosen an era.
    begun: bool,
    unwritten: Arc<Unwritten>,
}

/// How many messages wait to be written.
#[derive(Default)]
struct Unwritten {
    count: AtomicUsize,
    fewer: Notify,
}

impl Unwritten {
    /// Waits until the client has read enough. Cancel-safe: nothing is taken.
    async fn room(&self) {
        while self.count.load(Ordering::Relaxed) >= UNWRITTEN {
            self.fewer.notified().await; // one that came before this line is kept for it
        }
    }
}

/// One of them, until it is dropped.
struct Waiting(Arc<Unwritten>);

impl Waiting {
    fn new(of: &Arc<Unwritten>) -> Self {
        of.count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(of))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.fewer.notify_one();
    }
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Opening<R, W> {
    pub(super) fn new(input: R, output: W) -> Self {
        Self {
            lines: AsyncRwTransport::new_server(input, output),
            begun: false,
            unwritten: Arc::default(),
        }
    }
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Transport<RoleServer> for Opening<R, W> {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let waiting = Waiting::new(&self.unwritten);
        let sent = self.lines.send(message);
        async move {
            let result = sent.await;
            drop(waiting);
            result
        }
    }

    /// Cancel-safe, as rmcp's own is: what is dropped here was received whole.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.unwritten.room().await;
            let message = self.lines.receive().await?;
            if let JsonRpcMessage::Request(request) = &message {
                self.begun |= begins(&request.request);
                return Some(message);
            }
            if self.begun {
                return Some(message);
            }
            tracing::debug!("dropped a message that came before the first request");
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.lines.close().await
    }
}

/// Whether rmcp takes this request as the client's choice of an era: what it answers itself until then does not.
fn begins(request: &ClientRequest) -> bool {
    let meta = request.get_meta();
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        _ => {
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta
                    .protocol_version()
                    .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}
