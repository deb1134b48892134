//! A grant becomes a running sandbox.

#[cfg(test)]
pub(crate) mod fake;
pub mod handle;
mod spawn;
pub mod support;

pub use handle::{Cause, Control, Ending, Io, Limit, Sandbox, Status, Stop, Target, Usage};
pub use spawn::{LaunchError, Launchers};
pub use support::{Protection, State};
