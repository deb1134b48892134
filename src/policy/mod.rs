//! Who may ask for what. Pure: no input, no output, no clock. A policy is loaded whole or not at all.
//!
//! [`Policy::judge`] is the only way from a [`Request`] to a [`Grant`], and a grant is the only thing that
//! [`crate::sandbox`] acts on.

mod arguments;
mod bypass;
mod checks;
mod current;
mod demand;
mod digest;
mod error;
mod explain;
pub mod file;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod grant;
mod judge;
mod load;
mod pattern;
mod question;
mod quota;
mod rate;
mod reason;
mod request;
mod rule;
mod schema;

pub use current::Current;
pub use digest::{Arguments, Digest};
pub use error::{PolicyProblem, SchemaFault};
pub use explain::Explanation;
pub use grant::{Basis, Grant, HfGrant, LaunchGrant, SessionGrant};
pub use judge::{Judgement, Policy};
pub use load::{EMBEDDED, Known, Tool, read};
pub use question::{Approval, Binding, Channel, Question, RuleId};
pub use quota::{Counts, Quota};
pub use rate::Rate;
pub use reason::Reason;
pub use request::{Asked, Caller, Effect, HfRequest, LaunchRequest, Opened, Request, Terminal};

#[cfg(test)]
mod tests;
