//! System call filters: intervals for whole calls, conditions on arguments, and loading both.
//!
//! The kernel runs a new filter once for every number when it is loaded, so the calls that are
//! always allowed are sorted into intervals and found by halving (about 160 instructions).

mod arguments;
mod numbers;
mod program;

use seccompiler::{apply_filter, sock_filter};

use self::numbers::numbers;
use self::program::{ALLOW, errno, unpack};
use crate::profile::{SyscallAction, Syscalls, WriteAndExecute};

/// What conditions on arguments depend on besides the profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    /// Which sockets can be made.
    pub(super) sockets: Sockets,
    /// The sandbox's user and group: becoming another is refused, not left to fail.
    pub(super) identity: (u32, u32),
    /// Whether other processes of the host can be seen: then calls on them are refused.
    pub(super) host_processes: bool,
    /// Whether System V objects and message queues are the host's: then they are out of reach,
    /// and so is what is counted for the whole user.
    pub(super) host_ipc: bool,
    /// Whether files of the host can be reached by name: then their attributes stay.
    pub(super) host_files: bool,
    /// Whether memory is limited by the kernel.
    pub(super) memory_enforced: bool,
    /// Whether the processors are limited by affinity, which must then stay.
    pub(super) affinity_fixed: bool,
    /// Writable and executable memory.
    pub(super) write_and_execute: WriteAndExecute,
}

/// Which sockets can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sockets {
    /// AF_UNIX sockets that can connect; pairs always work.
    pub(super) unix: bool,
    /// TCP over IPv4 and IPv6.
    pub(super) tcp: bool,
    /// UDP too, and looking at interfaces and routes.
    pub(super) udp: bool,
}

/// Why no filter could be made: a bug of ours, not of the caller.
#[derive(Debug, thiserror::Error)]
#[error("cannot compile the system call filter")]
pub struct FilterError {
    #[from]
    source: seccompiler::Error,
}

impl From<seccompiler::BackendError> for FilterError {
    fn from(error: seccompiler::BackendError) -> Self {
        Self { source: error.into() }
    }
}

/// The filters of a command, in the order in which they are loaded.
pub(super) fn compile(syscalls: &Syscalls, conditions: &Conditions) -> Result<Vec<Vec<u64>>, FilterError> {
    Ok(vec![
        arguments::filter(conditions)?,
        numbers(|name| action(syscalls, conditions, name)),
    ])
}

/// The filter of pid 1: what it takes to reap, to pass signals on and to report.
pub(super) fn init_filter() -> Vec<u64> {
    const NEEDED: &[&str] = &[
        "read",
        "write",
        "close",
        "wait4",
        "waitid",
        "kill",
        "exit",
        "exit_group",
        "rt_sigreturn",
        "rt_sigprocmask",
        "poll",
        "ppoll",
        "restart_syscall",
        "munmap",
        "mmap",
        "brk",
        "mremap",
        "madvise",
        "futex",
        "sendmsg",
        "sendto",
        "recvfrom",
        "recvmsg",
        "signalfd4",
        "getpid",
        "gettid",
        "tgkill",
        "sigaltstack",
        "fcntl",
        "rt_sigaction",
        "ioctl", // which group is in the foreground
    ];
    numbers(|name| {
        if NEEDED.contains(&name) {
            ALLOW
        } else {
            errno(libc::EPERM)
        }
    })
}

/// Loads one filter on this thread, for good.
pub(super) fn load(packed: &[u64]) -> std::io::Result<()> {
    let program: Vec<sock_filter> = packed.iter().map(|word| unpack(*word)).collect();
    apply_filter(&program).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
        other => std::io::Error::other(other.to_string()),
    })
}

fn action(syscalls: &Syscalls, conditions: &Conditions, name: &str) -> u32 {
    let hidden_memory = ["memfd_create", "shmget", "msgget"];
    let attributes = [
        "chmod",
        "fchmod",
        "fchmodat",
        "fchmodat2",
        "chown",
        "fchown",
        "lchown",
        "fchownat",
        "setxattr",
        "lsetxattr",
        "fsetxattr",
        "setxattrat",
        "removexattr",
        "lremovexattr",
        "fremovexattr",
        "removexattrat",
        "utime",
        "utimes",
        "utimensat",
        "futimesat",
        "file_setattr",
    ];
    let others = [
        "sched_setparam",
        "sched_setscheduler",
        "sched_setattr",
        "setpriority",
        "ioprio_set",
        "ptrace",
    ];
    let ipc = ["shm", "sem", "msg", "mq_"];
    let is_ipc = ipc.iter().any(|kind| name.starts_with(kind));
    match syscalls.rules.get(name).map(|rule| rule.action) {
        Some(SyscallAction::Allow) if !conditions.memory_enforced && hidden_memory.contains(&name) => {
            errno(libc::ENOSYS)
        }
        Some(SyscallAction::Allow) if conditions.host_ipc && is_ipc => errno(libc::EPERM),
        // Its instances are counted for the whole user; who has none looks again and again instead.
        Some(SyscallAction::Allow) if conditions.host_ipc && name.starts_with("inotify_init") => errno(libc::ENOSYS),
        Some(SyscallAction::Allow) if conditions.host_files && attributes.contains(&name) => errno(libc::EPERM),
        Some(SyscallAction::Allow) if conditions.host_processes && others.contains(&name) => errno(libc::EPERM),
        Some(SyscallAction::Allow) if conditions.affinity_fixed && name == "sched_setaffinity" => errno(libc::EPERM),
        Some(SyscallAction::Allow) => ALLOW,
        Some(SyscallAction::Deny) => errno(libc::EPERM),
        Some(SyscallAction::Unsupported) => errno(libc::EOPNOTSUPP),
        Some(SyscallAction::Missing) | None => errno(libc::ENOSYS),
    }
}
