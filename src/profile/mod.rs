//! Sandbox profiles: as written in YAML, as meant, and the five that ship in the binary.
//!
//! What a profile means to the kernel is the business of [`crate::sandbox`].

mod bounds;
pub mod error;
pub mod explain;
pub mod file;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod load;
mod numbers;
mod paths;
#[expect(clippy::module_inception, reason = "the folder's main type has the folder's name")]
mod profile;
mod resolve;
pub mod schema;
pub mod show;
pub mod syscall_table;
mod syscalls;

pub use error::ProfileError;
pub use load::Profiles;
pub use profile::{
    Enforcement, Environment, Filesystem, Home, HostPath, Limits, Network, PathRule, Presence, Profile, SyscallAction,
    SyscallRule, Syscalls, WorkspaceAccess, WriteAndExecute,
};
