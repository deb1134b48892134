//! The one table of what can be done with Hack Forums: tools, arguments, families, requested fields, permissions.
//!
//! Schemas, pruning, requests, the shape of answers and the tables in docs/hack-forums.md are made from it. What an
//! entry means is in this file; the entries are in `reads`, `trade`, `writes` and `local`.

mod local;
mod reads;
mod trade;
mod writes;

use serde_json::{Map, Value, json};

pub use super::features::Family;
use super::features::Features;

/// One tool.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The tool's name, as in `hf_posts_reply`.
    pub tool: &'static str,
    /// The capability that it belongs to, as in `posts.reply`.
    pub capability: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does and how to use it.
    pub description: &'static str,
    /// What it does to the world.
    pub act: Act,
    /// Its own arguments, without those that all of its kind take.
    pub inputs: &'static [Input],
    /// What of them must be given.
    pub needs: Needs,
    /// What is asked for, in groups.
    pub fields: &'static [Fields],
    /// What the token must be allowed to do.
    pub scopes: &'static [Scope],
    /// The keys that name a record, the one to sort by first.
    pub ids: &'static [&'static str],
    /// Whether newer records come first in the answer, sorted by the first of `ids`.
    pub newest_first: bool,
    /// The reads that follow from a record: tool, its argument, the key that holds the value.
    pub hints: &'static [Hint],
}

/// What is left out of an operation's row.
const BLANK: Operation = Operation {
    tool: "",
    capability: "",
    title: "",
    description: "",
    act: Act::Local(Local::DraftsList),
    inputs: &[],
    needs: Needs::Nothing,
    fields: &[],
    scopes: &[],
    ids: &[],
    newest_first: false,
    hints: &[],
};

/// What an operation does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It reads at Hack Forums.
    Read {
        /// The path below the API's base, as in `read/sigmarket/market`.
        route: &'static str,
        /// The key within `asks`, as in `sigmarket/market`.
        endpoint: &'static str,
    },
    /// It writes at Hack Forums.
    Write {
        /// The path below the API's base, as in `write/bytes/deposit`.
        route: &'static str,
        /// The key within `asks`, as in `bytes`.
        endpoint: &'static str,
        /// The argument that says whom or what it meets; none where that is the account itself.
        target: Option<&'static str>,
    },
    /// It works on local data.
    Local(Local),
}

/// What works on local data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// Lists the forums that are known without asking.
    Forums,
    /// Checks a text and keeps it as a draft.
    Preflight,
    /// Lists drafts.
    DraftsList,
    /// Shows a draft.
    DraftsRead,
    /// Changes what is noted about a draft.
    DraftsUpdate,
    /// Deletes a draft.
    DraftsDelete,
}

/// What must be given besides the inputs that are required one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// At least one of these; unfiltered the read makes no sense.
    AnyOf(&'static [&'static str]),
    /// At least one of these, unless the operator lets the operation go unfiltered.
    Selector(&'static [&'static str]),
    /// Exactly one of these.
    OneOf(&'static [&'static str]),
}

/// One argument.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The family that must be on.
    pub family: Option<Family>,
    /// The key that it is sent as, if it is sent as it is.
    pub sends: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is, for the schema.
    pub about: &'static str,
}

/// What an argument holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number of a record: 1 to [`MAX_ID`].
    Id,
    /// One, or a list of up to [`MAX_IDS`].
    Ids,
    /// A whole number within these bounds, and what is meant when it is left out.
    Number {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// When left out.
        default: Option<u64>,
    },
    /// Yes or no, and what is meant when it is left out.
    Flag(bool),
    /// The literal `true`.
    True,
    /// Text of so many characters.
    Text {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// One of these words, and what is meant when it is left out.
    Choice(&'static [&'static str], Option<&'static str>),
    /// So many lower-case hexadecimal digits.
    Hex(usize),
}

/// A group of requested fields that is on or off as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// The family that must be on.
    pub family: Option<Family>,
    /// The argument that turns the group on or off.
    pub flag: Option<&'static str>,
    /// What is requested, separated by spaces; `author.uid` is the field `uid` of the record `author`.
    pub names: &'static str,
}

/// A read that follows from a record.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// The tool to call.
    pub tool: &'static str,
    /// Its argument.
    pub argument: &'static str,
    /// The key of the record that holds the value.
    pub key: &'static str,
}

/// A permission of a token, as Hack Forums names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Scope {
    BasicInfo,
    AdvancedInfo,
    Posts,
    Users,
    Bytes,
    Contracts,
}

/// The highest number of a record: what Hack Forums' database columns hold.
pub const MAX_ID: u64 = u32::MAX as u64;
/// Records in one request; the API's page holds as many.
pub const MAX_IDS: usize = 30;
/// Rows of a page, as the API has it.
pub const MAX_PER_PAGE: u64 = 30;
/// Characters of a message: the text column of the forum holds 65535 bytes.
pub const MAX_MESSAGE: usize = 60_000;
/// The most bytes (the forum's currency) in one go; more is a mistake.
pub const MAX_AMOUNT: u64 = 1_000_000_000;

