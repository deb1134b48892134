//! `terrarium lockdown`: refuses everything in every server of this user, until it is lifted.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::passphrase;
use super::place::ConfigOption;
use crate::audit::{AuditError, Event};
use crate::config::{Config, ConfigError};
use crate::confirm::Lockdown;
use crate::confirm::lockdown::{REASON, State};
use crate::sandbox::{private, workspace};

/// Refuses everything, or stops doing so.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium lockdown on --reason 'looking into last night'
  terrarium lockdown status
  terrarium lockdown off")]
pub(super) struct LockdownCommand {
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// From now on every request is refused, but for listing and closing sessions. A restart does not lift it.
    #[command(after_help = "Example:\n  terrarium lockdown on --reason 'looking into last night'")]
    On {
        /// Why; callers are told.
        #[arg(long, default_value = "no reason given")]
        reason: String,
    },
    /// Lifts it.
    #[command(after_help = "Example:\n  terrarium lockdown off")]
    Off,
    /// Whether it is on, since when and why. Ends with 1 if it is on.
    #[command(after_help = "Example:\n  terrarium lockdown status")]
    Status,
}

/// Why it stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "there is no place for the state{}; hint: set HOME or XDG_STATE_HOME",
        workspace::homeless()
    )]
    Nowhere,
    #[error("cannot use the file {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Passphrase(#[from] passphrase::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Record(#[from] super::record::Error),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}

pub(super) fn run(command: LockdownCommand) -> Result<ExitCode, Error> {
    let directory = private::state_directory().ok_or(Error::Nowhere)?;
    let lockdown = Lockdown::in_directory(&directory);
    let file = |source| Error::File {
        path: directory.join("lockdown"),
        source,
    };
    let by = format!("operator:{}", rustix::process::geteuid().as_raw());
    match command.action {
        Action::On { reason } => {
            let reason: String = reason.chars().take(REASON).collect();
            let state = State {
                since: crate::audit::now(),
                by: by.clone(),
                reason: reason.clone(),
            };
            // It holds also where the record cannot be written.
            let said = match lockdown.begin(&state).map_err(file)? {
                None => "locked down".to_owned(),
                Some(before) => format!("locked already {}", before.in_words()),
            };
            writeln!(io::stdout(), "{said}; terrarium lockdown off lifts it")?;
            record(command.config.path.as_deref(), Event::Locked, &by, &reason)?;
        }
        // Nothing changes, so nothing is asked and recorded. One that cannot be read is one.
        Action::Off if matches!(lockdown.state(), Ok(None)) => writeln!(io::stdout(), "there was none")?,
        Action::Off => {
            passphrase::required(passphrase::OPERATORS)?;
            record(command.config.path.as_deref(), Event::Unlocked, &by, "")?;
            let lifted = lockdown.end().map_err(file)?;
            writeln!(io::stdout(), "{}", if lifted { "lifted" } else { "there was none" })?;
        }
        Action::Status => {
            let Some(state) = lockdown.state().map_err(file)? else {
                writeln!(io::stdout(), "off")?;
                return Ok(ExitCode::SUCCESS);
            };
            writeln!(io::stdout(), "on {}", state.in_words())?;
            return Ok(ExitCode::from(1));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts it on record: where the configuration says, or in the usual place if it cannot be read at all. A lockdown must
/// begin and end also then.
fn record(config: Option<&Path>, event: Event, by: &str, why: &str) -> Result<(), Error> {
    let kept = match Config::find_audit(config) {
        Ok(kept) => kept,
        Err(error) => {
            super::say(&error);
            super::say(&Elsewhere);
            Config::embedded()?.audit
        }
    };
    let audit = super::record::keep_own(&kept)?;
    let runtime = super::runtime()?;
    runtime.block_on(audit.note(event, by, why))?;
    audit.end();
    Ok(())
}

/// What is said about a record in another place than usual.
#[derive(Debug, thiserror::Error)]
#[error("so the configuration does not tell where the record is: this is recorded in $XDG_STATE_HOME/terrarium/audit")]
struct Elsewhere;
