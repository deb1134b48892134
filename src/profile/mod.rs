//! Sandbox profiles: as written in YAML, as meant, and the five that ship in the binary.
//!
//! What a profile means to the kernel is the business of [`crate::sandbox`].

mod profile;

pub use profile::{
    Enforcement, Environment, Filesystem, Home, HostPath, Limits, Network, PathRule, Presence, Profile, SyscallAction,
    SyscallRule, Syscalls, WorkspaceAccess, WriteAndExecute,
};
