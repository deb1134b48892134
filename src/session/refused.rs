//! Why nothing was typed into a terminal, given to its shell, or changed of its size.

use std::io;

use super::input::InputError;
use super::memory::Full;
use super::shell::LineError;
use super::terminal::MAX_WAITING;

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
    /// It runs something in itself.
    #[error(
        "the shell is busy in itself (`read`, a loop), and has told of no end; hint: terminal_wait with until.command waits for it. If \
         terminal_snapshot shows a prompt, what tells was taken from the shell (PS1, PROMPT_COMMAND, its options or its standard error \
         were changed): type with terminal_send and wait for a text, or terminal_open a new shell"
    )]
    BusyItself,
    /// It runs nothing at present, itself least of all.
    #[error(
        "the shell is stopped (`suspend`, SIGSTOP) and reads nothing; hint: terminal_signal with CONT has it go on, terminal_open \
         starts another"
    )]
    Stopped,
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
         `bind 'set enable-bracketed-paste on'`, or `exec 2>/dev/tty` where its standard error goes elsewhere"
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
