//! What everything that listens for HTTP has in common: room for strangers, patience, bounds, and whom a request is for.
//!
//! Who is let in, and what they get, is the business of [`super::http`] and [`super::console`].

pub(super) mod body;
pub(super) mod connection;
pub(super) mod counts;
pub(super) mod doors;
pub(super) mod hosts;
pub(super) mod listen;
mod patience;
pub(super) mod place;
pub(super) mod refused;
