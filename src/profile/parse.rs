//! Reads YAML strictly: no unknown or duplicate keys, no anchors, tags or merge keys, one document, bounded in size.
//!
//! What the values mean is left to [`super::resolve`] and [`super::syscalls`].

use serde::de::DeserializeOwned;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy};

use super::error::{Problem, ProfileError, nearest};
use super::setting::{At, Place};

/// Something wrong at a place of the file at hand.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) problem: Problem,
}

impl Fault {
    /// The fault as an error about `file`.
    pub(crate) fn of(self, file: &str) -> ProfileError {
        ProfileError::Invalid {
            file: file.to_owned(),
            place: self.place,
            problem: Box::new(self.problem),
        }
    }
}

impl<T> At<T> {
    /// A fault where this value stands.
    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        self.place.fault(problem)
    }
}

impl Place {
    /// A fault here.
    pub(crate) fn fault(self, problem: Problem) -> Fault {
        Fault { place: self, problem }
    }
}

/// Reads one document.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    // An empty document reads as null, and the message about that helps nobody.
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Err(Place { line: 1, column: 1 }.fault(Problem::Empty));
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
fn explain(error: Error) -> Fault {
    let place = error.location().map_or(Place::default(), |at| Place {
        line: at.line(),
        column: at.column(),
    });
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let problem = match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => Problem::UnknownKey {
            nearest: nearest(field, expected.iter().copied()),
            key: shorten(field),
            known: owned(expected),
        },
        Error::SerdeUnknownVariant { variant, expected, .. } => Problem::UnknownWord {
            nearest: nearest(variant, expected.iter().copied()),
            word: shorten(variant),
            known: owned(expected),
        },
        Error::SerdeMissingField { field, .. } => Problem::Missing {
            field: (*field).to_owned(),
        },
        Error::DuplicateMappingKey { key: Some(key), .. } => Problem::DuplicateKey { key: shorten(key) },
        Error::QuotingRequired { value, .. } => Problem::Quotes { value: shorten(value) },
        Error::MergeKeyNotAllowed { .. } => Problem::Anchors,
        Error::MultipleDocuments { .. } => Problem::Documents,
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => Problem::Anchors,
            BudgetBreach::Documents { .. } => Problem::Documents,
            _ => Problem::Yaml(Box::new(error)),
        },
        _ => Problem::Yaml(Box::new(error)),
    };
    place.fault(problem)
}

/// So much of a text as belongs into a message.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
