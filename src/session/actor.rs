//! The task that owns one session: reads its output, feeds its input, answers questions about it.
//!
//! It reads as fast as the command prints, whether or not anybody asks, and keeps a bounded part.
//! Time, memory and processor limits are the launcher's; only the count of printed bytes is ours.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::handle::{Excerpts, Finished, Message, Progress, Stream};
use super::memory::Share;
use super::output::{Output, Place};
use super::screen::Size;
use super::streams::{Input, Reader, readable, writable};
use super::terminal::Terminal;
use super::{Manner, aside};
use crate::limits::CommandPermit;
use crate::sandbox::{Control, Device, Ending, Io, Sandbox, Stop, output_of};

/// What one session keeps of its output, both streams together.
pub const OUTPUT_KEPT: usize = 4 << 20;
/// How long after the command's end its output may take to end too. All that could hold it open is
/// gone by then; this only guards against what should not happen.
const DRAIN: Duration = Duration::from_secs(1);
/// The same for a terminal, which another thread reads: that one may be late on a busy machine.
const DRAIN_TERMINAL: Duration = Duration::from_secs(5);
/// How long a finished session is kept.
pub const KEEP: Duration = Duration::from_secs(600);
/// How often a launcher is told of input and output: more often than the shortest idle time of a profile.
pub const TELL_BUSY: Duration = Duration::from_millis(250);
const PIECE: usize = 64 * 1024;

/// The state of the task.
pub(super) struct Actor {
    control: Control,
    main: Reader,
    error: Reader,
    input: Input,
    terminal: Option<Terminal>,
    buffer: Vec<u8>,
    /// Bytes it may print, where that is limited.
    output_limit: Option<u64>,
    ending: Option<Ending>,
    progress: watch::Sender<Progress>,
    /// When the launcher was last told that it is not idle.
    told_busy: Instant,
    /// What its output may take.
    memory: Share,
    /// Held while the command runs.
    permit: Option<CommandPermit>,
}

impl Actor {
    /// Takes over a sandbox. `size` is that of its terminal, if it has one.
    pub(super) fn new(
        sandbox: Sandbox,
        Manner { stdin, integration, .. }: Manner,
        size: Size,
        output_limit: u64,
        mut memory: Share,
        permit: CommandPermit,
        progress: watch::Sender<Progress>,
    ) -> io::Result<Self> {
        let (main, error, input, terminal, output_limit) = match sandbox.io {
            Io::Pipes {
                stdin: to,
                stdout,
                stderr,
            } => {
                let half = OUTPUT_KEPT / 2;
                let (main, error) = (Reader::new(stdout, half)?, Reader::new(stderr, half)?);
                (
                    main,
                    error,
                    Input::pipe(to, stdin.unwrap_or_default())?,
                    None,
                    Some(output_limit),
                )
            }
            Io::Terminal(master) => {
                let input = Input::terminal(master.try_clone()?, stdin)?;
                let screens = memory.split_off(Terminal::least_memory(size));
                let terminal = Terminal::new(size, Device::new(master.try_clone()?), integration, screens);
                let main = Reader::new(output_of(master)?, OUTPUT_KEPT)?;
                (main, Reader::closed(), input, Some(terminal), None)
            }
        };
        let actor = Self {
            control: sandbox.control,
            main,
            error,
            input,
            terminal,
            buffer: vec![0; PIECE],
            output_limit,
            ending: None,
            progress,
            told_busy: Instant::now(),
            memory,
            permit: Some(permit),
        };
        actor.tell();
        Ok(actor)
    }

