//! Relays a command's input and output: as they are, but through a filter where they go to a terminal.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{SignalKind, signal};

use super::output::{Output, Stream, take_more};
use crate::kernel::tty;
use crate::sandbox::{Control, Ending, Io, Stop, Target};
use crate::session::TELL_BUSY;

/// What a command that is asked to end may take to do so.
const GRACE: Duration = Duration::from_millis(300);
/// How long output may take to arrive after the command's end, while our own reader takes it. All that could hold it open is gone by
/// then; this only guards against what should not happen.
const DRAIN: Duration = Duration::from_secs(10);
/// How often it is looked whether our own reader takes more.
const LOOK: Duration = Duration::from_millis(500);

/// How it went.
pub(super) struct Relayed {
    pub(super) ending: Ending,
    /// The end of what was printed, where it was no terminal.
    pub(super) tail: Vec<u8>,
    /// Why output is lost, if it is: a full disk, say. A reader that has gone wants none.
    pub(super) lost: Option<io::Error>,
}

/// Relays both ways until the command has ended and its output is out.
pub(super) async fn relay(io: Io, control: Control, limit: u64, mut signals: Signals) -> io::Result<Relayed> {
    let (over, is_over) = tokio::sync::mpsc::channel(1);
    let (done, mut is_done) = tokio::sync::mpsc::channel::<()>(1);
    let copies = Copies {
        moved: Arc::default(),
        standard: Output::new(Stream::Standard),
        error: Output::new(Stream::Error),
        limit,
        over,
        done,
    };
    let terminal = copies.start(io)?;
    let Copies {
        moved,
        standard,
        error,
        over: _open,
        done,
        ..
    } = copies;
    drop(done);
    let ending = follow(&control, terminal.as_ref(), &moved, is_over, &mut signals).await;
    let was_terminal = terminal.is_some();
    drop(terminal);
    let out = drain(&mut is_done, &mut signals).await;
    let tail = match was_terminal {
        true => Vec::new(), // its end may have been drawn over
        false => [standard.tail(), error.tail()].concat(),
    };
    if out {
        for stream in [&standard, &error] {
            stream.undo().ok(); // nobody looks any more
        }
    }
    let lost = standard.lost().or_else(|| error.lost());
    Ok(Relayed { ending, tail, lost })
}

/// What the threads that copy share with us.
struct Copies {
    /// Bytes read and printed.
    moved: Arc<Moved>,
    standard: Output,
    error: Output,
    limit: u64,
    over: tokio::sync::mpsc::Sender<()>,
    /// Closes when the last of them ends.
    done: tokio::sync::mpsc::Sender<()>,
}

#[derive(Default)]
struct Moved {
    printed: AtomicU64,
    typed: AtomicU64,
}

impl Copies {
    /// Starts a thread for each stream; gives the terminal, if it is one.
    fn start(&self, io: Io) -> io::Result<Option<OwnedFd>> {
        match io {
            Io::Pipes { stdin, stdout, stderr } => {
                self.copy_out(stdout, self.standard.clone(), self.limit)?;
                self.copy_out(stderr, self.error.clone(), self.limit)?;
                self.copy_in(stdin)?;
                Ok(None)
            }
            Io::Terminal(master) => {
                // A terminal is watched by a person; a pipe may fill a disk.
                self.copy_out(master.try_clone()?, self.standard.clone(), u64::MAX)?;
                self.copy_in(master.try_clone()?)?;
                Ok(Some(master))
            }
        }
    }

    fn copy_out(&self, from: OwnedFd, to: Output, limit: u64) -> io::Result<()> {
        let done = self.done.clone();
        let watched = Watched {
            moved: Arc::clone(&self.moved),
            limit,
            over: self.over.clone(),
        };
        let copying = std::thread::Builder::new().spawn(move || {
            copy_out(File::from(from), &to, &watched);
            drop(done);
        });
        copying.map(drop)
    }

    fn copy_in(&self, to: OwnedFd) -> io::Result<()> {
        if is_in_background() {
            return Ok(()); // the command's input ends: reading ours would stop us (SIGTTIN)
        }
        let moved = Arc::clone(&self.moved);
        let copying = std::thread::Builder::new().spawn(move || copy_in(File::from(to), &moved.typed));
        copying.map(drop)
    }
}

