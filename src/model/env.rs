//! Names and values of environment variables.
//!
//! Values may be secrets, so they have no `Debug` that prints them.

use std::fmt;

/// What one value may hold; the kernel counts `NAME=VALUE` as one argument.
pub const MAX_VALUE: usize = 64 * 1024;

/// How many variables a call may set: more than any program reads, and few enough to be judged and shown.
pub const MAX_VARIABLES: usize = 1000;

/// A variable's name: letters, digits and underscores, not starting with a digit (POSIX, 8.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName(String);

impl EnvName {
    /// Takes a name; anything a shell could not assign to is refused.
    pub fn new(text: impl Into<String>) -> Result<Self, EnvError> {
        let text = text.into();
        let mut bytes = text.bytes();
        let start = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if start && text.len() <= 256 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(Self(text))
        } else {
            Err(EnvError::Name {
                name: text.chars().take(40).collect(),
            })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A variable's value: no NUL byte, at most [`MAX_VALUE`] bytes. Printed as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(String);

impl EnvValue {
    /// Takes a value.
    pub fn new(text: impl Into<String>) -> Result<Self, EnvError> {
        let text = text.into();
        if text.contains('\0') {
            return Err(EnvError::Nul);
        }
        if text.len() > MAX_VALUE {
            return Err(EnvError::TooLong { bytes: text.len() });
        }
        Ok(Self(text))
    }

    /// The value, for the command's environment only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a variable is refused. Values are never repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// Not a name.
    #[error(
        "{name:?} is no name of an environment variable; hint: use letters, digits and underscores, not starting with a digit"
    )]
    Name {
        /// Its first characters.
        name: String,
    },
    /// The kernel ends values at a NUL byte.
    #[error("a value holds a NUL byte")]
    Nul,
    /// Over the bound.
    #[error("a value of {bytes} bytes is longer than {MAX_VALUE}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_printed() {
        assert_eq!(format!("{:?}", EnvValue::new("hunter2").unwrap()), "[redacted]");
    }

    #[test]
    fn names_that_no_shell_could_assign_are_refused() {
        for name in ["", "1A", "A=B", "A-B", "A\0", "Ä"] {
            assert!(matches!(EnvName::new(name), Err(EnvError::Name { .. })), "{name:?}");
        }
        assert!(EnvName::new("_LD_PRELOAD2").is_ok());
    }
}
