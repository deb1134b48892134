//! System call filters: intervals for whole calls, conditions on arguments, and loading both.
//!
//! The kernel runs a new filter once for every number when it is loaded, so the calls that are
//! always allowed are sorted into intervals and found by halving (about 160 instructions).

use std::collections::BTreeMap;

use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
use seccompiler::{TargetArch, apply_filter, sock_filter};

use crate::profile::syscall_table::SYSCALLS;
use crate::profile::{SyscallAction, Syscalls, WriteAndExecute};

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
/// Numbers with this bit are x32's on x86_64, and nobody's elsewhere.
const X32_BIT: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;
#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

/// What conditions on arguments depend on besides the profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    /// Which sockets can be made.
    pub(super) sockets: Sockets,
    /// The sandbox's user and group: becoming another is refused, not left to fail.
    pub(super) identity: (u32, u32),
    /// Whether other processes of the host can be seen: then calls on them are refused.
    pub(super) host_processes: bool,
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
        arguments(conditions)?,
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
    match syscalls.rules.get(name).map(|rule| rule.action) {
        Some(SyscallAction::Allow) if !conditions.memory_enforced && hidden_memory.contains(&name) => {
            errno(libc::ENOSYS)
        }
        Some(SyscallAction::Allow) if conditions.host_files && attributes.contains(&name) => errno(libc::EPERM),
        Some(SyscallAction::Allow) if conditions.host_processes && others.contains(&name) => errno(libc::EPERM),
        Some(SyscallAction::Allow) if conditions.affinity_fixed && name == "sched_setaffinity" => errno(libc::EPERM),
        Some(SyscallAction::Allow) => ALLOW,
        Some(SyscallAction::Deny) => errno(libc::EPERM),
        Some(SyscallAction::Unsupported) => errno(libc::EOPNOTSUPP),
        Some(SyscallAction::Missing) | None => errno(libc::ENOSYS),
    }
}

fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number.cast_unsigned()
}

/// A filter by number alone: wrong architecture and x32 are killed, unknown numbers get `ENOSYS`.
fn numbers(action: impl Fn(&str) -> u32) -> Vec<u64> {
    let mut by_number: BTreeMap<u32, u32> = BTreeMap::new();
    for (name, x86_64, aarch64) in SYSCALLS {
        let number = if cfg!(target_arch = "x86_64") { x86_64 } else { aarch64 };
        if let Some(number) = number {
            by_number.insert(*number, action(name));
        }
    }
    let end = by_number.last_key_value().map_or(0, |(number, _)| number + 1);
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let unknown = errno(libc::ENOSYS);
    let all = (0..=end).map(|number| (number, by_number.get(&number).copied().unwrap_or(unknown)));
    for (number, action) in all.chain([(X32_BIT, KILL)]) {
        if runs.last().is_none_or(|(_, last)| *last != action) {
            runs.push((number, action));
        }
    }
    let mut program = vec![
        instruction(LOAD, 0, 0, 4),
        instruction(IF_EQUAL, 1, 0, AUDIT_ARCH),
        instruction(RETURN, 0, 0, KILL),
        instruction(LOAD, 0, 0, 0),
    ];
    program.extend(tree(&runs));
    program.into_iter().map(pack).collect()
}

/// Finds the run that a number lies in by halving.
fn tree(runs: &[(u32, u32)]) -> Vec<sock_filter> {
    match runs {
        [] => vec![instruction(RETURN, 0, 0, KILL)],
        [(_, action)] => vec![instruction(RETURN, 0, 0, *action)],
        _ => {
            let (low, high) = runs.split_at(runs.len() / 2);
            let first = high.first().map_or(0, |(number, _)| *number);
            let (low, high) = (tree(low), tree(high));
            let Ok(over) = u8::try_from(low.len()) else {
                return vec![instruction(RETURN, 0, 0, KILL)];
            };
            let mut program = vec![instruction(IF_AT_LEAST, over, 0, first)];
            program.extend(low);
            program.extend(high);
            program
        }
    }
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn pack(i: sock_filter) -> u64 {
    u64::from(i.code) | u64::from(i.jt) << 16 | u64::from(i.jf) << 24 | u64::from(i.k) << 32
}

#[expect(clippy::cast_possible_truncation, reason = "takes the parts that pack put together")]
fn unpack(word: u64) -> sock_filter {
    sock_filter {
        code: word as u16,
        jt: (word >> 16) as u8,
        jf: (word >> 24) as u8,
        k: (word >> 32) as u32,
    }
}

/// Rules on arguments: each refuses with `EPERM` when all of its conditions hold.
#[derive(Default)]
struct Rules(BTreeMap<i64, Vec<SeccompRule>>);

type Condition = (u8, SeccompCmpOp, u64);

impl Rules {
    fn refuse(&mut self, name: &str, conditions: &[Condition]) -> Result<(), FilterError> {
        let Ok(found) = SYSCALLS.binary_search_by(|entry| entry.0.cmp(name)) else {
            return Ok(());
        };
        let Some((_, x86_64, aarch64)) = SYSCALLS.get(found) else {
            return Ok(());
        };
        let number = if cfg!(target_arch = "x86_64") { x86_64 } else { aarch64 };
        let Some(number) = number else { return Ok(()) };
        let made: Result<Vec<_>, _> = conditions
            .iter()
            .map(|(argument, op, value)| SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, op.clone(), *value))
            .collect();
        self.0
            .entry(i64::from(*number))
            .or_default()
            .push(SeccompRule::new(made?)?);
        Ok(())
    }
}

