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

impl Misfit {
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
