//! Terrarium: real terminals for AI agents, inside a sandbox that the Linux kernel enforces.
//!
//! # Layout
//!
//! Lowest first; a module imports only from those above it in this list.
//!
//! * [`model`]: sizes, times, commands and paths as types.
//! * [`yaml`]: the operator's files, read strictly.
//! * [`kernel`]: the only home of system calls and of `unsafe`; what this machine offers.
//! * [`profile`]: what a sandbox may do, from YAML.
//! * [`policy`]: who may ask for what; the only maker of grants.
//! * [`audit`]: what was asked, decided and done.
//! * [`confirm`]: questions to a person, and their answers.
//! * [`limits`]: permits, handed out before work and returned after it.
//! * [`sandbox`]: a grant becomes a running sandbox.
//! * [`session`]: commands that run or ran, and their output.
//! * [`hf`]: Hack Forums; operations, requests, answers, tokens.
//! * [`tokens`]: who is on the other end of an HTTP connection.
//! * [`tools`]: one file for each MCP tool, and the whole story of a call.
//! * [`server`]: the protocol, in front of the tools.
//! * [`config`]: `terrarium.yaml`, as written and as meant.
//! * [`cli`]: the command line.

pub mod audit;
pub mod cli;
pub mod config;
pub mod confirm;
pub mod hf;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod internal;
pub mod kernel;
pub mod limits;
pub mod model;
pub mod policy;
pub mod profile;
pub mod sandbox;
pub mod server;
pub mod session;
pub mod tokens;
pub mod tools;
pub mod yaml;
