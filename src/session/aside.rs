//! Drawing that takes long: few bytes can ask for much of it.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// One at a time, so that a processor stays for all else.
static TURN: Semaphore = Semaphore::const_new(1);

/// Leave to work for some milliseconds. Who asked first has it first.
pub(super) struct Turn {
    _permit: Option<SemaphorePermit<'static>>,
}

/// Waits for a turn. It can be given up at any time.
pub(super) async fn turn() -> Turn {
    Turn {
        _permit: TURN.acquire().await.ok(), // nobody closes it
    }
}

impl Turn {
    /// Works while another thread does what this one did: answers to others, timers, what arrives.
    pub(super) fn work<T>(self, work: impl FnOnce() -> T) -> T {
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
            _ => work(),
        }
    }
}
