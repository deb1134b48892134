//! Asks a person, waits for the answer, and gives a yes out once.
//!
//! That somebody must be asked, and what a yes is worth, is the policy's business. A question outlives the call that
//! asked it: clients give up sooner than people answer, and the identical call that comes later finds the question,
//! and its answer, again.

mod error;
mod heard;
pub mod lockdown;
pub mod passphrase;
mod preview;
#[cfg(test)]
mod tests;
mod waiting;

pub use error::{Unanswerable, Unapproved};
pub use heard::Heard;
pub use lockdown::{Lockdown, Locked};
pub use preview::quoted;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::audit::redact::RedactError;
use crate::audit::{Decision, Entry, Redactor};
use crate::model::{InstanceId, QuestionId};
use crate::policy::{Approval, Caller, Channel, Digest, Question, RuleId};
use waiting::{Claim, State, Waiting};

/// Questions that are remembered, all callers together: those that wait and those that were answered and are not
/// expired.
pub const QUESTIONS: usize = 64;
/// The same for one caller, so that another still can ask.
pub const QUESTIONS_PER_CALLER: usize = 16;

/// Questions that wait for a person. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Confirm(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    instance: InstanceId,
    redactor: Redactor,
    /// Whether the operator can be reached.
    operator: AtomicBool,
    questions: Mutex<Vec<Arc<Waiting>>>,
    changed: Changed,
}

/// Tells whoever watches that there is something new.
#[derive(Debug)]
struct Changed(watch::Sender<u64>);

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, exactly this, once.
    Yes,
    /// No.
    No,
}

/// A question as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub id: QuestionId,
    /// The digest of what is approved.
    pub action: Digest,
    /// Who asks.
    pub caller: Caller,
    /// The tool.
    pub tool: &'static str,
    /// The rule that wants a person's yes.
    pub rule: RuleId,
    /// Whose yes counts.
    pub by: Vec<Channel>,
    /// How long an answer is worth something.
    pub left: Duration,
    /// What a person must know, with what the caller wrote quoted below.
    pub preview: String,
    /// Whether that is all of it. If not, [`Confirm::whole`] has the rest, and the text says so.
    pub whole: bool,
    /// Whether somebody has answered, and what.
    pub answered: Option<Answer>,
}

/// Can ask the person at the client of the call.
pub trait AskUser: Send + Sync {
    /// Whether the client says that it can.
    fn can(&self) -> bool;

    /// Shows it to them. Dropping the future takes it back.
    fn ask<'a>(&'a self, shown: &'a Shown) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>>;
}

/// What came back from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// An answer.
    Answer(Answer),
    /// They closed the question, or the client failed: that is no yes, but another may still come.
    Nothing,
    /// The client is to call again with the answer.
    Later,
}

impl Confirm {
    /// For one server.
    pub fn new(instance: InstanceId, redactor: Redactor) -> Self {
        Self(Arc::new(Shared {
            instance,
            redactor,
            ..Shared::default()
        }))
    }

    /// Keeps a secret of the server's own out of all texts from now on.
    pub fn hide(&self, secret: &str) -> Result<(), RedactError> {
        self.0.redactor.add(secret)
    }

    /// From now on the operator can be reached.
    pub fn operator_listens(&self) {
        self.0.operator.store(true, Ordering::Relaxed);
    }

    /// Asks a person, and waits until they answer or the question expires. An identical call joins the question that
    /// waits. Dropping the future leaves the question. Once `cancelled` nothing is asked.
    pub async fn ask(
        &self,
        question: &Question,
        entry: &mut Entry<'_>,
        user: Option<&dyn AskUser>,
        cancelled: &CancellationToken,
    ) -> Result<Approval, Unapproved> {
        let able = user.filter(|user| question.by().contains(&Channel::User) && user.can());
        // Nobody agrees to what they cannot see.
        let user = able.filter(|_| preview::fits_a_form(question));
        let operator = question.by().contains(&Channel::Operator) && self.0.operator.load(Ordering::Relaxed);
        if user.is_none() && !operator {
            let rule = question.rule().clone();
            if able.is_some() {
                return Err(Unapproved::TooLong { rule });
            }
            return Err(Unapproved::NoChannel {
                rule,
                by: question.by().to_vec(),
            });
        }
        let (waiting, joined) = self.pose(question, cancelled)?;
        let id = waiting.id;
        let profile = question.asked().request.profile();
        let decision = Decision {
            rule: Some(question.rule().as_str()),
            profile,
            ..Decision::default()
        };
        entry.question(&id.to_string(), decision).await?;
        let ended = match user.filter(|_| !joined || waiting.is_open()) {
            Some(user) => self.with_user(&waiting, user, operator).await?,
            None => waiting.ended().await,
        };
        self.settle(&waiting, ended, entry).await
    }

