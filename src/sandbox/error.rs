//! Why a command did not start.

use std::io;

use super::refusal::Refusal;
use super::step::{Step, StepError};
use crate::kernel::probe::PretenceError;

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No such program (127 for a shell).
    #[error(
        "cannot find the program {program:?}; hint: it is not installed, or not where the profile runs programs from; a program of the workspace is named by its path"
    )]
    NotFound {
        /// What was asked for.
        program: String,
    },
    /// It is there and cannot be executed (126 for a shell).
    #[error(
        "cannot execute {program:?}: {reason}; hint: it must be a program of this machine's kind with the execute bit, where the profile lets programs run"
    )]
    NotExecutable {
        /// What was asked for.
        program: String,
        /// The kernel's words.
        reason: io::Error,
    },
    /// It is there, and the program that runs it is not (126 for a shell).
    #[error(
        "cannot execute {program:?}: the interpreter that its first line names, or its loader, is not there; hint: correct the line, or run it with an interpreter that there is"
    )]
    NoInterpreter {
        /// What was asked for.
        program: String,
    },
    /// The working directory is not there.
    #[error("cannot enter the working directory {directory}: {reason}; hint: it must exist in the workspace")]
    WorkingDirectory {
        /// Which.
        directory: String,
        /// The kernel's words.
        reason: io::Error,
    },
    /// The machine cannot do what the profile wants.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A step of the launch failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The zygote cannot be started or does not answer.
    #[error("cannot start a launcher; hint: {}", zygote_hint(source))]
    Zygote {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// The launcher ended before it said that the command had begun; it may have.
    #[error(
        "the launcher was killed before it told whether the command began, which may have run for a moment; nothing of it is \
         left; hint: call again, if doing it twice does no harm"
    )]
    LauncherLost,
    /// A pretence that does not exist.
    #[error(transparent)]
    Pretence(#[from] PretenceError),
    /// No random numbers.
    #[error("cannot name the sandbox")]
    Random(#[from] getrandom::Error),
}

/// What an operator can look at.
fn zygote_hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::ENOSPC) => {
            "this user has registered all that it may with epoll (/proc/sys/fs/epoll/max_user_watches): end the command that does"
        }
        Some(libc::ENOENT) => "/proc must be mounted, where our own program is found",
        _ => "check the limits on processes and open files",
    }
}

impl LaunchError {
    /// One word for what is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::NotExecutable { .. } | Self::NoInterpreter { .. } => "program",
            Self::WorkingDirectory { .. } | Self::Refused(Refusal::OutsideDirectory { .. }) => "directory",
            Self::Refused(Refusal::Floor { .. }) => "floor",
            Self::Refused(Refusal::Required { .. }) => "required",
            Self::Refused(Refusal::NoUser | Refusal::RunAs) => "user",
            Self::Refused(Refusal::MissingPath { .. }) => "path",
            Self::Refused(Refusal::KeptHome { .. } | Refusal::ForeignHome) => "home",
            Self::Refused(Refusal::NoShell { .. }) => "shell",
            Self::Refused(Refusal::Replaced(_) | Refusal::Executable { .. }) => "workspace",
            Self::Step(error) if error.step == Step::PrepareWorkspace => "workspace",
            Self::Step(_) => "step",
            Self::Zygote { .. } | Self::LauncherLost | Self::Pretence(_) | Self::Random(_) => "launcher",
        }
    }

    /// The exit status a shell or `env` would give: 126, 127, or 125 for our own failures.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } | Self::NoInterpreter { .. } => 126,
            _ => 125,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_is_named() {
        let said = |errno| LaunchError::from(io::Error::from_raw_os_error(errno)).to_string();
        assert!(said(libc::ENOSPC).contains("max_user_watches"));
        assert!(said(libc::ENOENT).contains("/proc must be mounted"));
        assert!(said(libc::EMFILE).contains("open files"));
    }
}
