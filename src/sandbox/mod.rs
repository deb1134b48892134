//! A grant becomes a running sandbox.
//!
//! The server plans (`spawn`, `plan`), the zygote forks, the launcher builds and watches, pid 1
//! finishes and reaps, and the command is hostile.

mod ahead;
mod cause;
mod command;
mod device;
mod environment;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fake;
mod file_id;
mod filesystem;
mod follow;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod growth;
pub mod handle;
mod host_file;
mod init;
mod landlock;
mod launcher;
mod leads;
mod pins;
mod places;
mod plan;
pub mod private;
mod protect;
mod refusal;
mod repository;
mod resources;
mod scope;
mod shell;
mod spawn;
pub(crate) mod spec;
mod start;
mod step;
pub mod support;
mod survivors;
mod syscalls;
mod tend;
mod view;
mod watch;
pub mod workspace;
pub(crate) mod zygote;

pub use cause::{Cause, Limit};
pub use device::{Device, output_of};
pub use error::LaunchError;
pub use handle::{Control, Ending, Io, Sandbox, Status, Stop, Target, Usage, Used};
pub use refusal::Refusal;
pub use shell::{MakeStartup, Startup};
pub use spawn::{LaunchOptions, Launchers};
pub use step::{Step, StepError};
pub use support::{Protection, State};
