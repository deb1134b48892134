//! The hash chain: each line holds the hash of the line before and its own. Pure.
//!
//! A line's hash is the SHA-256 of a label and of the line's own bytes up to the hash: what is verified is what
//! is there, and not another way of writing it. The chain shows what was changed, taken out or moved. Whoever can
//! rewrite the file to its end can also compute new hashes: only an anchor outside shows that, and lines cut off.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::record::{Line, VERSION};
use crate::model::plain::write_json;

/// No line is longer, in bytes with its line end: texts are cut long before.
pub(super) const LINE: usize = 16 << 10;
/// What stands between a line's content and its hash.
const BEFORE: &[u8] = b",\"hash\":\"";
/// What stands after the hash, but for the line end.
const AFTER: &[u8] = b"\"}";
const HASH_DIGITS: usize = 64;
/// Apart from every other use of SHA-256.
const LABEL: &[u8] = b"terrarium audit line 1\n";

/// The hash of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hash([u8; 32]);

/// Why bytes are no line of an audit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It has no hash in the place where each line has it.
    #[error("no line of an audit")]
    Form,
    /// The same, and with a line's end it was not torn.
    #[error("the line was changed, or was written by somebody else: a line that was torn has no end")]
    Whole,
    /// It was changed.
    #[error("the line was changed: its hash is another")]
    Hash,
    /// Its hash is right, and it is none of ours.
    #[error("the line is not of a form that this version knows: {why}")]
    Content {
        /// What the parser says.
        why: String,
    },
}

impl Hash {
    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        HEXLOWER.decode(text).ok()?.try_into().ok().map(Self)
    }

    fn of(content: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update(LABEL)
                .chain_update(content)
                .finalize()
                .into(),
        )
    }

    /// As 64 hexadecimal digits.
    pub(super) fn digits(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.digits())
    }
}

/// Appends a line, with its hash and line end; says what its hash is.
pub(super) fn seal(line: &Line<'_>, into: &mut Vec<u8>) -> Result<Hash, serde_json::Error> {
    let start = into.len();
    write_json(into, line)?;
    into.pop(); // the closing brace comes after the hash
    let hash = Hash::of(into.get(start..).unwrap_or_default());
    into.extend_from_slice(BEFORE);
    into.extend_from_slice(hash.digits().as_bytes());
    into.extend_from_slice(AFTER);
    into.push(b'\n');
    Ok(hash)
}

/// Reads a line, without its line end, and checks its own hash.
pub(super) fn open(bytes: &[u8]) -> Result<(Line<'static>, Hash), LineError> {
    let tail = BEFORE.len() + HASH_DIGITS + AFTER.len();
    let (content, tail) = bytes
        .len()
        .checked_sub(tail)
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or(LineError::Form)?;
    let digits = tail.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
    let claimed = digits.and_then(Hash::parse).ok_or(LineError::Form)?;
    if Hash::of(content) != claimed {
        return Err(LineError::Hash);
    }
    let line: Line<'static> =
        serde_json::from_slice(bytes).map_err(|error| LineError::Content { why: error.to_string() })?;
    if line.v != VERSION {
        return Err(LineError::Content {
            why: format!("version {} is not {VERSION}", line.v),
        });
    }
    Ok((line, claimed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::Event;

    fn line(n: u64) -> Line<'static> {
        Line {
            v: VERSION,
            n,
            event: Event::Asked,
            tool: Some("terminal_run\n\"".into()),
            prev: Hash::default().digits().into(),
            ..Line::default()
        }
    }

    #[test]
    fn a_line_comes_back_as_it_was_and_every_changed_byte_shows() {
        let mut bytes = Vec::new();
        let hash = seal(&line(7), &mut bytes).unwrap();
        let bytes = bytes.strip_suffix(b"\n").unwrap();
        assert_eq!(open(bytes), Ok((line(7), hash)));
        assert_eq!(Hash::parse(hash.to_string().as_bytes()), Some(hash));
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert!(open(&changed).is_err(), "byte {at}");
            assert!(open(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_version_that_is_not_known_is_not_guessed_at() {
        let mut bytes = Vec::new();
        let later = Line { v: 2, ..line(1) };
        seal(&later, &mut bytes).unwrap();
        let error = open(bytes.strip_suffix(b"\n").unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the line is not of a form that this version knows: version 2 is not 1"
        );
    }
}
