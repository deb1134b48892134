//! What is noted about a draft: its title, category, status and time.
//!
//! Nothing of it permits anything, and only the status holds something back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is noted about a draft. It permits nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notes {
    /// A title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// When it is meant to go out; nothing sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
}

/// How far a draft is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Begun.
    #[default]
    Draft,
    /// Done.
    Ready,
    /// Seen by somebody; it permits nothing.
    Approved,
    /// Put away: it is not sent.
    Archived,
}

/// Which drafts a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this status.
    pub status: Option<Status>,
    /// Of this category.
    pub category: Option<String>,
    /// Whose title holds this, in any case.
    pub title: Option<String>,
    /// Scheduled before this time.
    pub before: Option<Timestamp>,
    /// Scheduled after this time.
    pub after: Option<Timestamp>,
}

impl Status {
    /// The names of all.
    pub const NAMES: &[&str] = &["draft", "ready", "approved", "archived"];

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "draft" => Some(Self::Draft),
            "ready" => Some(Self::Ready),
            "approved" => Some(Self::Approved),
            "archived" => Some(Self::Archived),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Ready => "ready",
            Self::Approved => "approved",
            Self::Archived => "archived",
        }
    }
}

impl Filter {
    /// Whether these notes are among those wanted.
    pub(super) fn fits(&self, notes: &Notes) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let status = notes.status.unwrap_or_default();
        let title = self.title.as_deref().map(str::to_lowercase);
        let titled = title.is_none_or(|title| {
            let found = notes.title.as_deref().unwrap_or_default().to_lowercase();
            found.contains(&title)
        });
        let before = self
            .before
            .is_none_or(|time| notes.scheduled_at.is_some_and(|at| at < time));
        let after = self
            .after
            .is_none_or(|time| notes.scheduled_at.is_some_and(|at| at > time));
        self.status.is_none_or(|wanted| wanted == status)
            && same(&self.category, &notes.category)
            && titled
            && before
            && after
    }
}
