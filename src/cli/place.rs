//! Where commands work and what they may do: the configuration, and the options that come before it.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::config::{Config, ConfigError, users_own};
use crate::model::Workspace;
use crate::profile::{ProfileError, Profiles};
use crate::sandbox::private;
use crate::sandbox::workspace::{self, Instead, WorkspaceError};

/// Where commands work and what they may do.
#[derive(Clone, Debug, Args)]
pub(super) struct Place {
    /// The directory that commands work in. Default: the configuration's, else the current directory where that may be one,
    /// else a private one that is removed at the end.
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) workspace: Option<PathBuf>,
    /// A directory with profiles of your own, `NAME.yaml` each. Default: the configuration's.
    #[arg(long, value_name = "DIR", global = true, value_parser = there())]
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

/// The path of something that is there: what a slip of the fingers named is told with the option's name, before a path
/// that does not exist is taken for one in the workspace.
pub(super) fn there() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| {
        let path = PathBuf::from(text);
        path.metadata().map(|_| path)
    })
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

    /// The workspace, which holds nothing of ours, also nothing that is only there later, and none of `more`; a private one
    /// is there as long as the second is held, and whoever asks says that it is used.
    pub(super) fn workspace(
        &self,
        config: &Config,
        more: &[PathBuf],
    ) -> Result<(Workspace, Option<Instead>), WorkspaceError> {
        if let Some(workspace) = self.named_workspace(config, more)? {
            return Ok((workspace, None));
        }
        let (workspace, held) = workspace::default()?;
        self.apart(&workspace, config, more)?;
        Ok((workspace, held))
    }

    /// The one that the options or the configuration name, if they do, as a server would have it.
    pub(super) fn named_workspace(
        &self,
        config: &Config,
        more: &[PathBuf],
    ) -> Result<Option<Workspace>, WorkspaceError> {
        let Some(directory) = self.workspace.as_ref().or(config.workspace.as_ref()) else {
            return Ok(None);
        };
        let workspace = workspace::named(directory)?;
        self.apart(&workspace, config, more)?;
        Ok(Some(workspace))
    }

    /// Whether a workspace lies apart from all that is ours.
    pub(super) fn apart(&self, workspace: &Workspace, config: &Config, more: &[PathBuf]) -> Result<(), WorkspaceError> {
        let mut ours = config.own_paths();
        ours.extend(self.profiles.clone());
        ours.extend(private::state_directory());
        // What a sandbox writes there would be the policy of the next server, or of this one when it reads it anew.
        ours.extend(users_own().and_then(|file| Some(file.parent()?.to_owned())));
        ours.extend_from_slice(more);
        workspace::apart_from(workspace, &ours)
    }
}
