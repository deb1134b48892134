//! What the launcher is told: everything that decides how a sandbox is built, and nothing else.
//!
//! It comes in two messages: what can be built before anybody asks for it, and what is to be run in it.
//! Made by the server from a grant and the machine's support; nothing here touches the kernel, so a
//! wrong spec is found by tests without a sandbox.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use rustix::process::Pid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file_id::FileId;
use super::protect::Depth;
use super::syscalls::Filter;
use crate::kernel::cgroup::{GroupLimits, Parent};

/// A sandbox without its command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Base {
    /// Its name, for the cgroup.
    pub(crate) name: String,
    /// Who the command is.
    pub(crate) identity: Identity,
    /// What is separated from the host.
    pub(crate) namespaces: Namespaces,
    /// The cgroup, where one is to be had.
    pub(crate) cgroup: Option<CgroupSpec>,
    /// A directory to make for this sandbox alone, with `home` and `tmp` in it.
    pub(crate) private: Option<PathBuf>,
    /// An interactive shell's program, and its copy in `private` that nobody may read.
    pub(crate) copy: Option<(PathBuf, PathBuf)>,
    /// The root directory, where there is a mount namespace.
    pub(crate) view: Option<View>,
    /// Landlock, where the kernel has it.
    pub(crate) landlock: Option<LandlockSpec>,
    /// The filter of the command.
    pub(crate) filter: Filter,
    /// The filter of pid 1.
    pub(crate) init_filter: Filter,
    /// Limits of each process: resource, soft, hard.
    pub(crate) rlimits: Vec<(Resource, u64, u64)>,
    /// So many processors at the most, where no cgroup limits them.
    pub(crate) processors: Option<u32>,
}

impl Base {
    /// As the launcher reads it. Bases are equal where these bytes are.
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Those of a sandbox's processes, from its pid 1 on, that are ours, and into which nobody may be able to look.
    pub(super) fn ours<'a>(&self, pids: &'a [Pid]) -> &'a [Pid] {
        // Our copy of a shell can be read by nobody: without a user namespace that we own it is not to be looked into either.
        let shell = self.copy.is_some() && !self.namespaces.user;
        pids.get(..if shell { 2 } else { 1 }).unwrap_or(pids)
    }

    /// Whether nothing in it depends on what else runs on the machine: only such sandboxes are built ahead.
    pub(crate) fn is_complete(&self) -> bool {
        let Namespaces { user, mount, pid, .. } = self.namespaces;
        user && mount && pid
    }
}

/// What is to be run in a sandbox. The command's standard input, output and error come along.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// What to run.
    pub(crate) command: CommandSpec,
    /// What an interactive shell finds at its start.
    pub(crate) startup: Option<StartupSpec>,
    /// A terminal of this size, opened inside; the descriptors passed are its stdio otherwise.
    pub(crate) terminal: Option<TerminalSpec>,
    /// What the launcher watches.
    pub(crate) watch: Watch,
}

/// What is there for an interactive shell alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StartupSpec {
    /// A directory to make as the sandbox's user, with these files in it.
    pub(crate) directory: PathBuf,
    /// Names and texts, which hold the session's secret.
    pub(crate) files: Vec<(String, Text)>,
}

/// A text that is not shown.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Text(pub(crate) String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text([redacted])")
    }
}

/// Users and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The user and group on the host.
    pub(crate) outside: (u32, u32),
    /// Whether the launcher is privileged enough to become them.
    pub(crate) change: bool,
}

/// New namespaces.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Namespaces {
    pub(crate) user: bool,
    pub(crate) mount: bool,
    pub(crate) pid: bool,
    pub(crate) network: bool,
    /// What the kernel counts for each user namespace is lowered.
    pub(crate) counts: bool,
    /// System V and POSIX IPC, host name, cgroup: had wherever any is to be had.
    pub(crate) others: bool,
}

impl Namespaces {
    /// The `CLONE_NEW*` bits.
    pub(crate) fn flags(self) -> i32 {
        let others = libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
        [
            (self.user, libc::CLONE_NEWUSER),
            (self.mount, libc::CLONE_NEWNS),
            (self.pid, libc::CLONE_NEWPID),
            (self.network, libc::CLONE_NEWNET),
            (self.others, others),
        ]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .fold(0, |flags, (_, flag)| flags | flag)
    }
}

/// A cgroup to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CgroupSpec {
    pub(crate) parent: Parent,
    pub(crate) limits: GroupLimits,
}

/// The root directory to build.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct View {
    /// Made first; the whole is read-only afterwards.
    pub(crate) fixed: Vec<Entry>,
    /// Mounted on top, each with its own attributes.
    pub(crate) mounted: Vec<Entry>,
}

