//! Who may ask for what. Pure: no input, no output, no clock.
//!
//! [`Policy::judge`] is the only way from a [`Request`] to a [`Grant`], and a grant is the only thing that
//! [`crate::sandbox`] acts on.

mod grant;
mod judge;
mod reason;
mod request;

pub use grant::{Grant, LaunchGrant, SessionGrant};
pub use judge::{Judgement, Policy};
pub use reason::Reason;
pub use request::{Caller, LaunchRequest, Request, Terminal};
