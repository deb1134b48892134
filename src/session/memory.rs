//! Memory for the output and the screens of all sessions together.
//!
//! Each session holds a share, counted before it is used. Where there is no more, sessions that have finished
//! go, the oldest first; then a running session keeps less of its output, and none is opened.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::ByteCount;

/// What all sessions may take together unless the operator says otherwise: a hundred that have printed much,
/// or as many as there may be that have not.
pub const MEMORY: ByteCount = ByteCount::new(512 << 20);
/// How long a finished session may take to go.
const GOING: Duration = Duration::from_secs(1);

/// What there is, and who can give some back.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    used: AtomicUsize,
    freed: Notify,
    finished: Mutex<VecDeque<Weak<Notify>>>,
}

/// A part of it, given back when dropped.
#[derive(Debug)]
pub struct Share {
    memory: Arc<Memory>,
    bytes: usize,
}

/// There is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "output and screens of running sessions take {used} bytes of the {most} that the server has for them, and this would take {wanted} \
     more; hint: end a session with terminal_close (terminal_list shows yours)"
)]
pub struct Full {
    wanted: usize,
    used: usize,
    most: usize,
}

impl Memory {
    pub(super) fn new(most: ByteCount) -> Arc<Self> {
        Arc::new(Self {
            most: usize::try_from(most.bytes()).unwrap_or(usize::MAX),
            used: AtomicUsize::new(0),
            freed: Notify::new(),
            finished: Mutex::default(),
        })
    }

    /// A share of this size, for which finished sessions go if they must.
    pub(super) async fn share(self: &Arc<Self>, bytes: usize) -> Result<Share, Full> {
        loop {
            // Before looking, so that nothing is missed.
            let freed = self.freed.notified();
            if self.take(bytes) {
                let memory = Arc::clone(self);
                return Ok(Share { memory, bytes });
            }
            if !self.let_go() || tokio::time::timeout(GOING, freed).await.is_err() {
                return Err(self.full(bytes));
            }
        }
    }

    /// A session that has finished may be told to go by this.
    pub(super) fn may_go(&self) -> Arc<Notify> {
        let told = Arc::new(Notify::new());
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.retain(|session| session.strong_count() > 0);
        finished.push_back(Arc::downgrade(&told));
        told
    }

    /// Tells the oldest finished session to go; whether there is one.
    fn let_go(&self) -> bool {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = finished.pop_front() {
            if let Some(told) = oldest.upgrade() {
                told.notify_one();
                return true;
            }
        }
        false
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.most);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    fn full(&self, wanted: usize) -> Full {
        Full {
            wanted,
            used: self.used.load(Ordering::Relaxed),
            most: self.most,
        }
    }
}

impl Share {
    /// How large it is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows or shrinks to a size. Where there is not enough it stays as it is, and the oldest finished
    /// session goes, so that a later try may succeed.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            if !self.memory.take(more) {
                self.memory.let_go();
                return Err(self.memory.full(more));
            }
        } else if bytes < self.bytes {
            self.memory.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// So much of it as a share of its own.
    pub(super) fn split_off(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            memory: Arc::clone(&self.memory),
            bytes,
        }
    }

    /// See [`Memory::may_go`].
    pub(super) fn may_go(&self) -> Arc<Notify> {
        self.memory.may_go()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_finished_session_goes_first_and_then_nothing_is_given() {
        let memory = Memory::new(ByteCount::new(100));
        let old = memory.share(40).await.unwrap();
        let new = memory.share(40).await.unwrap();
        let (told_old, told_new) = (memory.may_go(), memory.may_go());
        let went = tokio::spawn(async move {
            told_old.notified().await;
            drop(old);
        });
        let mut third = memory.share(50).await.unwrap();
        went.await.unwrap();
        // The other is told, and until it has gone there is not enough.
        assert_eq!(third.resize(80).unwrap_err().wanted, 30);
        told_new.notified().await;
        drop(new);
        third.resize(80).unwrap();
        let error = memory.share(30).await.unwrap_err();
        assert_eq!((error.used, error.most), (80, 100));
        let part = third.split_off(30);
        drop(third);
        memory.share(70).await.unwrap();
        drop(part);
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
    }
}
