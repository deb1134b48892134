//! Takes connections in.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{Backend, Front, connection};

/// After a failure that lasts, such as too few descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Takes connections in, for ever.
pub(super) async fn accept<B: Backend>(front: &Arc<Front<B>>, listener: &TcpListener, connections: &mut TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small writes; waiting for more of them would cost 40 ms each (Nagle).
                stream.set_nodelay(true).ok(); // slower without, and no reason to refuse
                let visitor = front.doors.enter();
                connections.spawn(connection::serve(Arc::clone(front), stream, visitor));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection in");
                tokio::time::sleep(BREATH).await; // it would fail again at once
            }
        }
    }
}
