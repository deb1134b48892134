//! A sandbox profile as meant: every name resolved, every size a number.
//!
//! Made only by [`super::load`] from a [`super::file::ProfileFile`]; nothing here reads a file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ByteCount, CpuShare, EnvName, EnvValue, Span};

/// What a sandbox may do.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name, as callers give it.
    pub name: String,
    /// One line for people and agents.
    pub summary: String,
    /// What it sees and may change.
    pub filesystem: Filesystem,
    /// What it may connect to.
    pub network: Network,
    /// Whether namespaces beyond the floor must be had.
    pub isolation: Enforcement,
    /// Which system calls work.
    pub syscalls: Syscalls,
    /// What its processes may use together.
    pub limits: Limits,
    /// Which variables it gets.
    pub environment: Environment,
}

/// Files and directories.
#[derive(Clone, Debug)]
pub struct Filesystem {
    /// What the workspace may be used for.
    pub workspace: WorkspaceAccess,
    /// Paths that may be read.
    pub read: Vec<PathRule>,
    /// Paths whose programs may be run; readable too.
    pub execute: Vec<PathRule>,
    /// Paths in the workspace, relative, that the host may run later: kept from change.
    pub protect: Vec<PathBuf>,
    /// Where `HOME` is.
    pub home: Home,
    /// Whether memory and files can be both written and executed.
    pub write_and_execute: WriteAndExecute,
}

/// A path of the host that the sandbox sees, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// Absolute, or below the home directory of whoever runs the sandbox.
    pub path: HostPath,
    /// Whether a path that does not exist is passed over instead of refused.
    pub presence: Presence,
    /// Why the sandbox needs it.
    pub reason: Option<String>,
}

/// Where a path starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPath {
    /// From the root: normal components only, no `..`.
    Absolute(PathBuf),
    /// Below the home directory of the server's user, written `~/...`.
    Home(PathBuf),
}

/// What to do about a path that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Refuse to start.
    Required,
    /// Go on without it.
    IfThere,
}

/// What the workspace may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum WorkspaceAccess {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading, writing and running programs from it.
    ReadWriteExecute,
}

/// Where `HOME` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Home {
    /// Empty at start, gone at the end.
    Private,
    /// A directory kept for each caller and workspace.
    Kept,
}

/// Whether something can be written and then executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum WriteAndExecute {
    /// As on any machine: compilers and just-in-time compilers work.
    Allowed,
    /// Nothing outside the execute paths runs, and memory is never writable and executable (W^X).
    Denied,
}

/// What the sandbox may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Network {
    /// Its own loopback only.
    None,
    /// Whatever the host reaches.
    Host,
}

/// Whether a protection that this machine lacks stops the launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Enforcement {
    /// It does.
    Required,
    /// The sandbox starts without it and says so.
    Preferred,
}

/// The decision for every system call by name, and the reason.
#[derive(Clone, Debug)]
pub struct Syscalls {
    /// Every name of the table; a number that no table knows gets `ENOSYS`.
    pub rules: BTreeMap<&'static str, SyscallRule>,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyscallRule {
    /// What happens.
    pub action: SyscallAction,
    /// Why.
    pub reason: String,
}

/// What a system call gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyscallAction {
    /// It runs, subject to the conditions on its arguments.
    Allow,
    /// `EPERM`.
    Deny,
    /// `ENOSYS`: the C library falls back to an older call.
    Missing,
    /// `EOPNOTSUPP`: programs take the slow way that they know from other file systems.
    Unsupported,
}

/// What all processes of a sandbox may use together, unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Anonymous memory, tmpfs pages and page tables.
    pub memory: ByteCount,
    /// Processes and threads at a time.
    pub processes: u32,
    /// Share of the machine's processors, at least one whole.
    pub cpu: CpuShare,
    /// Processor time of all of them together.
    pub cpu_time: Option<Span>,
    /// Open descriptors of one process.
    pub open_files: u32,
    /// Size of one file.
    pub file_size: ByteCount,
    /// Size of `/tmp`.
    pub tmp: ByteCount,
    /// Size of `HOME`.
    pub home: ByteCount,
    /// Bytes by which the workspace may grow.
    pub workspace_growth: ByteCount,
    /// Files and directories by which the workspace may grow.
    pub workspace_files: u32,
    /// Bytes that a command without a terminal may print.
    pub output: ByteCount,
    /// Time from start to end.
    pub wall_time: Span,
    /// Time without input, output or work.
    pub idle_time: Span,
    /// Whether memory, processes and processors must be limited by the kernel.
    pub enforcement: Enforcement,
}

/// Which variables a command gets.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Taken over from the server's environment where set there.
    pub pass: Vec<EnvName>,
    /// Set to these values.
    pub set: BTreeMap<EnvName, EnvValue>,
}
