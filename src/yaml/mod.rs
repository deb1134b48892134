//! The operator's files: read strictly, with line and column, and only where nobody else could have written them.
//!
//! What their values mean is left to those who own the types: profiles, the policy, the configuration.

mod names;
mod own;
#[cfg(test)]
mod page;
mod place;
mod range;
mod read;
mod write;

pub use names::{did_you_mean, nearest};
pub use own::{FileError, MAX_FILE, directory_entries, read, read_own};
#[cfg(test)]
pub use page::{choices, follow, one_line};
pub use place::{At, Place, Setting};
pub use range::OutOfRange;
pub use read::{Fault, Syntax, parse};
pub use write::write;
