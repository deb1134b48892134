//! Reads terminals on a thread of its own.
//!
//! Looking whether a pseudo-terminal has something to read waits, in the kernel, for the work that carries its bytes from one
//! side to the other (`n_tty_read` and `n_tty_poll` flush it). Where a program floods and the processors are busy that takes
//! up to twenty milliseconds, in which a thread of the runtime could do nothing else: each call would wait as long now and then.

use std::fs::File;
use std::future::pending;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::unix::pipe;
use tokio::runtime::{Builder, Handle};

use super::streams::{is_temporary, watch};

/// More than a terminal gives at once (4095 bytes).
const PIECE: usize = 8 << 10;

/// A pipe with what the terminal behind this master prints, until its last user is gone. Nothing is read from the
/// terminal while the pipe is full.
pub(super) fn output_of(master: OwnedFd) -> io::Result<OwnedFd> {
    let (to, from) = pipe::pipe()?;
    let to = to.into_nonblocking_fd()?;
    thread()?.spawn(async move {
        copy(master, to).await.ok(); // either side is gone, and its end is seen by the other
    });
    from.into_nonblocking_fd()
}

async fn copy(master: OwnedFd, to: OwnedFd) -> io::Result<()> {
    let (master, mut to) = (watch(master, Interest::READABLE)?, pipe::Sender::from_owned_fd(to)?);
    let mut buffer = vec![0; PIECE];
    loop {
        drop(master.readable().await?);
        let read = |mut file: &File| file.read(&mut buffer);
        let count = match master.try_io(Interest::READABLE, read) {
            Err(error) if is_temporary(&error) => continue,
            Ok(0) => return Ok(()),
            // A terminal whose last user is gone gives EIO instead of an end.
            read => read?,
        };
        to.write_all(buffer.get(..count).unwrap_or_default()).await?;
    }
}

/// The thread, which is started when it is first needed and lives as long as the process.
fn thread() -> io::Result<Handle> {
    static THREAD: Mutex<Option<Handle>> = Mutex::new(None);
    let mut started = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*started {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("terminals".to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))?;
    *started = Some(handle.clone());
    Ok(handle)
}
