//! The filter: what becomes of each call by its number, and for some by their arguments.

use std::collections::BTreeMap;

use seccompiler::sock_filter;

use super::program::{
    ALLOW, AUDIT_ARCH, Filter, IF_AT_LEAST, IF_EQUAL, JUMP, KILL, LOAD, RETURN, X32_BIT, errno, instruction,
};
use crate::profile::syscall_table::SYSCALLS;

/// By name, in order: the instructions that decide a call, once its number is known.
pub(super) type Checks = Vec<(&'static str, Vec<sock_filter>)>;

/// What becomes of a run of numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Return(u32),
    /// The check with this index decides.
    Check(usize),
}

/// A filter that does `action` by name, and where that allows a call, checks its arguments. The wrong
/// architecture and x32 are killed; unknown numbers get `ENOSYS`.
pub(super) fn filter(action: impl Fn(&str) -> u32, checks: &Checks) -> Filter {
    let mut by_number = BTreeMap::new();
    for (name, x86_64, aarch64) in SYSCALLS {
        let number = if cfg!(target_arch = "x86_64") { x86_64 } else { aarch64 };
        let Some(number) = number else { continue };
        let decision = match (action(name), checks.binary_search_by(|(checked, _)| checked.cmp(name))) {
            (ALLOW, Ok(check)) => Decision::Check(check),
            (action, _) => Decision::Return(action),
        };
        by_number.insert(*number, decision);
    }
    let end = by_number.last_key_value().map_or(0, |(number, _)| number + 1);
    let mut runs: Vec<(u32, Decision)> = Vec::new();
    let unknown = Decision::Return(errno(libc::ENOSYS));
    let all = (0..=end).map(|number| (number, by_number.get(&number).copied().unwrap_or(unknown)));
    for (number, decision) in all.chain([(X32_BIT, Decision::Return(KILL))]) {
        if runs.last().is_none_or(|(_, last)| *last != decision) {
            runs.push((number, decision));
        }
    }
    let mut program = vec![
        instruction(LOAD, 0, 0, 4),
        instruction(IF_EQUAL, 1, 0, AUDIT_ARCH),
        instruction(RETURN, 0, 0, KILL),
        instruction(LOAD, 0, 0, 0),
    ];
    program.extend(tree(&runs));
    append(&mut program, checks);
    Filter::new(&program)
}

