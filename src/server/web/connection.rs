//! One connection, from the first byte to the last.

use std::convert::Infallible;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::counts::Counts;
use super::doors::Visitor;
use super::patience::Patient;
use super::refused::Refused;

/// Request line and headers together. A token is 75 bytes.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Headers of one request.
const MAX_HEADERS: usize = 64;
/// Bytes that are held for one connection in each direction.
const MAX_BUFFER: usize = 64 << 10;
/// From the end of an answer to the end of the next request's headers.
const IDLE: Duration = Duration::from_secs(75);

/// What bounds a connection.
pub(in crate::server) struct Bounds<'a> {
    pub(in crate::server) visitor: &'a Visitor,
    /// When a stranger must have said who they are.
    pub(in crate::server) introduced_by: Instant,
    /// Connections must close.
    pub(in crate::server) closing: &'a CancellationToken,
    pub(in crate::server) counts: &'a Counts,
}

/// Answers the requests of a connection until its end.
pub(in crate::server) async fn speak<S, F>(stream: S, bounds: Bounds<'_>, answer: impl Fn(Request<Incoming>) -> F)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Future<Output = Response<Body>>,
{
    let answer = |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
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
    let Bounds { visitor, counts, .. } = bounds;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended
                    && (error.is_parse() || error.is_timeout())
                {
                    tracing::debug!(%error, "connection broken off");
                    counts.refused(if error.is_timeout() { Refused::Slow } else { Refused::Protocol });
                }
                return;
            }
            () = visitor.crowded_out.cancelled() => return, // counted by whoever asked for it
            () = tokio::time::sleep_until(bounds.introduced_by), if !visitor.is_known() => {
                if !visitor.is_known() {
                    counts.refused(Refused::Slow);
                    return;
                }
            }
            () = bounds.closing.cancelled(), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
