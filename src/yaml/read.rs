//! Reads YAML strictly: no unknown or duplicate keys, no anchors, tags or merge keys, one document, bounded in size.
//!
//! What the values mean is left to whoever owns the type.

use serde::de::DeserializeOwned;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DefaultMessageFormatter, DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter};

use super::names::{did_you_mean, nearest};
use super::place::{At, Place};

/// Something wrong at a place of the file at hand.
#[derive(Debug)]
pub struct Fault<P> {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: P,
}

impl<P> Fault<P> {
    /// The same fault as another layer words it.
    pub fn map<Q>(self, words: impl FnOnce(P) -> Q) -> Fault<Q> {
        Fault {
            place: self.place,
            problem: words(self.problem),
        }
    }
}

impl<T> At<T> {
    /// A fault where this value stands.
    pub fn fault<P>(&self, problem: P) -> Fault<P> {
        self.place.fault(problem)
    }
}

impl Place {
    /// A fault here.
    pub fn fault<P>(self, problem: P) -> Fault<P> {
        Fault { place: self, problem }
    }
}

/// What is wrong with the shape of a file.
#[derive(Debug, thiserror::Error)]
pub enum Syntax {
    /// A key that means nothing here.
    #[error("unknown key {key:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The key it resembles most.
        nearest: Option<String>,
        /// Those that mean something.
        known: Vec<String>,
    },
    /// A word that is not among the choices.
    #[error("unknown value {word:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    UnknownWord {
        /// The word.
        word: String,
        /// The choice it resembles most.
        nearest: Option<String>,
        /// The choices.
        known: Vec<String>,
    },
    /// Written twice in one object.
    #[error("the key {key:?} is written twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Left out.
    #[error("{field:?} is missing; hint: write it")]
    Missing {
        /// Its name.
        field: String,
    },
    /// Not the YAML that is read here.
    #[error("{}", DefaultMessageFormatter.format_message(.0))]
    Yaml(Box<serde_saphyr::Error>),
    /// What is read twice is misread once.
    #[error("anchors, aliases and merge keys are not read here; hint: write the value out")]
    Anchors,
    /// A file says one thing.
    #[error("the file holds more than one YAML document")]
    Documents,
    /// A number or a word of YAML's own where text is wanted.
    #[error("{value:?} is read as text only in quotes")]
    Quotes {
        /// As written.
        value: String,
    },
    /// Another kind of value.
    #[error("this is not {wanted}; hint: write {wanted} here")]
    Kind {
        /// What is.
        wanted: &'static str,
    },
    /// A key without a value.
    #[error("there is no value here; hint: write one, or leave the key out")]
    NoValue,
    /// An empty file, or one of comments.
    #[error("the file is empty")]
    Empty,
}

/// Reads one document.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault<Syntax>> {
    // An empty document reads as null, and the message about that helps nobody.
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Err(Place { line: 1, column: 1 }.fault(Syntax::Empty));
    }
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        no_schema: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 50_000,
            max_aliases: 0,
            max_anchors: 0,
            max_depth: 32,
            max_documents: 1,
            max_total_scalar_bytes: 1 << 20,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(explain)
}

/// Our own words where a nearest name or a full one helps; the parser's elsewhere.
fn explain(error: Error) -> Fault<Syntax> {
    let place = error.location().map_or(Place::default(), |at| Place {
        line: at.line(),
        column: at.column(),
    });
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let problem = match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => Syntax::UnknownKey {
            nearest: nearest(field, expected.iter().copied()),
            key: shorten(field),
            known: owned(expected),
        },
        Error::SerdeUnknownVariant { variant, expected, .. } => Syntax::UnknownWord {
            nearest: nearest(variant, expected.iter().copied()),
            word: shorten(variant),
            known: owned(expected),
        },
        Error::SerdeMissingField { field, .. } => Syntax::Missing {
            field: (*field).to_owned(),
        },
        Error::DuplicateMappingKey { key: Some(key), .. } => Syntax::DuplicateKey { key: shorten(key) },
        Error::QuotingRequired { value, .. } => Syntax::Quotes { value: shorten(value) },
        Error::InvalidScalar { ty, .. } if ty.starts_with(['u', 'i']) => Syntax::Kind {
            wanted: "a whole number",
        },
        Error::Unexpected {
            expected: "mapping start",
            ..
        } => Syntax::Kind {
            wanted: "names with values (`{name: value}`)",
        },
        Error::Unexpected {
            expected: "sequence start",
            ..
        } => Syntax::Kind {
            wanted: "a list (`[one, two]`)",
        },
        Error::InvalidBooleanStrict { .. } => Syntax::Kind {
            wanted: "true or false",
        },
        Error::NullIntoString { .. } => Syntax::NoValue,
        Error::MergeKeyNotAllowed { .. } => Syntax::Anchors,
        Error::MultipleDocuments { .. } => Syntax::Documents,
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => Syntax::Anchors,
            BudgetBreach::Documents { .. } => Syntax::Documents,
            _ => Syntax::Yaml(Box::new(error)),
        },
        _ => Syntax::Yaml(Box::new(error)),
    };
    place.fault(problem)
}

/// So much of a text as belongs into a message.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
