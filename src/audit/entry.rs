//! The record of one call, which goes through the call with it.

use super::record::{CallId, Event, Facts, Line, Outcome};
use super::settings::SyncMode;
use super::{Audit, AuditError};
use crate::policy::Caller;

/// What was decided about a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decision<'a> {
    /// The rule that decided.
    pub rule: Option<&'a str>,
    /// The profile, where one decides.
    pub profile: Option<&'a str>,
    /// The session, if it is about one.
    pub session: Option<&'a str>,
    /// Whether the act waits until the record is on the disk, whatever the mode: writes to the outside.
    pub durable: bool,
}

/// The record of one call. Dropped before [`Entry::done`] it says that the outcome is unknown.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(super) audit: &'a Audit,
    pub(super) call: CallId,
    pub(super) caller: Caller,
    pub(super) tool: String,
    pub(super) policy: Option<String>,
    pub(super) durable: bool,
    pub(super) open: bool,
}

/// Whether the record of an end was written.
#[derive(Debug)]
#[must_use]
pub enum Closing {
    /// It was.
    Recorded,
    /// It was not, and will be before anything else is done: until that works every call is refused.
    Late(AuditError),
}

impl Entry<'_> {
    /// The policy of this revision judges it, and is named by what is recorded of decisions from here on: another may be in
    /// force by then.
    pub fn judged_by(&mut self, revision: &str) {
        self.policy = Some(revision.to_owned());
    }

    /// The policy allowed it. What is done comes after this returns.
    pub async fn allowed(&mut self, decision: Decision<'_>) -> Result<(), AuditError> {
        self.durable |= decision.durable;
        let durable = self.durable || self.audit.mode() != SyncMode::Write;
        self.audit.write(&self.decided(Event::Allowed, decision), durable).await
    }

    /// The policy denied it, for this reason.
    pub async fn denied(mut self, why: &str, decision: Decision<'_>) {
        self.open = false;
        let line = Line {
            why: Some(why.into()),
            ..self.decided(Event::Denied, decision)
        };
        // Nothing was done: that the record is late shows in the log, and in the next call's refusal.
        let (Closing::Recorded | Closing::Late(_)) = self.close(line).await;
    }

    /// It was refused before the policy saw it, or by what comes after: bad arguments, a limit, a lockdown.
    pub async fn refused(mut self, why: &str) {
        let line = Line {
            event: Event::Refused,
            why: Some(why.into()),
            ..self.line()
        };
        self.open = false;
        let (Closing::Recorded | Closing::Late(_)) = self.close(line).await; // as above
    }

    /// A person is asked.
    pub async fn question(&self, question: &str, decision: Decision<'_>) -> Result<(), AuditError> {
        let line = Line {
            question: Some(question.into()),
            ..self.decided(Event::Question, decision)
        };
        self.audit.write(&line, self.audit.each()).await
    }

    /// They said yes. This is on the disk when it returns.
    pub async fn approved(&self, question: &str, by: &str) -> Result<(), AuditError> {
        self.answered(Event::Approved, question, by, None).await
    }

    /// They said no, or nothing in time.
    pub async fn declined(&self, question: &str, by: &str, why: &str) -> Result<(), AuditError> {
        self.answered(Event::Declined, question, by, Some(why)).await
    }

    async fn answered(&self, event: Event, question: &str, by: &str, why: Option<&str>) -> Result<(), AuditError> {
        let line = Line {
            event,
            question: Some(question.into()),
            by: Some(by.into()),
            why: why.map(Into::into),
            ..self.line()
        };
        self.audit.write(&line, true).await
    }

    /// It was done, or could not be. A failing record never turns a done action into an error.
    pub async fn done(mut self, outcome: Outcome, facts: &Facts) -> Closing {
        let line = Line {
            event: Event::Done,
            outcome: Some(outcome.text().into()),
            session: facts.session.as_deref().map(Into::into),
            exit_code: facts.exit_code,
            signal: facts.signal,
            ..self.line()
        };
        self.open = false;
        self.close(line).await
    }

    fn decided<'l>(&'l self, event: Event, decision: Decision<'l>) -> Line<'l> {
        Line {
            event,
            policy: self.policy.as_deref().map(Into::into),
            rule: decision.rule.map(Into::into),
            profile: decision.profile.map(Into::into),
            session: decision.session.map(Into::into),
            ..self.line()
        }
    }

    /// Who asks for what.
    pub(super) fn line<'l>(&self) -> Line<'l> {
        Line {
            call: Some(self.call.to_string().into()),
            caller: Some(self.caller.to_string().into()),
            tool: Some(self.tool.clone().into()),
            ..Line::default()
        }
    }

    async fn close(&self, line: Line<'_>) -> Closing {
        line.log();
        let Some(files) = &self.audit.files else {
            return Closing::Recorded;
        };
        let durable = self.durable || self.audit.each();
        let closed = match files.writer.write_or_keep(&line, durable) {
            Ok(ticket) => files.settle(ticket).await,
            Err(error) => Err(error.into()),
        };
        match closed {
            Ok(()) => Closing::Recorded,
            Err(error) => {
                tracing::error!(target: "audit", call = %self.call, %error, "a closing record is late");
                Closing::Late(error)
            }
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let line = Line {
            event: Event::Done,
            outcome: Some(Outcome::Cancelled.text().into()),
            ..self.line()
        };
        line.log();
        if let Some(files) = &self.audit.files
            && let Err(error) = files.writer.write_or_keep(&line, false)
        {
            tracing::error!(target: "audit", call = %self.call, %error, "a closing record is late");
        }
    }
}
