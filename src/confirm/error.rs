//! Why there is no yes, and why an answer does not count.

use super::Shown;
use super::preview::FORM;
use crate::audit::AuditError;
use crate::model::QuestionId;
use crate::policy::{Channel, RuleId};

/// Why there is no yes.
#[derive(Debug, thiserror::Error)]
pub enum Unapproved {
    /// Nobody can be asked.
    #[error(
        "rule {:?} needs a person's yes, and none of those it names ({}) can be asked; hint: the operator is reached \
         with `terrarium approvals` while the server runs with a control socket (XDG_RUNTIME_DIR or XDG_STATE_HOME \
         writable), the user through a client that supports elicitation", rule.as_str(), names(by)
    )]
    NoChannel {
        /// The rule that asks for it.
        rule: RuleId,
        /// Whom it names.
        by: Vec<Channel>,
    },
    /// The client's form cannot show it.
    #[error(
        "rule {:?} needs the yes of the client's user, and what they would have to read is longer than the {FORM} \
         characters that a form is trusted to show; hint: ask for less at a time, or let the operator answer, who can \
         read all of it (`confirm: {{by: [operator]}}`)", rule.as_str()
    )]
    TooLong {
        /// The rule that asks for it.
        rule: RuleId,
    },
    /// Too many wait.
    #[error(
        "{0} questions wait for a person or were answered just now, which is the limit; hint: wait until the operator \
         has answered them (terrarium approvals list)"
    )]
    Queue(usize),
    /// They said no.
    #[error("declined by {by} (question {id}); do not ask again for the same")]
    Declined {
        /// Which question.
        id: QuestionId,
        /// By whom.
        by: String,
    },
    /// Nobody answered.
    #[error(
        "nobody answered question {id} in time; hint: ask the operator to look at `terrarium approvals`, then call again"
    )]
    Expired {
        /// Which question.
        id: QuestionId,
    },
    /// Another call with the same arguments has the one yes that was given.
    #[error("question {id} was approved once, and an identical call of yours has used that; its answer is the answer")]
    Used {
        /// Which question.
        id: QuestionId,
    },
    /// The call was cancelled before anybody was asked.
    #[error("the call was cancelled")]
    Cancelled,
    /// The client asks its user and calls again.
    #[error("the client is to ask its user question {} and to call again", .0.id)]
    Later(Box<Shown>),
    /// The record cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// There are no random numbers.
    #[error("cannot get random numbers")]
    Random(#[from] getrandom::Error),
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// There is no such question.
    #[error("there is no such question, or it has expired")]
    Unknown,
    /// It is another one than was shown.
    #[error("the question is not the one that was shown: its digest is another")]
    Other,
    /// It was answered.
    #[error("the question was answered already")]
    Answered,
    /// The rule asks somebody else.
    #[error("the rule does not let this channel answer")]
    Channel,
}

fn names(by: &[Channel]) -> String {
    by.iter().map(|channel| channel.name()).collect::<Vec<_>>().join(", ")
}
