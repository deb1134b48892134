//! Asks for a secret on the terminal, which shows nothing of it and is as it was afterwards, however the asking ends.
//!
//! Signals that would end or stop us wait until echo is on again: what dies with a terminal in that state leaves a shell in
//! which nothing typed is seen.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};

/// Bytes of a line; a terminal gives no longer ones (termios(3), "canonical mode").
const MAX_LINE: usize = 4096;
/// What a person or a dying terminal sends.
const HELD: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGTSTP,
];

/// Asks on the terminal of this process. Echo is off before the prompt is there, so that nothing typed at it is shown,
/// however soon.
pub(super) fn ask(prompt: &str) -> io::Result<String> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let held = Held::new()?;
    loop {
        let silent = Silent::of(terminal.try_clone()?)?;
        terminal.write_all(prompt.as_bytes())?;
        let typed = held.line(&mut terminal);
        drop(silent);
        match typed? {
            Typed::Line(text) => return Ok(text),
            Typed::Signal(signal) => {
                terminal.write_all(b"\n").ok(); // it may have been closed
                held.deliver(signal)?;
                // Stopped and gone on: asked again. Anything else has ended us, or is handled by somebody else.
                if signal != Signal::SIGTSTP {
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
        }
    }
}

/// What came first.
enum Typed {
    Line(String),
    Signal(Signal),
}

/// Signals that this thread takes only when it looks for them; as before when dropped.
struct Held {
    before: SigSet,
    signals: SignalFd,
}

impl Held {
    fn new() -> io::Result<Self> {
        let held: SigSet = HELD.into_iter().collect();
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        match SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK) {
            Ok(signals) => Ok(Self { before, signals }),
            Err(error) => {
                before.thread_set_mask()?;
                Err(error.into())
            }
        }
    }

    /// One line without its end, or a signal.
    fn line(&self, terminal: &mut File) -> io::Result<Typed> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut wanted = [
                PollFd::new(terminal.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut wanted, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [typed, _] = wanted.map(|wanted| wanted.any().unwrap_or(false));
            if let Some(signal) = self.signals.read_signal()? {
                let number = i32::try_from(signal.ssi_signo).map_err(io::Error::other)?;
                return Ok(Typed::Signal(Signal::try_from(number)?));
            }
            if typed {
                let mut buffer = [0; MAX_LINE];
                let count = terminal.read(&mut buffer)?;
                line.extend_from_slice(buffer.get(..count).unwrap_or_default());
                if count == 0 || line.len() > MAX_LINE {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        line.pop();
        let text = String::from_utf8(line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Typed::Line(text))
    }

    /// Lets a signal do what it does, and holds it again if we are still there.
    fn deliver(&self, signal: Signal) -> io::Result<()> {
        raise(signal)?;
        let held = self.before.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        held.thread_set_mask()?;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.before.thread_set_mask().ok(); // a mask that was in force can be again
    }
}

/// A terminal that shows nothing of what is typed but the line's end; as it was before when dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn of(terminal: File) -> io::Result<Self> {
        let before = termios::tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        termios::tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        termios::tcsetattr(&self.terminal, OptionalActions::Now, &self.before).ok(); // it has been closed
    }
}
