//! Why a call gave no answer. Each says what was wrong, and what to do where the caller can act.

use super::arguments::ArgumentError;
use crate::audit::AuditError;
use crate::audit::redact::RedactError;
use crate::confirm::{Locked, Unapproved};
use crate::hf::HfError;
use crate::limits::{BudgetError, Refused};
use crate::policy::Reason;
use crate::sandbox::LaunchError;
use crate::session::{ExecuteError, Gone, ResizeError, SessionError, TypeError};

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no such tool: the client's mistake, not the agent's.
    #[error("no tool is called {name:?}{}", nearest.map(did_you_mean).unwrap_or_default())]
    UnknownTool {
        /// What was called.
        name: String,
        /// The tool that was probably meant.
        nearest: Option<&'static str>,
    },
    /// An argument is wrong.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The policy says no.
    #[error("denied: {reason}")]
    Denied {
        /// Why.
        reason: Reason,
    },
    /// What a rule bounds cannot be counted.
    #[error(transparent)]
    Uncounted(BudgetError),
    /// Nobody said yes.
    #[error("not approved: {0}")]
    Unapproved(#[from] Unapproved),
    /// The operator has locked everything down.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// Too much is going on.
    #[error("refused: {0}")]
    Refused(#[from] Refused),
    /// There is no such session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It went away while we looked.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// It has pipes.
    #[error(
        "this session has no terminal; hint: terminal_open opens one that has, terminal_read reads this one's output"
    )]
    NoTerminal,
    /// It is over.
    #[error("the session's command has ended; hint: terminal_read has its output, terminal_open opens another session")]
    Ended,
    /// The size stays as it is.
    #[error(transparent)]
    Resize(#[from] ResizeError),
    /// Nothing was typed.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The shell was not given the command.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The command did not start.
    #[error("the command did not start: {0}")]
    Launch(#[from] LaunchError),
    /// Hack Forums gave no answer.
    #[error(transparent)]
    Hf(#[from] HfError),
    /// The operator did not turn this on.
    #[error(
        "{tool} is not offered here: the operator's configuration does not turn it on; hint: the operator names it \
         under hf.enable"
    )]
    HfOff {
        /// Which tool.
        tool: &'static str,
    },
    /// The record cannot be kept.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The token of Hack Forums cannot be kept out of texts.
    #[error("the token of Hack Forums is not used: {0}")]
    Secret(#[from] RedactError),
    /// A person must agree, and is asked about calls only.
    #[error("a person must agree to this, and is asked only about calls; hint: call the tool instead")]
    NotByResource,
    /// The caller does not want the answer any more.
    #[error("the call was cancelled")]
    Cancelled,
    /// A grant for something else: our mistake.
    #[error("the grant is for another kind of request; this is a bug in terrarium")]
    WrongGrant,
}

fn did_you_mean(name: &str) -> String {
    format!("; hint: did you mean {name:?}?")
}

impl ToolError {
    /// Whether there is nothing of a name that was written: a tool, an argument, a profile.
    pub(crate) fn is_about_a_name(&self) -> bool {
        match self {
            Self::UnknownTool { .. } => true,
            Self::Argument(error) => error.is_about_a_name(),
            _ => false,
        }
    }

    /// One word for the record.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::UnknownTool { .. } => "unknown tool",
            Self::Argument(_) => "arguments",
            Self::Denied { .. } => "policy",
            Self::Uncounted(_) => "counting",
            Self::Locked(_) => "lockdown",
            Self::Unapproved(_) => "confirmation",
            Self::Refused(_) => "limits",
            Self::Session(_) | Self::Gone(_) => "no such session",
            Self::NoTerminal | Self::Ended | Self::Type(_) | Self::Execute(_) => "session",
            Self::Resize(_) => "system",
            Self::Launch(_) => "launch",
            Self::Hf(_) => "hack forums",
            Self::HfOff { .. } => "not offered",
            Self::Audit(_) => "audit",
            Self::Secret(_) => "secret",
            Self::NotByResource => "confirmation",
            Self::Cancelled => "cancelled",
            Self::WrongGrant => "bug",
        }
    }
}

impl From<BudgetError> for ToolError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Used { reason } => Self::Denied { reason },
            other => Self::Uncounted(other),
        }
    }
}
