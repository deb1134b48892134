//! The filter by number alone.

use std::collections::BTreeMap;

use seccompiler::sock_filter;

use super::program::{AUDIT_ARCH, IF_AT_LEAST, IF_EQUAL, KILL, LOAD, RETURN, X32_BIT, errno, instruction, pack};
use crate::profile::syscall_table::SYSCALLS;

/// A filter by number alone: wrong architecture and x32 are killed, unknown numbers get `ENOSYS`.
pub(super) fn numbers(action: impl Fn(&str) -> u32) -> Vec<u64> {
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

#[cfg(test)]
mod tests {
    use super::super::program::unpack;
    use super::super::{Conditions, Sockets, action};
    use super::*;
    use crate::profile::{Profiles, WriteAndExecute};

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
            host_ipc: false,
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
