//! Told to end: by SIGTERM or SIGINT, and again by a second one.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Fires `over` at the first signal and `at_once` at the second.
pub(super) fn end_on(over: &CancellationToken, at_once: &CancellationToken) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (over, at_once) = (over.clone(), at_once.clone());
    tokio::spawn(async move {
        for token in [over, at_once] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(())
}
