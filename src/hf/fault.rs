//! Why a call cannot be meant: what an argument may hold, and what is wrong with one that does not.

use serde_json::Value;

use super::drafts::DraftError;
use super::operations::{Input, Kind, MAX_ID, MAX_IDS};

/// Why a call cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A value is not what its schema says.
    #[error("is not what its schema says; hint: tools/list has it")]
    Value {
        /// Which argument.
        field: String,
    },
    /// An argument that there is not.
    #[error("is unknown")]
    Unknown {
        /// What was written.
        field: String,
    },
    /// Something must be given.
    #[error("is missing and cannot be left out")]
    Missing {
        /// Which argument.
        field: &'static str,
    },
    /// One of several must be given.
    #[error("is missing; hint: give one of {}", names.join(", "))]
    OneOf {
        /// Which.
        names: Vec<&'static str>,
    },
    /// Two that exclude each other.
    #[error("and {other:?} are both given; hint: give one of them")]
    Both {
        /// One.
        field: &'static str,
        /// The other.
        other: &'static str,
    },
    /// The text cannot be sent.
    #[error("{reason}")]
    Text {
        /// Which argument.
        field: &'static str,
        /// Why.
        reason: TextFault,
    },
    /// The draft cannot be used.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// A digest of a draft, and no draft.
    #[error("is that of a draft; hint: give the draft with draft_id or draft_path in the place of message")]
    NoDraft,
    /// The draft is not the one that is meant.
    #[error("the draft's digest is {found}; hint: read the draft again and send what you mean")]
    Digest {
        /// The draft's.
        found: String,
    },
}

/// What is wrong with a text that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Nothing but spaces and what is not seen.
    #[error("holds nothing but white space")]
    Blank,
    /// Characters that no post has.
    #[error("holds a control character; hint: only line ends and tabs are allowed")]
    Control,
    /// `[code]` or `[php]` without their ends, or the other way round.
    #[error("has an unbalanced [code] or [php]; hint: hf_formatting_preflight shows what is wrong")]
    Unbalanced,
    /// More than one line.
    #[error("holds a line end, a tab or a control character; hint: a subject is one line")]
    Line,
    /// Less than the API takes.
    #[error("is shorter than 3 characters, which Hack Forums refuses")]
    Short,
    /// Longer than is taken after Markdown became MyCode.
    #[error("is longer than {} characters as MyCode", super::operations::MAX_MESSAGE)]
    Long,
}

impl TextFault {
    /// Its name among the issues of a draft.
    pub fn code(self) -> &'static str {
        match self {
            Self::Blank => "blank_message",
            Self::Control | Self::Line => "control_character",
            Self::Unbalanced => "invalid_mycode",
            Self::Short => "short_message",
            Self::Long => "long_message",
        }
    }
}

impl RequestError {
    /// The argument that is at fault.
    pub fn field(&self) -> &str {
        match self {
            Self::Value { field } | Self::Unknown { field } => field,
            Self::Missing { field } | Self::Both { field, .. } | Self::Text { field, .. } => field,
            Self::OneOf { names } => names.first().copied().unwrap_or_default(),
            Self::Draft(_) => "draft_id",
            Self::Digest { .. } | Self::NoDraft => "draft_digest",
        }
    }
}

impl Input {
    /// What is meant when it is left out, if anything is.
    pub fn default(&self) -> Option<Value> {
        match self.kind {
            Kind::Number { default, .. } => default.map(Value::from),
            Kind::Flag(default) => Some(default.into()),
            Kind::Choice(_, default) => default.map(Value::from),
            Kind::Id | Kind::Ids | Kind::True | Kind::Text { .. } | Kind::Hex(_) => None,
        }
    }
}

impl Kind {
    /// Whether a value is of this kind: what the schema says, without any conversion.
    pub fn accepts(self, value: &Value) -> bool {
        let id = |value: &Value| value.as_u64().is_some_and(|n| (1..=MAX_ID).contains(&n));
        match (self, value) {
            (Self::Id | Self::Ids, Value::Number(_)) => id(value),
            (Self::Ids, Value::Array(list)) => (1..=MAX_IDS).contains(&list.len()) && list.iter().all(id),
            (Self::Number { least, most, .. }, _) => value.as_u64().is_some_and(|n| (least..=most).contains(&n)),
            (Self::Flag(_), Value::Bool(_)) | (Self::True, Value::Bool(true)) => true,
            (Self::Text { least, most }, Value::String(text)) => (least..=most).contains(&text.chars().count()),
            (Self::Choice(words, _), Value::String(text)) => words.contains(&text.as_str()),
            (Self::Hex(digits), Value::String(text)) => {
                text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            }
            _ => false,
        }
    }
}
