//! Who hears of an answer, and the record of those that no call hears.

use super::Answer;
use crate::audit::{Audit, Event};
use crate::model::QuestionId;

/// Who hears of an answer when it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A call that waits for it, and records it.
    ByCall,
    /// Nobody: its caller gave up, or will call again.
    ByNobody,
}

impl Heard {
    /// Records an answer of the operator's that no call records.
    pub async fn note(self, audit: &Audit, answer: Answer, id: QuestionId, by: &str) {
        let event = match answer {
            Answer::Yes => Event::Approved,
            Answer::No => Event::Declined,
        };
        let why = format!("question {id}, for which no call waits now");
        if self == Self::ByNobody
            && let Err(error) = audit.note(event, by, &why).await
        {
            tracing::error!(target: "audit", %error, question = %id, "an answer is not on record");
        }
    }
}
