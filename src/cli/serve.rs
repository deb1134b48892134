//! `terrarium serve`: the MCP server.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::audit::Audit;
use crate::confirm::Confirm;
use crate::limits::Limits;
use crate::model::Workspace;
use crate::policy::{Caller, Policy};
use crate::profile::{ProfileError, Profiles};
use crate::sandbox::workspace::{self, WorkspaceError};
use crate::sandbox::{LaunchOptions, Launchers};
use crate::server::{self, ServeError};
use crate::session::Sessions;
use crate::tools::Services;

/// What is logged unless somebody asks for more: what goes wrong, and no audit.
const LOG: &str = "warn,audit=off";

/// The arguments of `terrarium serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) place: Place,
    /// What to log to standard error, as in `info` or `warn,audit=info`.
    #[arg(long, value_name = "FILTER", env = "TERRARIUM_LOG", default_value = LOG)]
    log: String,
    /// The user whom commands run as, when the server runs as root.
    #[arg(long, value_name = "UID")]
    run_as: Option<u32>,
    /// Treats a feature of this machine as missing, for tests of degraded modes.
    #[arg(long, value_name = "FEATURE", hide = true)]
    pretend: Vec<String>,
}

/// Where commands work and what they may do.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The directory that commands work in. Default: the current directory.
    #[arg(long, value_name = "DIR")]
    pub(super) workspace: Option<PathBuf>,
    /// A directory with profiles of your own, `NAME.yaml` each.
    #[arg(long, value_name = "DIR")]
    pub(super) profiles: Option<PathBuf>,
}

/// Why the server does not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{filter:?} is no filter for the log; hint: write `info`, or `warn,audit=info`")]
    Log {
        filter: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("cannot start the runtime")]
    Runtime {
        #[source]
        source: io::Error,
    },
    #[error("cannot tell which user this is; hint: /proc must be mounted")]
    User {
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Server(#[from] ServeError),
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        log_to_stderr(&self.log)?;
        let uid = std::fs::metadata("/proc/self")
            .map_err(|source| Error::User { source })?
            .uid();
        let (workspace, _held) = match &self.place.workspace {
            Some(directory) => (workspace::named(directory)?, None),
            None => workspace::default()?,
        };
        let services = Arc::new(self.services(workspace)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|source| Error::Runtime { source })?;
        let ended = runtime.block_on(server::serve(Arc::clone(&services), Caller::Local { uid }));
        // A thread that reads a terminal or a file must not hold us back.
        runtime.shutdown_background();
        ended?;
        Ok(ExitCode::SUCCESS)
    }

    fn services(&self, workspace: Workspace) -> Result<Services, Error> {
        let profiles = match &self.place.profiles {
            Some(directory) => Profiles::with_directory(directory)?,
            None => Profiles::embedded(),
        };
        Ok(Services {
            policy: Policy::embedded(),
            limits: Limits::new(),
            audit: Audit::to_log(),
            confirm: Confirm,
            sessions: Sessions::default(),
            profiles,
            launchers: Launchers::new(LaunchOptions {
                run_as: self.run_as,
                pretend: self.pretend.clone(),
                ahead: true,
            }),
            workspace,
        })
    }
}

fn log_to_stderr(filter: &str) -> Result<(), Error> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| Error::Log {
        filter: filter.to_owned(),
        source,
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    Ok(())
}
