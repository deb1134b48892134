//! `terrarium config` and `terrarium init`: checks, shows and writes the configuration.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::place::Place;
use super::record;
use crate::config::{Config, ConfigError, INIT, schema, users_own};
use crate::policy::Policy;
use crate::profile::ProfileError;
use crate::profile::Profiles;
use crate::sandbox::workspace::WorkspaceError;
use crate::tools;

/// Looks at the configuration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium config check
  terrarium config show     # docs/configuration.md says what each setting means")]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Whether a server would start with the configuration in use, and if not, what is wrong where.
    #[command(after_help = "Example:\n  terrarium config check --config ./terrarium.yaml")]
    Check,
    /// The configuration in use, with what was left out filled in.
    #[command(after_help = "Example:\n  terrarium config show")]
    Show,
    /// The JSON Schema of a configuration.
    #[command(after_help = "Example:\n  terrarium config schema > terrarium.schema.json")]
    Schema,
}

/// Writes a configuration with comments. Refuses to write over one.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  terrarium init --config ./terrarium.yaml")]
pub(super) struct Init {
    /// Where to. Default: $XDG_CONFIG_HOME/terrarium/terrarium.yaml.
    #[arg(long, value_name = "FILE", env = "TERRARIUM_CONFIG")]
    config: Option<PathBuf>,
}

/// Why the command could not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Record(#[from] record::Error),
    #[error("cannot write the answer")]
    Print(#[from] io::Error),
    #[error("cannot write the schema as JSON")]
    Json(#[from] serde_json::Error),
}

impl ConfigCommand {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let mut out = io::stdout().lock();
        match self.action {
            Action::Check => {
                let (config, profiles, policy) = understood(&self.place)?;
                let workspace = self.place.named_workspace(&config, &[])?;
                record::could_be_kept(&config.audit, workspace.as_ref(), &profiles)?;
                writeln!(
                    out,
                    "{} is right (policy revision {:?})",
                    config.source(),
                    policy.revision()
                )?;
            }
            Action::Show => {
                let (config, ..) = understood(&self.place)?;
                writeln!(out, "# {}", config.source())?;
                out.write_all(config.show().as_bytes())?;
            }
            Action::Schema => writeln!(out, "{}", serde_json::to_string_pretty(&schema::schema())?)?,
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The configuration and its policy, as a server with these options would have them.
pub(super) fn understood(place: &Place) -> Result<(Config, Profiles, Policy), Error> {
    let config = place.config()?;
    let profiles = place.profiles(&config)?;
    let policy = config.policy(&tools::known(&profiles))?;
    Ok((config, profiles, policy))
}

impl Init {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let path = self.config.or_else(users_own).ok_or(ConfigError::NoHome)?;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => ConfigError::Exists { path: path.clone() },
            _ => ConfigError::Write {
                path: path.clone(),
                source,
            },
        };
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(failed)?;
        }
        // A link that leads nowhere is something too: it is not followed.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.write_all(INIT.as_bytes()).map_err(failed)?;
        writeln!(io::stdout(), "wrote {}", path.display())?;
        Ok(ExitCode::SUCCESS)
    }
}
