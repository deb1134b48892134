//! What a caller asks to run: a shell line or a program with its arguments.
//!
//! No quoting and no word splitting happens here or later: a shell line goes to a shell as one
//! argument, and arguments reach `execve` as they are.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// What one argument may hold: the kernel refuses longer ones (`MAX_ARG_STRLEN`, execve(2)).
pub const MAX_ARGUMENT: usize = 128 * 1024 - 1;
/// What all arguments and the environment may hold together, counted with one pointer each.
///
/// The kernel allows a quarter of the stack limit, 2 MiB where that is 8 MiB (execve(2)).
pub const MAX_ARGUMENTS_TOTAL: usize = 1536 * 1024;

/// A program argument: no NUL byte, at most [`MAX_ARGUMENT`] bytes. Newlines are fine.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Argument(OsString);

impl Argument {
    /// Takes one argument; see [`CommandError`] for what is refused.
    pub fn new(text: impl Into<OsString>) -> Result<Self, CommandError> {
        let text = text.into();
        if text.as_bytes().contains(&0) {
            return Err(CommandError::Nul);
        }
        if text.len() > MAX_ARGUMENT {
            return Err(CommandError::ArgumentTooLong { bytes: text.len() });
        }
        Ok(Self(text))
    }

    /// The argument as `execve` gets it.
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl std::fmt::Debug for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A line for `/bin/sh -c` or the shell of the profile: no NUL byte, at most [`MAX_ARGUMENT`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ShellLine(Argument);

impl ShellLine {
    /// Takes one line; it may span several lines of text.
    pub fn new(text: impl Into<OsString>) -> Result<Self, CommandError> {
        let text = text.into();
        if text.as_bytes().iter().all(u8::is_ascii_whitespace) {
            return Err(CommandError::Empty);
        }
        Argument::new(text).map(Self)
    }

    /// The line as one argument.
    pub fn as_argument(&self) -> &Argument {
        &self.0
    }
}

impl std::fmt::Debug for ShellLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// One line for the shell: `bash -c LINE` where there is a bash, `sh -c LINE` otherwise.
    Shell(ShellLine),
    /// A program and its arguments. The program is looked up in `PATH` unless it holds a slash.
    Argv(Vec<Argument>),
    /// A shell to type into, which tells where its commands begin and end.
    Interactive(Shell),
}

/// Shells that can tell where their commands begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// A POSIX shell that is called `sh`, mostly dash.
    Sh,
    /// The same as `dash`.
    Dash,
}

impl Shell {
    /// The name of its program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Sh => "sh",
            Self::Dash => "dash",
        }
    }
}

impl Program {
    /// A program with its arguments; the list must not be empty and must fit [`MAX_ARGUMENTS_TOTAL`].
    pub fn argv(arguments: Vec<Argument>) -> Result<Self, CommandError> {
        let first = arguments.first().ok_or(CommandError::Empty)?;
        if first.as_os_str().is_empty() {
            return Err(CommandError::Empty);
        }
        let total: usize = arguments
            .iter()
            .map(|a| a.as_os_str().len() + 1 + size_of::<usize>())
            .sum();
        if total > MAX_ARGUMENTS_TOTAL {
            return Err(CommandError::TooManyArguments {
                count: arguments.len(),
                bytes: total,
            });
        }
        Ok(Self::Argv(arguments))
    }
}

/// Why a command cannot be run as given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Neither a program nor a line.
    #[error("the command is empty; hint: give a shell line or a program name")]
    Empty,
    /// A NUL byte ends strings in the kernel's interface.
    #[error("an argument holds a NUL byte, which no program can receive; hint: pass binary data on stdin")]
    Nul,
    /// The kernel's own bound for one argument.
    #[error(
        "an argument of {bytes} bytes is longer than the kernel's {MAX_ARGUMENT}; hint: pass it on stdin or in a file of the workspace"
    )]
    ArgumentTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Our bound for all of them, below the kernel's.
    #[error(
        "{count} arguments take {bytes} bytes, more than {MAX_ARGUMENTS_TOTAL}; hint: pass them on stdin, as xargs does"
    )]
    TooManyArguments {
        /// How many there are.
        count: usize,
        /// What they take with their pointers.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_keeps_newlines_and_bytes_that_are_no_text() {
        let bytes = OsStr::from_bytes(b"a\n\xff");
        assert_eq!(Argument::new(bytes).unwrap().as_os_str(), bytes);
    }

    #[test]
    fn a_nul_byte_and_a_long_argument_are_refused() {
        assert_eq!(Argument::new("a\0b"), Err(CommandError::Nul));
        assert_eq!(
            Argument::new("x".repeat(MAX_ARGUMENT + 1)),
            Err(CommandError::ArgumentTooLong {
                bytes: MAX_ARGUMENT + 1
            })
        );
        assert!(Argument::new("x".repeat(MAX_ARGUMENT)).is_ok());
    }

    #[test]
    fn an_empty_program_and_too_many_arguments_are_refused() {
        assert_eq!(Program::argv(vec![]), Err(CommandError::Empty));
        assert_eq!(ShellLine::new(" \n"), Err(CommandError::Empty));
        let many = vec![Argument::new("x").unwrap(); 200_000];
        assert!(matches!(
            Program::argv(many),
            Err(CommandError::TooManyArguments { count: 200_000, .. })
        ));
    }
}
