//! Users, groups and capabilities of this process, and the maps of a user namespace.

use std::fs;
use std::io;

use nix::unistd::{Gid, Uid};
use rustix::process::Pid;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// The highest capability of the newest kernel, and room to grow.
const LAST_CAPABILITY: u32 = 63;

/// Writes the maps of the user namespace of `child`: one user and one group, outside to inside.
///
/// `groups` says whether setgroups(2) must be given up first, as for an ordinary user
/// (user_namespaces(7)).
pub(crate) fn write_maps(child: Pid, outside: (u32, u32), inside: (u32, u32), groups: Groups) -> io::Result<()> {
    let process = format!("/proc/{}", child.as_raw_nonzero());
    if groups == Groups::GivenUp {
        fs::write(format!("{process}/setgroups"), "deny")?;
    }
    fs::write(format!("{process}/gid_map"), format!("{} {} 1", inside.1, outside.1))?;
    fs::write(format!("{process}/uid_map"), format!("{} {} 1", inside.0, outside.0))
}

/// Whether setgroups(2) works in a user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    /// It does: the mapping process is privileged.
    Settable,
    /// It does not: supplementary groups stay.
    GivenUp,
}

/// Becomes this user and group for good. Supplementary groups go where the kernel lets them.
pub(crate) fn become_user(uid: u32, gid: u32, groups: Groups) -> io::Result<()> {
    if groups == Groups::Settable {
        nix::unistd::setgroups(&[])?;
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setresuid(uid, uid, uid)?;
    Ok(())
}

/// Drops every capability: bounding, ambient, permitted, effective, inheritable (capabilities(7)).
pub(crate) fn drop_capabilities() -> io::Result<()> {
    for number in 0..=LAST_CAPABILITY {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Past the last one that this kernel knows, or not ours to drop: then it is in no other set either.
            Err(rustix::io::Errno::INVAL) => break,
            Err(rustix::io::Errno::PERM) if effective_capabilities()? == 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    match rustix::thread::clear_ambient_capability_set() {
        Ok(()) | Err(rustix::io::Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// The bits of this process's effective capabilities.
pub(crate) fn effective_capabilities() -> io::Result<u64> {
    Ok(rustix::thread::capabilities(None)?.effective.bits())
}

/// Whether this process may mount, and act on what belongs to other users.
pub(crate) fn has_admin() -> bool {
    effective_capabilities().is_ok_and(|bits| bits & CapabilitySet::SYS_ADMIN.bits() != 0)
}

/// Whether this process can become any other user. Root of a user namespace that knows only some ids cannot, and cannot map the ids of
/// mounts either (user_namespaces(7)).
pub(crate) fn can_change_user() -> bool {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
    let able = effective_capabilities().is_ok_and(|bits| bits & needed.bits() == needed.bits());
    // Without /proc it cannot be read, and there is no sign of such a namespace.
    able && fs::read_to_string("/proc/self/uid_map").map_or(true, |map| knows_all_ids(&map))
}

/// Whether a map has one line that begins at 0 and leaves out only the id that stands for none.
fn knows_all_ids(map: &str) -> bool {
    let mut fields = map.split_whitespace();
    let (inside, _outside, count) = (fields.next(), fields.next(), fields.next());
    inside == Some("0") && count.and_then(|count| count.parse::<u32>().ok()) == Some(u32::MAX)
}

/// Lowers what the kernel counts for the user namespace that this process is in: watches, and namespaces within
/// (inotify(7), namespaces(7)). Fails where `/proc/sys` is read-only, as in a container of Docker's.
pub(crate) fn lower_counts() -> io::Result<()> {
    for kind in ["instances", "watches"] {
        let all = fs::read_to_string(format!("/proc/sys/fs/inotify/max_user_{kind}"))?;
        let all: u32 = all.trim().parse().unwrap_or_default();
        let share = (all / INOTIFY_SHARE).max(1).to_string();
        fs::write(format!("/proc/sys/user/max_inotify_{kind}"), share)?;
    }
    fs::write("/proc/sys/user/max_user_namespaces", "0")
}

/// They count against those of the user who started us as well: sixteen sandboxes together leave a fifth for everybody else.
const INOTIFY_SHARE: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_map_of_all_ids_knows_all() {
        assert!(knows_all_ids("         0          0 4294967295\n"));
        for map in [
            "0 1000 1\n",
            "0 100000 65536\n",
            "1 0 4294967295\n",
            "",
            "0 0\n",
            "0 0 x\n",
        ] {
            assert!(!knows_all_ids(map), "{map:?}");
        }
    }
}
