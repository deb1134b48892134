//! What a session reads from and writes to, without blocking.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::output::Output;

/// End of input on a terminal (VEOF, termios(3)).
const END_OF_INPUT: u8 = 0x04;

/// One stream: where it is read from while it is open, and what came.
pub(super) struct Reader {
    pub(super) from: Option<AsyncFd<File>>,
    pub(super) output: Output,
}

/// What is still to be written to the command, and where.
pub(super) struct Input {
    pub(super) to: Option<AsyncFd<File>>,
    bytes: Vec<u8>,
    written: usize,
    /// Nothing more comes: when all is written it is closed.
    ends: bool,
}

impl Reader {
    pub(super) fn new(from: OwnedFd, kept: usize) -> io::Result<Self> {
        Ok(Self {
            from: Some(watch(from, Interest::READABLE)?),
            output: Output::new(kept),
        })
    }

    pub(super) fn closed() -> Self {
        Self {
            from: None,
            output: Output::new(0),
        }
    }

    /// Reads what is there without asking the runtime, at most one buffer. Gives the number of bytes.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> usize {
        self.from
            .as_ref()
            .map_or(0, |from| from.get_ref().read(buffer).unwrap_or(0))
    }

    /// Reads what is there, at most one buffer; closes at the end. Gives the number of bytes.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(from) = &self.from else { return 0 };
        match from.try_io(Interest::READABLE, |mut file| file.read(buffer)) {
            Err(error) if is_temporary(&error) => 0,
            Ok(0) | Err(_) => {
                self.from = None;
                0
            }
            Ok(count) => count,
        }
    }
}

impl Input {
    /// Writes these bytes and then closes.
    pub(super) fn pipe(to: OwnedFd, bytes: Vec<u8>) -> io::Result<Self> {
        let to = if bytes.is_empty() {
            None
        } else {
            Some(watch(to, Interest::WRITABLE)?)
        };
        Ok(Self {
            to,
            bytes,
            written: 0,
            ends: true,
        })
    }

    /// Stays open. A terminal ends its input by a character: once at the start of a line, twice elsewhere.
    pub(super) fn terminal(to: OwnedFd, input: Option<Vec<u8>>) -> io::Result<Self> {
        let mut bytes = input.unwrap_or_default();
        match bytes.last() {
            None => {}
            Some(b'\n') => bytes.push(END_OF_INPUT),
            Some(_) => bytes.extend([END_OF_INPUT, END_OF_INPUT]),
        }
        Ok(Self {
            to: Some(watch(to, Interest::WRITABLE)?),
            bytes,
            written: 0,
            ends: false,
        })
    }

    /// Adds to what is to be written.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.to.is_some() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// How many bytes wait to be read by the command.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Writes what fits; closes when nobody reads, or when all is written and nothing more comes.
    pub(super) fn write(&mut self) {
        let Some(to) = &self.to else { return };
        let rest = self.bytes.get(self.written..).unwrap_or_default();
        match to.try_io(Interest::WRITABLE, |mut file| file.write(rest)) {
            Err(error) if is_temporary(&error) => {}
            Ok(count) if count > 0 => {
                self.written += count;
                // What is written goes, but not byte by byte: that would move the rest as often.
                if self.written >= self.bytes.len() / 2 {
                    self.bytes.drain(..self.written);
                    self.written = 0;
                }
                if self.waiting() == 0 {
                    (self.bytes, self.written) = (Vec::new(), 0);
                    if self.ends {
                        self.close();
                    }
                }
            }
            Ok(_) | Err(_) => self.close(),
        }
    }

    pub(super) fn close(&mut self) {
        self.to = None;
        (self.bytes, self.written) = (Vec::new(), 0);
    }
}

/// Has the runtime tell when a descriptor is ready.
#[expect(
    deprecated,
    reason = "its successor is unsafe, and unsafe lives in `kernel`; what it asks for holds: a `File` owns one descriptor, \
              the same one, until it is dropped"
)]
fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<File>> {
    AsyncFd::with_interest(File::from(fd), interest)
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Waits until there is something to read; for ever when closed. Cancel-safe.
pub(super) async fn readable(from: Option<&AsyncFd<File>>) -> io::Result<()> {
    match from {
        Some(from) => from.readable().await.map(drop),
        None => std::future::pending().await,
    }
}

/// Waits until what is to be written can be; for ever when that is nothing. Cancel-safe.
pub(super) async fn writable(input: &Input) -> io::Result<()> {
    match &input.to {
        Some(to) if input.waiting() > 0 => {
            let ready = to.writable().await?;
            // A terminal that nobody has open any more is "ready" for ever and takes nothing.
            if ready.ready().is_write_closed() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        }
        _ => std::future::pending().await,
    }
}
