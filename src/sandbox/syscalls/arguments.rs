//! What an allowed call must not be asked: conditions on arguments.

use std::collections::BTreeMap;

use seccompiler::sock_filter;

use super::numbers::Checks;
use super::program::{ALLOW, AND, IF_EQUAL, LOAD, RETURN, errno, instruction};
use super::{Conditions, Sockets};
use crate::profile::WriteAndExecute;

/// For each call that is refused for its arguments the instructions that decide it, once its number is known.
pub(super) fn checks(conditions: &Conditions) -> Checks {
    let mut rules = Rules::default();
    set_id_bits(&mut rules);
    sockets(&mut rules, conditions.sockets);
    for request in [0x5412, 0x541C, 0x5423, 0x541D] {
        rules.refuse("ioctl", &[(1, Test::Is(request))]); // TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS
    }
    // FS_IOC_RESVSP, FS_IOC_RESVSP64, FS_IOC_ZERO_RANGE: fallocate by another name, past the limit on file sizes.
    for request in [0x4030_5828, 0x4030_582a, 0x4030_5839] {
        rules.refuse("ioctl", &[(1, Test::Is(request))]);
    }
    // BTRFS_IOC_SUBVOL_CREATE, its second version, and BTRFS_IOC_SNAP_CREATE in both: a file system of its own in the workspace.
    for request in [0x5000_940e, 0x5000_9418, 0x5000_9401, 0x5000_9417] {
        rules.refuse("ioctl", &[(1, Test::Is(request))]);
    }
    host_wide(&mut rules);
    for namespace in [
        0x1000_0000,
        0x0002_0000,
        0x2000_0000,
        0x4000_0000,
        0x0800_0000,
        0x0400_0000,
        0x0200_0000,
    ] {
        rules.refuse("clone", &[bit(0, namespace)]);
    }
    // Personalities that only name another system; none that weakens address layout or protections.
    let harmless = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
    rules.refuse("personality", &harmless.map(|p| (0, Test::IsNot(p))));
    rules.refuse("seccomp", &[(0, Test::Is(1)), bit(1, 8)]); // a filter with a listener
    for name in ["sendto", "sendmmsg"] {
        rules.refuse(name, &[bit(3, 0x2000_0000)]); // MSG_FASTOPEN
    }
    rules.refuse("sendmsg", &[bit(2, 0x2000_0000)]);
    identity(&mut rules, conditions.identity);
    if conditions.host_files {
        for request in FILE_ATTRIBUTES {
            rules.refuse("ioctl", &[(1, Test::Is(request))]);
        }
    }
    if conditions.host_processes {
        rules.refuse("prlimit64", &[(0, Test::IsNot(0))]);
        rules.refuse("sched_setaffinity", &[(0, Test::IsNot(0))]);
    }
    if conditions.truncation_unchecked {
        // To open for reading and to truncate at once; 3 stands for neither reading nor writing (open(2)).
        for access in [0, 3] {
            rules.refuse("open", &[bits(1, 0o1003, 0o1000 | access)]);
            rules.refuse("openat", &[bits(2, 0o1003, 0o1000 | access)]);
        }
    }
    if conditions.write_and_execute == WriteAndExecute::Denied {
        rules.refuse("mmap", &[bit(2, 6)]);
        rules.refuse("mprotect", &[bit(2, 4)]);
        rules.refuse("pkey_mprotect", &[bit(2, 4)]);
        rules.refuse("shmat", &[bit(2, 0o100_000)]);
    }
    rules.0.into_iter().map(|(name, rules)| (name, check(&rules))).collect()
}

/// What changes attributes of a file that is open for reading, which Landlock does not look at: FS_IOC_SETFLAGS and FS_IOC_SETVERSION, the
/// 32-bit forms of both, FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY, FS_IOC_SET_ENCRYPTION_POLICY (linux/fs.h, fsverity.h, fscrypt.h).
const FILE_ATTRIBUTES: [u32; 7] = [
    0x4008_6602,
    0x4004_6602,
    0x4008_7602,
    0x4004_7602,
    0x401c_5820,
    0x4080_6685,
    0x800c_6613,
];

