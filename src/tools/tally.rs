//! Counts what the gate decided, and speaks up about a caller that is denied again and again.

use super::{Services, ToolError};
use crate::limits::Refused;
use crate::policy::{Caller, Reason};

/// Decisions by tool and decision: `allowed`, `asked`, `denied`, `refused`.
const DECISIONS: &str = "terrarium_decisions_total";
/// Denials by tool and kind of reason.
const DENIALS: &str = "terrarium_denials_total";
/// Calls that came too often, by tool.
const RATES: &str = "terrarium_rate_refusals_total";
/// Runs of denials that somebody should look at.
const ALERTS: &str = "terrarium_alerts_total";

pub(super) fn allowed(tool: &'static str) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "allowed").increment(1);
}

pub(super) fn asked(tool: &'static str) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "asked").increment(1);
}

pub(super) fn denied(services: &Services, caller: &Caller, tool: &'static str, reason: &Reason) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "denied").increment(1);
    metrics::counter!(DENIALS, "tool" => tool, "reason" => reason.kind()).increment(1);
    watch(services, caller);
}

pub(super) fn refused(services: &Services, caller: &Caller, tool: &'static str, error: &ToolError) {
    metrics::counter!(DECISIONS, "tool" => tool, "decision" => "refused").increment(1);
    if let ToolError::Refused(Refused::Rate { .. } | Refused::Callers { .. }) = error {
        metrics::counter!(RATES, "tool" => tool).increment(1);
        watch(services, caller);
    }
}

fn watch(services: &Services, caller: &Caller) {
    if let Some(alert) = services.alerts.denied(caller) {
        metrics::counter!(ALERTS).increment(1);
        tracing::warn!(
            caller = %alert.caller,
            denials = alert.denials,
            seconds = alert.seconds,
            "a caller is denied again and again; hint: look at what it tries, and lock it out if you must"
        );
    }
}
