//! The tools, and the whole story of a call: asked, admitted, decided (perhaps after a question to a person),
//! done. Each word is on record before the next happens.
//!
//! A tool turns its arguments into a request and an allowed request into an act; who may ask is the
//! policy's business, and how a call arrives and how its answer leaves is the server's.

mod act;
mod answer;
mod arguments;
pub mod compat_ht;
mod definition;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub(crate) mod guess;
mod hf;
mod left_out;
mod listed;
pub(crate) mod picture;
pub mod resources;
mod schema;
mod tally;
pub mod terminal_close;
pub mod terminal_exec;
pub mod terminal_list;
pub mod terminal_open;
pub mod terminal_read;
pub mod terminal_resize;
pub mod terminal_run;
pub mod terminal_send;
pub mod terminal_signal;
pub mod terminal_snapshot;
pub mod terminal_wait;
mod touched;
mod understand;
mod until;

pub use definition::{Definition, Hints, definitions};
pub use error::ToolError;
pub use hf::{HfTool, tools as hf_tools};
pub use listed::{Around, Listed, canonical, known, listed, own_name};
pub use tally::misfit;

use act::Act;
use understand::understand;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::audit::{Audit, Closing, Decision, Entry, Facts, Outcome};
use crate::confirm::{AskUser, Confirm, Lockdown};
use crate::hf::{Hf, HfError};
use crate::limits::{Alerts, Budget, CallPermit, Limits};
use crate::model::Workspace;
use crate::policy::{Approval, Asked, Caller, Current, Effect, Grant, Judgement, Request, SessionGrant};
use crate::profile::Profiles;
use crate::sandbox::Launchers;
use crate::session::{Session, Sessions};

/// All that a call may need. One for each server.
#[derive(Debug)]
pub struct Services {
    /// Who may ask for what.
    pub policy: Current,
    /// How much may be going on.
    pub limits: Limits,
    /// How often, and how much in all.
    pub budget: Budget,
    /// What notices a caller that is denied again and again.
    pub alerts: Alerts,
    /// The record.
    pub audit: Audit,
    /// What asks a person.
    pub confirm: Confirm,
    /// Whether everything is refused.
    pub lockdown: Lockdown,
    /// What runs or ran.
    pub sessions: Sessions,
    /// The sandbox profiles there are.
    pub profiles: Profiles,
    /// What starts sandboxes.
    pub launchers: Launchers,
    /// Where commands work.
    pub workspace: Workspace,
    /// Another server's tools, offered besides ours.
    pub compat: Option<Compat>,
    /// Hack Forums, where the operator configured it.
    pub hf: Option<Hf>,
}

/// A server whose tools are offered besides ours, for clients that were written for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// ht-mcp 0.1.3.
    HtMcp,
}

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments, unchecked.
    pub arguments: Map<String, Value>,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// For people and agents; complete alone.
    pub text: String,
    /// Numbers and handles, after the tool's output schema.
    pub structured: Value,
}

type ParseResult = Result<(Request, Act), ToolError>;
type ReplyResult = Result<Reply, ToolError>;

/// Runs one tool call. Dropping the future ends the command that it started, if any.
pub async fn run(
    services: &Services,
    caller: &Caller,
    call: ToolCall,
    user: Option<&dyn AskUser>,
    cancelled: CancellationToken,
) -> Result<Reply, ToolError> {
    let (mut entry, asked, act) = begin(services, caller, call).await?;
    let judged = decide(services, caller, (&asked, &act), user, &mut entry, &cancelled).await;
    let (entry, grant, (permit, turn)) = decided(services, caller, entry, &asked, judged).await?;
    tally::allowed(asked.request.tool());
    let reply = act.apply(services, caller, grant, turn, cancelled).await;
    drop(permit);
    if let Err(error) = &reply {
        tally::failed(asked.request.tool(), error);
    }
    let outcome = match &reply {
        Ok(_) => Outcome::Done,
        Err(ToolError::Cancelled) => Outcome::Cancelled,
        Err(ToolError::Hf(HfError::Unknown { .. })) => Outcome::Unknown,
        Err(_) => Outcome::Failed,
    };
    let closing = entry.done(outcome, &facts(&reply)).await;
    reply.map(|reply| reply.closed(&closing))
}

