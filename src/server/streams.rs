//! Standard input and output as the transport: whatever they are, and with an eye on the end.
//!
//! Other processes may share our descriptors, so their flags are never changed: a pipe is opened
//! again through `/proc`, which makes a description of our own; for all else a thread blocks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

/// Where messages come from.
pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Where messages go.
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Standard input.
pub(super) fn input() -> Reader {
    match pipe::OpenOptions::new().open_receiver("/proc/self/fd/0") {
        Ok(pipe) => Box::new(pipe),
        Err(error) => {
            tracing::debug!(%error, "standard input is read by a thread");
            Box::new(tokio::io::stdin())
        }
    }
}

/// Standard output.
pub(super) fn output() -> Writer {
    match pipe::OpenOptions::new().open_sender("/proc/self/fd/1") {
        Ok(pipe) => Box::new(pipe),
        Err(error) => {
            tracing::debug!(%error, "standard output is written by a thread");
            Box::new(tokio::io::stdout())
        }
    }
}

/// A reader that fires a token at the end of its input or when it fails.
pub(super) struct Watched<R> {
    inner: R,
    end: CancellationToken,
}

impl<R> Watched<R> {
    pub(super) fn new(inner: R, end: CancellationToken) -> Self {
        Self { inner, end }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let over = match &read {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if over {
            self.end.cancel();
        }
        read
    }
}
