//! One line of the audit, as it is written and as it is read later.
//!
//! A line is one JSON object. Fields that do not apply are left out. Version 1 has the fields of [`Line`]; a
//! later version may add some, and a reader refuses a version that it does not know.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::InstanceId;

/// The version of the schema that is written.
pub const VERSION: u32 = 1;
/// Bytes of any text in a line: names and reasons are shorter, and what a caller wrote is cut.
pub(super) const TEXT: usize = 512;

/// The number of a call: the server that took it, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    instance: InstanceId,
    number: u64,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<'a> {
    /// The schema's version.
    pub v: u32,
    /// The position in the chain, from 1; it goes on from file to file.
    pub n: u64,
    /// When it was written (UTC, RFC 3339, microseconds).
    pub time: Cow<'a, str>,
    /// Which process wrote it: 32 random hexadecimal digits.
    pub instance: Cow<'a, str>,
    /// What is said.
    pub event: Event,
    /// Of which call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Cow<'a, str>>,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Cow<'a, str>>,
    /// The tool, as the caller named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<Cow<'a, str>>,
    /// The size of its arguments as compact JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument_bytes: Option<u64>,
    /// HMAC-SHA-256 of its arguments under the key of this installation; what is typed counts by its size only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Cow<'a, str>>,
    /// The policy that decided: its revision, or its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Cow<'a, str>>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Cow<'a, str>>,
    /// The profile of the sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Cow<'a, str>>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Cow<'a, str>>,
    /// The question that a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<Cow<'a, str>>,
    /// By whom, or through what, something was said: an approval, a lockdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Cow<'a, str>>,
    /// Why: the kind of a refusal, the text of an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Cow<'a, str>>,
    /// How it ended: `done`, `failed`, `outcome unknown`, or `cancelled, outcome unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Cow<'a, str>>,
    /// The command's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The signal that ended the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i64>,
    /// The process that writes from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Cow<'a, str>>,
    /// Another file of the audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Cow<'a, str>>,
    /// The last hash of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Cow<'a, str>>,
    /// Bytes of a line before this one that was never completed: its writer was killed, or the disk was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn: Option<u64>,
    /// It could not be written when it happened, and was written later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// The hash of the line before.
    pub prev: Cow<'a, str>,
}

/// What a line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A process writes from here on. First in every file.
    #[default]
    Opened,
    /// The process ended in good order.
    Ended,
    /// The chain goes on in another file. Last in a file.
    Rotated,
    /// A file was removed, for its age or for the size of all.
    Retired,
    /// A call came in.
    Asked,
    /// It was refused before the policy saw it.
    Refused,
    /// The policy allowed it.
    Allowed,
    /// The policy denied it.
    Denied,
    /// A person is asked.
    Question,
    /// They said yes.
    Approved,
    /// They said no, or nothing in time.
    Declined,
    /// A call came to an end.
    Done,
    /// Something that the operator should see.
    Alert,
    /// Lockdown began.
    Locked,
    /// Lockdown ended.
    Unlocked,
    /// The operator logged in at the console.
    Login,
    /// Another policy holds from here on.
    Policy,
    /// The operator may type into a session from here on.
    Attached,
    /// They no longer do.
    Detached,
}

/// How a call came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked was done; how a command ended is not the question here.
    Done,
    /// It could not be done.
    Failed,
    /// Nobody waited for the end.
    Cancelled,
    /// It was sent, and whether it was done is not known.
    Unknown,
}

/// What is known of the end of a call besides its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The session.
    pub session: Option<String>,
    /// The command's exit code.
    pub exit_code: Option<i64>,
    /// The signal that ended the command.
    pub signal: Option<i64>,
}

impl CallId {
    pub(super) fn new(instance: InstanceId, number: u64) -> Self {
        Self { instance, number }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance = self.instance.to_string();
        // As much of it as tells servers apart, for people who copy it.
        write!(f, "{}-{}", instance.get(..8).unwrap_or(&instance), self.number)
    }
}

impl Outcome {
    /// As it stands in the line.
    pub fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled, outcome unknown",
            Self::Unknown => "outcome unknown",
        }
    }
}

impl<'a> Line<'a> {
    /// Writes it to the log.
    pub(super) fn log(&self) {
        tracing::info!(
            target: "audit",
            call = self.call.as_deref(),
            caller = self.caller.as_deref(),
            tool = self.tool.as_deref(),
            profile = self.profile.as_deref(),
            rule = self.rule.as_deref(),
            why = self.why.as_deref(),
            question = self.question.as_deref(),
            argument_bytes = self.argument_bytes,
            exit_code = self.exit_code,
            "{}", self.outcome.as_deref().map_or_else(|| self.event.name(), str::to_owned)
        );
    }

    /// The same without what it borrows; `None` if it is no line that could be written at all.
    pub(super) fn to_owned_line(&self) -> Option<Line<'static>> {
        serde_json::from_value(serde_json::to_value(self).ok()?).ok()
    }

    /// All texts that somebody else may have written.
    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut Cow<'a, str>> {
        let all = [
            &mut self.caller,
            &mut self.tool,
            &mut self.policy,
            &mut self.rule,
            &mut self.profile,
            &mut self.session,
            &mut self.question,
            &mut self.by,
            &mut self.why,
        ];
        all.into_iter().flatten()
    }
}

impl Event {
    /// As it stands in the line.
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default() // a variant without fields is a string
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
