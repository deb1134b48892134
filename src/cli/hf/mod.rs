//! `terrarium hf`: what the operator does for the Hack Forums tools.
//!
//! Nothing here posts, spends or reads at Hack Forums; `login` alone talks to it, to exchange a code for a token.

mod doctor;
mod setup;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::place::Place;
use crate::config::ConfigError;
use crate::hf::import::{self, ImportError};
use crate::hf::oauth::{self, ClientSecret, LoginError};
use crate::hf::token::{Token, TokenError};
use crate::hf::{FileError, Hf, HfFile, Settings, SettingsError};
use crate::sandbox::private;
use crate::yaml;

/// Sets up and looks after the Hack Forums tools.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium hf setup --client-id ID < secret
  terrarium hf login
  terrarium hf doctor   # docs/hack-forums.md says what it looks at")]
pub(super) struct HfCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keeps the client's name and secret; the secret is read from standard input.
    #[command(after_help = "Example:\n  terrarium hf setup --client-id 0123456789abcdef < secret")]
    Setup {
        /// The client's name, as the forum's page for developers gives it.
        #[arg(long, value_name = "ID")]
        client_id: String,
    },
    /// Gets a token: prints the address that a browser must go to, and waits for it to come back.
    #[command(after_help = "Example:\n  terrarium hf login")]
    Login,
    /// What is known about the token. Ends with 1 if there is none that can be used.
    #[command(after_help = "Example:\n  terrarium hf status")]
    Status,
    /// Forgets the token.
    #[command(after_help = "Example:\n  terrarium hf logout")]
    Logout,
    /// Whether everything is there, and what to do if not. Asks Hack Forums nothing. Ends with 1 if something is missing.
    #[command(after_help = "Example:\n  terrarium hf doctor")]
    Doctor,
    /// Writes whose outcome nobody knows.
    #[command(subcommand, after_help = "Example:\n  terrarium hf journal list")]
    Journal(Journal),
    /// Takes over what hf-mcp left: prints its configuration as a section of ours, and keeps its token.
    #[command(after_help = "Example:\n  terrarium hf import ~/.config/hf-mcp/config.yaml --token token.json")]
    Import {
        /// Its config.yaml.
        #[arg(value_name = "FILE")]
        configuration: PathBuf,
        /// Its token file; nothing is taken over without.
        #[arg(long, value_name = "FILE")]
        token: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Journal {
    /// Lists them.
    #[command(after_help = "Example:\n  terrarium hf journal list")]
    List,
    /// Forgets one, after you looked at Hack Forums: the same write is then possible again. Ends with 1 if there is none.
    #[command(after_help = "Example:\n  terrarium hf journal clear 0123456789abcdef")]
    Clear {
        /// Its name.
        id: String,
    },
}

/// Why the command could not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Read(#[from] yaml::FileError),
    #[error("there is no directory to keep a token in; hint: set HOME or XDG_STATE_HOME to an absolute path")]
    State,
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("the client's secret is empty; hint: it is read from standard input")]
    NoSecret,
    #[error(
        "the client's {what} must be visible ASCII characters without spaces; hint: copy it again from the forum's page \
         for developers"
    )]
    NoClient { what: &'static str },
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

/// Does what was asked.
pub(super) fn run(command: HfCommand) -> Result<ExitCode, Error> {
    let mut out = io::stdout().lock();
    let state = state()?;
    let configured = || configured(&command.place, &state);
    match command.action {
        Action::Import { configuration, token } => take_over(&state, &configuration, token.as_deref(), &mut out),
        Action::Setup { client_id } => setup::run(&configured()?.0, &state, client_id, &mut out),
        Action::Login => login(&configured()?.0, &state, &mut out),
        Action::Status => doctor::status(&configured()?.0, &mut out),
        Action::Logout => logout(&configured()?.0, &mut out),
        Action::Doctor => {
            let (hf, section) = configured()?;
            doctor::run(&hf, &section, &state, &mut out)
        }
        Action::Journal(journal) => look_at_journal(&configured()?.0, journal, &mut out),
    }
}

/// The tools as the configuration has them, or as they are without.
fn configured(place: &Place, state: &Path) -> Result<(Hf, Section), Error> {
    let config = place.config()?;
    let section = match config.hf {
        Some(_) => Section::There,
        None => Section::Missing(config.source().to_string()),
    };
    let settings = match config.hf {
        Some(settings) => settings,
        None => Settings::new(&HfFile::default())?,
    };
    Ok((Hf::new(settings, state, None), section))
}

/// Whether the configuration turns the tools on.
enum Section {
    There,
    /// From this configuration.
    Missing(String),
}

/// Where token, client, drafts and journal are.
fn state() -> Result<PathBuf, Error> {
    Ok(private::state_directory().ok_or(Error::State)?.join("hf"))
}

fn login(hf: &Hf, state: &Path, out: &mut impl Write) -> Result<ExitCode, Error> {
    let client = ClientSecret::find(state)?;
    let runtime = crate::cli::runtime().map_err(Error::Runtime)?;
    let mut said = Ok(());
    let token = runtime.block_on(oauth::login(hf, &client, |url, back| {
        said = writeln!(
            out,
            "Open this address in a browser and let the application in:\n\n  {url}\n"
        )
        .and_then(|()| writeln!(out, "It comes back to {back} by itself."))
        .and_then(|()| out.flush());
    }));
    said?;
    let token = token?;
    hf.tokens().keep(&token)?;
    writeln!(out, "The token is kept in {}.", hf.tokens().path().display())?;
    doctor::about(&token, out)?;
    doctor::compare_scopes(hf, &token, out)?;
    Ok(ExitCode::SUCCESS)
}

fn logout(hf: &Hf, out: &mut impl Write) -> Result<ExitCode, Error> {
    let said = if hf.tokens().forget()? {
        "The token is deleted here. It stays good at Hack Forums until it expires or you revoke the application in your \
         account's settings."
    } else {
        "There was no token."
    };
    writeln!(out, "{said}")?;
    Ok(ExitCode::SUCCESS)
}

fn look_at_journal(hf: &Hf, journal: Journal, out: &mut impl Write) -> Result<ExitCode, Error> {
    match journal {
        Journal::List => {
            let entries = hf.journal().list()?;
            if entries.is_empty() {
                writeln!(out, "Every write has a known outcome.")?;
            }
            for (entry, under_way) in entries {
                let state = if under_way { "under way" } else { "outcome unknown" };
                let (operation, target) = (entry.operation, entry.target);
                writeln!(out, "{} {operation} to {target} at {}: {state}", entry.id, entry.at)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Journal::Clear { id } => {
            let there = hf.journal().clear(&id)?;
            let said = if there {
                "Forgotten: the same write is possible again."
            } else {
                "No write of unknown outcome is called so."
            };
            writeln!(out, "{said}")?;
            Ok(if there { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
    }
}

fn take_over(state: &Path, file: &Path, token: Option<&Path>, out: &mut impl Write) -> Result<ExitCode, Error> {
    let imported = import::configuration(&yaml::read(file)?)?;
    writeln!(out, "# Put this into terrarium.yaml:\n{}", imported.section)?;
    writeln!(out, "# What changes:")?;
    for change in &imported.changes {
        writeln!(out, "# - {change}")?;
    }
    match (token, &imported.token_path) {
        (Some(path), _) => {
            let token = Token::from_json(yaml::read(path)?.as_bytes())?;
            let settings = Settings::new(&HfFile::default())?;
            let hf = Hf::new(settings, state, None);
            hf.tokens().keep(&token)?;
            let kept = hf.tokens().path().display().to_string();
            writeln!(
                out,
                "# The token is kept in {kept}; delete {} when you are done.",
                path.display()
            )?;
        }
        (None, Some(path)) => writeln!(out, "# Its token is in {path:?}: give --token to take it over.")?,
        (None, None) => writeln!(out, "# Its token is not taken over: give --token FILE.")?,
    }
    Ok(ExitCode::SUCCESS)
}
