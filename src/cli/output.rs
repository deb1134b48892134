//! Where a command's outputs go: as they are, but through a filter where that is a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::filter::Filter;

/// How much of the end of what is printed is kept, to say which limit a command may have met.
const TAIL: usize = 4096;

/// One of them.
#[derive(Clone)]
pub(super) struct Output {
    stream: Stream,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy)]
pub(super) enum Stream {
    /// Where both go if they are one.
    Standard,
    Error,
}

struct State {
    /// Where the stream is a terminal.
    filter: Option<Filter>,
    /// The end of what was printed.
    tail: Vec<u8>,
    /// Why it takes no more, though its reader is there.
    lost: Option<io::Error>,
}

impl Output {
    pub(super) fn new(stream: Stream) -> Self {
        let terminal = match stream {
            Stream::Standard => io::stdout().is_terminal(),
            Stream::Error => io::stderr().is_terminal(),
        };
        let state = State {
            filter: terminal.then(Filter::default),
            tail: Vec::new(),
            lost: None,
        };
        Self {
            stream,
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.tail.extend_from_slice(bytes);
        let over = state.tail.len().saturating_sub(TAIL);
        state.tail.drain(..over);
        let shown = state.filter.as_mut().map(|filter| filter.pass(bytes));
        drop(state);
        self.stream.write(shown.as_deref().unwrap_or(bytes))
    }

    /// Puts a terminal in order, if anything was printed on it.
    pub(super) fn undo(&self) -> io::Result<()> {
        let mut state = self.state();
        let printed = !state.tail.is_empty();
        let undo = state.filter.as_mut().filter(|_| printed).map(Filter::undo);
        drop(state);
        undo.map_or(Ok(()), |undo| self.stream.write(&undo))
    }

    pub(super) fn tail(&self) -> Vec<u8> {
        self.state().tail.clone()
    }

    /// It takes no more.
    pub(super) fn lose(&self, why: io::Error) {
        self.state().lost = Some(why);
    }

    pub(super) fn lost(&self) -> Option<io::Error> {
        self.state().lost.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Standard => {
                let mut to = io::stdout().lock();
                to.write_all(bytes)?;
                to.flush()
            }
            Self::Error => io::stderr().lock().write_all(bytes),
        }
    }
}

/// Whether both outputs take more now.
pub(super) fn take_more() -> bool {
    let mut wanted = [rustix::stdio::stdout(), rustix::stdio::stderr()].map(|fd| PollFd::new(fd, PollFlags::POLLOUT));
    poll(&mut wanted, PollTimeout::ZERO).is_ok_and(|ready| ready == 2)
}

/// Whether standard output and standard error are one file, as after `2>&1`. Two pipes would lose the order of what is written.
pub(super) fn are_one() -> bool {
    let file = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    file(rustix::stdio::stdout()).is_some_and(|one| file(rustix::stdio::stderr()) == Some(one))
}