/// Rules on arguments by call: one refuses with `EPERM` when all of its conditions hold.
#[derive(Default)]
struct Rules(BTreeMap<&'static str, Vec<Vec<Condition>>>);

impl Rules {
    fn refuse(&mut self, name: &'static str, conditions: &[Condition]) {
        self.0.entry(name).or_default().push(conditions.to_vec());
    }
}

/// An argument, counted from 0, and what its lower half must be: the kernel looks at no more of what is refused here.
type Condition = (u32, Test);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Is(u32),
    IsNot(u32),
    /// These bits are so.
    Bits {
        mask: u32,
        value: u32,
    },
    /// They are not.
    NotBits {
        mask: u32,
        value: u32,
    },
}

/// Each rule in turn; one that does not hold goes on to the next.
fn check(rules: &[Vec<Condition>]) -> Vec<sock_filter> {
    let mut program: Vec<_> = rules.iter().flat_map(|conditions| rule(conditions)).collect();
    program.push(instruction(RETURN, 0, 0, ALLOW));
    program
}

fn rule(conditions: &[Condition]) -> Vec<sock_filter> {
    // From the end, where it is known how far the next rule is.
    let mut program = vec![instruction(RETURN, 0, 0, errno(libc::EPERM))];
    for (argument, test) in conditions.iter().rev() {
        let next = u8::try_from(program.len()).unwrap_or(0); // a rule has a handful of conditions
        let (holds, fails, value) = match *test {
            Test::Is(value) | Test::Bits { value, .. } => (0, next, value),
            Test::IsNot(value) | Test::NotBits { value, .. } => (next, 0, value),
        };
        program.insert(0, instruction(IF_EQUAL, holds, fails, value));
        if let Test::Bits { mask, .. } | Test::NotBits { mask, .. } = *test {
            program.insert(0, instruction(AND, 0, 0, mask));
        }
        program.insert(0, instruction(LOAD, 0, 0, ARGUMENTS + 8 * argument));
    }
    program
}

/// Where the lower half of the first argument is in `seccomp_data` (seccomp(2)).
const ARGUMENTS: u32 = if cfg!(target_endian = "little") { 16 } else { 20 };

/// A bit that must be set.
fn bit(argument: u32, bit: u32) -> Condition {
    bits(argument, bit, bit)
}

/// The bits of a mask, which must be so.
fn bits(argument: u32, mask: u32, value: u32) -> Condition {
    (argument, Test::Bits { mask, value })
}

/// The bits of a mask, which must not be so.
fn not_bits(argument: u32, mask: u32, value: u32) -> Condition {
    (argument, Test::NotBits { mask, value })
}

/// Nobody becomes another user or group; staying who one is, and -1 for "as it is", work.
fn identity(rules: &mut Rules, (uid, gid): (u32, u32)) {
    let users = [("setuid", 1), ("setreuid", 2), ("setresuid", 3), ("setfsuid", 1)].map(|(name, n)| (name, n, uid));
    let groups = [("setgid", 1), ("setregid", 2), ("setresgid", 3), ("setfsgid", 1)].map(|(name, n)| (name, n, gid));
    for (name, arguments, own) in users.into_iter().chain(groups) {
        for argument in 0..arguments {
            let other = (argument, Test::IsNot(own));
            rules.refuse(name, &[other, (argument, Test::IsNot(0xffff_ffff))]);
        }
    }
}

