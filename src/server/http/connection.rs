//! One connection, with TLS or without.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Backend, Front};
use crate::server::web::connection::{self, Bounds};
use crate::server::web::doors::{INTRODUCTION, Visitor};
use crate::server::web::refused::Refused;

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
            front.metrics.http.refused(Refused::Tls);
        }
        Err(_) => front.metrics.http.refused(Refused::Slow),
    }
}

async fn speak<B: Backend, S>(front: &Arc<Front<B>>, stream: S, visitor: &Arc<Visitor>, introduced_by: Instant)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let bounds = Bounds {
        visitor,
        introduced_by,
        closing: &front.closing,
        counts: &front.metrics.http,
    };
    let answer = |request| {
        let (front, visitor) = (Arc::clone(front), Arc::clone(visitor));
        async move { front.answer(&visitor, request).await }
    };
    connection::speak(stream, bounds, answer).await;
}
