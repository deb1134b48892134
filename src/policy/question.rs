//! What a person is asked, and the proof of their yes.
//!
//! The policy says that somebody must be asked, by which channels and for how long; asking, waiting and using an
//! answer once is the business of [`crate::confirm`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::digest::{self, Digest, Fields};
use super::grant::Basis;
use super::quota::Quota;
use super::request::{Asked, Caller};
use crate::model::{InstanceId, QuestionId};

/// A rule's name, as the policy file gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(Arc<str>);

/// By what way a person can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// The operator, at the control socket or the console.
    Operator,
    /// Whoever sits at the client, which is trusted to ask a person (elicitation).
    User,
}

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Question {
    caller: Caller,
    asked: Asked,
    basis: Basis,
    by: Vec<Channel>,
    within: Duration,
    subject: Digest,
}

/// What binds a question to one asking of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The server that asks.
    pub instance: InstanceId,
    /// The question.
    pub question: QuestionId,
    /// When it is too late, in milliseconds since 1970.
    pub expires_unix_ms: u64,
}

/// A person's yes to one exact action. It is used up by [`super::Policy::judge`].
#[derive(Debug)]
pub struct Approval {
    action: Digest,
    binding: Binding,
    by: Channel,
}

impl RuleId {
    pub(crate) fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The rule that stands for the absence of any.
    pub(super) fn none() -> Self {
        Self::new("none")
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Channel {
    /// Its name in a policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::User => "user",
        }
    }
}

impl Question {
    pub(super) fn new(
        caller: &Caller,
        asked: &Asked,
        basis: Basis,
        by: Vec<Channel>,
        within: Duration,
        policy: &Digest,
    ) -> Self {
        Self {
            caller: caller.clone(),
            asked: asked.clone(),
            basis,
            by,
            within,
            subject: digest::subject(caller, asked, policy),
        }
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What they ask for, exactly.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The rule that wants a person's yes.
    pub fn rule(&self) -> &RuleId {
        &self.basis.rule
    }

    /// The channels whose yes counts; never empty.
    pub fn by(&self) -> &[Channel] {
        &self.by
    }

    /// How long the answer may take.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// What it will take of the bounds of rules.
    pub fn quotas(&self) -> &[Quota] {
        &self.basis.quotas
    }

    /// The digest of what is asked for, by whom and by which policy: the same for identical retries.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// The digest of this asking of it: what a person approves.
    pub fn action(&self, binding: &Binding) -> Digest {
        binding.action(&self.subject)
    }
}

impl Binding {
    fn action(&self, subject: &Digest) -> Digest {
        Fields::new("terrarium approval 1")
            .text(&self.instance.to_string())
            .text(&self.question.to_string())
            .number(self.expires_unix_ms)
            .bytes(subject.bytes())
            .end()
    }
}

impl Approval {
    /// A person said yes to `action`, which is what [`Question::action`] gave when they were asked. Only
    /// [`crate::confirm`] calls this, once for each question and before it expires.
    pub(crate) fn given(action: Digest, binding: Binding, by: Channel) -> Self {
        Self { action, binding, by }
    }

    /// Whether it is a yes to this question, as it is now.
    pub(super) fn answers(&self, question: &Question) -> bool {
        self.action == question.action(&self.binding) && question.by.contains(&self.by)
    }

    /// By which channel.
    #[cfg(test)]
    pub(crate) fn by(&self) -> Channel {
        self.by
    }
}
