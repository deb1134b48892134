//! Why a configuration is not taken, with the place in its file.

use std::path::PathBuf;

use crate::hf::SettingsError;
use crate::model::{ByteCount, Span};
use crate::policy::PolicyProblem;
use crate::yaml::{FileError, OutOfRange, Place, Syntax};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be had, or is not trusted.
    #[error("the configuration is not used")]
    File(#[from] FileError),
    /// What the file says is wrong.
    #[error("{file}:{}:{}: {problem}", place.line, place.column)]
    Invalid {
        /// The file.
        file: String,
        /// Where in it.
        place: Place,
        /// What is wrong.
        problem: Box<ConfigProblem>,
    },
    /// Whether there is one cannot be seen.
    #[error(
        "cannot tell whether there is a configuration {}; hint: set HOME or XDG_CONFIG_HOME to a directory of this user's, \
         or name a file with --config FILE", path.display()
    )]
    Hidden {
        /// Where it would be.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Where the user's configuration would be.
    #[error("cannot tell where the configuration is; hint: name it with --config FILE, or set XDG_CONFIG_HOME")]
    NoHome,
    /// There is one.
    #[error("{} exists, and nothing is written over it; hint: edit it, or name another with --config FILE", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What is wrong in a file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// Not the shape of a configuration.
    #[error(transparent)]
    Syntax(#[from] Syntax),
    /// A policy that could not mean what it seems to.
    #[error(transparent)]
    Policy(#[from] PolicyProblem),
    /// Settings of Hack Forums that cannot be meant.
    #[error(transparent)]
    Hf(#[from] SettingsError),
    /// A number that is too small or too large.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A size that is none, or too small or too large.
    #[error("{field} is {value:?}; hint: write a size between {least} and {most}, as in 512MiB")]
    Size {
        /// The field.
        field: &'static str,
        /// As written.
        value: String,
        /// The lower bound.
        least: ByteCount,
        /// The upper bound.
        most: ByteCount,
    },
    /// A time that is none, or too short or too long.
    #[error("{field} is {value:?}; hint: write a time between {least} and {most}, as in 10min")]
    Time {
        /// The field.
        field: &'static str,
        /// As written.
        value: String,
        /// The lower bound.
        least: Span,
        /// The upper bound.
        most: Span,
    },
    /// A command that nothing runs.
    #[error("audit.anchor has a command and is not `to: command`; hint: change `to`, or leave the command out")]
    NotCommand,
    /// Nothing to run.
    #[error("audit.anchor is `to: command` and has none; hint: add `command: [/path/of/program, argument]`")]
    NoCommand,
    /// Not a command.
    #[error(
        "audit.anchor.command is none that can be run; hint: write the absolute path of a program and its arguments, at \
         most {most} words of {longest} bytes"
    )]
    Command {
        /// Words at most.
        most: usize,
        /// Bytes of a word at most.
        longest: usize,
    },
    /// Not a path.
    #[error("{field} is no path that can be meant; hint: write it absolute, from ~/, or relative to this file")]
    Path {
        /// The field.
        field: &'static str,
    },
}
