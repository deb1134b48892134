//! Digests of arguments under a key of this installation.
//!
//! A digest lets two records be compared, and a guess be checked by who has the key. What is typed (a password, say)
//! is too easy to guess even so: only its size counts.

use std::io;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value};
use sha2::Sha256;

/// Arguments that are typed into a program, by name, whichever the tool.
const TYPED: [&str; 4] = ["input", "keys", "stdin", "stdin_base64"];
/// Bytes of a key.
pub(super) const KEY: usize = 32;

/// The key.
#[derive(Clone)]
pub(super) struct Key(Hmac<Sha256>);

/// What is recorded of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    /// Their size as compact JSON.
    pub(super) bytes: u64,
    /// 64 hexadecimal digits.
    pub(super) hex: String,
}

impl Key {
    pub(super) fn new(bytes: &[u8; KEY]) -> Self {
        // `new` takes a key of the hash's block size, which 32 bytes are extended to with zeros (RFC 2104).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (into, from) in block.iter_mut().zip(bytes) {
            *into = *from;
        }
        Self(Hmac::new(&block))
    }

    /// The digest of a call's arguments. Their order does not matter: a map is sorted.
    pub(super) fn digest(&self, arguments: &Map<String, Value>) -> Digest {
        let mut into = Tee {
            mac: Some(self.0.clone()),
            // Two braces, and a comma less than what is counted below.
            bytes: if arguments.is_empty() { 2 } else { 1 },
        };
        for (name, value) in arguments {
            let typed = TYPED.contains(&name.as_str());
            let mac = if typed { into.mac.take() } else { None };
            let before = into.bytes;
            into.json(name);
            into.json(value);
            into.bytes += 2; // a colon and a comma
            if let Some(mut mac) = mac {
                mac.update(format!("{name}: {} bytes", into.bytes - before).as_bytes());
                into.mac = Some(mac);
            }
        }
        let hex = into
            .mac
            .map_or_else(String::new, |mac| HEXLOWER.encode(&mac.finalize().into_bytes()));
        Digest { bytes: into.bytes, hex }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Counts bytes, and feeds them to the digest if there is one.
struct Tee {
    mac: Option<Hmac<Sha256>>,
    bytes: u64,
}

impl Tee {
    fn json(&mut self, value: &impl serde::Serialize) {
        serde_json::to_writer(&mut *self, value).ok(); // nothing here can fail
        if let Some(mac) = &mut self.mac {
            mac.update(b"\0"); // JSON never holds a NUL: no two maps give the same bytes
        }
    }
}

impl io::Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(mac) = &mut self.mac {
            mac.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(key: u8, arguments: &Value) -> Digest {
        Key::new(&[key; KEY]).digest(arguments.as_object().unwrap())
    }

    #[test]
    fn a_digest_tells_arguments_and_keys_apart_but_not_what_was_typed() {
        let one = digest(1, &json!({"command": "true", "cwd": "a"}));
        assert_eq!(one, digest(1, &json!({"cwd": "a", "command": "true"})));
        assert_ne!(one.hex, digest(1, &json!({"command": "truf", "cwd": "a"})).hex);
        assert_ne!(one.hex, digest(2, &json!({"command": "true", "cwd": "a"})).hex);
        assert_eq!(one.hex.len(), 64);
        let typed = |text: &str| digest(1, &json!({"session": "s1", "input": [{"text": text}]}));
        assert_eq!(typed("hunter2"), typed("hunter3"));
        assert_ne!(typed("hunter2").hex, typed("hunter22").hex);
        for name in ["stdin", "stdin_base64"] {
            let given = |text: &str| digest(1, &json!({"command": "cat", name: text}));
            assert_eq!(given("aHVudGVyMg=="), given("aHVudGVyMw=="), "{name}");
        }
    }

    #[test]
    fn an_hmac_is_what_rfc_4231_says() {
        // Test case 2 of RFC 4231, whose key is shorter than a block, too.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let hex = HEXLOWER.encode(&mac.finalize().into_bytes());
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
