//! A session's terminal: what the program drew, what is typed into it, and what its shell is doing.

use std::io;
use std::time::Instant;

use super::input::{self, InputError, Item};
use super::integration::Integration;
use super::marks::{Marks, Piece, ShellState};
use super::memory::{Full, Share};
use super::output::{Output, Place};
use super::prompt::{Ahead, Commands, INTERRUPT, Prompt};
use super::screen::{Screen, Size};
use super::shell::LineError;
use crate::sandbox::Device;

/// Bytes that may wait for a program that does not read.
const MAX_WAITING: usize = 256 * 1024;
/// Beyond this the program's questions are not answered: it reads no answers, and one more input is to have room.
const MAX_ANSWERED: usize = MAX_WAITING - input::MAX_BYTES;
/// Output that may wait to be drawn; beyond that the program waits, as it does for a slow terminal.
const MAX_UNDRAWN: usize = 32 << 10;

/// Memory for rows above the screen is counted in steps of this size.
const HISTORY_STEP: usize = 64 << 10;

/// The terminal of a running or finished session.
pub struct Terminal {
    screen: Screen,
    shell: Option<Marked>,
    undrawn: Vec<u8>,
    /// What the actor is to write.
    typed: Vec<u8>,
    /// What waits to be read by the program.
    waiting: usize,
    /// Where the output is.
    place: Place,
    /// The master, for its size and its foreground group.
    device: Option<Device>,
    /// What its screens and the rows above them may take.
    memory: Share,
}

/// A shell that marks its commands.
struct Marked {
    integration: Integration,
    marks: Marks,
    commands: Commands,
    /// What the shell was started with, as seen at its first prompt.
    arguments: Option<Vec<u8>>,
}

/// Why nothing was typed.
#[derive(Debug, thiserror::Error)]
pub enum TypeError {
    /// The items cannot be sent.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The program reads nothing.
    #[error(
        "{waiting} bytes wait to be read by the program, and at most {MAX_WAITING} may; hint: terminal_snapshot shows what it does, \
         terminal_signal or terminal_close ends it"
    )]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// It has ended.
    #[error("the program has ended and reads nothing more; hint: terminal_open starts another")]
    Ended,
}

/// Why the size stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ResizeError {
    /// The kernel does not take it.
    #[error("cannot resize the terminal")]
    Device(#[from] io::Error),
    /// The screen would be too large.
    #[error("cannot resize the terminal: {0}")]
    Memory(#[from] Full),
}

/// Why a command line was not given to the shell.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// It runs something else, or it was started by hand.
    #[error(
        "this session runs a program of its own, not a shell that tells when a command ends; hint: use terminal_send with a wait, \
         or terminal_open without command and argv"
    )]
    NoShell,
    /// It runs something.
    #[error(
        "the shell is busy{}; hint: terminal_wait with until.command waits for the end, terminal_send types into it, \
         terminal_signal interrupts it", program.as_ref().map(|name| format!(" with {name:?}")).unwrap_or_default()
    )]
    Busy {
        /// The program in the foreground, as it calls itself.
        program: Option<String>,
    },
    /// It is another program by now.
    #[error(
        "marks lost: the shell of this session has been replaced by {program:?}, which does not tell when a command ends; hint: type \
         with terminal_send and wait for a text or for quiet, or terminal_open a new shell"
    )]
    Replaced {
        /// The program that took its place, as it calls itself.
        program: String,
    },
    /// It wants more of an earlier line, or has one that it has not begun with.
    #[error(
        "the shell waits for the rest of an earlier line (an unclosed quote, or `done` missing), or has not begun with it yet; hint: \
         terminal_send the rest, or key C-c to drop it"
    )]
    Unfinished,
    /// Its line is not empty.
    #[error(
        "something was typed at the prompt without Enter, and the command would be added to it; hint: terminal_send key C-c drops \
         it, key Enter runs it"
    )]
    HalfTyped,
    /// It has no prompt yet.
    #[error("the shell has not shown its first prompt yet; hint: terminal_wait with until.command")]
    Starting,
    /// It is no command line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It has several lines, and the shell would run them one by one.
    #[error(
        "the shell does not take pastes at present, so that a command must be one line without tabs; hint: in bash, \
         `bind 'set enable-bracketed-paste on'`"
    )]
    NoPaste,
    /// It holds a tab, which fish leaves out of what is pasted.
    #[error(
        "fish leaves tabs out of what is pasted; hint: write the tab as \\t where fish understands that, or use bash"
    )]
    Tab,
    /// Longer than what a terminal takes without a line editor.
    #[error("this shell takes at most {most} bytes in a line, this has {bytes}; hint: write it to a file and run that")]
    TooLong {
        /// How long it may be.
        most: usize,
        /// How long it is.
        bytes: usize,
    },
    /// It cannot be typed.
    #[error(transparent)]
    Type(#[from] TypeError),
}

