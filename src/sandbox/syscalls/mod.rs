//! System call filters: intervals of numbers, conditions on arguments, and loading both as one program.
//!
//! The kernel runs a new filter once for every number when it is loaded, and translates it: so there is
//! one, in which a number is found by halving. See docs/design/0003-launch-cost.md.

mod arguments;
mod numbers;
mod program;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use seccompiler::apply_filter;

use self::numbers::Checks;
pub(crate) use self::program::Filter;
use self::program::{ALLOW, errno};
use crate::profile::{Profile, SyscallAction, Syscalls, WriteAndExecute};

/// What conditions on arguments depend on besides the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Whether they can be emptied without the right to write: Landlock knows of it from its third version on.
    pub(super) truncation_unchecked: bool,
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

/// The latest filters that were compiled: the next launch mostly needs one of them again.
#[derive(Debug, Default)]
pub(super) struct Compiled(Mutex<VecDeque<(Arc<Profile>, Conditions, Filter)>>);

/// How many are kept. Where root gives every sandbox a user of its own, each is used twice.
const KEPT: usize = 8;

impl Compiled {
    /// The filter of a command.
    pub(super) fn filter(&self, profile: &Arc<Profile>, conditions: &Conditions) -> Filter {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(p, c, _)| Arc::ptr_eq(p, profile) && c == conditions);
        if let Some((_, _, filter)) = found {
            return filter.clone();
        }
        let filter = compile(&profile.syscalls, conditions);
        kept.truncate(KEPT - 1);
        kept.push_front((Arc::clone(profile), *conditions, filter.clone()));
        filter
    }
}

fn compile(syscalls: &Syscalls, conditions: &Conditions) -> Filter {
    let checks = arguments::checks(conditions);
    numbers::filter(|name| action(syscalls, conditions, name), &checks)
}

/// The filter of pid 1: what it takes to reap, to pass signals on and to report.
pub(super) fn init_filter() -> Filter {
    static COMPILED: OnceLock<Filter> = OnceLock::new();
    COMPILED.get_or_init(compile_init_filter).clone()
}

fn compile_init_filter() -> Filter {
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
    let action = |name: &str| {
        if NEEDED.contains(&name) {
            ALLOW
        } else {
            errno(libc::EPERM)
        }
    };
    numbers::filter(action, &Checks::new())
}

/// Loads one filter on this thread, for good.
pub(super) fn load(filter: &Filter) -> std::io::Result<()> {
    apply_filter(&filter.program()).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
        other => std::io::Error::other(other.to_string()),
    })
}

fn action(syscalls: &Syscalls, conditions: &Conditions, name: &str) -> u32 {
    let hidden_memory = ["memfd_create", "shmget", "msgget", "semget"];
    // Pipes and sockets hold on to whole pages of a file that is gone, large ones too, for a byte of each. Programs copy where they hear
    // that these files are not for it (sendfile(2)).
    let hidden_pages = ["sendfile", "splice", "tee"];
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
        "process_vm_readv",
        "process_vm_writev",
        "process_madvise",
        "pidfd_getfd",
        "kcmp",
    ];
    let ipc = ["shm", "sem", "msg", "mq_"];
    let is_ipc = ipc.iter().any(|kind| name.starts_with(kind));
    match syscalls.rules.get(name).map(|rule| rule.action) {
        Some(SyscallAction::Allow) if !conditions.memory_enforced && hidden_memory.contains(&name) => {
            errno(libc::ENOSYS)
        }
        Some(SyscallAction::Allow) if !conditions.memory_enforced && hidden_pages.contains(&name) => {
            errno(libc::EINVAL)
        }
        Some(SyscallAction::Allow) if conditions.host_ipc && is_ipc => errno(libc::EPERM),
        // Its instances are counted for the whole user; who has none looks again and again instead.
        Some(SyscallAction::Allow) if conditions.host_ipc && name.starts_with("inotify_init") => errno(libc::ENOSYS),
        Some(SyscallAction::Allow) if conditions.host_files && attributes.contains(&name) => errno(libc::EPERM),
        Some(SyscallAction::Allow) if conditions.truncation_unchecked && name == "truncate" => errno(libc::EPERM),
        // Its flags are in memory, out of a filter's sight.
        Some(SyscallAction::Allow) if conditions.truncation_unchecked && name == "openat2" => errno(libc::ENOSYS),
        Some(SyscallAction::Allow) if conditions.host_processes && others.contains(&name) => errno(libc::EPERM),
        Some(SyscallAction::Allow) if conditions.affinity_fixed && name == "sched_setaffinity" => errno(libc::EPERM),
        Some(SyscallAction::Allow) => ALLOW,
        Some(SyscallAction::Deny) => errno(libc::EPERM),
        Some(SyscallAction::Unsupported) => errno(libc::EOPNOTSUPP),
        Some(SyscallAction::Missing) | None => errno(libc::ENOSYS),
    }
}