/// A bit that must be set.
fn bit(argument: u8, bit: u64) -> Condition {
    (argument, SeccompCmpOp::MaskedEq(bit), bit)
}

fn arguments(conditions: &Conditions) -> Result<Vec<u64>, FilterError> {
    let mut rules = Rules::default();
    set_id_bits(&mut rules)?;
    sockets(&mut rules, conditions.sockets)?;
    for request in [0x5412, 0x541C, 0x5423, 0x541D] {
        rules.refuse("ioctl", &[(1, SeccompCmpOp::Eq, request)])?; // TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS
    }
    for namespace in [
        0x1000_0000,
        0x0002_0000,
        0x2000_0000,
        0x4000_0000,
        0x0800_0000,
        0x0400_0000,
        0x0200_0000,
    ] {
        rules.refuse("clone", &[bit(0, namespace)])?;
    }
    // Personalities that only name another system; none that weakens address layout or protections.
    let harmless = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
    rules.refuse("personality", &harmless.map(|p| (0, SeccompCmpOp::Ne, p)))?;
    rules.refuse("seccomp", &[(0, SeccompCmpOp::Eq, 1), bit(1, 8)])?; // a filter with a listener
    for name in ["sendto", "sendmmsg"] {
        rules.refuse(name, &[bit(3, 0x2000_0000)])?; // MSG_FASTOPEN
    }
    rules.refuse("sendmsg", &[bit(2, 0x2000_0000)])?;
    identity(&mut rules, conditions.identity)?;
    if conditions.host_processes {
        rules.refuse("prlimit64", &[(0, SeccompCmpOp::Ne, 0)])?;
        rules.refuse("sched_setaffinity", &[(0, SeccompCmpOp::Ne, 0)])?;
    }
    if conditions.write_and_execute == WriteAndExecute::Denied {
        rules.refuse("mmap", &[bit(2, 6)])?;
        rules.refuse("mprotect", &[bit(2, 4)])?;
        rules.refuse("pkey_mprotect", &[bit(2, 4)])?;
        rules.refuse("shmat", &[bit(2, 0o100_000)])?;
    }
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules.0, SeccompAction::Allow, refuse, ARCH)?;
    let program: Vec<sock_filter> = filter.try_into()?;
    Ok(program.into_iter().map(pack).collect())
}

/// Nobody becomes another user or group; staying who one is, and -1 for "as it is", work.
fn identity(rules: &mut Rules, (uid, gid): (u32, u32)) -> Result<(), FilterError> {
    let users = [("setuid", 1), ("setreuid", 2), ("setresuid", 3), ("setfsuid", 1)].map(|(name, n)| (name, n, uid));
    let groups = [("setgid", 1), ("setregid", 2), ("setresgid", 3), ("setfsgid", 1)].map(|(name, n)| (name, n, gid));
    for (name, arguments, own) in users.into_iter().chain(groups) {
        for argument in 0..arguments {
            let other = (argument, SeccompCmpOp::Ne, u64::from(own));
            rules.refuse(name, &[other, (argument, SeccompCmpOp::Ne, 0xffff_ffff)])?;
        }
    }
    Ok(())
}

/// Nothing makes a file that runs as another user or group, and nothing makes a device.
fn set_id_bits(rules: &mut Rules) -> Result<(), FilterError> {
    const CREATE: u64 = 0o100;
    const TMPFILE: u64 = 0o20_000_000;
    for set_id in [0o4000, 0o2000] {
        for (name, mode) in [
            ("chmod", 1),
            ("fchmod", 1),
            ("fchmodat", 2),
            ("fchmodat2", 2),
            ("creat", 1),
        ] {
            rules.refuse(name, &[bit(mode, set_id)])?;
        }
        for (name, mode) in [("mknod", 1), ("mknodat", 2)] {
            rules.refuse(name, &[bit(mode, set_id)])?;
        }
        for (name, flags, mode) in [("open", 1, 2), ("openat", 2, 3)] {
            rules.refuse(name, &[bit(flags, CREATE), bit(mode, set_id)])?;
            rules.refuse(name, &[bit(flags, TMPFILE), bit(mode, set_id)])?;
        }
    }
    for device in [0o020_000, 0o060_000] {
        let is = SeccompCmpOp::MaskedEq(0o170_000);
        rules.refuse("mknod", &[(1, is.clone(), device)])?;
        rules.refuse("mknodat", &[(2, is, device)])?;
    }
    Ok(())
}