/// Passes signals and sizes on until the command has ended.
async fn follow(
    control: &Control,
    terminal: Option<&OwnedFd>,
    moved: &Moved,
    mut is_over: tokio::sync::mpsc::Receiver<()>,
    signals: &mut Signals,
) -> Ending {
    let resize = || {
        if let (Some(master), Some((columns, rows))) = (terminal, outer_size()) {
            tty::set_size(master, columns, rows).ok(); // it has ended
        }
    };
    resize(); // it may have changed before we listened
    let mut look = tokio::time::interval(TELL_BUSY);
    let mut before = 0;
    loop {
        tokio::select! {
            ending = control.ended() => return ending,
            _ = look.tick() => {
                let now = moved.printed.load(Ordering::Relaxed) + moved.typed.load(Ordering::Relaxed);
                if now != before {
                    before = now;
                    control.busy();
                }
            }
            _ = is_over.recv() => control.stop(Stop::Output, Duration::ZERO).await,
            _ = signals.resized.recv() => resize(),
            _ = signals.interrupt.recv() => { control.signal(libc::SIGINT, Target::Foreground).await; }
            Some(signal) = signals.end.recv() => {
                signals.asked = true;
                control.stop(Stop::Signal(signal), GRACE).await;
            }
        }
    }
}

/// Waits until the output is out: for as long as our own reader (a pager, say) takes, unless a signal ends us. Whether it goes on.
async fn drain(is_done: &mut tokio::sync::mpsc::Receiver<()>, signals: &mut Signals) -> bool {
    let mut waited = Duration::ZERO;
    while waited < if signals.asked { LOOK } else { DRAIN } {
        tokio::select! {
            _ = is_done.recv() => return true,
            _ = signals.interrupt.recv() => return false,
            _ = signals.end.recv() => return false,
            () = tokio::time::sleep(LOOK) => {
                let held_up = !signals.asked && !take_more();
                waited = if held_up { Duration::ZERO } else { waited + LOOK };
            }
        }
    }
    take_more()
}

/// The signals that are passed on. To be had before the terminal is changed, so that none ends us meanwhile.
pub(super) struct Signals {
    resized: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    end: tokio::sync::mpsc::Receiver<i32>,
    /// Whether one has asked us to end, while the command ran.
    asked: bool,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            interrupt: signal(SignalKind::interrupt())?,
            end: asked_to_end()?,
            asked: false,
        })
    }
}

/// Says which signal asks us to end: the terminal must be put in order first.
fn asked_to_end() -> io::Result<tokio::sync::mpsc::Receiver<i32>> {
    let (tell, told) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        let (mut signal, tell) = (signal(kind)?, tell.clone());
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                tell.try_send(kind.as_raw_value()).ok(); // told already
            }
        });
    }
    Ok(told)
}

/// How much may be printed, and whom to tell when it is more.
struct Watched {
    moved: Arc<Moved>,
    limit: u64,
    over: tokio::sync::mpsc::Sender<()>,
}

/// Copies until the end, or until more was printed than the profile allows.
fn copy_out(mut from: File, to: &Output, watched: &Watched) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        if !wait(from.as_fd(), PollFlags::POLLIN) {
            return;
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return, // a terminal's end
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        let total = watched.moved.printed.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        if total > watched.limit {
            watched.over.try_send(()).ok(); // said already
            return;
        }
        if let Err(error) = to.write(bytes) {
            if error.kind() != io::ErrorKind::BrokenPipe {
                to.lose(error);
            }
            return; // the command sees a closed pipe
        }
    }
}

/// Copies standard input; its end closes the command's.
fn copy_in(mut to: File, typed: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    let mut from = io::stdin().lock();
    while let Ok(count) = from.read(&mut buffer) {
        let mut rest = buffer.get(..count).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        while !rest.is_empty() {
            if !wait(to.as_fd(), PollFlags::POLLOUT) {
                return;
            }
            match to.write(rest) {
                Ok(written) => {
                    typed.fetch_add(written as u64, Ordering::Relaxed);
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return, // the command does not read any more
            }
        }
    }
}

fn wait(fd: BorrowedFd<'_>, what: PollFlags) -> bool {
    let mut wanted = [PollFd::new(fd, what)];
    loop {
        match poll(&mut wanted, PollTimeout::NONE) {
            Ok(_) => return true,
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// Whether standard input is our terminal, and another job is in front on it.
fn is_in_background() -> bool {
    rustix::termios::tcgetpgrp(rustix::stdio::stdin()).is_ok_and(|front| front != rustix::process::getpgrp())
}

/// The outer terminal's size, if standard input and output are one; the usual one where nobody has told it.
pub(super) fn outer_size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    rustix::termios::tcgetwinsize(rustix::stdio::stdin()).ok()?;
    let told = |size: u16, usual: u16| if size == 0 { usual } else { size };
    Some((told(size.ws_col, 80), told(size.ws_row, 24)))
}

/// The outer terminal in raw mode; as it was before when dropped.
pub(super) struct OuterTerminal(rustix::termios::Termios);

impl OuterTerminal {
    pub(super) fn enter() -> io::Result<Self> {
        let before = rustix::termios::tcgetattr(rustix::stdio::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(rustix::stdio::stdin(), rustix::termios::OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for OuterTerminal {
    fn drop(&mut self) {
        let now = rustix::termios::OptionalActions::Drain;
        rustix::termios::tcsetattr(rustix::stdio::stdin(), now, &self.0).ok(); // it has been closed
    }
}