/// Finds the run that a number lies in by halving. A jump holds the index of its check.
fn tree(runs: &[(u32, Decision)]) -> Vec<sock_filter> {
    match runs {
        [] => vec![instruction(RETURN, 0, 0, KILL)],
        [(_, Decision::Return(action))] => vec![instruction(RETURN, 0, 0, *action)],
        [(_, Decision::Check(check))] => {
            let check = u32::try_from(*check).unwrap_or(u32::MAX);
            vec![instruction(JUMP, 0, 0, check)]
        }
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

/// Puts the checks after the tree, and makes its jumps lead to them.
fn append(program: &mut Vec<sock_filter>, checks: &Checks) {
    let length = |program: &[sock_filter]| u32::try_from(program.len()).unwrap_or(u32::MAX);
    let tree = program.len();
    let mut starts = Vec::new();
    for (_, check) in checks {
        starts.push(length(program));
        program.extend(check.iter().cloned());
    }
    for (next, jump) in (1..).zip(program.iter_mut().take(tree)) {
        if jump.code == JUMP {
            let start = usize::try_from(jump.k).ok().and_then(|check| starts.get(check));
            *jump = match start {
                Some(start) => instruction(JUMP, 0, 0, start - next),
                None => instruction(RETURN, 0, 0, KILL),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::program::AND;
    use super::super::{Conditions, Sockets, action, compile};
    use super::*;
    use crate::profile::{Profiles, WriteAndExecute};

    /// Runs a program on a call, as the kernel would.
    fn decide(program: &[sock_filter], number: u32, arch: u32, arguments: [u32; 6]) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let i = &program[at];
            at += 1;
            match i.code {
                LOAD if i.k == 4 => value = arch,
                LOAD if i.k == 0 => value = number,
                LOAD => value = arguments[(i.k as usize - 16) / 8],
                AND => value &= i.k,
                RETURN => return i.k,
                JUMP => at += i.k as usize,
                IF_EQUAL => at += usize::from(if value == i.k { i.jt } else { i.jf }),
                IF_AT_LEAST => at += usize::from(if value >= i.k { i.jt } else { i.jf }),
                other => panic!("instruction {other}"),
            }
        }
    }

    const CONDITIONS: Conditions = Conditions {
        sockets: Sockets {
            unix: true,
            tcp: true,
            udp: false,
        },
        identity: (1000, 1000),
        host_processes: false,
        host_ipc: false,
        host_files: false,
        truncation_unchecked: false,
        memory_enforced: true,
        affinity_fixed: false,
        write_and_execute: WriteAndExecute::Allowed,
    };

    fn number(name: &str) -> Option<u32> {
        let entry = SYSCALLS.iter().find(|entry| entry.0 == name)?;
        if cfg!(target_arch = "x86_64") { entry.1 } else { entry.2 }
    }

    #[test]
    fn every_number_of_every_architecture_gets_what_its_profile_says() {
        let profiles = Profiles::embedded();
        for name in profiles.names() {
            let profile = profiles.get(name).unwrap();
            let program = filter(|name| action(&profile.syscalls, &CONDITIONS, name), &Checks::new()).program();
            assert!(program.len() < 400, "{name}: {} instructions", program.len());
            let checked = compile(&profile.syscalls, &CONDITIONS).program();
            for number in 0..2048 {
                let entry = SYSCALLS
                    .iter()
                    .find(|e| (if cfg!(target_arch = "x86_64") { e.1 } else { e.2 }) == Some(number));
                let expected = entry.map_or(errno(libc::ENOSYS), |e| action(&profile.syscalls, &CONDITIONS, e.0));
                assert_eq!(
                    decide(&program, number, AUDIT_ARCH, [0; 6]),
                    expected,
                    "{name}: {number}"
                );
                for program in [&program, &checked] {
                    assert_eq!(decide(program, number, 0x4000_0003, [0; 6]), KILL, "i386 {number}");
                    assert_eq!(
                        decide(program, number | X32_BIT, AUDIT_ARCH, [0; 6]),
                        KILL,
                        "x32 {number}"
                    );
                }
                // Arguments only ever take away.
                let decided = decide(&checked, number, AUDIT_ARCH, [0; 6]);
                assert!(
                    decided == expected || (expected == ALLOW && decided == errno(libc::EPERM)),
                    "{name}: {number}"
                );
            }
        }
    }

    #[test]
    fn arguments_are_refused_and_their_neighbours_are_not() {
        let stream = |family| [family, 1, 0, 0, 0, 0];
        let (no, yes) = (errno(libc::EPERM), ALLOW);
        let cases: &[(&str, [u32; 6], u32)] = &[
            ("ioctl", [0, 0x5412, 0, 0, 0, 0], no), // TIOCSTI
            ("ioctl", [0, 0x5413, 0, 0, 0, 0], yes),
            ("ioctl", [0, 0x5000_940e, 0, 0, 0, 0], no), // a volume of btrfs
            ("clone", [0x1000_0011, 0, 0, 0, 0, 0], no), // a user namespace
            ("clone", [0x0120_0011, 0, 0, 0, 0, 0], yes),
            ("personality", [0x0004_0000, 0, 0, 0, 0, 0], no),
            ("personality", [0xffff_ffff, 0, 0, 0, 0, 0], yes),
            ("fchmodat", [0, 0, 0o4755, 0, 0, 0], no),
            ("fchmodat", [0, 0, 0o2755, 0, 0, 0], no),
            ("fchmodat", [0, 0, 0o1777, 0, 0, 0], yes),
            ("openat", [0, 0, 0o101, 0o4755, 0, 0], no),
            ("openat", [0, 0, 0o1, 0o4755, 0, 0], yes), // makes nothing
            ("openat", [0, 0, 0o20_200_000, 0o2755, 0, 0], no),
            ("mknodat", [0, 0, 0o020_666, 0, 0, 0], no),
            ("mknodat", [0, 0, 0o060_666, 0, 0, 0], no),
            ("mknodat", [0, 0, 0o010_666, 0, 0, 0], yes), // a named pipe
            ("setresuid", [1000, 0xffff_ffff, 1000, 0, 0, 0], yes),
            ("setresuid", [1000, 0xffff_ffff, 0, 0, 0, 0], no),
            ("socket", stream(1), yes),
            ("socket", stream(2), yes),
            ("socket", stream(10), yes),
            ("socket", stream(16), no),
            ("socket", stream(38), no),                    // AF_ALG
            ("socket", [2, 2, 0, 0, 0, 0], no),            // a datagram
            ("socket", [2, 3, 0, 0, 0, 0], no),            // raw
            ("socket", [2, 1, 262, 0, 0, 0], no),          // MPTCP
            ("socket", [2, 0o2_004_001, 6, 0, 0, 0], yes), // TCP, not blocking, closed by exec
            ("socketpair", [1, 2, 0, 0, 0, 0], yes),
            ("socketpair", [2, 1, 0, 0, 0, 0], no),
            ("sendto", [0, 0, 0, 0x2000_0000, 0, 0], no), // MSG_FASTOPEN
            ("sendto", [0, 0, 0, 0x4000, 0, 0], yes),
        ];
        are_decided(cases);
    }

    #[test]
    fn what_the_machine_has_once_is_out_of_reach() {
        let (no, yes) = (errno(libc::EPERM), ALLOW);
        are_decided(&[
            ("renameat2", [0, 0, 0, 0, 4, 0], no), // RENAME_WHITEOUT
            ("renameat2", [0, 0, 0, 0, 5, 0], no),
            ("renameat2", [0, 0, 0, 0, 3, 0], yes),
            ("setsockopt", [0, 1, 26, 0, 0, 0], no), // SO_ATTACH_FILTER
            ("setsockopt", [0, 1, 60, 0, 0, 0], no), // SO_ZEROCOPY
            ("setsockopt", [0, 1, 50, 0, 0, 0], no),
            ("setsockopt", [0, 1, 51, 0, 0, 0], no),
            ("setsockopt", [0, 1, 52, 0, 0, 0], no),
            ("setsockopt", [0, 1, 27, 0, 0, 0], yes),
            ("setsockopt", [0, 6, 26, 0, 0, 0], yes), // of TCP
            ("mmap", [0, 0, 3, 0x4_0022, 0, 0], no),
            ("mmap", [0, 0, 3, 0x0_4022, 0, 0], yes),
            ("shmget", [0, 0, 0o5600, 0, 0, 0], no),
            ("shmget", [0, 0, 0o1600, 0, 0, 0], yes),
            ("memfd_create", [0, 5, 0, 0, 0, 0], no),
            ("memfd_create", [0, 3, 0, 0, 0, 0], yes),
            ("fcntl", [0, 1024, 1, 0, 0, 0], no),       // F_SETLEASE
            ("fcntl", [0, 1031, 1 << 20, 0, 0, 0], no), // F_SETPIPE_SZ
            ("fcntl", [0, 1032, 0, 0, 0, 0], yes),
        ]);
    }

    fn are_decided(cases: &[(&str, [u32; 6], u32)]) {
        let profile = Profiles::embedded().get("default").unwrap();
        let program = compile(&profile.syscalls, &CONDITIONS).program();
        for (name, arguments, expected) in cases {
            if let Some(number) = number(name) {
                assert_eq!(
                    decide(&program, number, AUDIT_ARCH, *arguments),
                    *expected,
                    "{name} {arguments:?}"
                );
            }
        }
    }

    #[test]
    fn without_any_family_there_is_no_socket() {
        let none = Sockets {
            unix: false,
            tcp: false,
            udp: false,
        };
        let conditions = Conditions {
            sockets: none,
            ..CONDITIONS
        };
        let profile = Profiles::embedded().get("default").unwrap();
        let program = compile(&profile.syscalls, &conditions).program();
        let number = number("socket").unwrap();
        for family in 0..64 {
            assert_eq!(
                decide(&program, number, AUDIT_ARCH, [family, 1, 0, 0, 0, 0]),
                errno(libc::EPERM)
            );
        }
        let pair = self::number("socketpair").unwrap();
        for kind in 0..16 {
            let expected = if [1, 5].contains(&kind) {
                ALLOW
            } else {
                errno(libc::EPERM)
            };
            for flags in [0, 0o2_004_000] {
                let decided = decide(&program, pair, AUDIT_ARCH, [1, kind | flags, 0, 0, 0, 0]);
                assert_eq!(decided, expected, "{kind}");
            }
        }
    }
}
