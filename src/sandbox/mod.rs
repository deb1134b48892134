//! A grant becomes a running sandbox.

pub mod handle;
mod spawn;
pub mod support;

pub use handle::{Cause, Control, Ending, Io, Limit, Sandbox, Status, Stop, Target, Usage};
pub use spawn::{LaunchError, Launchers};
pub use support::{Protection, State};
