//! One connection, from the first byte to the last.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::doors::{INTRODUCTION, Visitor};
use super::patience::Patient;
use super::refused::Refused;
use super::{Backend, Front};

/// Request line and headers together. A token is 75 bytes.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Headers of one request.
const MAX_HEADERS: usize = 64;
/// Bytes that are held for one connection in each direction.
const MAX_BUFFER: usize = 64 << 10;
/// From the end of an answer to the end of the next request's headers.
const IDLE: Duration = Duration::from_secs(75);

/// Serves a connection to its end.
pub(super) async fn serve<B: Backend>(front: Arc<Front<B>>, stream: TcpStream, visitor: Arc<Visitor>) {
    let introduced_by = Instant::now() + INTRODUCTION;
    let Some(tls) = &front.tls else {
        return speak(&front, stream, &visitor, introduced_by).await;
    };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout_at(introduced_by, tls.accept(stream)) => shaken,
        () = visitor.crowded_out.cancelled() => return,
        () = front.closing.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => speak(&front, stream, &visitor, introduced_by).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS failed");
            front.metrics.refused(Refused::Tls);
        }
        Err(_) => front.metrics.refused(Refused::Slow),
    }
}

async fn speak<B: Backend, S>(front: &Arc<Front<B>>, stream: S, visitor: &Arc<Visitor>, introduced_by: Instant)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = |request| {
        let (front, visitor) = (Arc::clone(front), Arc::clone(visitor));
        async move { Ok::<_, Infallible>(front.answer(&visitor, request).await) }
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_BUFFER);
    let connection = http.serve_connection(TokioIo::new(Patient::new(stream)), service_fn(answer));
    tokio::pin!(connection);
    let mut closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended
                    && (error.is_parse() || error.is_timeout())
                {
                    tracing::debug!(%error, "connection broken off");
                    front.metrics.refused(if error.is_timeout() { Refused::Slow } else { Refused::Protocol });
                }
                return;
            }
            () = visitor.crowded_out.cancelled() => return, // counted by whoever asked for it
            () = tokio::time::sleep_until(introduced_by), if !visitor.is_known() => {
                if !visitor.is_known() {
                    front.metrics.refused(Refused::Slow);
                    return;
                }
            }
            () = front.closing.cancelled(), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
