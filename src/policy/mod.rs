//! Who may ask for what. Pure: no input, no output, no clock.
//!
//! [`Policy::judge`] is the only way from a [`Request`] to a [`Grant`], and a grant is the only thing that
//! [`crate::sandbox`] acts on.

mod digest;
mod grant;
mod judge;
mod question;
mod reason;
mod request;

pub use digest::{Arguments, Digest};
pub use grant::{Grant, HfGrant, LaunchGrant, SessionGrant};
pub use judge::{Judgement, Policy};
pub use question::{Approval, Binding, Channel, Question, RuleId};
pub use reason::Reason;
pub use request::{Asked, Caller, Effect, HfRequest, LaunchRequest, Request, Terminal};
