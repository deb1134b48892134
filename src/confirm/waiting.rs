//! One question, and what becomes of it.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::{Answer, Shown, preview};
use crate::audit::Redactor;
use crate::model::{InstanceId, QuestionId};
use crate::policy::{Binding, Channel, Digest, Question};

/// One question.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: QuestionId,
    pub(super) question: Question,
    pub(super) binding: Binding,
    pub(super) action: Digest,
    preview: String,
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
    /// The yes was given out.
    Used,
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
        let preview = preview::of(question, id, action);
        Ok(Self {
            id,
            binding,
            action,
            preview: redactor.clean(&preview).into_owned(),
            expires: Instant::now() + question.within(),
            answer: watch::Sender::new(State::Open),
            question: question.clone(),
        })
    }

    /// What becomes of it; `Open` when it expires.
    pub(super) async fn ended(&self) -> State {
        let mut answer = self.answer.subscribe();
        let left = self.left();
        let answered = answer.wait_for(|state| *state != State::Open);
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

    pub(super) fn shown(&self) -> Shown {
        Shown {
            id: self.id,
            action: self.action,
            caller: self.question.caller().clone(),
            tool: self.question.asked().request.tool(),
            rule: self.question.rule().clone(),
            by: self.question.by().to_vec(),
            left: self.left(),
            preview: self.preview.clone(),
            answered: match *self.answer.borrow() {
                State::Open => None,
                State::Yes { .. } | State::Used => Some(Answer::Yes),
                State::No { .. } => Some(Answer::No),
            },
        }
    }
}
