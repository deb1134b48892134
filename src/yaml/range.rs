//! A value that must lie between two others.

use std::fmt::Display;

use super::{At, Fault};

/// A value that is too small or too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; hint: it must be between {least} and {most}")]
pub struct OutOfRange {
    /// The field.
    pub field: &'static str,
    /// As written.
    pub value: String,
    /// The lower bound.
    pub least: String,
    /// The upper bound.
    pub most: String,
}

impl OutOfRange {
    /// Says what was written and between what it must lie.
    pub fn new(field: &'static str, value: impl Display, (least, most): (impl Display, impl Display)) -> Self {
        Self {
            field,
            value: value.to_string(),
            least: least.to_string(),
            most: most.to_string(),
        }
    }
}

impl<T: PartialOrd + Display> At<T> {
    /// Whether the value lies between the two, both of which are allowed.
    pub fn in_range<P: From<OutOfRange>>(&self, field: &'static str, (least, most): (T, T)) -> Result<(), Fault<P>> {
        if self.value >= least && self.value <= most {
            Ok(())
        } else {
            Err(self.fault(OutOfRange::new(field, &self.value, (least, most)).into()))
        }
    }
}
