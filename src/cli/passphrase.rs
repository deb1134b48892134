//! `terrarium passphrase`: what a yes of the operator needs besides being of the same user.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::secret::ask;
use crate::confirm::passphrase::{PassphraseError, Verifier};
use crate::sandbox::{private, workspace};

/// Sets the operator's passphrase, or takes it away.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  terrarium passphrase set")]
pub(super) struct PassphraseCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Asks for a passphrase, which approvals, typing into sessions, new tokens and the end of a lockdown need from then on. Servers that
    /// run learn of it when they are started again.
    #[command(after_help = "Example:\n  terrarium passphrase set")]
    Set,
    /// Asks for it a last time and takes it away.
    #[command(after_help = "Example:\n  terrarium passphrase clear")]
    Clear,
}

/// Why it stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "there is no place for the state{}; hint: set HOME or XDG_STATE_HOME",
        workspace::homeless()
    )]
    Nowhere,
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error("the passphrase is another")]
    Wrong,
    #[error("the two are not the same")]
    Different,
    #[error("cannot ask for the passphrase; hint: it is asked for on a terminal only")]
    Ask(#[from] io::Error),
}

pub(super) fn run(command: PassphraseCommand) -> Result<ExitCode, Error> {
    let directory = private::state_directory().ok_or(Error::Nowhere)?;
    required("The passphrase there is: ")?;
    match command.action {
        Action::Set => {
            let new = ask("New passphrase: ")?;
            if new != ask("The same again: ")? {
                return Err(Error::Different);
            }
            Verifier::new(&new)?.write(&directory)?;
            writeln!(
                io::stdout(),
                "set; servers that run learn of it when they are started again"
            )?;
        }
        Action::Clear => {
            let removed = Verifier::remove(&directory)?;
            writeln!(io::stdout(), "{}", if removed { "cleared" } else { "there was none" })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever goes on knows the operator's passphrase, where there is one.
pub(super) fn required(prompt: &str) -> Result<(), Error> {
    let Some(directory) = private::state_directory() else {
        return Ok(()); // where nothing is kept there is none
    };
    match Verifier::read(&directory)? {
        Some(verifier) if !verifier.accepts(&ask(prompt)?) => Err(Error::Wrong),
        _ => Ok(()),
    }
}

pub(super) const OPERATORS: &str = "Operator's passphrase: ";

/// Asks for the operator's.
pub(super) fn operators() -> Result<String, Error> {
    Ok(ask(OPERATORS)?)
}