/// Nothing makes a file that runs as another user or group, and nothing makes a device.
fn set_id_bits(rules: &mut Rules) {
    const CREATE: u32 = 0o100;
    const TMPFILE: u32 = 0o20_000_000;
    for set_id in [0o4000, 0o2000] {
        for (name, mode) in [
            ("chmod", 1),
            ("fchmod", 1),
            ("fchmodat", 2),
            ("fchmodat2", 2),
            ("creat", 1),
        ] {
            rules.refuse(name, &[bit(mode, set_id)]);
        }
        for (name, mode) in [("mknod", 1), ("mknodat", 2)] {
            rules.refuse(name, &[bit(mode, set_id)]);
        }
        for (name, flags, mode) in [("open", 1, 2), ("openat", 2, 3)] {
            rules.refuse(name, &[bit(flags, CREATE), bit(mode, set_id)]);
            rules.refuse(name, &[bit(flags, TMPFILE), bit(mode, set_id)]);
        }
    }
    for device in [0o020_000, 0o060_000] {
        rules.refuse("mknod", &[bits(1, 0o170_000, device)]);
        rules.refuse("mknodat", &[bits(2, 0o170_000, device)]);
    }
    rules.refuse("renameat2", &[bit(4, 4)]); // RENAME_WHITEOUT leaves a character device behind
}

/// Memory that the machine has one stock of, and that no limit of a sandbox counts.
fn host_wide(rules: &mut Rules) {
    const SOL_SOCKET: u32 = 1;
    // SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF and _EBPF: translated filters share bpf_jit_limit, which ours need too.
    // SO_ZEROCOPY: bytes that wait to be sent hold on to whole pages, huge ones too, that nobody has mapped any more.
    for option in [26, 50, 51, 52, 60] {
        rules.refuse("setsockopt", &[(1, Test::Is(SOL_SOCKET)), (2, Test::Is(option))]);
    }
    // Huge pages that were set apart (hugetlbfs): MAP_HUGETLB, SHM_HUGETLB, MFD_HUGETLB.
    rules.refuse("mmap", &[bit(3, 0x4_0000)]);
    rules.refuse("shmget", &[bit(2, 0o4000)]);
    rules.refuse("memfd_create", &[bit(1, 4)]);
    // F_SETLEASE and F_SETDELEG: whoever opens the file waits for the holder (fcntl(2)). F_SETPIPE_SZ: pages of pipes are counted for the user.
    for command in [1024, 1040, 1031] {
        rules.refuse("fcntl", &[(1, Test::Is(command))]);
    }
}

fn sockets(rules: &mut Rules, sockets: Sockets) {
    const UNIX: u32 = 1;
    const INET: u32 = 2;
    const INET6: u32 = 10;
    const NETLINK: u32 = 16;
    let allowed = [
        (sockets.unix, UNIX),
        (sockets.tcp, INET),
        (sockets.tcp, INET6),
        (sockets.udp, NETLINK),
    ];
    let others: Vec<Condition> = allowed
        .iter()
        .filter(|(allowed, _)| *allowed)
        .map(|(_, f)| (0, Test::IsNot(*f)))
        .collect();
    rules.refuse("socket", &others); // with no family left there is no condition, and every one is refused
    for family in [INET, INET6] {
        let is = (0, Test::Is(family));
        // The kind is 1 (stream), or 2 (datagram) where UDP is allowed: no other low bits.
        rules.refuse("socket", &[is, bit(1, 4)]);
        rules.refuse("socket", &[is, bit(1, 8)]);
        rules.refuse("socket", &[is, bit(1, 3)]);
        rules.refuse("socket", &[is, bits(1, 3, 0)]);
        if !sockets.udp {
            rules.refuse("socket", &[is, bit(1, 2)]);
        }
        let mut protocols = vec![is, (2, Test::IsNot(0)), (2, Test::IsNot(6))];
        if sockets.udp {
            protocols.push((2, Test::IsNot(17)));
        }
        rules.refuse("socket", &protocols);
    }
    rules.refuse("socket", &[(0, Test::Is(NETLINK)), (2, Test::IsNot(0))]); // NETLINK_ROUTE only
    rules.refuse("socketpair", &[(0, Test::IsNot(UNIX))]);
    if !sockets.unix {
        // A pair of datagram sockets could send to any address, and the kernel makes one of the kind "raw" too (unix_create). Those of
        // streams and of sequenced packets cannot.
        rules.refuse("socketpair", &[not_bits(1, 0xf, 1), not_bits(1, 0xf, 5)]);
    }
}