    /// The question that is the same, or a new one.
    fn pose(&self, question: &Question, cancelled: &CancellationToken) -> Result<(Arc<Waiting>, bool), Unapproved> {
        let mut questions = self.questions();
        if cancelled.is_cancelled() {
            return Err(Unapproved::Cancelled); // `forget` may have been here before
        }
        let same = |waiting: &&Arc<Waiting>| waiting.question.subject() == question.subject();
        if let Some(waiting) = questions.iter().find(same) {
            return Ok((Arc::clone(waiting), true));
        }
        let of_caller = |waiting: &&Arc<Waiting>| waiting.question.caller() == question.caller();
        let own = questions.iter().filter(of_caller).count();
        if own >= QUESTIONS_PER_CALLER || questions.len() >= QUESTIONS {
            return Err(Unapproved::Queue(own.max(1)));
        }
        let waiting = Arc::new(Waiting::new(self.0.instance, question, &self.0.redactor)?);
        questions.push(Arc::clone(&waiting));
        drop(questions);
        self.0.changed.tell();
        Ok((waiting, false))
    }

    /// Asks the user of the client while the operator may answer too.
    async fn with_user(&self, waiting: &Arc<Waiting>, user: &dyn AskUser, operator: bool) -> Result<State, Unapproved> {
        let shown = waiting.shown_whole(&self.0.redactor);
        tokio::select! {
            biased;
            ended = waiting.ended() => Ok(ended),
            said = user.ask(&shown) => match said {
                Said::Answer(answer) => {
                    // If the operator was faster, theirs stands.
                    let action = waiting.action.to_string();
                    self.answer(waiting.id, &action, answer, Channel::User, "the user").ok(); // as said
                    Ok(waiting.ended().await)
                }
                Said::Later => Err(Unapproved::Later(Box::new(shown))),
                Said::Nothing if operator => Ok(waiting.ended().await),
                Said::Nothing => Ok(State::No { by: "nobody: the client's user closed the question".to_owned() }),
            },
        }
    }

    /// Gives the yes out, to one of those who wait for it.
    async fn settle(&self, waiting: &Waiting, ended: State, entry: &mut Entry<'_>) -> Result<Approval, Unapproved> {
        let id = waiting.id;
        match ended {
            State::Yes { .. } | State::Claimed { .. } | State::Used => {
                if let Some(claim) = Claim::of(waiting) {
                    entry.approved(&id.to_string(), claim.by()).await?;
                    let approval = claim.used();
                    self.0.changed.tell();
                    return approval;
                }
                let why = "used by an identical call";
                entry.declined(&id.to_string(), "nobody", why).await?;
                Err(Unapproved::Used { id })
            }
            State::No { by } => {
                entry.declined(&id.to_string(), &by, "no").await?;
                Err(Unapproved::Declined { id, by })
            }
            State::Open => {
                entry.declined(&id.to_string(), "nobody", "expired").await?;
                drop(self.questions()); // which forgets it
                self.0.changed.tell();
                Err(Unapproved::Expired { id })
            }
        }
    }

    /// A person answers a question that they were shown. Whether a call waits for it now, which puts it on record.
    pub fn answer(
        &self,
        id: QuestionId,
        action: &str,
        answer: Answer,
        channel: Channel,
        by: &str,
    ) -> Result<Heard, Unanswerable> {
        let questions = self.questions();
        let waiting = questions
            .iter()
            .find(|waiting| waiting.id == id)
            .ok_or(Unanswerable::Unknown)?;
        if waiting.action.to_string() != action {
            return Err(Unanswerable::Other);
        }
        if !waiting.question.by().contains(&channel) {
            return Err(Unanswerable::Channel);
        }
        let counted = waiting.answer.send_if_modified(|state| {
            let open = *state == State::Open;
            if open {
                let by = by.to_owned();
                *state = match answer {
                    Answer::Yes => State::Yes { channel, by },
                    Answer::No => State::No { by },
                };
            }
            open
        });
        let heard = match waiting.answer.receiver_count() {
            0 => Heard::ByNobody,
            _ => Heard::ByCall,
        };
        drop(questions);
        self.0.changed.tell();
        if counted {
            Ok(heard)
        } else {
            Err(Unanswerable::Answered)
        }
    }

    /// Drops the questions of a caller who may ask for nothing any more, whatever was said to them. Their calls were
    /// cancelled before, so that none asks again.
    pub fn forget(&self, caller: &Caller) {
        self.questions().retain(|waiting| {
            let theirs = waiting.question.caller() == caller;
            if theirs {
                waiting.withdraw();
            }
            !theirs
        });
        self.0.changed.tell();
    }

    /// All that are not expired, oldest first.
    pub fn list(&self) -> Vec<Shown> {
        self.questions().iter().map(|waiting| waiting.shown()).collect()
    }

    /// All of what a question asks for, as it is shown to whoever decides. As long as tools accept: some hundred MiB where
    /// a caller does its worst.
    pub fn whole(&self, id: QuestionId) -> Option<String> {
        let waiting = self.questions().iter().find(|waiting| waiting.id == id).cloned();
        waiting.map(|waiting| waiting.whole(&self.0.redactor))
    }

    /// Changes whenever [`Self::list`] does, other than by time.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.0.subscribe()
    }

    /// Those that are not expired.
    fn questions(&self) -> MutexGuard<'_, Vec<Arc<Waiting>>> {
        let mut questions = self.0.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.retain(|waiting| !waiting.is_late() && !waiting.is_used());
        questions
    }
}

impl Changed {
    fn tell(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

impl Default for Changed {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}
