//! How a session's shell is started so that it tells about its commands, and how it is given one.

use std::path::Path;

use super::SessionError;
use super::marks::Key;
use super::modes::Modes;
use super::output::{Output, Place};
use super::prompt::Commands;
use super::refused::ExecuteError;
use super::shell::{CommandText, ShellKind, Typing};
use crate::model::Shell;
use crate::sandbox::MakeStartup;

/// A shell with the secret of its session.
#[derive(Clone, Debug)]
pub struct Integration {
    kind: ShellKind,
    key: Key,
}

/// Bytes to type, and how many lines the shell reads them as.
pub(super) struct Typed {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
}

/// bash asks for pastes in brackets (DECSET 2004) before it shows the prompt with the mark.
const PASTES: &[u8] = b"\x1b[?2004h";
/// C-u: what was typed ahead and not ended is not the command's beginning. Nor is a line that was to be dropped by an interrupt, which
/// fish passes over while it draws its prompt, nor an answer of the terminal's to a program that did not wait for it.
const KILL_LINE: &[u8] = b"\x15";
/// The same, and what is typed before a command where the shell cannot tell by itself that it begins one.
const BEGIN: &[u8] = b"\x15_t; ";
/// The end of several lines, as none of them is.
const LAST_LINE: &str = "__terrarium_end";
/// What a terminal takes as one line when no editor reads it (N_TTY_BUF_SIZE, less a little).
const LINE: usize = 4000;

impl Integration {
    /// For one session of this shell.
    pub fn new(shell: Shell) -> Result<Self, SessionError> {
        Ok(Self {
            kind: shell.into(),
            key: Key::random().map_err(|source| SessionError::Handle { source })?,
        })
    }

    /// What the shell is started with.
    pub fn startup(&self) -> MakeStartup {
        let Self { kind, key } = self.clone();
        Box::new(move |directory: &Path| kind.startup(&key, directory))
    }

    /// Where the output of a command that started at `start` ends, if that is now: what the shell itself
    /// printed last is not part of it.
    pub(super) fn end_of_output(output: &Output, start: Place) -> Place {
        let end = output.place();
        let from = end.bytes.saturating_sub(PASTES.len() as u64);
        let ours = from >= start.bytes && output.read(from, PASTES.len()).bytes == PASTES;
        Place {
            bytes: if ours { from } else { end.bytes },
            lines: end.lines,
        }
    }

    pub(super) fn commands(&self) -> Commands {
        Commands::of(self.kind)
    }

    pub(super) fn key(&self) -> Key {
        self.key.clone()
    }

    /// The bytes that give the shell a command.
    pub(super) fn line(&self, command: &str, modes: &Modes) -> Result<Typed, ExecuteError> {
        if self.kind == ShellKind::Fish && command.contains('\t') {
            return Err(ExecuteError::Tab);
        }
        let command = CommandText::new(command)?;
        let before = match self.kind {
            ShellKind::Sh => BEGIN,
            ShellKind::Bash | ShellKind::Zsh | ShellKind::Fish => KILL_LINE,
        };
        match self.kind.typing(&command, modes) {
            Typing::Line(bytes) => Ok(Typed {
                bytes: [before, &bytes].concat(),
                lines: 1,
            }),
            Typing::Lines(text) if self.kind == ShellKind::Sh => lines(&text),
            Typing::Lines(_) => Err(ExecuteError::NoPaste),
        }
    }
}

/// Several lines, for a shell that reads them one by one: as one word, so that they end together and nothing in them ends it.
fn lines(text: &str) -> Result<Typed, ExecuteError> {
    if let Some(long) = text.lines().find(|line| line.len() > LINE) {
        return Err(ExecuteError::TooLong {
            most: LINE,
            bytes: long.len(),
        });
    }
    let mut last = LAST_LINE.to_owned();
    while text.lines().any(|line| line == last) {
        last.push('_');
    }
    let text = text.trim_end_matches('\n').replace('\n', "\r");
    let typed = format!("eval \"_s $?; $(command cat <<'{last}'\r{text}\r{last}\r)\"\r");
    Ok(Typed {
        lines: typed.bytes().filter(|byte| *byte == b'\r').count() as u64,
        bytes: [BEGIN, typed.as_bytes()].concat(),
    })
}
