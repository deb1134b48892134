//! The messages of a client: not those that come too early, and no more than it reads answers to.
//!
//! rmcp ends a server whose client sends an answer or a notification before it has chosen an era of
//! the protocol: a late cancellation from before a reconnection must not cost a client its server.
//! And rmcp reads on while answers wait to be written, and starts all that it has read: a client that reads none, or sends faster than
//! is answered, would fill the memory.
//!
//! Lines are parsed here: what is no message and has an id that can be read is answered with it. JavaScript writes half a pair of
//! surrogates, which is no JSON for serde, into strings.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_core::Stream as _;
use rmcp::model::{
    ClientNotification, ClientRequest, GetMeta as _, JsonRpcMessage, JsonRpcNotification, ProtocolVersion, RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::{AsyncRwTransport, DEFAULT_MAX_LINE_LENGTH};
use rmcp::{ErrorData, RoleServer};
use tokio::io::{AsyncRead, AsyncWrite, Empty};
use tokio::sync::Notify;
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Decoder, FramedRead};

use super::misfit::Misfit;

/// Messages to the client that may wait to be written before no more is read. As many as calls may run at once by default.
const UNWRITTEN: usize = 1024;
/// Requests that may wait for their answers before no more is read: twice as many as calls may run at once by default, since those beyond are
/// answered at once too, that they are too many.
const UNANSWERED: usize = 2048;

/// Bytes of the longest line that is read; a longer one is dropped. As over HTTP.
const LONGEST: usize = DEFAULT_MAX_LINE_LENGTH;
/// RFC 8259 section 8.1 lets it be passed over.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One line, one message.
pub(super) struct Opening<R: AsyncRead, W: AsyncWrite> {
    lines: FramedRead<R, BoundedLines>,
    writer: AsyncRwTransport<RoleServer, Empty, W>,
    /// What is being said to the last line, which was no message or asked again. Before anything else is read.
    said: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    /// Whether the client has chosen an era.
    begun: bool,
    owed: Arc<Owed>,
}

/// What the client is still to get.
#[derive(Default)]
struct Owed {
    /// How many messages wait to be written.
    unwritten: AtomicUsize,
    /// The requests that have no answer yet.
    unanswered: Mutex<HashSet<RequestId>>,
    fewer: Notify,
}

impl Owed {
    /// Waits until there is less. Cancel-safe: nothing is taken.
    async fn room(&self) {
        while self.unwritten.load(Ordering::Relaxed) >= UNWRITTEN || self.unanswered().len() >= UNANSWERED {
            self.fewer.notified().await; // one that came before this line is kept for it
        }
    }

    fn answered(&self, request: &RequestId) {
        if self.unanswered().remove(request) {
            self.fewer.notify_one();
        }
    }

    fn unanswered(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that waits to be written, until it is dropped.
struct Waiting(Arc<Owed>);

impl Waiting {
    fn new(of: &Arc<Owed>) -> Self {
        of.unwritten.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(of))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.unwritten.fetch_sub(1, Ordering::Relaxed);
        self.0.fewer.notify_one();
    }
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Opening<R, W> {
    pub(super) fn new(input: R, output: W) -> Self {
        Self {
            lines: FramedRead::new(input, BoundedLines::new()),
            writer: AsyncRwTransport::new_server(tokio::io::empty(), output),
            said: None,
            begun: false,
            owed: Arc::default(),
        }
    }

    /// Says something before anything else is read.
    fn say(&mut self, message: TxJsonRpcMessage<RoleServer>) {
        self.said = Some(Box::pin(self.send(message)));
    }

    /// The next message. Cancel-safe.
    async fn message(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(said) = &mut self.said {
                said.await.ok(); // a client that is gone wants none
                self.said = None;
            }
            self.owed.room().await;
            let line = match poll_fn(|cx| Pin::new(&mut self.lines).poll_next(cx)).await {
                Some(Ok(line)) => line,
                None => return None,
                Some(Err(error)) => {
                    tracing::debug!(%error, "the client cannot be read any more");
                    return None;
                }
            };
            let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
            if let Some(answer) = Misfit::crowded(line) {
                self.say(answer);
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(message) => return Some(message),
                Err(error) => {
                    let misfit = Misfit::of(line, &error);
                    if misfit.is_asking {
                        self.say(misfit.answer);
                    }
                }
            }
        }
    }
}

/// Lines, of which those that are too long are passed over. An error would end them: `FramedRead` waits for more input after one.
struct BoundedLines(AnyDelimiterCodec);

impl BoundedLines {
    fn new() -> Self {
        Self(AnyDelimiterCodec::new_with_max_length(
            b"\n".to_vec(),
            Vec::new(),
            LONGEST,
        ))
    }

