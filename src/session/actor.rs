//! The task that owns one session: reads its output, feeds its input, answers questions about it.
//!
//! It reads as fast as the command prints, whether or not anybody asks, and keeps a bounded part.
//! Time, memory and processor limits are the launcher's; only the count of printed bytes is ours.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

use super::handle::{Excerpts, Finished, Message, Progress, Stream};
use super::output::Output;
use crate::limits::CommandPermit;
use crate::sandbox::{Control, Ending, Io, Sandbox, Stop};

/// What one session keeps of its output, both streams together.
pub const OUTPUT_KEPT: usize = 4 << 20;
/// How long after the command's end its output may take to end too. All that could hold it open is
/// gone by then; this only guards against what should not happen.
const DRAIN: Duration = Duration::from_secs(1);
/// How long a finished session is kept.
pub const KEEP: Duration = Duration::from_secs(600);
const PIECE: usize = 64 * 1024;
/// End of input on a terminal (VEOF, termios(3)).
const END_OF_INPUT: u8 = 0x04;

/// The state of the task.
pub(super) struct Actor {
    control: Control,
    main: Reader,
    error: Reader,
    input: Input,
    buffer: Vec<u8>,
    /// Bytes it may print, where that is limited.
    output_limit: Option<u64>,
    ending: Option<Ending>,
    progress: watch::Sender<Progress>,
    /// Held while the command runs.
    permit: Option<CommandPermit>,
}

/// One stream: where it is read from while it is open, and what came.
struct Reader {
    from: Option<AsyncFd<File>>,
    output: Output,
}

/// What is still to be written to the command, and where.
struct Input {
    to: Option<AsyncFd<File>>,
    bytes: Vec<u8>,
    written: usize,
}

impl Actor {
    /// Takes over a sandbox.
    pub(super) fn new(
        sandbox: Sandbox,
        stdin: Vec<u8>,
        output_limit: u64,
        permit: CommandPermit,
        progress: watch::Sender<Progress>,
    ) -> io::Result<Self> {
        let (main, error, input, output_limit) = match sandbox.io {
            Io::Pipes {
                stdin: to,
                stdout,
                stderr,
            } => {
                let input = Input::new(to, stdin)?;
                let half = OUTPUT_KEPT / 2;
                (
                    Reader::new(stdout, half)?,
                    Reader::new(stderr, half)?,
                    input,
                    Some(output_limit),
                )
            }
            Io::Terminal(master) => {
                let input = Input::terminal(master.try_clone()?, stdin)?;
                (Reader::new(master, OUTPUT_KEPT)?, Reader::closed(), input, None)
            }
        };
        Ok(Self {
            control: sandbox.control,
            main,
            error,
            input,
            buffer: vec![0; PIECE],
            output_limit,
            ending: None,
            progress,
            permit: Some(permit),
        })
    }

    /// Runs until nobody holds the session any more, or it has been finished for [`KEEP`].
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        if !self.live(&mut messages).await {
            return;
        }
        self.finish();
        let until = tokio::time::sleep(KEEP);
        tokio::pin!(until);
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.answer(message),
                    None => return,
                },
                () = &mut until => return,
            }
        }
    }

    /// Until the command has ended and its output is read; false when nobody holds the session.
    async fn live(&mut self, messages: &mut mpsc::Receiver<Message>) -> bool {
        let drained = tokio::time::sleep(Duration::MAX);
        tokio::pin!(drained);
        loop {
            if self.ending.is_some() && self.main.from.is_none() && self.error.from.is_none() {
                return true;
            }
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.answer(message),
                    None => return false,
                },
                ready = readable(self.main.from.as_ref()) => {
                    if ready.is_err() { self.main.from = None; }
                    self.read(Stream::Main);
                }
                ready = readable(self.error.from.as_ref()) => {
                    if ready.is_err() { self.error.from = None; }
                    self.read(Stream::Error);
                }
                ready = writable(self.input.to.as_ref()) => {
                    if ready.is_err() { self.input.to = None; }
                    self.input.write();
                }
                ending = self.control.ended(), if self.ending.is_none() => {
                    self.ending = Some(ending);
                    self.input.to = None;
                    drained.as_mut().reset(tokio::time::Instant::now() + DRAIN);
                }
                () = &mut drained, if self.ending.is_some() => {
                    // The runtime may be late to tell under load: what is in the pipes is not lost.
                    while self.main.read_now(&mut self.buffer) + self.error.read_now(&mut self.buffer) > 0 {}
                    return true;
                }
            }
        }
    }

    fn read(&mut self, stream: Stream) {
        let reader = match stream {
            Stream::Main => &mut self.main,
            Stream::Error => &mut self.error,
        };
        if reader.read(&mut self.buffer) == 0 {
            return;
        }
        let printed = self.main.output.total() + self.error.output.total();
        if self.output_limit.is_some_and(|limit| printed > limit) {
            self.output_limit = None;
            self.stop(Stop::Output, Duration::ZERO);
        }
        self.tell();
    }

    fn answer(&self, message: Message) {
        // Whoever asked may have gone away; then nobody misses the answer.
        match message {
            Message::Read {
                stream,
                cursor,
                max,
                reply,
            } => {
                let output = match stream {
                    Stream::Main => &self.main.output,
                    Stream::Error => &self.error.output,
                };
                reply.send(output.read(cursor, max)).ok();
            }
            Message::Excerpt { max, reply } => {
                reply.send(self.excerpts(max)).ok();
            }
            Message::Stop { why, grace } => self.stop(why, grace),
        }
    }

    /// Gives standard error up to a half, and to each stream what the other leaves.
    fn excerpts(&self, max: usize) -> Excerpts {
        let wanted = |output: &Output| usize::try_from(output.total()).unwrap_or(usize::MAX);
        let (main, error) = (wanted(&self.main.output), wanted(&self.error.output));
        let error_share = error.min((max / 2).max(max.saturating_sub(main)));
        Excerpts {
            main: self.main.output.excerpt(max - error_share),
            error: self.error.output.excerpt(error_share),
        }
    }

    fn stop(&self, why: Stop, grace: Duration) {
        if self.ending.is_none() {
            let control = self.control.clone();
            // Not awaited here: a launcher that does not listen must not stop us from reading.
            tokio::spawn(async move { control.stop(why, grace).await });
        }
    }

    fn finish(&mut self) {
        self.main.from = None;
        self.error.from = None;
        self.buffer = Vec::new();
        self.permit = None;
        self.main.output.settle();
        self.error.output.settle();
        self.tell();
        let finished = self.ending.take().map(|ending| Finished {
            ending: Arc::new(ending),
            at: Instant::now(),
        });
        self.progress.send_modify(|p| p.finished = finished);
    }

    fn tell(&self) {
        self.progress.send_modify(|p| {
            p.main = self.main.output.total();
            p.error = self.error.output.total();
            p.held = self.main.output.held() + self.error.output.held();
        });
    }
}

