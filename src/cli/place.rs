//! Where commands work and what they may do: the configuration, and the options that come before it.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, ConfigError};
use crate::model::Workspace;
use crate::profile::{ProfileError, Profiles};
use crate::sandbox::private::{self, Temporary};
use crate::sandbox::workspace::{self, WorkspaceError};

/// Where commands work and what they may do.
#[derive(Clone, Debug, Args)]
pub(super) struct Place {
    /// The directory that commands work in. Default: the configuration's, else the current directory.
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) workspace: Option<PathBuf>,
    /// A directory with profiles of your own, `NAME.yaml` each. Default: the configuration's.
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) profiles: Option<PathBuf>,
    #[command(flatten)]
    pub(super) config: ConfigOption,
}

/// Which configuration is used.
#[derive(Clone, Debug, Args)]
pub(super) struct ConfigOption {
    /// The configuration. Default: $XDG_CONFIG_HOME/terrarium/terrarium.yaml, if there is one.
    #[arg(id = "config", long, value_name = "FILE", env = "TERRARIUM_CONFIG", global = true)]
    pub(super) path: Option<PathBuf>,
}

impl Place {
    /// The configuration in use.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        Config::find(self.config.path.as_deref())
    }

    /// The profiles there are.
    pub(super) fn profiles(&self, config: &Config) -> Result<Profiles, ProfileError> {
        match self.profiles.as_ref().or(config.profiles.as_ref()) {
            Some(directory) => Profiles::with_directory(directory),
            None => Ok(Profiles::embedded()),
        }
    }

    /// The workspace, which holds nothing of ours; a private one is there as long as the second is held.
    pub(super) fn workspace(&self, config: &Config) -> Result<(Workspace, Option<Temporary>), WorkspaceError> {
        let (workspace, held) = match self.workspace.as_ref().or(config.workspace.as_ref()) {
            Some(directory) => (workspace::named(directory)?, None),
            None => workspace::default()?,
        };
        let mut ours = config.own_paths();
        ours.extend(self.profiles.clone());
        ours.extend(private::state_directory());
        workspace::apart_from(&workspace, &ours)?;
        Ok((workspace, held))
    }
}
