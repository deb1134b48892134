//! Asks a person, waits for the answer, and gives a yes out once.
//!
//! That somebody must be asked, and what a yes is worth, is the policy's business.

use crate::audit::Entry;
use crate::policy::{Approval, Caller, Question, RuleId};

/// Questions that wait for a person.
#[derive(Debug, Default)]
pub struct Confirm;

/// Why there is no yes.
#[derive(Debug, thiserror::Error)]
pub enum Unapproved {
    /// Nobody can be asked.
    #[error(
        "rule {:?} needs a person's yes, and this server has no way to ask one; hint: change the rule's effect, or leave \
         it to the operator", rule.as_str()
    )]
    NoChannel {
        /// The rule that asks for it.
        rule: RuleId,
    },
}

impl Confirm {
    /// Asks a person, and waits until they answer or the question expires.
    pub async fn ask(
        &self,
        _caller: &Caller,
        question: &Question,
        _entry: &mut Entry<'_>,
    ) -> Result<Approval, Unapproved> {
        Err(Unapproved::NoChannel {
            rule: question.rule().clone(),
        })
    }
}
