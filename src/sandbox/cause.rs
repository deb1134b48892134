//! Why a command ended before it ended by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::handle::{Ending, Stop};
use crate::profile::{Limits, Profile};

/// What ended a command before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A limit of its profile or call.
    Limit(Limit),
    /// [`Control::stop`](super::Control::stop).
    Stopped(Stop),
    /// The server, the launcher or init went away.
    Abandoned,
}

/// Limits that end a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Memory of all processes.
    Memory,
    /// Processes and threads at a time, where the kernel does not refuse more.
    Processes,
    /// Processor time of all processes.
    CpuTime,
    /// Time from start to end, as the profile sets it.
    WallTime,
    /// The same, as the call sets it.
    Timeout,
    /// Time without work.
    IdleTime,
    /// Bytes written to the workspace.
    WorkspaceGrowth,
    /// Files made in the workspace.
    WorkspaceFiles,
    /// Bytes written to the temporary directory, where it is no file system of its own.
    Tmp,
    /// Bytes in the home, where it is no file system of its own.
    Home,
    /// The file system of the workspace is nearly full.
    FreeSpace,
    /// The size of one file (SIGXFSZ).
    FileSize,
}

impl Cause {
    /// What ended a command, with the value of the limit.
    pub fn describe(self, limits: &Limits, timeout: Option<Duration>) -> String {
        let limit = match self {
            Self::Limit(Limit::Memory) => format!("memory ({})", limits.memory),
            Self::Limit(Limit::Processes) => format!("processes ({})", limits.processes),
            Self::Limit(Limit::CpuTime) => match limits.cpu_time {
                Some(time) => format!("cpu_time ({time})"),
                None => "cpu_time".to_owned(),
            },
            Self::Limit(Limit::WallTime) => format!("wall_time ({})", limits.wall_time),
            Self::Limit(Limit::Timeout) => format!("timeout_s ({})", timeout.unwrap_or_default().as_secs()),
            Self::Limit(Limit::IdleTime) => format!("idle_time ({})", limits.idle_time),
            Self::Limit(Limit::WorkspaceGrowth) => format!("workspace_growth ({})", limits.workspace_growth),
            Self::Limit(Limit::WorkspaceFiles) => format!("workspace_files ({})", limits.workspace_files),
            Self::Limit(Limit::Tmp) => format!("tmp ({})", limits.tmp),
            Self::Limit(Limit::Home) => format!("home ({})", limits.home),
            Self::Limit(Limit::FreeSpace) => "free space of the workspace's file system".to_owned(),
            Self::Limit(Limit::FileSize) => format!("file_size ({})", limits.file_size),
            Self::Stopped(Stop::Output) => format!("output ({})", limits.output),
            Self::Stopped(Stop::Closed) => return "close".to_owned(),
            Self::Stopped(Stop::Cancelled) => return "cancellation".to_owned(),
            Self::Stopped(Stop::Signal(number)) => return format!("signal {number}"),
            Self::Abandoned => return "the loss of a process of terrarium".to_owned(),
        };
        format!("limit: {limit}")
    }

    /// What to do about an end that the command did not choose. Nothing about one that somebody asked for.
    pub fn hint(self, profile: &Profile) -> Option<String> {
        let hint = match self {
            Self::Limit(Limit::Memory) => {
                return Some(format!(
                    "hint: use less memory (fewer parallel jobs, smaller inputs){}",
                    or_larger(profile)
                ));
            }
            Self::Limit(Limit::Processes) => return Some(fewer_jobs(profile)),
            Self::Limit(Limit::CpuTime | Limit::WallTime) => "hint: split the work into several commands",
            Self::Limit(Limit::Timeout) => "hint: give a larger timeout_s if the command needs longer",
            Self::Limit(Limit::IdleTime) => {
                "hint: it neither read, printed nor worked, and no child of it ran; it may have waited for input"
            }
            Self::Limit(Limit::WorkspaceGrowth | Limit::WorkspaceFiles) => {
                "hint: remove what is not needed, or write less to the workspace"
            }
            Self::Limit(Limit::Tmp | Limit::Home) => "hint: large files belong in the workspace",
            Self::Limit(Limit::FreeSpace) => "hint: the disk is nearly full; free some space first",
            Self::Limit(Limit::FileSize) => "hint: write several smaller files",
            Self::Stopped(Stop::Output) => "hint: print less, or redirect it to a file in the workspace",
            Self::Stopped(Stop::Closed | Stop::Signal(_)) => return None,
            Self::Stopped(Stop::Cancelled) => "hint: run it again if you still need it",
            Self::Abandoned => "hint: run it again; if it happens again, the operator should look at the log",
        };
        Some(hint.to_owned())
    }
}

/// The shipped profile with the largest limits.
const LARGEST: &str = "build";

fn or_larger(profile: &Profile) -> String {
    match profile.name.as_str() {
        LARGEST => String::new(),
        _ => format!(", or profile {LARGEST}"),
    }
}

fn fewer_jobs(profile: &Profile) -> String {
    format!("hint: use fewer parallel jobs{}", or_larger(profile))
}

impl Ending {
    /// The limits that the command met and outlived, where the machine counts that.
    pub fn met(&self, profile: &Profile) -> Vec<String> {
        let limits = &profile.limits;
        let hint = fewer_jobs(profile);
        let mut met = Vec::new();
        if let Some(times) = self.usage.processes_refused.filter(|times| *times > 0) {
            met.push(format!(
                "limit: processes ({}): {times} more could not be started; {hint}",
                limits.processes
            ));
        }
        let kills = self.usage.memory_kills.filter(|kills| *kills > 0);
        if let Some(kills) = kills.filter(|_| self.cause != Some(Cause::Limit(Limit::Memory))) {
            met.push(format!(
                "limit: memory ({}): {kills} of its processes were ended; {hint}",
                limits.memory
            ));
        }
        met
    }
}