impl Terminal {
    /// What one takes at least.
    pub(super) fn least_memory(size: Size) -> usize {
        size.memory() + HISTORY_STEP
    }

    pub(super) fn new(size: Size, device: Device, integration: Option<Integration>, memory: Share) -> Self {
        Self {
            screen: Screen::new(size),
            shell: integration.map(|integration| Marked {
                marks: Marks::new(integration.key()),
                commands: integration.commands(),
                arguments: None,
                integration,
            }),
            undrawn: Vec::new(),
            typed: Vec::new(),
            waiting: 0,
            place: Place::default(),
            device: Some(device),
            memory,
        }
    }

    /// Takes what was read: marks are cut out, the rest goes to the output and to the screen.
    pub(super) fn take(&mut self, mut bytes: &[u8], output: &mut Output) {
        let was_behind = self.has_undrawn();
        match &mut self.shell {
            None => {
                output.push(bytes);
                self.undrawn.extend_from_slice(bytes);
            }
            Some(shell) => {
                while let Some(piece) = shell.marks.next(&mut bytes) {
                    match piece {
                        Piece::Output(bytes) => {
                            output.push(bytes);
                            self.undrawn.extend_from_slice(bytes);
                        }
                        Piece::Mark(mark) => {
                            let start = shell.commands.prompt().start;
                            shell
                                .commands
                                .on(mark, Instant::now(), Integration::end_of_output(output, start));
                            if shell.arguments.is_none() {
                                shell.arguments = self.device.as_ref().and_then(Device::leader);
                            }
                        }
                    }
                }
            }
        }
        self.place = output.place();
        // What is much to draw is drawn aside ([`super::aside`]).
        if was_behind {
            self.account();
        } else {
            let drawn = self.screen.feed_little(&self.undrawn);
            self.has_drawn(drawn);
        }
    }

    /// Draws as much as one turn allows.
    pub(super) fn draw(&mut self) {
        let drawn = self.screen.feed(&self.undrawn);
        self.has_drawn(drawn);
    }

    fn has_drawn(&mut self, bytes: usize) {
        self.undrawn.drain(..bytes);
        if self.undrawn.is_empty() && self.undrawn.capacity() > 2 * MAX_UNDRAWN {
            self.undrawn = Vec::new();
        }
        let answers = self.screen.take_replies();
        if self.waiting + self.typed.len() + answers.len() <= MAX_ANSWERED {
            self.typed.extend(answers);
        }
        self.account();
    }

    /// Has the rows above the screen take no more than there is for them, besides what waits to be drawn.
    fn account(&mut self) {
        let screens = self.screen.size().memory() + self.undrawn.capacity();
        let wanted = self
            .screen
            .history_held()
            .next_multiple_of(HISTORY_STEP)
            .max(HISTORY_STEP);
        if screens + wanted != self.memory.bytes() && self.memory.resize(screens + wanted).is_err() {
            self.screen.shrink_history(self.memory.bytes().saturating_sub(screens));
        }
    }

    /// Whether there is something left to draw.
    pub(super) fn has_undrawn(&self) -> bool {
        !self.undrawn.is_empty()
    }

    /// Whether the program has to wait until more of its output is drawn.
    pub(super) fn is_behind(&self) -> bool {
        self.undrawn.len() > MAX_UNDRAWN
    }

    /// What is to be written to the program now; `waiting` bytes wait already.
    pub(super) fn take_typed(&mut self, waiting: usize) -> Vec<u8> {
        let typed = std::mem::take(&mut self.typed);
        self.waiting = waiting + typed.len();
        typed
    }

    /// Nothing more comes: what was held back is output, and the device is closed.
    pub(super) fn finish(&mut self, output: &mut Output) {
        if let Some(shell) = &mut self.shell {
            let held = shell.marks.finish();
            output.push(held);
            self.undrawn.extend_from_slice(held);
        }
        while self.has_undrawn() {
            self.draw();
        }
        self.screen.settle();
        self.account();
        self.typed = Vec::new();
        self.device = None;
    }