/// All operations, in the order in which they are listed.
pub const OPERATIONS: &[Operation] = &[
    reads::ME,
    reads::USERS,
    local::FORUMS_INDEX,
    reads::FORUMS,
    reads::THREADS,
    reads::POSTS,
    trade::BYTES,
    trade::CONTRACTS,
    trade::DISPUTES,
    trade::BRATINGS,
    trade::SIGMARKET_MARKET,
    trade::SIGMARKET_ORDER,
    trade::ADMIN,
    local::PREFLIGHT,
    local::DRAFTS_LIST,
    local::DRAFTS_READ,
    local::DRAFTS_UPDATE,
    local::DRAFTS_DELETE,
    writes::THREADS_CREATE,
    writes::POSTS_REPLY,
    writes::BYTES_TRANSFER,
    writes::BYTES_DEPOSIT,
    writes::BYTES_WITHDRAW,
    writes::BYTES_BUMP,
];

/// The operation of a tool.
pub fn operation(tool: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.tool == tool)
}

impl Operation {
    /// Whether it changes something at Hack Forums.
    pub fn writes(&self) -> bool {
        matches!(self.act, Act::Write { .. })
    }

    /// The arguments that are there with these features.
    pub fn inputs(&self, features: &Features) -> impl Iterator<Item = &'static Input> {
        let features = features.clone();
        self.all().filter(move |input| features.has(input.family))
    }

    /// Its arguments, and those that every operation of its kind takes.
    pub fn all(&self) -> impl Iterator<Item = &'static Input> {
        let (content, common): (&[Input], &[Input]) = match self.act {
            Act::Read { .. } | Act::Local(Local::Forums) => (&[], &reads::OUTPUT),
            Act::Write { .. } if self.needs == writes::SOURCES => (&writes::CONTENT, &writes::EVERY),
            Act::Write { .. } => (&[], &writes::EVERY),
            Act::Local(_) => (&[], &[]),
        };
        self.inputs.iter().chain(content).chain(common)
    }

    /// Whether it is offered.
    pub fn is_offered(&self, features: &Features) -> bool {
        features.can(self.capability) && self.lacks(features).is_none()
    }

    /// What keeps it from being of use, if anything does: a family that something it needs belongs to is off.
    pub fn lacks(&self, features: &Features) -> Option<String> {
        for input in self.all().filter(|input| input.required) {
            if !features.has(input.family) {
                let family = input.family.map_or("", Family::name);
                return Some(format!("it needs {:?}, whose family {family} is off", input.name));
            }
        }
        let any: &[&str] = match self.needs {
            Needs::Nothing => &[],
            Needs::AnyOf(names) | Needs::Selector(names) | Needs::OneOf(names) => names,
        };
        let there = |name: &&str| self.inputs(features).any(|input| input.name == *name);
        if !any.is_empty() && !any.iter().any(there) {
            return Some(format!("it needs one of {}, whose families are off", any.join(", ")));
        }
        let lost = !self.fields.is_empty() && !self.fields.iter().any(|group| features.has(group.family));
        lost.then(|| "all families of its fields are off".to_owned())
    }

    /// The schema of its arguments, as published and as enforced.
    pub fn schema(&self, features: &Features) -> Map<String, Value> {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for input in self.inputs(features) {
            properties.insert(input.name.to_owned(), input.schema());
            if input.required {
                required.push(Value::from(input.name));
            }
        }
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("additionalProperties".to_owned(), json!(false));
        if !required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(required));
        }
        let given = |names: &[&str]| -> Vec<Value> {
            let there = names.iter().filter(|n| self.inputs(features).any(|i| i.name == **n));
            there.map(|name| json!({"required": [name]})).collect()
        };
        match self.needs {
            Needs::Nothing | Needs::Selector(_) => {}
            Needs::AnyOf(names) => {
                schema.insert("anyOf".to_owned(), given(names).into());
            }
            Needs::OneOf(names) => {
                schema.insert("oneOf".to_owned(), given(names).into());
            }
        }
        schema
    }
}

impl Input {
    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Id => json!({"type": "integer", "minimum": 1, "maximum": MAX_ID}),
            Kind::Ids => json!({
                "type": ["integer", "array"], "minimum": 1, "maximum": MAX_ID,
                "minItems": 1, "maxItems": MAX_IDS, "items": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
            }),
            Kind::Number { least, most, default } => {
                let mut schema = json!({"type": "integer", "minimum": least, "maximum": most});
                if let (Some(default), Value::Object(schema)) = (default, &mut schema) {
                    schema.insert("default".to_owned(), default.into());
                }
                schema
            }
            Kind::Flag(default) => json!({"type": "boolean", "default": default}),
            Kind::True => json!({"type": "boolean", "const": true}),
            Kind::Text { least, most } => json!({"type": "string", "minLength": least, "maxLength": most}),
            Kind::Choice(words, default) => {
                let mut schema = json!({"type": "string", "enum": words});
                if let (Some(default), Value::Object(schema)) = (default, &mut schema) {
                    schema.insert("default".to_owned(), default.into());
                }
                schema
            }
            Kind::Hex(digits) => json!({
                "type": "string", "minLength": digits, "maxLength": digits, "pattern": "^[0-9a-f]*$",
            }),
        };
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), self.about.into());
        }
        schema
    }
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::BasicInfo,
        Self::AdvancedInfo,
        Self::Posts,
        Self::Users,
        Self::Bytes,
        Self::Contracts,
    ];

    /// As the forum's page for developers names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BasicInfo => "Basic Info",
            Self::AdvancedInfo => "Advanced Info",
            Self::Posts => "Posts",
            Self::Users => "Users",
            Self::Bytes => "Bytes",
            Self::Contracts => "Contracts",
        }
    }
}

#[cfg(test)]
mod tests;
