//! What is said to what is no message of the protocol.
//!
//! rmcp would say nothing, or nothing of the id, and its sender would wait for ever.

use rmcp::model::RequestId;
use rmcp::service::TxJsonRpcMessage;
use rmcp::{ErrorData, RoleServer};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;

/// Bytes that are no message.
pub(super) struct Misfit {
    /// What they are answered with, and their id where it can be read.
    pub(super) answer: TxJsonRpcMessage<RoleServer>,
    /// Whether anybody may wait for an answer. Nobody does after a notification, and who repeats what it reads, without an id and
    /// not in JSON, would never end.
    pub(super) is_asking: bool,
}

/// So many values one message has at the most: twice as many as the longest list of arguments. Each takes some two hundred bytes while it
/// is read, also those that take two on the line.
const MAX_VALUES: usize = 200_000;

impl Misfit {
    /// What is said to bytes that are not even read: they hold too many values. Without an id, which may be one of these.
    pub(super) fn crowded(bytes: &[u8]) -> Option<TxJsonRpcMessage<RoleServer>> {
        let why = format!("no message of the protocol: more than {MAX_VALUES} values");
        let answer = || TxJsonRpcMessage::<RoleServer>::error(ErrorData::invalid_request(why, None), None);
        is_crowded(bytes).then(answer)
    }

    /// What `error` was found in.
    pub(super) fn of(bytes: &[u8], error: &serde_json::Error) -> Self {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default, deserialize_with = "given")]
            id: Option<Value>,
            #[serde(default, deserialize_with = "given")]
            method: Option<IgnoredAny>,
        }
        /// `null` is a value too.
        fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
            T::deserialize(from).map(Some)
        }
        let named = serde_json::from_slice::<Named>(bytes).ok();
        let is_notification = |named: &Named| named.id.is_none() && named.method.is_some();
        let is_notification = named.as_ref().is_some_and(is_notification);
        let id = named.and_then(|named| serde_json::from_value::<RequestId>(named.id?).ok());
        let is_json = error.classify() == Category::Data;
        let said = if is_json {
            ErrorData::invalid_request(format!("no message of the protocol: {error}"), None)
        } else {
            ErrorData::parse_error(format!("no JSON: {error}"), None)
        };
        Self {
            is_asking: !is_notification && (is_json || id.is_some()),
            answer: TxJsonRpcMessage::<RoleServer>::error(said, id),
        }
    }
}

/// Whether there are more values than any message has. As far as it is JSON: nobody reads on behind what is none.
fn is_crowded(bytes: &[u8]) -> bool {
    let (mut values, mut in_text, mut escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values > MAX_VALUES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_texts_are_not() {
        let fits = format!("[{}1]", "1,".repeat(MAX_VALUES - 1));
        let text = format!(r#"["{}\"[{{\\",1]"#, ",".repeat(MAX_VALUES));
        for (bytes, crowded) in [
            (fits.as_str(), false),
            (&format!("{fits},"), true),
            (&text, false),
            (&format!("{text}{fits}"), true),
            (&format!(r#"["\\",{}]"#, "{},".repeat(MAX_VALUES)), true),
        ] {
            let shown: String = bytes.chars().take(20).collect();
            assert_eq!(is_crowded(bytes.as_bytes()), crowded, "{shown}");
            assert_eq!(Misfit::crowded(bytes.as_bytes()).is_some(), crowded, "{shown}");
        }
    }
}
