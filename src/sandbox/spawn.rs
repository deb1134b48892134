//! Starts sandboxes.

use super::handle::Sandbox;
use crate::policy::LaunchGrant;

/// Starts launchers. One for each server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Launchers {}

impl Launchers {
    /// Runs the granted command. Returns when the command has been executed, or could not be.
    pub async fn launch(&self, grant: LaunchGrant) -> Result<Sandbox, LaunchError> {
        Err(LaunchError::NotFound {
            program: format!("{:?}", grant.request().program),
        })
    }
}

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No such program (127 for a shell).
    #[error("cannot find the program {program:?}; hint: name one below /usr, or a path in the workspace")]
    NotFound {
        /// What was asked for.
        program: String,
    },
}

impl LaunchError {
    /// The exit status a shell or `env` would give: 126, 127, or 125 for our own failures.
    pub fn exit_code(&self) -> u8 {
        127
    }
}