/// What the record says of an answer.
fn facts(reply: &ReplyResult) -> Facts {
    let Ok(reply) = reply else { return Facts::default() };
    let number = |name: &str| reply.structured.get(name).and_then(Value::as_i64);
    let session = reply.structured.get("session").and_then(Value::as_str);
    Facts {
        session: session.map(str::to_owned),
        exit_code: number("exit_code"),
        signal: number("signal"),
    }
}

impl Reply {
    /// What was done stays done when its record could not be closed; but the caller is told.
    fn closed(mut self, closing: &Closing) -> Self {
        if let Closing::Late(error) = closing {
            self.text.push_str(&format!(
                "\nwarning: this was done, but its closing record was not written, and until it is every call is \
                 refused: {error}\n"
            ));
        }
        self
    }
}

/// Whether a call is allowed now, without a person's yes; counted and recorded as the call.
async fn permitted(services: &Services, caller: &Caller, call: ToolCall) -> Result<(), ToolError> {
    let (mut entry, asked, _) = begin(services, caller, call).await?;
    let judged = judged(services, caller, &asked, &mut entry).await;
    let (entry, ..) = decided(services, caller, entry, &asked, judged.map(|grant| (grant, ()))).await?;
    // Nothing was done that could be undone: a late record shows in the log, and in the next call's refusal.
    let (Closing::Recorded | Closing::Late(_)) = entry.done(Outcome::Done, &Facts::default()).await;
    Ok(())
}

/// Counts a call, puts it on record, and finds out what it means.
async fn begin<'a>(
    services: &'a Services,
    caller: &'a Caller,
    call: ToolCall,
) -> Result<(Entry<'a>, Asked, Act), ToolError> {
    tally::came(services, caller).await?;
    let entry = services.audit.asked(caller, &call.name, &call.arguments).await?;
    match understand(services, caller, call) {
        Ok((asked, act)) => Ok((entry, asked, act)),
        Err(error) => {
            entry.refused(error.kind()).await;
            tally::misunderstood(services, caller).await;
            Err(error)
        }
    }
}

/// Puts on record what was decided of a call. It goes on only if that could be written.
async fn decided<'a, T>(
    services: &Services,
    caller: &Caller,
    mut entry: Entry<'a>,
    asked: &Asked,
    judged: Result<(Grant, T), ToolError>,
) -> Result<(Entry<'a>, Grant, T), ToolError> {
    let tool = asked.request.tool();
    let session = asked.request.session().map(|session| session.to_string());
    let decision = |rule| Decision {
        rule,
        profile: asked.request.profile(),
        session: session.as_deref(),
        durable: matches!(&asked.request, Request::Hf(hf) if hf.effect == Effect::Write),
    };
    match judged {
        Ok((grant, with)) => match entry.allowed(decision(Some(grant.rule().as_str()))).await {
            Ok(()) => Ok((entry, grant, with)),
            Err(error) => {
                entry.refused("audit").await;
                Err(error.into())
            }
        },
        Err(ToolError::Denied { reason }) => {
            let rule = reason.rule();
            entry.denied(&reason.to_string(), decision(Some(rule.as_str()))).await;
            tally::denied(services, caller, tool, &reason).await;
            Err(ToolError::Denied { reason })
        }
        Err(error) => {
            entry.refused(error.kind()).await;
            tally::refused(services, caller, tool, &error).await;
            Err(error)
        }
    }
}

/// As [`decide`], but nobody is asked.
async fn judged(
    services: &Services,
    caller: &Caller,
    asked: &Asked,
    entry: &mut Entry<'_>,
) -> Result<Grant, ToolError> {
    services.limits.count(caller, asked.request.tool())?;
    let _permit = services.limits.admit(caller)?;
    services.unlocked(&asked.request)?;
    match judge(services, caller, asked, None, entry) {
        Judgement::Allowed(grant) => {
            services.budget.reserve(&grant.basis().quotas).await?;
            Ok(grant)
        }
        Judgement::Denied(reason) => Err(ToolError::Denied { reason }),
        Judgement::Confirm(_) => Err(ToolError::NotByResource),
    }
}

