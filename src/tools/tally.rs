//! Counts what the gate decided, and speaks up about a caller that is denied again and again.

use super::{Services, ToolCall, ToolError};
use crate::audit::Event;
use crate::limits::{Refused, Unrecorded};
use crate::policy::{Caller, Reason};

/// Decisions by tool and decision: `allowed`, `asked`, `denied`, `refused`.
const DECISIONS: &str = "terrarium_decisions_total";
/// Denials by tool and kind of reason.
const DENIALS: &str = "terrarium_denials_total";
/// Calls that came too often, by tool.
const RATES: &str = "terrarium_rate_refusals_total";
/// Commands that were allowed and did not start, by tool and kind of reason.
const LAUNCHES: &str = "terrarium_launch_refusals_total";
/// Runs of denials that somebody should look at.
const ALERTS: &str = "terrarium_alerts_total";

/// Calls that were refused without a record of their own.
const FLOODS: &str = "terrarium_flood_refusals_total";

/// A call came, of which nothing is on record yet. One that is too many is refused, and counts as a denial.
pub(super) async fn came(services: &Services, caller: &Caller) -> Result<(), ToolError> {
    let (came, unrecorded) = services.limits.came(caller);
    if let Some(unrecorded) = unrecorded {
        note(services, &unrecorded).await;
    }
    if came.is_err() {
        metrics::counter!(FLOODS).increment(1);
        watch(services, caller).await;
    }
    Ok(came?)
}

/// The last word on calls without a record of their own.
pub(super) async fn rest(services: &Services) {
    for unrecorded in services.limits.unrecorded() {
        note(services, &unrecorded).await;
    }
}

/// A request that stands for no call that could be judged: counted and on record, as refused.
pub async fn misfit(services: &Services, caller: &Caller, call: &ToolCall, why: &str) -> Result<(), ToolError> {
    came(services, caller).await?;
    let entry = services.audit.asked(caller, &call.name, &call.arguments).await?;
    entry.refused(why).await;
    misunderstood(services, caller).await;
    Ok(())
}

/// A call that no tool could make sense of.
pub(super) async fn misunderstood(services: &Services, caller: &Caller) {
    services.limits.came_to_nothing(caller);
    watch(services, caller).await;
}

pub(super) fn allowed(tool: &'static str) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "allowed").increment(1);
}

pub(super) fn asked(tool: &'static str) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "asked").increment(1);
}

pub(super) async fn denied(services: &Services, caller: &Caller, tool: &'static str, reason: &Reason) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "denied").increment(1);
    metrics::counter!(DENIALS, "tool" => tool, "reason" => reason.kind()).increment(1);
    services.limits.came_to_nothing(caller);
    watch(services, caller).await;
}

pub(super) async fn refused(services: &Services, caller: &Caller, tool: &'static str, error: &ToolError) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "refused").increment(1);
    services.limits.came_to_nothing(caller);
    if let ToolError::Refused(Refused::Rate { .. } | Refused::Callers { .. }) = error {
        metrics::counter!(RATES, "tool" => tool).increment(1);
        watch(services, caller).await;
    }
}

/// An allowed call came to nothing.
pub(super) fn failed(tool: &'static str, error: &ToolError) {
    if let ToolError::Launch(error) = error {
        metrics::counter!(LAUNCHES, "tool" => tool, "reason" => error.kind()).increment(1);
    }
}

async fn watch(services: &Services, caller: &Caller) {
    let Some(alert) = services.alerts.denied(caller) else {
        return;
    };
    metrics::counter!(ALERTS).increment(1);
    tracing::warn!(
        caller = %alert.caller,
        denials = alert.denials,
        seconds = alert.seconds,
        "a caller is denied again and again; hint: look at what it tries, and lock it out if you must"
    );
    let why = format!("denied {} times in {} s", alert.denials, alert.seconds);
    alert_on_record(services, &alert.caller, &why).await;
}

async fn note(services: &Services, unrecorded: &Unrecorded) {
    let Unrecorded { caller, calls } = unrecorded;
    tracing::warn!(
        %caller, calls,
        "calls of a caller are refused without records of their own; hint: look at what it tries, and lock it out if you \
         must"
    );
    alert_on_record(services, caller, &unrecorded.to_string()).await;
}

async fn alert_on_record(services: &Services, caller: &Caller, why: &str) {
    let noted = services.audit.note(Event::Alert, &caller.to_string(), why).await;
    if let Err(error) = noted {
        // The call is refused as it is; the next one is for want of a record.
        tracing::error!(target: "audit", %error, "an alert is not on record");
    }
}