    /// Runs until nobody holds the session any more, or it has been finished for [`KEEP`].
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        if !self.live(&mut messages).await {
            return;
        }
        let room_is_needed = self.memory.may_go();
        self.finish();
        let until = tokio::time::sleep(KEEP);
        tokio::pin!(until);
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.answer(message),
                    None => return,
                },
                () = room_is_needed.notified() => return,
                () = &mut until => return,
            }
        }
    }

    /// What it takes at least, in bytes.
    pub(super) fn least_memory(terminal: Option<Size>) -> usize {
        match terminal {
            Some(size) => Output::LEAST + Terminal::least_memory(size),
            None => 2 * Output::LEAST,
        }
    }

    /// Until the command has ended and its output is read and drawn; false when nobody holds the session.
    async fn live(&mut self, messages: &mut mpsc::Receiver<Message>) -> bool {
        let drained = tokio::time::sleep(Duration::MAX);
        tokio::pin!(drained);
        let mut has_drained = false;
        loop {
            let (undrawn, behind) = match &self.terminal {
                Some(terminal) => (terminal.has_undrawn(), terminal.is_behind()),
                None => (false, false),
            };
            if self.ending.is_some() && self.main.from.is_none() && self.error.from.is_none() && !undrawn {
                return true;
            }
            // Readiness alone does not make this task give way to others, and without that nobody is heard.
            tokio::task::consume_budget().await;
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.answer(message),
                    None => return false,
                },
                ready = readable(self.main.from.as_ref()), if !behind => {
                    if ready.is_err() { self.main.from = None; }
                    self.read(Stream::Main);
                }
                ready = readable(self.error.from.as_ref()) => {
                    if ready.is_err() { self.error.from = None; }
                    self.read(Stream::Error);
                }
                ready = writable(&self.input) => {
                    if ready.is_err() { self.input.close(); }
                    self.input.write();
                    self.not_idle();
                }
                turn = aside::turn(), if undrawn => {
                    if let Some(terminal) = &mut self.terminal { turn.work(|| terminal.draw()); }
                    self.tell();
                }
                ending = self.control.ended(), if self.ending.is_none() => {
                    self.ending = Some(ending);
                    self.input.close();
                    let drain = if self.terminal.is_some() { DRAIN_TERMINAL } else { DRAIN };
                    drained.as_mut().reset(tokio::time::Instant::now() + drain);
                }
                () = &mut drained, if self.ending.is_some() && !has_drained => {
                    // The runtime may be late to tell under load: what is in the pipes is not lost.
                    for stream in [Stream::Main, Stream::Error] {
                        while self.take(stream, Reader::read_now) {}
                    }
                    (self.main.from, self.error.from) = (None, None);
                    has_drained = true;
                }
            }
            self.pass_typed();
        }
    }

    fn read(&mut self, stream: Stream) {
        if !self.take(stream, Reader::read) {
            return;
        }
        self.not_idle();
        let printed = self.main.output.total() + self.error.output.total();
        if self.output_limit.is_some_and(|limit| printed > limit) {
            self.output_limit = None;
            self.stop(Stop::Output, Duration::ZERO);
        }
        self.tell();
    }

    /// Only we see what it reads and prints; its launcher decides whether it is idle.
    fn not_idle(&mut self) {
        if self.told_busy.elapsed() >= TELL_BUSY {
            self.told_busy = Instant::now();
            self.control.busy();
        }
    }

    /// Takes in what one look at a stream gives; whether that was anything.
    fn take(&mut self, stream: Stream, read: impl Fn(&mut Reader, &mut [u8]) -> usize) -> bool {
        let reader = match stream {
            Stream::Main => &mut self.main,
            Stream::Error => &mut self.error,
        };
        let count = read(reader, &mut self.buffer);
        let wanted = reader.output.wants(count);
        // Where there is no more, the oldest of the output goes sooner.
        if wanted > 0 && self.memory.resize(self.memory.bytes() + wanted).is_ok() {
            reader.output.give_room(wanted);
        }
        let bytes = self.buffer.get(..count).unwrap_or_default();
        match &mut self.terminal {
            Some(terminal) => terminal.take(bytes, &mut reader.output),
            None => reader.output.push(bytes),
        }
        count > 0
    }

    /// Hands on what was typed, and what the terminal answers to its program.
    fn pass_typed(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            let typed = terminal.take_typed(self.input.waiting());
            self.input.add(&typed);
        }
    }

    fn answer(&mut self, message: Message) {
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
            Message::Excerpt { max, from, reply } => {
                reply.send(self.excerpts(max, from)).ok();
            }
            Message::Use(act) => {
                if let Some(terminal) = &mut self.terminal {
                    act(terminal, self.main.output.place());
                    self.tell();
                }
            }
            Message::Tell => self.control.ask_used(),
            Message::Signal { number, to } => {
                let control = self.control.clone();
                tokio::spawn(async move { control.signal(number, to).await });
            }
            Message::Stop { why, grace } => self.stop(why, grace),
        }
    }

    /// Gives standard error up to a half, and to each stream what the other leaves.
    fn excerpts(&self, max: usize, from: Option<(Place, Place)>) -> Excerpts {
        if let Some((start, end)) = from {
            return Excerpts {
                main: self.main.output.excerpt_of(start, end, max),
                error: super::output::Excerpt::default(),
            };
        }
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
        if let Some(terminal) = &mut self.terminal {
            terminal.finish(&mut self.main.output);
        }
        self.main.output.settle();
        self.error.output.settle();
        let held = self.main.output.held() + self.error.output.held();
        self.memory.resize(held.min(self.memory.bytes())).ok(); // less is always given
        self.tell();
        if let Some(ending) = &self.ending {
            super::tally::ended(ending);
        }
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
            p.prompt = self.terminal.as_ref().and_then(Terminal::prompt);
            p.size = self.terminal.as_ref().map(Terminal::size);
            p.drawn = self.terminal.as_ref().is_none_or(|terminal| !terminal.has_undrawn());
        });
    }
}
