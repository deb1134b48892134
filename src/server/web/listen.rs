//! Takes connections in.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::doors::{Doors, Visitor};

/// After a failure that lasts, such as too few descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Takes connections in, for ever.
pub(in crate::server) async fn accept<S>(
    listener: &TcpListener,
    doors: &Doors,
    connections: &TaskTracker,
    serve: impl Fn(TcpStream, Arc<Visitor>) -> S,
) where
    S: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small writes; waiting for more of them would cost 40 ms each (Nagle).
                stream.set_nodelay(true).ok(); // slower without, and no reason to refuse
                connections.spawn(serve(stream, doors.enter()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection in");
                tokio::time::sleep(BREATH).await; // it would fail again at once
            }
        }
    }
}
