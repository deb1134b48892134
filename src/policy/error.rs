//! Why a policy is not taken, with the place in its file.

use serde_json::Value;

use crate::model::SizeError;
use crate::yaml::{OutOfRange, Syntax, did_you_mean, nearest};

/// What is wrong with a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyProblem {
    /// Not the shape of a policy.
    #[error(transparent)]
    Syntax(#[from] Syntax),
    /// No such thing.
    #[error("no {what} is called {name:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    Unknown {
        /// A tool, a profile, a caller, an argument.
        what: &'static str,
        /// As written.
        name: String,
        /// What it resembles most.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What takes its place is judged.
    #[error(
        "rules never see the argument {name:?}; hint: write {instead:?}, which takes its place before a call is judged"
    )]
    SeenAs {
        /// As written.
        name: String,
        /// What rules see.
        instead: &'static str,
    },
    /// Leaving it out would avoid the rule.
    #[error(
        "the argument {name:?} may be left out, and what is meant then is not known when a call is judged: leaving it out \
         would get around the rule; hint: {}", match asks {
            true => "name it in `optional`, so that a call without it is asked about too",
            false => "say in the rules that allow what may be given",
        }
    )]
    Untold {
        /// The argument.
        name: String,
        /// Whether the rule asks a person.
        asks: bool,
    },
    /// Two rules of one name.
    #[error("two rules are called {id:?}; hint: the name tells in a denial which rule it was")]
    DuplicateRule {
        /// The name.
        id: String,
    },
    /// Not a name.
    #[error("{text:?} is no name of a rule; hint: use small letters, digits and hyphens, {MAX_NAME} at most")]
    RuleName {
        /// As written.
        text: String,
    },
    /// Text for people that is empty, too long or not one line.
    #[error("revision must be one line of 1 to {MAX_NAME} characters")]
    Revision,
    /// An empty list matches nothing.
    #[error("{field} is empty, so the rule could never match; hint: name at least one")]
    EmptyList {
        /// The field.
        field: &'static str,
    },
    /// Written twice in one list.
    #[error("{field} lists {value:?} twice")]
    Twice {
        /// The field.
        field: &'static str,
        /// What.
        value: String,
    },
    /// Needed with this effect, or for these tools.
    #[error("{field} is missing: {why}")]
    Needed {
        /// The field.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Of no use with this effect, or for these tools.
    #[error("{field} has no meaning here: {why}")]
    Useless {
        /// The field.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A number that is too small or too large.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Not a time.
    #[error("{field}: {error}")]
    Time {
        /// The field.
        field: &'static str,
        /// Why.
        error: SizeError,
    },
    /// Not a rate.
    #[error("{text:?} is no rate; hint: write calls and time, as in 60/min; the time is s, min, h or day")]
    Rate {
        /// As written.
        text: String,
    },
    /// More than anybody could follow.
    #[error("there are {count} {what}, more than {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A schema that says something else than it seems to.
    #[error("argument {argument:?}: {fault}")]
    Argument {
        /// The argument.
        argument: String,
        /// What is wrong with its schema.
        fault: SchemaFault,
    },
    /// Another rule makes it pointless.
    #[error(
        "this rule can never match: rule {by:?} denies all that it speaks of; hint: remove one of them, or narrow {by:?}"
    )]
    Shadowed {
        /// The other rule.
        by: String,
    },
    /// What it holds back can be done in another way.
    #[error(
        "the arguments of {tool} hold nothing back: rule {by:?} lets the same caller use {other} with more than exact \
         values; hint: a command line is not a boundary, so deny {other} too, give both the same schema or exact values \
         (const, enum), or leave the arguments out and choose the profile"
    )]
    Bypassed {
        /// The tool whose arguments are restricted.
        tool: &'static str,
        /// The rule that goes around it.
        by: String,
        /// The tool that it lets be used.
        other: &'static str,
    },
}

/// What is wrong with the schema of an argument.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum SchemaFault {
    /// A schema is an object.
    #[error("its schema must be an object, as in {{maxLength: 80}}")]
    NotAnObject,
    /// A word that nobody would check.
    #[error("unknown keyword {keyword:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    Keyword {
        /// As written.
        keyword: String,
        /// The keyword it resembles most.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Nothing would pass, or nothing be checked.
    #[error("{keyword} is empty, so nothing could ever match")]
    Empty {
        /// The keyword.
        keyword: &'static str,
    },
    /// Checks something that the argument never is.
    #[error("{keyword} is for a {wanted}, and the argument is a {is}: it would check nothing")]
    WrongType {
        /// The keyword.
        keyword: String,
        /// What it is for.
        wanted: &'static str,
        /// What the argument is.
        is: String,
    },
    /// Of one value and of a list, where the tool takes both.
    #[error(
        "it speaks of one value and of a list at once; hint: write it for one value or for a list: what is said of one value \
         holds for each item of a list"
    )]
    Mixed,
    /// The tool itself refuses it.
    #[error("the tool never takes {value}, so the rule could never match{}", among(nearest.as_deref(), known))]
    NeverTaken {
        /// What is asked for.
        value: String,
        /// What it resembles most.
        nearest: Option<String>,
        /// All that the tool takes, where that is a list.
        known: Vec<String>,
    },
    /// No object of the tool's has it.
    #[error("the tool takes no entry {name:?} in it; hint: {}", did_you_mean(nearest.as_deref(), known))]
    NoEntry {
        /// As written.
        name: String,
        /// The entry it resembles most.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A regular expression that is none, or that needs too much.
    #[error("the pattern {pattern:?} is none that is read here: {why}; hint: no look-around and no back references")]
    Pattern {
        /// As written.
        pattern: String,
        /// Why.
        why: String,
    },
    /// What the validator says.
    #[error("no JSON Schema: {why}")]
    Invalid {
        /// Why.
        why: String,
    },
    /// Nested beyond following.
    #[error("its schema is nested deeper than {MAX_SCHEMA_DEPTH}")]
    TooDeep,
}

impl SchemaFault {
    /// What tools never take, with what they do take.
    pub(super) fn never(value: String, text: Option<&str>, tools: &[&Value]) -> Self {
        let lists = tools.iter().filter_map(|tool| tool.get("enum")?.as_array());
        let known: Vec<&str> = lists.flatten().filter_map(Value::as_str).collect();
        Self::NeverTaken {
            value: value.chars().take(80).collect(),
            nearest: text.and_then(|text| nearest(text, known.iter().copied())),
            known: known.into_iter().map(str::to_owned).collect(),
        }
    }
}

fn among(nearest: Option<&str>, known: &[String]) -> String {
    match known {
        [] => String::new(),
        _ => format!("; hint: {}", did_you_mean(nearest, known)),
    }
}

/// A name in a message or a record.
pub(super) const MAX_NAME: usize = 64;
/// A schema that is nested deeper is a mistake.
pub(super) const MAX_SCHEMA_DEPTH: usize = 16;
/// More rules than anybody can follow by reading.
pub(super) const MAX_RULES: usize = 5000;
/// More rates than there are groups of tools.
pub(super) const MAX_RATES: usize = 64;
/// More entries in a list than there are tools or profiles.
pub(super) const MAX_LIST: usize = 512;
