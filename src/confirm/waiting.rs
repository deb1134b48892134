//! One question, and what becomes of it.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::preview::{self, Extent, Preview};
use super::{Answer, Shown, Unapproved};
use crate::audit::Redactor;
use crate::model::{InstanceId, QuestionId};
use crate::policy::{Approval, Binding, Channel, Digest, Question};

/// One question.
pub(super) struct Waiting {
    pub(super) id: QuestionId,
    pub(super) question: Question,
    pub(super) binding: Binding,
    pub(super) action: Digest,
    preview: Preview,
    /// By the clock that nobody can set.
    pub(super) expires: Instant,
    pub(super) answer: watch::Sender<State>,
}

/// What has become of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Yes {
        channel: Channel,
        by: String,
    },
    No {
        by: String,
    },
    /// One call has the yes, as soon as that is on record.
    Claimed {
        channel: Channel,
        by: String,
    },
    /// The yes was given out.
    Used,
}

/// Says nothing of what the caller wrote.
impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[question {}]", self.id)
    }
}

impl Waiting {
    pub(super) fn new(
        instance: InstanceId,
        question: &Question,
        redactor: &Redactor,
    ) -> Result<Self, getrandom::Error> {
        let id = QuestionId::random()?;
        let expires = SystemTime::now() + question.within();
        let since_1970 = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let binding = Binding {
            instance,
            question: id,
            expires_unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or_default(),
        };
        let action = question.action(&binding);
        let mut preview = preview::of(question, id, action, Extent::Brief);
        preview.text = preview::folded(&redactor.clean(&preview.text)); // a broken secret would not be found
        Ok(Self {
            id,
            binding,
            action,
            preview,
            expires: Instant::now() + question.within(),
            answer: watch::Sender::new(State::Open),
            question: question.clone(),
        })
    }

    /// What becomes of it; `Open` when it expires.
    pub(super) async fn ended(&self) -> State {
        let mut answer = self.answer.subscribe();
        let left = self.left();
        let answered = answer.wait_for(|state| !matches!(state, State::Open | State::Claimed { .. }));
        match tokio::time::timeout(left, answered).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => State::Open,
        }
    }

    /// What is left, by whichever clock says less.
    pub(super) fn left(&self) -> Duration {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(self.binding.expires_unix_ms);
        let wall = wall.duration_since(SystemTime::now()).unwrap_or_default();
        self.expires.saturating_duration_since(Instant::now()).min(wall)
    }

    pub(super) fn is_late(&self) -> bool {
        self.left() == Duration::ZERO
    }

    pub(super) fn is_open(&self) -> bool {
        *self.answer.borrow() == State::Open
    }

    pub(super) fn is_used(&self) -> bool {
        *self.answer.borrow() == State::Used
    }

    /// Whoever asked has gone: what was said to them is worth nothing.
    pub(super) fn withdraw(&self) {
        let by = "nobody: whoever asked may ask for nothing any more".to_owned();
        self.answer.send_replace(State::No { by });
    }

    /// Everything that would be approved, however long.
    pub(super) fn whole(&self, redactor: &Redactor) -> String {
        if self.preview.whole {
            return self.preview.text.clone();
        }
        let whole = preview::of(&self.question, self.id, self.action, Extent::Whole);
        preview::folded(&redactor.clean(&whole.text))
    }

    /// As [`Self::shown`], with everything that would be approved.
    pub(super) fn shown_whole(&self, redactor: &Redactor) -> Shown {
        Shown {
            preview: self.whole(redactor),
            whole: true,
            ..self.shown()
        }
    }

    pub(super) fn shown(&self) -> Shown {
        Shown {
            id: self.id,
            action: self.action,
            caller: self.question.caller().clone(),
            tool: self.question.asked().request.tool(),
            rule: self.question.rule().clone(),
            by: self.question.by().to_vec(),
            left: self.left(),
            preview: self.preview.text.clone(),
            whole: self.preview.whole,
            answered: match *self.answer.borrow() {
                State::Open => None,
                State::Yes { .. } | State::Claimed { .. } | State::Used => Some(Answer::Yes),
                State::No { .. } => Some(Answer::No),
            },
        }
    }
}

/// The one yes, in the hands of the call that is to have it. Dropped before [`Claim::used`] it is another's again: what
/// is not on record was given to nobody.
pub(super) struct Claim<'a> {
    waiting: &'a Waiting,
    channel: Channel,
    by: String,
}

impl<'a> Claim<'a> {
    /// The yes of this question, if nobody has it.
    pub(super) fn of(waiting: &'a Waiting) -> Option<Self> {
        let mut claim = None;
        waiting.answer.send_if_modified(|state| {
            let State::Yes { channel, by } = state.clone() else {
                return false;
            };
            *state = State::Claimed {
                channel,
                by: by.clone(),
            };
            claim = Some(Self { waiting, channel, by });
            true
        });
        claim
    }

    /// Who said yes.
    pub(super) fn by(&self) -> &str {
        &self.by
    }

    /// It is on record who has it. Whether it still counts.
    pub(super) fn used(self) -> Result<Approval, Unapproved> {
        let (waiting, id) = (self.waiting, self.waiting.id);
        let mine = self.becomes(State::Used);
        if waiting.is_late() {
            Err(Unapproved::Expired { id })
        } else if mine {
            Ok(Approval::given(waiting.action, waiting.binding, self.channel))
        } else {
            Err(Unapproved::Cancelled) // it was withdrawn
        }
    }

    fn becomes(&self, next: State) -> bool {
        self.waiting.answer.send_if_modified(|state| {
            let claimed = matches!(state, State::Claimed { .. });
            if claimed {
                *state = next;
            }
            claimed
        })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let (channel, by) = (self.channel, std::mem::take(&mut self.by));
        self.becomes(State::Yes { channel, by });
    }
}
