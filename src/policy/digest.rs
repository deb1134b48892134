//! Canonical arguments, and the digest of everything that decides what a request does.
//!
//! An approval is worth something only for a request with the same digest.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::request::{Asked, Caller, Request};
use crate::model::Workspace;
use crate::profile::{Profile, show};

/// A SHA-256 digest, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// A tool's arguments as they are judged: after their schema, with defaults filled in, handles instead of short
/// names. They may hold secrets, so they have no `Debug` that prints them.
#[derive(Clone, PartialEq)]
pub struct Arguments {
    values: Arc<Map<String, Value>>,
    configured: Arc<Map<String, Value>>,
    schema: Digest,
}

impl Arguments {
    /// The arguments, and the digest of the schema that they were checked with.
    pub fn new(values: Map<String, Value>, schema: Digest) -> Self {
        Self {
            values: Arc::new(values),
            configured: Arc::default(),
            schema,
        }
    }

    /// The same, with what is taken for arguments that are left out where their schema does not say it.
    #[must_use]
    pub fn configured(self, values: Map<String, Value>) -> Self {
        Self {
            configured: Arc::new(values),
            ..self
        }
    }

    /// None at all.
    pub fn none() -> Self {
        Self::new(Map::new(), Digest::of(b"none"))
    }

    /// By name.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Whether leaving an argument out would say the same, by something else than the schema.
    pub(super) fn is_as_configured(&self, name: &str) -> bool {
        self.configured.contains_key(name) && self.configured.get(name) == self.values.get(name)
    }

    /// Whether leaving an argument out would say the same. `defaults` are those of the schema.
    pub(super) fn needs_no_saying(&self, name: &str, defaults: &Map<String, Value>) -> bool {
        let taken = self.configured.get(name).or_else(|| defaults.get(name));
        taken.is_some() && taken == self.values.get(name)
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} arguments]", self.values.len())
    }
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of this JSON in its canonical form (RFC 8785), so that neither order nor spelling matters.
    pub fn of_json(value: &Value) -> Self {
        Fields::new("terrarium json 1").json(value).end()
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes fields one after the other, each with its length, so that no two lists of fields look alike.
pub(super) struct Fields(Sha256);

impl Fields {
    pub(super) fn new(domain: &str) -> Self {
        Self(Sha256::new()).text(domain)
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// JSON in its canonical form, in which numbers are doubles; whole numbers that a double rounds are added, so
    /// that two of them do not look alike.
    pub(super) fn json(self, value: &Value) -> Self {
        let fields = match serde_json_canonicalizer::to_vec(value) {
            Ok(bytes) => self.text("canonical").bytes(&bytes),
            Err(_) => self.text("plain").text(&value.to_string()),
        };
        fields.rounded(value)
    }

    fn rounded(self, value: &Value) -> Self {
        match value {
            Value::Number(number) if !number.is_f64() && !is_exact(number) => self.text(&number.to_string()),
            Value::Array(items) => items.iter().fold(self, Self::rounded),
            Value::Object(entries) => entries.values().fold(self, Self::rounded),
            _ => self,
        }
    }

    pub(super) fn end(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Whether a double holds exactly this whole number.
fn is_exact(number: &serde_json::Number) -> bool {
    const LARGEST: u64 = 1 << 53;
    number
        .as_i64()
        .map_or(number.as_u64(), |n| Some(n.unsigned_abs()))
        .is_some_and(|n| n <= LARGEST)
}

/// Everything that decides what a request does, and by which policy.
pub(super) fn subject(caller: &Caller, asked: &Asked, policy: &Digest) -> Digest {
    let fields = Fields::new("terrarium request 1")
        .text(&caller.to_string())
        .text(asked.request.tool())
        .bytes(asked.arguments.schema.bytes())
        .json(&Value::Object(asked.arguments.values().clone()))
        .bytes(policy.bytes());
    match &asked.request {
        Request::Launch(launch) => {
            let fields = fields.text("launch").bytes(profile(&launch.profile).bytes());
            workspace(fields, &launch.workspace).end()
        }
        // A session's handle is random and made by exactly one grant: it names the grant that opened it.
        Request::Observe { session, .. } | Request::Act { session, .. } | Request::Close { session } => {
            let fields = fields.text("session").text(&session.to_string());
            match &asked.opened {
                Some(opened) => fields.bytes(profile(&opened.profile).bytes()).end(),
                None => fields.end(),
            }
        }
        Request::List => fields.text("list").end(),
        Request::Hf(hf) => fields.text("hf").text(hf.operation).bytes(&hf.body).end(),
    }
}

fn profile(profile: &Profile) -> Digest {
    Digest::of_json(&show::resolved(profile))
}

fn workspace(fields: Fields, workspace: &Workspace) -> Fields {
    use std::os::unix::ffi::OsStrExt as _;
    fields
        .bytes(workspace.path.as_os_str().as_bytes())
        .number(workspace.device)
        .number(workspace.inode)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_spelling_do_not_matter_and_every_value_does() {
        let parsed = |text: &str| Digest::of_json(&serde_json::from_str(text).unwrap());
        assert_eq!(parsed(r#"{"a":1,"b":"\u0041"}"#), parsed(r#"{ "b" : "A", "a" : 1.0 }"#));
        let different = [
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": true}),
            json!({"a": [1]}),
            json!({"a": 9_007_199_254_740_992_u64}),
            json!({"a": 9_007_199_254_740_993_u64}),
            json!({"a": [9_007_199_254_740_993_u64]}),
            json!({"a": -9_007_199_254_740_993_i64}),
        ];
        for (at, one) in different.iter().enumerate() {
            for (other_at, other) in different.iter().enumerate() {
                assert_eq!(
                    at == other_at,
                    Digest::of_json(one) == Digest::of_json(other),
                    "{one} {other}"
                );
            }
        }
    }

    #[test]
    fn fields_do_not_run_into_one_another() {
        let two = |a: &str, b: &str| Fields::new("d").text(a).text(b).end();
        assert_ne!(two("ab", "c"), two("a", "bc"));
        assert_ne!(two("", "a"), two("a", ""));
    }

    #[test]
    fn arguments_are_never_printed() {
        let arguments = Arguments::new(json!({"a": "hunter2"}).as_object().unwrap().clone(), Digest::of(b""));
        assert_eq!(format!("{arguments:?}"), "[1 arguments]");
    }
}