    fn within(
        &mut self,
        mut next: impl FnMut(&mut AnyDelimiterCodec) -> Result<Option<Bytes>, AnyDelimiterCodecError>,
    ) -> io::Result<Option<Bytes>> {
        loop {
            match next(&mut self.0) {
                Ok(line) => return Ok(line),
                Err(AnyDelimiterCodecError::Io(error)) => return Err(error),
                Err(AnyDelimiterCodecError::MaxChunkLengthExceeded) => {
                    tracing::warn!(bytes = LONGEST, "dropped a line that is longer than is read");
                }
            }
        }
    }
}

impl Decoder for BoundedLines {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        self.within(|lines| lines.decode(buffer))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        self.within(|lines| lines.decode_eof(buffer))
    }
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Transport<RoleServer> for Opening<R, W> {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        match &message {
            JsonRpcMessage::Response(response) => self.owed.answered(&response.id),
            JsonRpcMessage::Error(error) => error.id.iter().for_each(|id| self.owed.answered(id)),
            _ => {}
        }
        let waiting = Waiting::new(&self.owed);
        let sent = self.writer.send(message);
        async move {
            let result = sent.await;
            drop(waiting);
            result
        }
    }

    /// Cancel-safe: what is dropped here was received whole.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.message().await?;
            if let JsonRpcMessage::Request(request) = &message {
                self.begun |= begins(&request.request);
                if self.owed.unanswered().insert(request.id.clone()) {
                    return Some(message);
                }
                // Without the id: the answer of the one that has it is still to come.
                let again = format!(
                    "a request with the id {} waits for its answer; choose another id",
                    request.id
                );
                self.say(TxJsonRpcMessage::<RoleServer>::error(
                    ErrorData::invalid_request(again, None),
                    None,
                ));
                continue;
            }
            // What is cancelled may be left without an answer.
            if let JsonRpcMessage::Notification(JsonRpcNotification {
                notification: ClientNotification::CancelledNotification(cancelled),
                ..
            }) = &message
                && let Some(request) = &cancelled.params.request_id
            {
                self.owed.answered(request);
            }
            if self.begun {
                return Some(message);
            }
            tracing::debug!("dropped a message that came before the first request");
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.writer.close().await
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

#[cfg(test)]
mod tests {
    use rmcp::model::{EmptyResult, ServerResult};

    use super::*;

    #[tokio::test]
    async fn no_more_requests_are_read_than_may_wait_for_their_answers() {
        let requests: String = (0..UNANSWERED + 2)
            .map(|id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n"))
            .collect();
        let mut opening = Opening::new(requests.as_bytes(), tokio::io::sink());
        for _ in 0..UNANSWERED {
            assert!(opening.receive().await.is_some());
        }
        for answered in 0..2 {
            tokio::select! {
                biased;
                _ = opening.receive() => panic!("one more was read"),
                () = tokio::task::yield_now() => {}
            }
            let answer = ServerResult::EmptyResult(EmptyResult {});
            let answer = TxJsonRpcMessage::<RoleServer>::response(answer, RequestId::Number(answered));
            opening.send(answer).await.unwrap();
            assert!(opening.receive().await.is_some());
        }
    }
}