    /// What it shows.
    pub fn screen(&mut self) -> &mut Screen {
        &mut self.screen
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> Size {
        self.screen.size()
    }

    /// What the shell is doing, if it is one that tells.
    pub fn prompt(&self) -> Option<Prompt> {
        self.shell.as_ref().map(|shell| shell.commands.prompt())
    }

    /// What the program in the foreground has called itself.
    pub fn foreground(&self) -> Option<String> {
        self.device.as_ref()?.foreground()
    }

    /// Whether what is in the foreground is stopped.
    pub fn is_stopped(&self) -> bool {
        self.device.as_ref().is_some_and(Device::is_stopped)
    }

    /// The program that the shell, which told about its commands, has executed in its own place: nothing tells
    /// any more.
    pub fn replaced(&self) -> Option<String> {
        let first = self.shell.as_ref()?.arguments.as_ref()?;
        let now = self.device.as_ref()?.leader()?;
        (now != *first).then(|| self.foreground().unwrap_or_default())
    }

    /// Types, all or nothing. Gives how many bytes that were.
    pub fn type_in(&mut self, items: &[Item]) -> Result<usize, TypeError> {
        let size = self.screen.size();
        let bytes = input::bytes(items, &self.screen.modes(), (size.columns(), size.rows()))?;
        self.type_bytes(&bytes)?;
        Ok(bytes.len())
    }

    /// Types bytes as a keyboard sends them, all or nothing.
    pub fn type_bytes(&mut self, bytes: &[u8]) -> Result<(), TypeError> {
        self.queue(bytes)?;
        if let Some(shell) = &mut self.shell {
            shell.commands.typed(bytes, self.place, Instant::now());
        }
        Ok(())
    }

    /// What was typed and the shell is about to answer.
    pub fn ahead(&self) -> Option<Ahead> {
        self.shell.as_ref()?.commands.ahead(Instant::now())
    }

    /// Interrupts the line at the prompt again, if the shell has not told of the last time.
    pub fn interrupt_again(&mut self) -> Result<(), TypeError> {
        match self.ahead() {
            Some(Ahead::Interrupt) => self.type_bytes(&[INTERRUPT]),
            _ => Ok(()),
        }
    }

    /// Gives the shell a command line. Gives the command's number.
    pub fn execute(&mut self, line: &str, place: Place) -> Result<u64, ExecuteError> {
        let program = self.foreground();
        let modes = self.screen.modes();
        let Some(shell) = &self.shell else {
            return Err(ExecuteError::NoShell);
        };
        let prompt = shell.commands.prompt();
        if let Some(program) = self.replaced() {
            return Err(ExecuteError::Replaced { program });
        }
        match prompt.shell {
            ShellState::Ready if shell.commands.is_half_typed() => return Err(ExecuteError::HalfTyped),
            ShellState::Ready => {}
            ShellState::Busy if !prompt.began => return Err(ExecuteError::Unfinished),
            ShellState::Starting => return Err(ExecuteError::Starting),
            ShellState::Unfinished => return Err(ExecuteError::Unfinished),
            ShellState::Busy => return Err(ExecuteError::Busy { program }),
        }
        let typed = shell.integration.line(line, &modes)?;
        self.queue(&typed.bytes)?;
        let shell = self.shell.as_mut().ok_or(ExecuteError::NoShell)?;
        Ok(shell.commands.sent(place, typed.lines))
    }

    /// Another size: for the program, which gets SIGWINCH, and for the screen.
    pub fn resize(&mut self, size: Size) -> Result<(), ResizeError> {
        let now = self.screen.size().memory();
        let wanted = (self.memory.bytes() + size.memory()).saturating_sub(now);
        if size.memory() > now {
            self.memory.resize(wanted)?;
        }
        if let Some(device) = &self.device {
            device.resize(size.columns(), size.rows())?;
        }
        self.screen.resize(size);
        self.account();
        Ok(())
    }

    fn queue(&mut self, bytes: &[u8]) -> Result<(), TypeError> {
        if self.device.is_none() {
            return Err(TypeError::Ended);
        }
        let waiting = self.waiting + self.typed.len();
        if waiting + bytes.len() > MAX_WAITING {
            return Err(TypeError::Full { waiting });
        }
        self.typed.extend_from_slice(bytes);
        Ok(())
    }
}
