//! What a caller asks for, parsed and bounded.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::digest::Arguments;
use crate::model::{EnvName, EnvValue, Name, Program, SessionId, Workspace};
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
    /// Whoever holds the bearer token of this name.
    Token {
        /// The token's name.
        name: Name,
    },
}

impl Caller {
    /// What a rule calls them.
    pub(super) fn in_rules(&self) -> Cow<'static, str> {
        match self {
            Self::Local { .. } => Cow::Borrowed("local"),
            Self::Operator { .. } => Cow::Borrowed("operator"),
            Self::Token { name } => Cow::Owned(format!("token:{name}")),
        }
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local { uid } => write!(f, "local:{uid}"),
            Self::Operator { uid } => write!(f, "operator:{uid}"),
            Self::Token { name } => write!(f, "token:{name}"),
        }
    }
}

/// What is judged: a request together with the arguments that it was made from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What the arguments mean.
    pub request: Request,
    /// The arguments, canonical.
    pub arguments: Arguments,
    /// The session that the request is about, if it is about one.
    pub opened: Option<Arc<Opened>>,
}

/// A session as it was opened, which its handle stands for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The profile that it runs with.
    pub profile: Arc<Profile>,
    /// Where it works.
    pub workspace: PathBuf,
    /// Its short name, which its caller may have chosen.
    pub alias: String,
    /// What was started in it, shortened.
    pub program: String,
}

impl Asked {
    /// What the person at the command line asks for; the arguments are their command line's.
    pub fn by_operator(launch: LaunchRequest) -> Self {
        Self {
            request: Request::Launch(Arc::new(launch)),
            arguments: Arguments::none(),
            opened: None,
        }
    }
}

/// One request, of any kind. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Request {
    /// Run a command in a fresh sandbox.
    Launch(Arc<LaunchRequest>),
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
    /// Call Hack Forums.
    Hf(Arc<HfRequest>),
}

impl Request {
    /// The tool that asks.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Launch(launch) => launch.tool,
            Self::Observe { tool, .. } | Self::Act { tool, .. } => tool,
            Self::List => "terminal_list",
            Self::Close { .. } => "terminal_close",
            Self::Hf(hf) => hf.tool,
        }
    }

    /// The session that it is about, if it is about one.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Observe { session, .. } | Self::Act { session, .. } | Self::Close { session } => Some(*session),
            Self::Launch(_) | Self::List | Self::Hf(_) => None,
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

/// One call of Hack Forums, exactly as it will be sent.
#[derive(Clone)]
pub struct HfRequest {
    /// The tool that asks.
    pub tool: &'static str,
    /// The operation and route, as in `write/posts`.
    pub operation: &'static str,
    /// Whether it changes something there.
    pub effect: Effect,
    /// What it is about, for people and for the journal: `tid 6083735`.
    pub target: Option<String>,
    /// The exact bytes of its body; a body is content and is not printed.
    pub body: Vec<u8>,
}

/// Whether something is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is.
    Read,
    /// Something is, and cannot be taken back.
    Write,
}

impl std::fmt::Debug for HfRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HfRequest")
            .field("tool", &self.tool)
            .field("operation", &self.operation)
            .field("target", &self.target)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
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