/// One thing in the view. Paths are absolute, as the command sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A directory of the root itself, with its parents.
    Directory { path: PathBuf },
    /// A small file of the root itself.
    File { path: PathBuf, text: String },
    /// A copy of a program, in the root itself, that can be executed and not read: the kernel then lets
    /// nobody look into its processes (ptrace(2), "dumpable").
    Copy {
        path: PathBuf,
        source: PathBuf,
        seen: FileId,
    },
    /// A symbolic link of the root itself.
    Link { path: PathBuf, target: PathBuf },
    /// A file or directory of the host. `attributes` are those of [`crate::kernel::mounts`]. `seen` is what was
    /// there: where it is another now, a sandbox that was prepared earlier is not used.
    Bind {
        path: PathBuf,
        source: PathBuf,
        directory: bool,
        attributes: u64,
        needed: bool,
        seen: Option<FileId>,
    },
    /// A directory of the host for the command to change (the workspace, a home that is kept), checked
    /// against device and inode, or the mount that the launcher prepared.
    Own {
        path: PathBuf,
        source: PathBuf,
        attributes: u64,
        device: u64,
        inode: u64,
    },
    /// A path in `within`, which is mounted, that is mounted on itself, so that it cannot be renamed away.
    Pin {
        within: PathBuf,
        path: PathBuf,
        attributes: u64,
        seen: Option<FileId>,
    },
    /// A private file system in memory.
    Tmpfs {
        path: PathBuf,
        size: u64,
        files: u64,
        mode: u32,
        owner: (u32, u32),
        attributes: u64,
    },
    /// A fresh `/proc`.
    Proc,
    /// `/dev/pts`.
    Devpts,
}

/// Landlock's rules.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LandlockSpec {
    /// The running version.
    pub(crate) abi: u8,
    /// What each path may be used for.
    pub(crate) rules: Vec<(PathBuf, Access)>,
    /// Whether TCP is refused (version 4).
    pub(crate) deny_tcp: bool,
}

/// What a path may be used for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
    /// ioctl on devices, for terminals.
    pub(crate) ioctl: bool,
    /// Whether a path that is not there is passed over.
    pub(crate) optional: bool,
    /// The directory that it must be, where that was checked before. Then it is no link either.
    pub(crate) seen: Option<FileId>,
}

/// Limits that every process has by itself (getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Resource {
    OpenFiles,
    FileSize,
    Core,
    Processes,
    Data,
    LockedMemory,
    MessageQueues,
    PendingSignals,
    RealTime,
    Nice,
}

/// What to run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CommandSpec {
    /// The file to execute, where it is not looked up.
    pub(crate) program: Option<PathBuf>,
    /// The program's name and its arguments.
    pub(crate) argv: Vec<Bytes>,
    /// The whole environment.
    pub(crate) environment: Vec<Bytes>,
    /// Where programs without a slash are looked up.
    pub(crate) path: Vec<PathBuf>,
    /// The working directory.
    pub(crate) cwd: PathBuf,
}

/// A terminal to open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct TerminalSpec {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
    /// Whether it is opened in the sandbox's own devpts.
    pub(crate) private: bool,
}

/// What the launcher watches while the command runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// Milliseconds from start to end, and which limit that is.
    pub(crate) wall: (u64, super::Limit),
    /// Milliseconds without work.
    pub(crate) idle: u64,
    /// Milliseconds of processor time of all processes.
    pub(crate) cpu: Option<u64>,
    /// Bytes of memory of all processes, where no cgroup limits them.
    pub(crate) memory: Option<u64>,
    /// Processes and threads, pid 1 among them, where the kernel does not count them for this sandbox.
    pub(crate) processes: Option<u32>,
    /// Directories that may grow only so far.
    pub(crate) growth: Vec<Growth>,
    /// Paths of the workspace to compare before and after.
    pub(crate) protect: Vec<PathBuf>,
    /// How closely.
    pub(crate) depth: Depth,
    /// The workspace that these are relative to.
    pub(crate) workspace: PathBuf,
}

/// How far a directory may grow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) directory: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) what: Grows,
}

/// Which directory grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Grows {
    /// The workspace: what was there before does not count.
    Workspace,
    /// The temporary directory.
    Tmp,
    /// The home: if it is kept, what was there before counts.
    Home,
}

/// What the launcher says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// The command has been executed. With a terminal its master comes along.
    Started,
    /// A step failed and nothing runs.
    Failed(super::step::StepError),
    /// What it uses, when that was asked.
    Used(super::Used),
    /// Nothing of the command is left.
    Ended(super::Ending),
}

/// Bytes that are usually text: written as a string where they are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) OsString);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Raw(Vec<u8>),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into(),
            Form::Raw(bytes) => OsString::from_vec(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_survive_the_way_to_the_launcher() {
        for bytes in [&b"plain"[..], b"new\nline", b"\xff\xfe"] {
            let sent = Bytes(OsString::from_vec(bytes.to_vec()));
            let text = serde_json::to_string(&sent).unwrap();
            assert_eq!(serde_json::from_str::<Bytes>(&text).unwrap(), sent);
        }
    }
}
