//! Which operations and families are on: a profile, and what the operator adds to it or takes away.
//!
//! A capability is one thing that can be done; a family is a kind of argument or field that several capabilities
//! share. What is off is neither accepted, requested nor returned; see [`super::operations`].

use std::collections::BTreeSet;

use super::capabilities::{CAPABILITIES, Capability, Risk};
use super::operations::OPERATIONS;
use crate::model::words::nearest;

/// A kind of argument or field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names say it, and `name` spells them")]
pub enum Family {
    SelectorsUser,
    SelectorsForum,
    SelectorsThread,
    SelectorsPost,
    SelectorsBytes,
    SelectorsContract,
    SelectorsDispute,
    SelectorsSigmarket,
    FiltersPagination,
    FieldsMeBasic,
    FieldsMeAdvanced,
    FieldsUsersProfile,
    FieldsPostsBody,
    FieldsBytesAmount,
    FormattingContent,
    WritesContent,
    WritesBytes,
    ConfirmLive,
}

/// Everything that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    capabilities: BTreeSet<&'static str>,
    families: BTreeSet<Family>,
    /// What was dropped or cannot be offered, and why; for the log and `terrarium hf doctor`.
    notes: Vec<String>,
}

/// A starting set of capabilities and families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HfProfile {
    /// Reads of low risk, and drafts.
    #[default]
    Reader,
    /// The same, and threads and replies.
    ForumOperator,
    /// All families; what spends or is of high risk must still be enabled by name.
    FullApi,
    /// Nothing but what is enabled by name.
    Custom,
}

/// What the operator adds to a profile or takes away. Taking away wins.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Capabilities or tools that are on.
    pub enable: Vec<String>,
    /// Capabilities or tools that are off.
    pub disable: Vec<String>,
    /// Families that are on.
    pub enable_families: Vec<String>,
    /// Families that are off.
    pub disable_families: Vec<String>,
}

/// A name in the configuration that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// There is no such capability.
    #[error("no operation of Hack Forums is called {name:?}{}", near(near_name))]
    Capability {
        /// What was written.
        name: String,
        /// The nearest that exists.
        near_name: Option<&'static str>,
    },
    /// There is no such family.
    #[error("no family of arguments is called {name:?}{}", near(near_name))]
    Family {
        /// What was written.
        name: String,
        /// The nearest that exists.
        near_name: Option<&'static str>,
    },
    /// It is known, but not offered.
    #[error(
        "the operation {name:?} is known by name only: how Hack Forums takes it is not verified, so it is not offered; \
         hint: leave it out"
    )]
    Unverified {
        /// What was written.
        name: String,
    },
}

impl Features {
    /// Puts a profile and an overlay together.
    pub fn new(profile: HfProfile, overlay: &Overlay) -> Result<Self, FeatureError> {
        let (mut capabilities, mut families) = profile.sets();
        for name in &overlay.enable {
            let capability = capability(name)?;
            if capability.risk == Risk::Unverified {
                return Err(FeatureError::Unverified { name: name.clone() });
            }
            capabilities.insert(capability.name);
            families.extend(capability.families); // what it needs to be of use; `disable_families` takes it away
        }
        for name in &overlay.enable_families {
            families.insert(family(name)?);
        }
        for name in &overlay.disable {
            capabilities.remove(capability(name)?.name);
        }
        for name in &overlay.disable_families {
            families.remove(&family(name)?);
        }
        let named: Vec<Family> = overlay
            .enable_families
            .iter()
            .filter_map(|name| family(name).ok())
            .collect();
        let mut features = Self {
            capabilities,
            families,
            notes: Vec::new(),
        };
        features.drop_orphans(&named);
        features.note_tools_without_needs();
        Ok(features)
    }

    /// With everything on that can be: for what is said about all operations.
    pub fn all() -> Self {
        let verified = CAPABILITIES.iter().filter(|c| c.risk != Risk::Unverified);
        Self {
            capabilities: verified.map(|capability| capability.name).collect(),
            families: Family::ALL.into_iter().collect(),
            notes: Vec::new(),
        }
    }

    /// What is on here and in another profile too: an option of the command line never widens the configuration.
    #[must_use]
    pub fn narrowed_to(&self, profile: HfProfile) -> Self {
        let (capabilities, families) = profile.sets();
        let risky = |name: &&str| {
            // Enabled by name in the configuration: no profile has them, and full_api is meant to keep them.
            profile == HfProfile::FullApi && CAPABILITIES.iter().any(|c| c.name == *name && c.risk == Risk::High)
        };
        let mut features = Self {
            capabilities: self
                .capabilities
                .iter()
                .filter(|name| capabilities.contains(*name) || risky(name))
                .copied()
                .collect(),
            families: self.families.intersection(&families).copied().collect(),
            notes: Vec::new(),
        };
        features.drop_orphans(&[]);
        features.note_tools_without_needs();
        features
    }

