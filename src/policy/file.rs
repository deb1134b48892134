//! A policy as written: the `policy` section of `terrarium.yaml`.
//!
//! Nothing is checked here but the shape; what it means, and whether it can mean anything, is found out in `load`.
//! The documentation of the fields is what `terrarium config schema` and `docs/configuration.md` show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::yaml::{At, Setting};

/// Who may ask for what. What no rule allows is denied.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// The operator's own name for this state of the policy; it is in every audit record.
    pub revision: At<String>,
    /// The rules. Deny comes before confirm, confirm before allow; their order decides only which rule is named.
    pub rules: At<Vec<At<RuleFile>>>,
    /// How often tools may be called, each caller counted alone.
    #[serde(default)]
    pub rates: Vec<At<RateFile>>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its name: small letters, digits and hyphens; denials and audit records name it.
    pub id: At<String>,
    /// What becomes of a request that it speaks of.
    pub effect: At<RuleEffect>,
    /// Whom it speaks of: `local` is the process on standard input, `token:NAME` the holder of a bearer token; `*` stands
    /// for any text. Needed to allow; left out elsewhere it is everybody.
    #[serde(default)]
    pub callers: Setting<Vec<At<String>>>,
    /// The tools, by name; `*` stands for any text, as in `terminal_*`.
    pub tools: At<Vec<At<String>>>,
    /// The sandbox profiles that may be asked for; needed to allow or confirm tools that start a sandbox. In a deny rule
    /// also the profile of the session that is used.
    #[serde(default)]
    pub profiles: Setting<Vec<At<String>>>,
    /// A JSON Schema for each argument that the rule speaks of. All of them must be given, and hold. Patterns must match the
    /// whole text.
    #[serde(default)]
    pub arguments: Setting<BTreeMap<String, At<Value>>>,
    /// Those of `arguments` that may be left out.
    #[serde(default)]
    pub optional: Setting<Vec<At<String>>>,
    /// What becomes of arguments that are not listed and differ from their default. Default: refuse.
    #[serde(default)]
    pub others: Setting<Others>,
    /// How often what the rule speaks of may happen, counted over all servers of this user and over restarts.
    #[serde(default)]
    pub at_most: Setting<AtMostFile>,
    /// How much an argument may add up to, counted in the same way.
    #[serde(default)]
    pub spend: Setting<SpendFile>,
    /// Whose yes is needed; for the effect `confirm`, and only for it.
    #[serde(default)]
    pub confirm: Setting<ConfirmFile>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum RuleEffect {
    /// It is denied, whatever other rules say.
    Deny,
    /// A person is asked.
    Confirm,
    /// It is allowed.
    Allow,
}

/// What becomes of arguments that a rule does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Others {
    /// They may be anything.
    Allow,
    /// They must be left out, or be what they are when left out.
    Refuse,
}

/// How often.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtMostFile {
    /// How many times, 1 to 10000.
    pub times: At<u64>,
    /// In which time, looking back from now.
    pub per: Period,
}

/// How much.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendFile {
    /// The argument that is added up; a whole number.
    pub field: At<String>,
    /// The sum that may be reached.
    pub at_most: At<u64>,
    /// In which time, looking back from now.
    pub per: Period,
}

/// A time to look back on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Period {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

/// Whose yes is needed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmFile {
    /// Whose yes counts: the `operator`'s, at the server; the `user`'s, at the client, which is trusted to ask a person.
    pub by: At<Vec<At<ChannelName>>>,
    /// How long the answer may take, 10s to 24h.
    #[schemars(with = "String")]
    pub within: At<String>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ChannelName {
    /// The operator.
    Operator,
    /// The user.
    User,
}

/// How often tools may be called.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateFile {
    /// The tools that are counted together; `*` stands for any text.
    pub tools: At<Vec<At<String>>>,
    /// How many calls in which time: `60/min`; the time is `s`, `min`, `h` or `day`.
    pub limit: At<String>,
    /// How many of them may come at once, before the others are spread over the time. Default: all.
    #[serde(default)]
    pub at_once: Setting<u32>,
}
