//! What the operator decides in the console: approvals, lockdown, whether the record is whole.

use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Console;
use super::answer::{Refusal, done, found};
use crate::audit::{Event, read};
use crate::confirm::lockdown::{REASON, State};
use crate::confirm::{Answer, Unanswerable, quoted};
use crate::model::QuestionId;
use crate::policy::Channel;
use crate::server::web::body::Body;

/// Findings that are shown; the first say enough.
const FINDINGS: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    id: String,
    /// The digest of what was shown.
    action: String,
    approve: bool,
    reason: String,
    passphrase: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockdownWanted {
    on: bool,
    reason: String,
    passphrase: Option<String>,
}

impl Console {
    /// Answers a question, exactly as it was shown. A yes needs the passphrase, where there is one.
    pub(super) async fn decide(&self, given: Decision) -> Result<Response<Body>, Refusal> {
        let answer = if given.approve { Answer::Yes } else { Answer::No };
        if given.approve {
            self.check(given.passphrase).await?;
        }
        let id = QuestionId::parse(&given.id).ok_or_else(|| conflict("no question has such a number"))?;
        let by = match given.reason.trim() {
            "" => self.by(),
            reason => format!("{}, saying {}", self.by(), quoted(reason, REASON / 2)),
        };
        let confirm = &self.desk.services.confirm;
        let counted = confirm.answer(id, &given.action, answer, Channel::Operator, &by);
        let heard = counted.map_err(conflict)?;
        heard.note(&self.desk.services.audit, answer, id, &by).await;
        Ok(done())
    }

    /// All of what a question asks for.
    pub(super) async fn whole(&self, given: Wanted) -> Result<Response<Body>, Refusal> {
        let confirm = self.desk.services.confirm.clone();
        let id = QuestionId::parse(&given.id);
        let whole = tokio::task::spawn_blocking(move || id.and_then(|id| confirm.whole(id))).await;
        let whole = whole.map_err(unavailable)?;
        let whole = whole.ok_or_else(|| conflict(Unanswerable::Unknown))?;
        Ok(found(&json!({"preview": whole})))
    }

    /// Begins a lockdown, or lifts it, which needs the passphrase, where there is one.
    pub(super) async fn lockdown(&self, given: LockdownWanted) -> Result<Response<Body>, Refusal> {
        let services = &self.desk.services;
        let by = self.by();
        let reason = match given.reason.trim() {
            "" => "no reason given",
            reason => reason,
        };
        let reason: String = reason.chars().take(REASON).collect();
        let recorded = |event| services.audit.note(event, &by, &reason);
        if given.on {
            let state = State {
                since: crate::audit::now(),
                by: by.clone(),
                reason: reason.clone(),
            };
            // It holds also where the record cannot be written.
            let before = services.lockdown.begin(&state).map_err(unavailable)?;
            recorded(Event::Locked).await.map_err(unavailable)?;
            if let Some(before) = before {
                return Err(conflict(format!("locked already {}", before.in_words())));
            }
        } else if !matches!(services.lockdown.state(), Ok(None)) {
            // Where there is none nothing changes. One that cannot be read is one.
            self.check(given.passphrase).await?;
            recorded(Event::Unlocked).await.map_err(unavailable)?;
            services.lockdown.end().map_err(unavailable)?;
        }
        Ok(done())
    }

    /// Whether the chains of the record are whole, as far as that can be said without anchors.
    pub(super) async fn verify(&self) -> Response<Body> {
        let Some(directory) = self.desk.services.audit.directory().map(ToOwned::to_owned) else {
            return found(&json!({"whole": null, "text": "the record is not kept in files"}));
        };
        let report = tokio::task::spawn_blocking(move || read::verify(&directory, &[])).await;
        let (whole, text) = match report.map_err(std::io::Error::other) {
            Ok(Ok(report)) if report.wrong.is_empty() => (true, format!("whole: {}", report.extent())),
            Ok(Ok(report)) => {
                let found: Vec<String> = report.wrong.iter().take(FINDINGS).map(ToString::to_string).collect();
                (false, format!("NOT whole: {}", found.join("; ")))
            }
            Ok(Err(error)) | Err(error) => (false, format!("cannot be read: {error}")),
        };
        found(&json!({"whole": whole, "text": text}))
    }
}

fn conflict(why: impl ToString) -> Refusal {
    Refusal::Act(StatusCode::CONFLICT, why.to_string())
}

fn unavailable(why: impl ToString) -> Refusal {
    Refusal::Act(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
}