/// Admitted and judged; where the policy wants a person's yes, asked for it; where it must wait for its turn, waited; and
/// after either admitted and judged again, by the policy and under the lockdown that hold then.
async fn decide(
    services: &Services,
    caller: &Caller,
    (asked, act): (&Asked, &Act),
    user: Option<&dyn AskUser>,
    entry: &mut Entry<'_>,
    cancelled: &CancellationToken,
) -> Result<(Grant, (CallPermit, Option<act::Turn>)), ToolError> {
    services.limits.count(caller, asked.request.tool())?;
    let mut approval = None;
    loop {
        let permit = services.limits.admit(caller)?;
        services.unlocked(&asked.request)?;
        let mut judgement = judge(services, caller, asked, None, entry);
        if let (Judgement::Confirm(question), None) = (&judgement, &approval) {
            act.ready(services)?; // nobody is asked about what would not be done
            drop(permit); // a person may think for minutes
            services.budget.has_room(question.quotas()).await?;
            tally::asked(asked.request.tool());
            approval = tokio::select! {
                approval = services.confirm.ask(question, entry, user, cancelled) => Some(approval?),
                () = cancelled.cancelled() => return Err(ToolError::Cancelled),
            };
            continue;
        }
        let mut turn = None;
        if !matches!(judgement, Judgement::Denied(_)) {
            turn = tokio::select! {
                turn = act.turn(services, caller) => turn?,
                () = cancelled.cancelled() => return Err(ToolError::Cancelled),
            };
        }
        if turn.is_some() || approval.is_some() {
            services.unlocked(&asked.request)?;
            judgement = judge(services, caller, asked, approval.take(), entry);
        }
        match judgement {
            Judgement::Allowed(grant) => {
                act.ready(services)?; // what is refused here is not counted
                services.budget.reserve(&grant.basis().quotas).await?;
                return Ok((grant, (permit, turn)));
            }
            Judgement::Denied(reason) => return Err(ToolError::Denied { reason }),
            Judgement::Confirm(_) => {} // the policy changed while it waited: asked in the next round
        }
    }
}

/// What the policy in force says, which the record names from here on.
fn judge(
    services: &Services,
    caller: &Caller,
    asked: &Asked,
    approval: Option<Approval>,
    entry: &mut Entry<'_>,
) -> Judgement {
    let policy = services.policy.get();
    entry.judged_by(policy.revision());
    policy.judge(caller, asked, approval)
}

impl Services {
    /// In a lockdown sessions can be listed and closed, and nothing else is done.
    fn unlocked(&self, request: &Request) -> Result<(), ToolError> {
        match request {
            Request::List | Request::Close { .. } => Ok(()),
            _ => Ok(self.lockdown.check()?),
        }
    }

    /// Starts nothing more and ends all that runs, within `patience`.
    pub async fn end(&self, grace: std::time::Duration, patience: std::time::Duration) {
        self.limits.end();
        self.sessions.end(grace, patience).await;
        tally::rest(self).await;
    }

    /// Ends what one caller has running and what they wait for, and forgets it. Their calls were cancelled before.
    pub async fn end_of(&self, caller: &Caller, grace: std::time::Duration) {
        self.confirm.forget(caller);
        self.sessions.end_of(caller, grace).await;
    }

    /// The session that a grant is for.
    fn granted(&self, caller: &Caller, grant: &SessionGrant) -> Result<Session, ToolError> {
        match grant.request() {
            Request::Observe { session, .. } | Request::Act { session, .. } | Request::Close { session } => {
                Ok(self.sessions.get(caller, *session)?)
            }
            Request::List | Request::Launch(_) | Request::Hf(_) => Err(ToolError::WrongGrant),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
