//! Shells that tell where commands begin and end: how each is started, and how a command is typed.
//!
//! What they tell is read by [`super::marks`]. Which binary runs, and that its memory and its start
//! files cannot be read by what it runs, is up to whoever starts it.

use std::path::Path;

use super::input::MAX_BYTES;
use super::marks::Key;
use super::modes::Modes;
use crate::model::Shell;
use crate::sandbox::Startup;

/// A kind of shell that can be told to leave marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellKind {
    /// bash, 4.4 or newer.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// dash, and what else reads `$ENV` and expands its prompt.
    Sh,
}

/// How a command is given to a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typing {
    /// These bytes are typed.
    Line(Vec<u8>),
    /// The shell cannot take it as typed: its lines have to be read one by one.
    Lines(String),
}

/// Why something is no command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Nothing to run.
    #[error("the command is empty; hint: terminal_send with {{\"key\": \"Enter\"}} sends an empty line")]
    Empty,
    /// Too long.
    #[error("a command has at most {MAX_COMMAND} bytes, this has {bytes}; hint: write a script and run it")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A control character: as typed it would be a key.
    #[error("a command cannot hold the control character {character:?}; hint: terminal_send types keys")]
    Control {
        /// The character.
        character: char,
    },
}

/// Bytes of one command, with room for what encloses it.
pub const MAX_COMMAND: usize = MAX_BYTES - 64;
/// What a terminal takes as one line when no editor reads it (N_TTY_BUF_SIZE, less a little).
const MAX_PLAIN_LINE: usize = 4000;

/// A command for a shell: not empty, of a bounded length, no controls but line ends and tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandText(String);

impl CommandText {
    /// Takes a command as written. Line ends at its end are not part of it.
    pub fn new(text: &str) -> Result<Self, LineError> {
        let text = text.replace("\r\n", "\n");
        let text = text.trim_end_matches('\n');
        if text.trim().is_empty() {
            return Err(LineError::Empty);
        }
        if text.len() > MAX_COMMAND {
            return Err(LineError::TooLong { bytes: text.len() });
        }
        match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            Some(character) => Err(LineError::Control { character }),
            None => Ok(Self(text.to_owned())),
        }
    }

    fn has_lines(&self) -> bool {
        self.0.contains('\n')
    }
}

impl ShellKind {
    /// How to start it so that it leaves marks with this secret, from files in this directory. The
    /// shell removes them before it does anything else.
    pub fn startup(self, key: &Key, directory: &Path) -> Startup {
        let in_directory = |name: &str| directory.join(name).to_string_lossy().into_owned();
        let plain = |arguments: &[&str]| arguments.iter().map(|a| (*a).to_owned()).collect();
        let (name, text, arguments, variable): (_, _, Vec<String>, _) = match self {
            Self::Bash => {
                let file = in_directory("bashrc");
                let arguments = ["--noprofile", "--rcfile", &file, "-i"];
                ("bashrc", include_str!("bash.sh"), plain(&arguments), None)
            }
            Self::Zsh => {
                let variable = ("ZDOTDIR".to_owned(), directory.to_string_lossy().into_owned());
                (".zshrc", include_str!("zsh.zsh"), plain(&["-i"]), Some(variable))
            }
            Self::Fish => {
                let source = format!("source {}", in_directory("init.fish"));
                (
                    "init.fish",
                    include_str!("fish.fish"),
                    plain(&["-i", "-C", &source]),
                    None,
                )
            }
            Self::Sh => {
                let variable = ("ENV".to_owned(), in_directory("shrc"));
                ("shrc", include_str!("sh.sh"), plain(&["-i"]), Some(variable))
            }
        };
        let text = text.replace("@KEY@", key.reveal());
        let text = text.replace("@ESC@", "\x1b").replace("@BEL@", "\x07");
        Startup {
            arguments,
            variables: variable.into_iter().collect(),
            files: vec![(name.to_owned(), text)],
        }
    }

    /// The shell edits its line and marks where a command begins; the other only reads lines, and
    /// what follows the echo of the line is the output.
    pub fn marks_begin(self) -> bool {
        self != Self::Sh
    }

    /// It tells that a command begins as soon as it has read the line, before it waits for anything. dash does not tell of what is
    /// typed by hand, and fish finishes its colours first.
    pub fn tells_at_once(self) -> bool {
        matches!(self, Self::Bash | Self::Zsh)
    }

    /// What to type for a command, to a shell that waits for one and has set these modes.
    pub fn typing(self, command: &CommandText, modes: &Modes) -> Typing {
        let pasted = modes.bracketed_paste;
        let line =
            |before: &str, text: &str, after: &str| Typing::Line(format!("{before}{text}{after}\r").into_bytes());
        match self {
            _ if pasted => line("\x1b[200~", &command.0.replace('\n', "\r"), "\x1b[201~"),
            // A tab would be a completion where lines are edited, and a line end would run the first part.
            Self::Sh if !command.has_lines() && command.0.len() <= MAX_PLAIN_LINE => line("", &command.0, ""),
            Self::Bash | Self::Zsh | Self::Fish if !command.0.contains(['\n', '\t']) => line("", &command.0, ""),
            _ => Typing::Lines(format!("{}\n", command.0)),
        }
    }
}

impl From<Shell> for ShellKind {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
            Shell::Sh | Shell::Dash => Self::Sh,
        }
    }
}

#[cfg(test)]
mod tests;
