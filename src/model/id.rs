//! Identifiers that cannot be guessed, and names that people give.

use std::fmt;

use data_encoding::HEXLOWER;

/// 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Random([u8; 16]);

/// A session's handle.
///
/// Knowing one is not permission: a session is looked up by caller and handle together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Random);

/// One running server. An approval given in one is worth nothing in another. The default is none, for what only logs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Random);

/// One question to a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId(Random);

impl Random {
    fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// What all of them can do.
macro_rules! identifiers {
    ($($name:ident)*) => { $(
        impl $name {
            /// A new one from the kernel's random source.
            pub fn random() -> Result<Self, getrandom::Error> {
                Random::new().map(Self)
            }

            /// Reads 32 lower-case hexadecimal digits, and nothing else.
            pub fn parse(text: &str) -> Option<Self> {
                Random::parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )* };
}

identifiers!(SessionId InstanceId QuestionId);

/// How long a name may be.
pub const MAX_NAME: usize = 64;

/// A name that an operator gave: a small letter, then small letters, digits and hyphens; at most [`MAX_NAME`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(std::sync::Arc<str>);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no name; hint: start with a small letter, go on with small letters, digits and hyphens, {MAX_NAME} at most"
)]
pub struct NameError {
    text: String,
}

impl Name {
    /// Takes a name.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let start = text.starts_with(|c: char| c.is_ascii_lowercase());
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if start && text.len() <= MAX_NAME && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(NameError {
                text: text.chars().take(MAX_NAME).collect(),
            })
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_being_written_and_read() {
        let id = SessionId::random().unwrap();
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        for text in [
            "",
            "1",
            "+0000000000000000000000000000000",
            "G0000000000000000000000000000000",
        ] {
            assert_eq!(SessionId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_one_word_of_small_letters() {
        for text in ["", "A", "1a", "-a", "a_b", "a b", "a\n", "ä", &"a".repeat(65)] {
            assert!(Name::new(text).is_err(), "{text:?}");
        }
        for text in ["a", "ci-2", &"a".repeat(64)] {
            assert_eq!(Name::new(text).unwrap().to_string(), text);
        }
    }
}
