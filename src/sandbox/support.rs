//! Which protections a sandbox has, and what the machine lacks.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::plan::Modes;
use super::resources;
use super::syscalls::Conditions;
use crate::kernel::probe::{Found, Support};
use crate::policy::LaunchRequest;
use crate::profile::Network;

/// One protection, as found when a sandbox was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// What it is called: `mount namespace`, `landlock`, `memory limit`.
    pub name: String,
    /// Whether it holds.
    pub state: State,
    /// What that means, or why not.
    pub why: String,
    /// What the operator can do about it.
    pub fix: Option<String>,
}

/// Whether a protection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The kernel enforces it.
    Active,
    /// Terrarium looks after it, with a delay.
    Supervised,
    /// It holds in part.
    Degraded,
    /// It does not hold.
    Unavailable,
}

const USERNS: &str = "allow unprivileged user namespaces, or run as root: docs/operating.md";
const COUNTS: &str = "make /proc/sys writable (for Docker: --security-opt systempaths=unconfined): docs/operating.md";
const CONTAINER: &str = "a system call filter is in force here, as in a container: let it allow namespaces and mounts: docs/operating.md, \"In a container\"";
const APPARMOR: &str = "install the AppArmor profile in packaging/apparmor (Ubuntu wants one for user namespaces), or run as root: docs/operating.md";

/// What to do about user namespaces that are missing here.
fn userns_fix() -> &'static str {
    static FIX: LazyLock<&str> = LazyLock::new(|| {
        let restricted = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let filtered = status.lines().any(|line| line == "Seccomp:\t2"); // proc_pid_status(5)
        fix_for(filtered, std::fs::read_to_string(restricted).ok().as_deref())
    });
    *FIX
}

/// The same, from whether a filter from outside holds for us, and the setting that Ubuntu's kernels have.
fn fix_for(filtered: bool, restricted: Option<&str>) -> &'static str {
    match restricted.map(str::trim) {
        _ if filtered => CONTAINER,
        None | Some("0") => USERNS,
        Some(_) => APPARMOR,
    }
}

/// Says for each protection of a planned sandbox whether it holds.
pub(super) fn protections(
    request: &LaunchRequest,
    modes: &Modes,
    support: &Support,
    conditions: &Conditions,
) -> Vec<Protection> {
    let mut all = vec![
        active("system call filter", "seccomp, by number and by argument"),
        active("no_new_privs", "set-user-id programs gain nothing"),
        namespace(
            "mount namespace",
            modes.namespaces.mount,
            &support.mount_namespace,
            "files outside are not there",
        ),
        namespace(
            "process namespace",
            modes.namespaces.pid,
            &support.pid_namespace,
            "other processes are not there",
        ),
        network(request.profile.network, modes),
        landlock(modes.landlock),
        proc(modes),
    ];
    all.extend(limits(modes, support, conditions));
    if !modes.namespaces.mount {
        all.push(protection(
            "file attributes",
            State::Degraded,
            "chmod, chown, utime and extended attributes are refused: git init, linkers and archivers fail",
            Some(userns_fix()),
        ));
    }
    if modes.namespaces.user && !modes.namespaces.counts {
        let (why, fix) = match &support.counts {
            Err(why) => (why.as_str(), COUNTS),
            Ok(()) => ("no mount namespace", userns_fix()),
        };
        let why = format!("{why}: the filter alone refuses namespaces within, and watches are bounded with the user's");
        all.push(protection("user namespace's counts", State::Degraded, &why, Some(fix)));
    }
    if !modes.identity.change {
        all.extend(supplementary_groups(&own_groups(), modes.identity.outside.1));
    }
    all.push(protected_paths(modes));
    all
}

fn own_groups() -> Vec<u32> {
    let all = rustix::process::getgroups().unwrap_or_default();
    all.into_iter().map(rustix::process::Gid::as_raw).collect()
}

