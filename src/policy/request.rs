//! What a caller asks for, parsed and bounded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{EnvName, EnvValue, Program, SessionId, Workspace};
use crate::profile::Profile;

/// Who asks. What a request says about itself is never part of this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The process on the other end of our standard input, which runs as this user.
    Local {
        /// Its user.
        uid: u32,
    },
    /// The person at the command line (`terrarium run`).
    Operator {
        /// Their user.
        uid: u32,
    },
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local { uid } => write!(f, "local:{uid}"),
            Self::Operator { uid } => write!(f, "operator:{uid}"),
        }
    }
}

/// One request, of any kind.
#[derive(Clone, Debug)]
pub enum Request {
    /// Run a command in a fresh sandbox.
    Launch(Box<LaunchRequest>),
    /// Look at a session of the caller's: wait for it, read its output.
    Observe {
        /// The tool that asks.
        tool: &'static str,
        /// Which session.
        session: SessionId,
    },
    /// Act on a session of the caller's: type into it, signal it, resize it.
    Act {
        /// The tool that asks.
        tool: &'static str,
        /// Which session.
        session: SessionId,
    },
    /// List the caller's sessions.
    List,
    /// End a session of the caller's.
    Close {
        /// Which session.
        session: SessionId,
    },
}

impl Request {
    /// The tool that asks.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Launch(launch) => launch.tool,
            Self::Observe { tool, .. } | Self::Act { tool, .. } => tool,
            Self::List => "terminal_list",
            Self::Close { .. } => "terminal_close",
        }
    }

    /// The profile, where one decides.
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::Launch(launch) => Some(&launch.profile.name),
            _ => None,
        }
    }
}

/// A command and all that decides how it runs.
#[derive(Clone, Debug)]
pub struct LaunchRequest {
    /// The tool that asks.
    pub tool: &'static str,
    /// What it may do.
    pub profile: Arc<Profile>,
    /// Where it works.
    pub workspace: Workspace,
    /// What to run.
    pub program: Program,
    /// Where it starts, as a path inside the sandbox; the workspace when not given.
    pub cwd: Option<PathBuf>,
    /// Variables besides those of the profile.
    pub env: Vec<(EnvName, EnvValue)>,
    /// Whether it gets a terminal.
    pub terminal: Terminal,
    /// When it is ended, if that is sooner than the profile's wall time.
    pub timeout: Option<Duration>,
    /// Processor time after which it is ended, if that is less than the profile's.
    pub cpu_time: Option<Duration>,
}

/// What standard input, output and error are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Three pipes.
    None,
    /// One pseudo-terminal of this size.
    Size {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
}