fn sockets(rules: &mut Rules, sockets: Sockets) -> Result<(), FilterError> {
    const UNIX: u64 = 1;
    const INET: u64 = 2;
    const INET6: u64 = 10;
    const NETLINK: u64 = 16;
    let allowed = [
        (sockets.unix, UNIX),
        (sockets.tcp, INET),
        (sockets.tcp, INET6),
        (sockets.udp, NETLINK),
    ];
    let others: Vec<Condition> = allowed
        .iter()
        .filter(|(allowed, _)| *allowed)
        .map(|(_, f)| (0, SeccompCmpOp::Ne, *f))
        .collect();
    // With no family left every value is refused: one condition that always holds.
    rules.refuse(
        "socket",
        if others.is_empty() {
            &[(0, SeccompCmpOp::Ge, 0)]
        } else {
            &others
        },
    )?;
    for family in [INET, INET6] {
        let is = (0, SeccompCmpOp::Eq, family);
        // The kind is 1 (stream), or 2 (datagram) where UDP is allowed: no other low bits.
        rules.refuse("socket", &[is.clone(), bit(1, 4)])?;
        rules.refuse("socket", &[is.clone(), bit(1, 8)])?;
        rules.refuse("socket", &[is.clone(), bit(1, 3)])?;
        rules.refuse("socket", &[is.clone(), (1, SeccompCmpOp::MaskedEq(3), 0)])?;
        if !sockets.udp {
            rules.refuse("socket", &[is.clone(), bit(1, 2)])?;
        }
        let mut protocols = vec![is, (2, SeccompCmpOp::Ne, 0), (2, SeccompCmpOp::Ne, 6)];
        if sockets.udp {
            protocols.push((2, SeccompCmpOp::Ne, 17));
        }
        rules.refuse("socket", &protocols)?;
    }
    rules.refuse("socket", &[(0, SeccompCmpOp::Eq, NETLINK), (2, SeccompCmpOp::Ne, 0)])?; // NETLINK_ROUTE only
    rules.refuse("socketpair", &[(0, SeccompCmpOp::Ne, UNIX)])?;
    if !sockets.unix {
        // A datagram pair could send to any address; the kinds that are left cannot.
        rules.refuse("socketpair", &[(1, SeccompCmpOp::MaskedEq(0xf), 2)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;

    /// Runs a packed program on a call number and an architecture, as the kernel would.
    fn decide(program: &[u64], number: u32, arch: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let i = unpack(program[at]);
            at += 1;
            match i.code {
                LOAD => value = if i.k == 4 { arch } else { number },
                RETURN => return i.k,
                IF_EQUAL => at += usize::from(if value == i.k { i.jt } else { i.jf }),
                IF_AT_LEAST => at += usize::from(if value >= i.k { i.jt } else { i.jf }),
                other => panic!("instruction {other}"),
            }
        }
    }

    #[test]
    fn every_number_of_every_architecture_gets_what_its_profile_says() {
        let profiles = Profiles::embedded();
        let conditions = Conditions {
            sockets: Sockets {
                unix: true,
                tcp: true,
                udp: false,
            },
            identity: (1000, 1000),
            host_processes: false,
            host_files: false,
            memory_enforced: true,
            affinity_fixed: false,
            write_and_execute: WriteAndExecute::Allowed,
        };
        for name in profiles.names() {
            let profile = profiles.get(name).unwrap();
            let program = numbers(|name| action(&profile.syscalls, &conditions, name));
            assert!(program.len() < 400, "{name}: {} instructions", program.len());
            for number in 0..2048 {
                let entry = SYSCALLS
                    .iter()
                    .find(|e| (if cfg!(target_arch = "x86_64") { e.1 } else { e.2 }) == Some(number));
                let expected = entry.map_or(errno(libc::ENOSYS), |e| action(&profile.syscalls, &conditions, e.0));
                assert_eq!(decide(&program, number, AUDIT_ARCH), expected, "{name}: {number}");
                assert_eq!(decide(&program, number, 0x4000_0003), KILL, "i386 {number}");
                assert_eq!(decide(&program, number | X32_BIT, AUDIT_ARCH), KILL, "x32 {number}");
            }
        }
    }
}