/// An ordinary user keeps these, also in a user namespace (setgroups(2)).
fn supplementary_groups(all: &[u32], own: u32) -> Option<Protection> {
    let kept: Vec<_> = all.iter().filter(|group| **group != own).map(u32::to_string).collect();
    let why = format!(
        "what they may read and write, commands may where they find it: {}",
        kept.join(", ")
    );
    let fix = Some("run it as a user that is in no other group, if that matters: docs/operating.md");
    (!kept.is_empty()).then(|| protection("supplementary groups", State::Degraded, &why, fix))
}

fn namespace(name: &str, there: bool, found: &Found, what: &str) -> Protection {
    match found {
        Ok(()) if there => active(name, what),
        Err(why) => protection(name, State::Unavailable, why, Some(userns_fix())),
        Ok(()) => protection(
            name,
            State::Unavailable,
            "user namespaces are missing",
            Some(userns_fix()),
        ),
    }
}

fn network(network: Network, modes: &Modes) -> Protection {
    match network {
        Network::Host => active("network", "the host's, as the profile says"),
        Network::None if modes.namespaces.network => active("network namespace", "only its own loopback"),
        Network::None => protection(
            "network namespace",
            State::Degraded,
            "no IP sockets at all instead",
            Some(userns_fix()),
        ),
    }
}

fn landlock(version: u8) -> Protection {
    match version {
        0 => protection(
            "landlock",
            State::Unavailable,
            "the kernel has none",
            Some("boot with lsm=landlock,..."),
        ),
        version => active("landlock", &format!("version {version}")),
    }
}

fn proc(modes: &Modes) -> Protection {
    match (modes.namespaces.mount, modes.proc) {
        (true, true) => active("/proc", "a fresh one"),
        _ => protection(
            "/proc",
            State::Degraded,
            "empty or out of reach; ps and top do not work",
            Some(userns_fix()),
        ),
    }
}

fn limits(modes: &Modes, support: &Support, conditions: &Conditions) -> [Protection; 4] {
    let cgroup = support.cgroup.as_ref().err();
    let fix = Some("log in, or `loginctl enable-linger` for this user, or run as root: docs/operating.md");
    let by_cgroup = |name: &str| match cgroup {
        None => active(name, "cgroup"),
        Some(why) => protection(name, State::Supervised, &format!("no cgroup: {why}"), fix),
    };
    [
        by_cgroup("memory limit"),
        match cgroup {
            Some(_) if conditions.affinity_fixed => {
                active("processor limit", "fewer processors, which the command cannot change")
            }
            _ => by_cgroup("processor limit"),
        },
        if resources::own_count(modes) {
            active("process limit", "enforced by the kernel")
        } else {
            by_cgroup("process limit")
        },
        protection(
            "workspace growth",
            State::Supervised,
            "looked at every 20 ms while the command works",
            None,
        ),
    ]
}

fn protected_paths(modes: &Modes) -> Protection {
    if modes.namespaces.mount {
        active(
            "protected paths",
            "those that exist are read-only; new ones are reported",
        )
    } else {
        protection(
            "protected paths",
            State::Degraded,
            "changes are reported at the end",
            Some(userns_fix()),
        )
    }
}

fn active(name: &str, what: &str) -> Protection {
    protection(name, State::Active, what, None)
}

fn protection(name: &str, state: State, why: &str, fix: Option<&str>) -> Protection {
    Protection {
        name: name.to_owned(),
        state,
        why: why.to_owned(),
        fix: fix.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_stay_are_named() {
        assert_eq!(supplementary_groups(&[], 1000), None);
        assert_eq!(supplementary_groups(&[1000], 1000), None);
        let kept = supplementary_groups(&[4, 1000, 27], 1000).unwrap();
        assert!(
            kept.state == State::Degraded && kept.why.ends_with(": 4, 27"),
            "{kept:?}"
        );
    }

    #[test]
    fn what_to_do_is_named_for_ubuntu_and_in_a_container() {
        assert_eq!(fix_for(false, None), USERNS);
        assert_eq!(fix_for(false, Some("0\n")), USERNS);
        assert_eq!(fix_for(false, Some("1\n")), APPARMOR);
        assert_eq!(fix_for(true, Some("1\n")), CONTAINER);
    }
}