    /// Whether a capability is on.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Whether a family is on. What belongs to no family always is.
    pub fn has(&self, family: Option<Family>) -> bool {
        family.is_none_or(|family| self.families.contains(&family))
    }

    /// What was dropped or cannot be offered, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn drop_orphans(&mut self, named: &[Family]) {
        let used: BTreeSet<Family> = CAPABILITIES
            .iter()
            .filter(|capability| self.capabilities.contains(capability.name))
            .flat_map(|capability| capability.families)
            .copied()
            .collect();
        for orphan in self.families.difference(&used).copied() {
            if named.contains(&orphan) {
                let parents: Vec<&str> = orphan.parents().map(|c| c.name).collect();
                self.notes.push(format!(
                    "the family {} is dropped: none of the operations that use it is on ({})",
                    orphan.name(),
                    parents.join(", ")
                ));
            }
        }
        self.families.retain(|family| used.contains(family));
    }

    fn note_tools_without_needs(&mut self) {
        for operation in OPERATIONS {
            if self.can(operation.capability)
                && let Some(missing) = operation.lacks(self)
            {
                self.notes.push(format!("{} is not offered: {missing}", operation.tool));
            }
        }
    }
}

impl HfProfile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reader, Self::ForumOperator, Self::FullApi, Self::Custom];

    /// The profile with this name, as written in configurations.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::ForumOperator => "forum_operator",
            Self::FullApi => "full_api",
            Self::Custom => "custom",
        }
    }

    fn sets(self) -> (BTreeSet<&'static str>, BTreeSet<Family>) {
        let risks: &[Risk] = match self {
            Self::Reader => &[Risk::Low],
            Self::ForumOperator | Self::FullApi => &[Risk::Low, Risk::Publishes],
            Self::Custom => &[],
        };
        let on = || CAPABILITIES.iter().filter(|c| risks.contains(&c.risk));
        let families = match self {
            Self::FullApi => Family::ALL.into_iter().collect(),
            _ => on().flat_map(|c| c.families).copied().collect(),
        };
        (on().map(|c| c.name).collect(), families)
    }
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::SelectorsUser,
        Self::SelectorsForum,
        Self::SelectorsThread,
        Self::SelectorsPost,
        Self::SelectorsBytes,
        Self::SelectorsContract,
        Self::SelectorsDispute,
        Self::SelectorsSigmarket,
        Self::FiltersPagination,
        Self::FieldsMeBasic,
        Self::FieldsMeAdvanced,
        Self::FieldsUsersProfile,
        Self::FieldsPostsBody,
        Self::FieldsBytesAmount,
        Self::FormattingContent,
        Self::WritesContent,
        Self::WritesBytes,
        Self::ConfirmLive,
    ];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelectorsUser => "selectors.user",
            Self::SelectorsForum => "selectors.forum",
            Self::SelectorsThread => "selectors.thread",
            Self::SelectorsPost => "selectors.post",
            Self::SelectorsBytes => "selectors.bytes",
            Self::SelectorsContract => "selectors.contract",
            Self::SelectorsDispute => "selectors.dispute",
            Self::SelectorsSigmarket => "selectors.sigmarket",
            Self::FiltersPagination => "filters.pagination",
            Self::FieldsMeBasic => "fields.me.basic",
            Self::FieldsMeAdvanced => "fields.me.advanced",
            Self::FieldsUsersProfile => "fields.users.profile",
            Self::FieldsPostsBody => "fields.posts.body",
            Self::FieldsBytesAmount => "fields.bytes.amount",
            Self::FormattingContent => "formatting.content",
            Self::WritesContent => "writes.content",
            Self::WritesBytes => "writes.bytes",
            Self::ConfirmLive => "confirm.live",
        }
    }

    /// The capabilities that use it.
    pub fn parents(self) -> impl Iterator<Item = &'static Capability> {
        CAPABILITIES.iter().filter(move |c| c.families.contains(&self))
    }
}

/// The capability with this name, or that of the tool with this name.
fn capability(name: &str) -> Result<&'static Capability, FeatureError> {
    let of_tool = OPERATIONS.iter().find(|o| o.tool == name).map(|o| o.capability);
    let wanted = of_tool.unwrap_or(name);
    CAPABILITIES
        .iter()
        .find(|c| c.name == wanted)
        .ok_or_else(|| FeatureError::Capability {
            name: name.chars().take(64).collect(),
            near_name: nearest(name, CAPABILITIES.iter().map(|c| c.name)),
        })
}

fn family(name: &str) -> Result<Family, FeatureError> {
    Family::ALL
        .into_iter()
        .find(|f| f.name() == name)
        .ok_or_else(|| FeatureError::Family {
            name: name.chars().take(64).collect(),
            near_name: nearest(name, Family::ALL.into_iter().map(Family::name)),
        })
}

fn near(name: &Option<&'static str>) -> String {
    name.map_or_else(String::new, |name| format!("; hint: did you mean {name:?}?"))
}
