//! Counts what ended commands that did not end by themselves.

use crate::sandbox::{Cause, Ending, Limit, Stop};

/// Commands that a limit ended, by the limit.
const LIMITS: &str = "terrarium_limit_kills_total";
/// Commands that a system call ended which their profile does not let be answered.
const SYSCALLS: &str = "terrarium_syscall_kills_total";

pub(super) fn ended(ending: &Ending) {
    if let Some(limit) = ending.cause.and_then(limit) {
        metrics::counter!(LIMITS, "limit" => limit).increment(1);
    }
    if ending.cause.is_none() && ending.status.is_forbidden_call() {
        metrics::counter!(SYSCALLS).increment(1);
    }
}

fn limit(cause: Cause) -> Option<&'static str> {
    let Cause::Limit(limit) = cause else {
        return (cause == Cause::Stopped(Stop::Output)).then_some("output");
    };
    Some(match limit {
        Limit::Memory => "memory",
        Limit::Processes => "processes",
        Limit::CpuTime => "cpu_time",
        Limit::WallTime => "wall_time",
        Limit::Timeout => "timeout",
        Limit::IdleTime => "idle_time",
        Limit::WorkspaceGrowth => "workspace_growth",
        Limit::WorkspaceFiles => "workspace_files",
        Limit::Tmp => "tmp",
        Limit::Home => "home",
        Limit::FreeSpace => "free_space",
        Limit::FileSize => "file_size",
    })
}
