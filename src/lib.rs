//! Terrarium: real terminals for AI agents, inside a sandbox that the Linux kernel enforces.
//!
//! # Layout
//!
//! Lowest first; a module imports only from those above it in this list.
//!
//! * [`model`]: sizes, times, commands and paths as types.
//! * [`kernel`]: the only home of system calls and of `unsafe`; what this machine offers.
//! * [`profile`]: what a sandbox may do, from YAML.

pub mod model;
pub mod profile;
