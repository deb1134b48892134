//! `terrarium.yaml`: as written and as meant.
//!
//! What a policy means is [`crate::policy`]'s business; what the other settings do is that of those who take them.

mod audit;
mod error;
pub mod file;
mod load;
pub mod schema;
mod show;

pub use audit::AuditSettings;
pub use error::{ConfigError, ConfigProblem};
pub use load::{Config, Source, users_own};

/// What `terrarium init` writes.
pub const INIT: &str = include_str!("init.yaml");

#[cfg(test)]
mod tests;