impl Reader {
    fn new(from: OwnedFd, kept: usize) -> io::Result<Self> {
        Ok(Self {
            from: Some(watch(from, Interest::READABLE)?),
            output: Output::new(kept),
        })
    }

    fn closed() -> Self {
        Self {
            from: None,
            output: Output::new(0),
        }
    }

    /// Reads what is there without asking the runtime, at most one buffer. Gives the number of bytes.
    fn read_now(&mut self, buffer: &mut [u8]) -> usize {
        let count = self
            .from
            .as_ref()
            .map_or(0, |from| from.get_ref().read(buffer).unwrap_or(0));
        self.output.push(buffer.get(..count).unwrap_or_default());
        count
    }

    /// Reads what is there, at most one buffer; closes at the end. Gives the number of bytes.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(from) = &self.from else { return 0 };
        match from.try_io(Interest::READABLE, |mut file| file.read(buffer)) {
            Err(error) if is_temporary(&error) => 0,
            // A terminal whose last user is gone gives EIO instead of an end.
            Ok(0) | Err(_) => {
                self.from = None;
                0
            }
            Ok(count) => {
                self.output.push(buffer.get(..count).unwrap_or_default());
                count
            }
        }
    }
}

impl Input {
    fn new(to: OwnedFd, bytes: Vec<u8>) -> io::Result<Self> {
        let to = if bytes.is_empty() {
            None
        } else {
            Some(watch(to, Interest::WRITABLE)?)
        };
        Ok(Self { to, bytes, written: 0 })
    }

    /// A terminal ends its input by a character: once at the start of a line, twice elsewhere.
    fn terminal(to: OwnedFd, mut bytes: Vec<u8>) -> io::Result<Self> {
        match bytes.last() {
            None => {}
            Some(b'\n') => bytes.push(END_OF_INPUT),
            Some(_) => bytes.extend([END_OF_INPUT, END_OF_INPUT]),
        }
        Self::new(to, bytes)
    }

    /// Writes what fits; closes when all is written or nobody reads.
    fn write(&mut self) {
        let Some(to) = &self.to else { return };
        let rest = self.bytes.get(self.written..).unwrap_or_default();
        match to.try_io(Interest::WRITABLE, |mut file| file.write(rest)) {
            Err(error) if is_temporary(&error) => {}
            Ok(count) if count > 0 => {
                self.written += count;
                if self.written >= self.bytes.len() {
                    self.close();
                }
            }
            Ok(_) | Err(_) => self.close(),
        }
    }

    fn close(&mut self) {
        self.to = None;
        self.bytes = Vec::new();
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
async fn readable(from: Option<&AsyncFd<File>>) -> io::Result<()> {
    match from {
        Some(from) => from.readable().await.map(drop),
        None => std::future::pending().await,
    }
}

/// Waits until something can be written; for ever when closed. Cancel-safe.
async fn writable(to: Option<&AsyncFd<File>>) -> io::Result<()> {
    match to {
        Some(to) => to.writable().await.map(drop),
        None => std::future::pending().await,
    }
}
