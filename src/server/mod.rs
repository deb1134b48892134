//! The protocol in front of the tools. The only home of `rmcp` and `hyper`.
//!
//! What a call does is decided in [`crate::tools`]; here it arrives and its answer leaves.

pub mod client;
pub mod console;
pub mod control;
mod convert;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod handler;
pub mod http;
mod instructions;
mod misfit;
mod opening;
mod resources;
mod signals;
mod stdio;
mod streams;
mod terminals;
mod user;
mod web;

pub use stdio::{ServeError, serve};
pub use terminals::{ServeHttpError, serve_terminals};
