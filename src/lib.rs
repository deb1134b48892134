//! Terrarium: real terminals for AI agents, inside a sandbox that the Linux kernel enforces.
//!
//! # Layout
//!
//! Lowest first; a module imports only from those above it in this list.
//!
//! * [`model`]: sizes, times, commands and paths as types.
//! * [`profile`]: what a sandbox may do, from YAML.
//! * [`policy`]: who may ask for what; the only maker of grants.
//! * [`sandbox`]: a grant becomes a running sandbox.

pub mod kernel;
pub mod model;
pub mod policy;
pub mod profile;
pub mod sandbox;
