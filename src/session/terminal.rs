//! A session's terminal: what the program drew, what is typed into it, and what its shell is doing.

use std::time::Instant;

use super::input::{self, Item};
use super::integration::Integration;
use super::marks::{Mark, Marks, Piece, ShellState};
use super::memory::Share;
use super::output::{Output, Place};
use super::prompt::{Ahead, Commands, INTERRUPT, Prompt};
use super::refused::{ExecuteError, ResizeError, TypeError};
use super::screen::{Screen, Size};
use crate::sandbox::Device;

/// Bytes that may wait for a program that does not read.
pub(super) const MAX_WAITING: usize = 256 * 1024;
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
    /// What of it belongs to a command that has ended: whoever asked the terminal something there does not read the answer.
    undrawn_of_ended: usize,
    /// What the actor is to write: the terminal's own answers, and what was typed.
    answers: Vec<u8>,
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
            undrawn_of_ended: 0,
            answers: Vec::new(),
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
                            let Prompt { start, began, .. } = shell.commands.prompt();
                            if began && matches!(mark, Mark::End { .. }) {
                                self.answers.clear();
                                self.undrawn_of_ended = self.undrawn.len();
                            }
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
            return self.account();
        }
        self.draw_by(Screen::feed_little);
        if self.undrawn_of_ended == 0 && self.has_undrawn() {
            self.draw_by(Screen::feed_little); // what came after the end
        }
    }

    /// Draws as much as one turn allows.
    pub(super) fn draw(&mut self) {
        self.draw_by(Screen::feed);
    }

    fn draw_by(&mut self, feed: impl Fn(&mut Screen, &[u8]) -> usize) {
        let of_ended = self.undrawn_of_ended;
        let most = if of_ended > 0 { of_ended } else { self.undrawn.len() };
        let drawn = feed(&mut self.screen, self.undrawn.get(..most).unwrap_or_default());
        self.undrawn.drain(..drawn);
        self.undrawn_of_ended -= drawn.min(of_ended);
        if self.undrawn.is_empty() && self.undrawn.capacity() > 2 * MAX_UNDRAWN {
            self.undrawn = Vec::new();
        }
        let answers = self.screen.take_replies();
        if of_ended == 0 && self.unwritten() + answers.len() <= MAX_ANSWERED {
            self.answers.extend(answers);
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
        let mut bytes = std::mem::take(&mut self.answers);
        bytes.append(&mut self.typed);
        self.waiting = waiting + bytes.len();
        bytes
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
        (self.answers, self.typed) = (Vec::new(), Vec::new());
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

    /// Whether the shell has given the foreground to a job: then it is not the shell that is waited for.
    pub fn has_job(&self) -> bool {
        self.device.as_ref().is_some_and(Device::has_job)
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
    pub fn ahead(&mut self) -> Option<Ahead> {
        let now = Instant::now();
        let written = self.unwritten() == 0;
        let job = self.has_job();
        let commands = &mut self.shell.as_mut()?.commands;
        if job {
            commands.saw_job(self.place);
        }
        if commands.wants_a_look(now) {
            let waits = written && self.device.as_ref().is_some_and(Device::waits_for_input);
            commands.looked(waits, self.place, now);
        }
        commands.ahead(now)
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
        if self.device.is_none() {
            return Err(TypeError::Ended.into());
        }
        let prompt = shell.commands.prompt();
        if let Some(program) = self.replaced() {
            return Err(ExecuteError::Replaced { program });
        }
        if self.is_stopped() && !self.has_job() {
            return Err(ExecuteError::Stopped);
        }
        match prompt.shell {
            ShellState::Ready if shell.commands.is_half_typed() => return Err(ExecuteError::HalfTyped),
            ShellState::Ready => {}
            ShellState::Busy if !prompt.began => return Err(ExecuteError::Unfinished),
            ShellState::Starting => return Err(ExecuteError::Starting),
            ShellState::Unfinished => return Err(ExecuteError::Unfinished),
            ShellState::Busy if self.has_job() => return Err(ExecuteError::Busy { program }),
            ShellState::Busy => return Err(ExecuteError::BusyItself),
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

    /// What waits to be written, and what the program has not read.
    fn unwritten(&self) -> usize {
        self.waiting + self.answers.len() + self.typed.len()
    }

    fn queue(&mut self, bytes: &[u8]) -> Result<(), TypeError> {
        if self.device.is_none() {
            return Err(TypeError::Ended);
        }
        let waiting = self.unwritten();
        if waiting + bytes.len() > MAX_WAITING {
            return Err(TypeError::Full { waiting });
        }
        self.typed.extend_from_slice(bytes);
        Ok(())
    }
}
