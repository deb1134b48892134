//! Which protections a sandbox has, and what the machine lacks.

use serde::{Deserialize, Serialize};

use super::plan::Modes;
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

/// Says for each protection of a planned sandbox whether it holds.
#[expect(clippy::too_many_lines, reason = "one row for each case reads best in one place")]
pub(super) fn protections(
    request: &LaunchRequest,
    modes: &Modes,
    support: &Support,
    conditions: &Conditions,
) -> Vec<Protection> {
    const USERNS: &str = "allow unprivileged user namespaces, or run as root";
    let host = request.profile.network == Network::Host;
    let namespace = |name: &str, there: bool, found: &Found, what: &str| match found {
        Ok(()) if there => protection(name, State::Active, what, None),
        Err(why) => protection(name, State::Unavailable, why, Some(USERNS)),
        Ok(()) => protection(name, State::Unavailable, "user namespaces are missing", Some(USERNS)),
    };
    let mut all = vec![
        protection(
            "system call filter",
            State::Active,
            "seccomp, by number and by argument",
            None,
        ),
        protection("no_new_privs", State::Active, "set-user-id programs gain nothing", None),
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
    ];
    all.push(if host {
        protection("network", State::Active, "the host's, as the profile says", None)
    } else if modes.namespaces.network {
        protection("network namespace", State::Active, "only its own loopback", None)
    } else {
        protection(
            "network namespace",
            State::Degraded,
            "no IP sockets at all instead",
            Some(USERNS),
        )
    });
    all.push(match modes.landlock {
        0 => protection(
            "landlock",
            State::Unavailable,
            "the kernel has none",
            Some("boot with lsm=landlock,..."),
        ),
        version => protection("landlock", State::Active, &format!("version {version}"), None),
    });
    all.push(match (modes.namespaces.mount, modes.proc) {
        (true, true) => protection("/proc", State::Active, "a fresh one", None),
        _ => protection(
            "/proc",
            State::Degraded,
            "empty or out of reach; ps and top do not work",
            Some(USERNS),
        ),
    });
    let cgroup = support.cgroup.as_ref().err();
    let fix = "run under systemd with a user session, or as root";
    for (name, supervised) in [
        ("memory limit", State::Supervised),
        (
            "processor limit",
            if conditions.affinity_fixed {
                State::Active
            } else {
                State::Supervised
            },
        ),
    ] {
        all.push(match cgroup {
            None => protection(name, State::Active, "cgroup", None),
            Some(why) => protection(name, supervised, &format!("no cgroup: {why}"), Some(fix)),
        });
    }
    all.push(match (cgroup, modes.namespaces.user) {
        (None, _) | (_, true) => protection("process limit", State::Active, "enforced by the kernel", None),
        (Some(why), false) => protection("process limit", State::Unavailable, why, Some(fix)),
    });
    all.push(protection(
        "workspace growth",
        State::Supervised,
        "looked at every 20 ms while the command works",
        None,
    ));
    all.push(if modes.namespaces.mount {
        protection(
            "protected paths",
            State::Active,
            "those that exist are read-only; new ones are reported",
            None,
        )
    } else {
        protection(
            "protected paths",
            State::Degraded,
            "changes are reported at the end",
            Some(USERNS),
        )
    });
    all
}

fn protection(name: &str, state: State, why: &str, fix: Option<&str>) -> Protection {
    Protection {
        name: name.to_owned(),
        state,
        why: why.to_owned(),
        fix: fix.map(str::to_owned),
    }
}
