//! Why a sandbox is not built: what the machine lacks, and what a request or a profile asks in vain.

use std::path::PathBuf;

/// Why a sandbox is not built.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not enough protects the host.
    #[error("this machine lacks {what}, without which nothing is run: {why}; hint: run `terrarium doctor`")]
    Floor {
        /// What is missing.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The profile wants more than there is.
    #[error(
        "profile {profile} requires {what}, which this machine lacks: {why}; hint: run `terrarium doctor`, or choose another profile"
    )]
    Required {
        /// Which profile.
        profile: String,
        /// What is missing.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Root needs another user to run as.
    #[error(
        "the workspace belongs to root, and its ids cannot be mapped here without a mount namespace; hint: use --run-as UID with a directory of that user, or run as an ordinary user"
    )]
    NoUser,
    /// Another user was asked for, and cannot be had.
    #[error(
        "--run-as names another user, and this process cannot become one: it is not root, or root of a user namespace that knows only some ids; hint: leave it out"
    )]
    RunAs,
    /// A path of the profile.
    #[error("profile {profile} names {}, which does not exist; hint: create it, or mark it `optional: true`", path.display())]
    MissingPath {
        /// Which profile.
        profile: String,
        /// What is missing.
        path: PathBuf,
    },
    /// The workspace lies where programs may be run.
    #[error(
        "profile {profile} lets nothing in the workspace run, but what lies in {}, and so the workspace; without a mount namespace the two cannot be kept apart; hint: choose another workspace, or run `terrarium doctor`", path.display()
    )]
    Executable {
        /// Which profile.
        profile: String,
        /// Where programs may be run.
        path: PathBuf,
    },
    /// The workspace.
    #[error("the workspace {} was removed or replaced since it was checked; hint: start the server again", .0.display())]
    Replaced(PathBuf),
    /// The working directory.
    #[error("the working directory {} lies outside the workspace, /tmp and the home directory of the sandbox; hint: leave it out, or name one in the workspace {}", cwd.display(), workspace.display())]
    OutsideDirectory {
        /// What was asked for.
        cwd: PathBuf,
        /// What there is.
        workspace: PathBuf,
    },
    /// The directory for a home that is kept.
    #[error(
        "cannot make the home that is kept: {source}; hint: make $XDG_STATE_HOME (~/.local/state) writable, or choose a profile with `home: private`"
    )]
    KeptHome {
        /// Why.
        source: std::io::Error,
    },
    /// The shell is not installed, or the profile does not let it run.
    #[error(
        "{name} is not among the programs that profile {profile} lets run; hint: leave the command out for the default shell, or install it"
    )]
    NoShell {
        /// Which.
        name: &'static str,
        /// Which profile.
        profile: String,
    },
    /// A home of root's for another user.
    #[error(
        "a home that is kept cannot be given to another user without a mount namespace; hint: run as an ordinary user, or choose a profile with `home: private`"
    )]
    ForeignHome,
}
