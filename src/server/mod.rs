//! The protocol in front of the tools. The only home of `rmcp`.
//!
//! What a call does is decided in [`crate::tools`]; here it arrives and its answer leaves.

pub mod client;
mod convert;
mod handler;
mod instructions;
mod stdio;
mod streams;

pub use stdio::{ServeError, serve};
