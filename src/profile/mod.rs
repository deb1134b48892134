//! Sandbox profiles: as written in YAML, as meant, and the five that ship in the binary.
//!
//! What a profile means to the kernel is the business of [`crate::sandbox`].

mod load; // STUB
#[expect(clippy::module_inception, reason = "`profile/profile.rs` is the profile as meant")]
mod profile;

pub use load::{ProfileError, Profiles};
pub use profile::{
    Enforcement, Environment, Filesystem, Home, HostPath, Limits, Network, PathRule, Presence, Profile, SyscallAction,
    SyscallRule, Syscalls, WorkspaceAccess, WriteAndExecute,
};
