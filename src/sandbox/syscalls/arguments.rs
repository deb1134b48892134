//! The filter by arguments: what an allowed call must not be asked.

use std::collections::BTreeMap;

use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
use seccompiler::{TargetArch, sock_filter};

use super::program::pack;
use super::{Conditions, FilterError, Sockets};
use crate::profile::WriteAndExecute;
use crate::profile::syscall_table::SYSCALLS;

/// The filter of a command that refuses calls for their arguments.
pub(super) fn filter(conditions: &Conditions) -> Result<Vec<u64>, FilterError> {
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

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;
