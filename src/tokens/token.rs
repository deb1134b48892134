//! A token, and the digest that is kept of it.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How every token begins, so that whoever finds one knows what it opens.
const PREFIX: &str = "terrarium_";
/// Random bytes in a token.
const BYTES: usize = 32;

/// 256 random bits. Not printable by accident.
pub struct Token([u8; BYTES]);

/// The SHA-256 of a token, written as 64 hexadecimal digits. The token has as many random bits, so that there is
/// nothing to guess and no salt is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenDigest([u8; BYTES]);

/// Not the digest of a token.
#[derive(Debug, thiserror::Error)]
#[error("not 64 small hexadecimal digits")]
pub struct NotADigest;

impl Token {
    /// A new one from the kernel's random source.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads what [`Self::reveal`] wrote, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix(PREFIX).and_then(from_hex).map(Self)
    }

    /// The token itself, for the one time that it is shown.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", HEXLOWER.encode(&self.0))
    }

    /// What is kept of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl TokenDigest {
    /// Whether both are the same, in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

impl TryFrom<String> for TokenDigest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        from_hex(&text).map(Self).ok_or(NotADigest)
    }
}

impl From<TokenDigest> for String {
    fn from(digest: TokenDigest) -> Self {
        HEXLOWER.encode(&digest.0)
    }
}

fn from_hex(text: &str) -> Option<[u8; BYTES]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
