//! What a system call gets.

use super::{Answer, Verdict};
use crate::profile::error::Problem;
use crate::profile::show::word;
use crate::profile::{Profile, SyscallAction, syscalls};

/// Answers by the rule of the call; one that no table knows is a problem.
pub(super) fn answer(profile: &Profile, text: &str) -> Result<Answer, Problem> {
    let name = syscalls::name(text)?;
    let Some(rule) = profile.syscalls.rules.get(name) else {
        return Ok(Answer::new(
            Verdict::Denied,
            "unknown number",
            "what no list names gets ENOSYS",
        ));
    };
    let said = |gets: &str| format!("syscalls {name}: {} ({gets})", word(rule.action));
    Ok(match rule.action {
        SyscallAction::Allow => {
            let answer = Answer::new(Verdict::Allowed, said("it runs"), rule.reason.as_str());
            match CONDITIONAL.contains(&name) {
                true => answer
                    .note("with some arguments, or where the machine lacks a protection, it is refused all the same"),
                false => answer,
            }
        }
        SyscallAction::Deny => Answer::new(Verdict::Denied, said("EPERM"), rule.reason.as_str()),
        SyscallAction::Missing => Answer::new(Verdict::Denied, said("ENOSYS"), rule.reason.as_str()),
        SyscallAction::Unsupported => Answer::new(Verdict::Denied, said("EOPNOTSUPP"), rule.reason.as_str()),
    })
}

/// Allowed calls that the sandbox refuses all the same with some arguments, or where the machine lacks a protection.
pub(super) const CONDITIONAL: [&str; 59] = [
    "chmod",
    "chown",
    "clone",
    "creat",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fcntl",
    "fremovexattr",
    "fsetxattr",
    "futimesat",
    "ioctl",
    "ioprio_set",
    "lchown",
    "lremovexattr",
    "lsetxattr",
    "memfd_create",
    "mknod",
    "mknodat",
    "mmap",
    "mprotect",
    "msgget",
    "open",
    "openat",
    "personality",
    "pkey_mprotect",
    "prlimit64",
    "ptrace",
    "removexattr",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "seccomp",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setuid",
    "setxattr",
    "shmat",
    "shmget",
    "socket",
    "socketpair",
    "splice",
    "tee",
    "utime",
    "utimensat",
    "utimes",
];
