//! From a grant and the machine's support to the launcher's spec, and to what is said about it.
//!
//! Pure but for looking at which paths of the host exist. What the machine lacks is decided here: above the
//! floor it is said, below the floor or where the profile requires it the launch is refused.

use std::path::PathBuf;

use super::environment;
use super::filesystem;
use super::places::Places;
use super::refusal::Refusal;
use super::resources;
use super::shell::{MakeStartup, Shell};
use super::spec::{Base, CgroupSpec, Identity, Namespaces, Task, TerminalSpec};
use super::support::{self, Protection};
use super::syscalls::{self, Compiled, Conditions, Filter, Sockets};
use super::workspace;
use crate::kernel::cgroup::GroupLimits;
use crate::kernel::probe::Support;
use crate::model::SessionId;
use crate::policy::{LaunchGrant, LaunchRequest, Terminal};
use crate::profile::{Enforcement, Limits, Network, SyscallAction};

/// What is used of what there is.
#[derive(Clone, Debug)]
pub(super) struct Modes {
    pub(super) namespaces: Namespaces,
    pub(super) identity: Identity,
    pub(super) landlock: u8,
    pub(super) cgroup: bool,
    /// A fresh /proc and devpts in the view.
    pub(super) proc: bool,
    pub(super) devpts: bool,
}

/// What tells one sandbox from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its name.
    pub(super) name: String,
    /// Its user, where root gives it one of its own.
    pub(super) uid: u32,
}

impl Mark {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        Ok(Self {
            name: SessionId::random()?.to_string(),
            uid: resources::session_uid()?,
        })
    }
}

/// A sandbox, what protects it, and what it takes to plan its task.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) base: Base,
    pub(super) protections: Vec<Protection>,
    pub(super) rest: Rest,
}

/// What a task depends on besides its request.
#[derive(Debug)]
pub(super) struct Rest {
    modes: Modes,
    places: Places,
    shell: Option<Shell>,
    cwd: PathBuf,
}

impl Plan {
    /// Plans a sandbox for what was granted.
    pub(super) fn make(
        grant: &LaunchGrant,
        support: &Support,
        mark: &Mark,
        run_as: Option<u32>,
        compiled: &Compiled,
    ) -> Result<Self, Refusal> {
        let request = grant.request();
        if !workspace::is_there(&request.workspace) {
            return Err(Refusal::Replaced(request.workspace.path().to_owned()));
        }
        let modes = modes(request, support, run_as, mark)?;
        floor(&modes, support, run_as, mark)?;
        required(request, &modes, support)?;
        let conditions = conditions(request, &modes, support.processors);
        let places = Places::find(grant.caller(), request, &modes, &mark.name)?;
        let rest = Rest {
            cwd: working_directory(request, &places)?,
            shell: Shell::find(request, &places)?,
            modes,
            places,
        };
        Ok(Self {
            base: base(
                request,
                support,
                &rest,
                mark,
                compiled.filter(&request.profile, &conditions),
            )?,
            protections: support::protections(request, &rest.modes, support, &conditions),
            rest,
        })
    }
}

fn base(request: &LaunchRequest, support: &Support, rest: &Rest, mark: &Mark, filter: Filter) -> Result<Base, Refusal> {
    let profile = &request.profile;
    let limits = &profile.limits;
    let processors = support.processors;
    let Rest {
        modes, places, shell, ..
    } = rest;
    let (view, landlock) = filesystem::plan(request, modes, places, shell.as_ref())?;
    let copied = shell.as_ref().filter(|_| places.private.is_some());
    Ok(Base {
        name: mark.name.clone(),
        identity: modes.identity,
        namespaces: modes.namespaces,
        cgroup: support.cgroup.clone().ok().map(|parent| CgroupSpec {
            parent,
            limits: GroupLimits {
                memory: limits.memory.bytes(),
                processes: limits.processes.saturating_add(1), // pid 1 is ours
                millicores: limits.cpu.millicores(processors),
            },
        }),
        copy: copied.map(|shell| (shell.source.clone(), shell.program.clone())),
        private: places.private.clone(),
        view,
        landlock,
        filter,
        init_filter: syscalls::init_filter(),
        rlimits: resources::rlimits(limits, modes),
        processors: affinity_fixed(limits, modes, processors).then(|| limits.cpu.millicores(processors) / 1000),
    })
}

impl Rest {
    /// What is to be run in the sandbox.
    pub(super) fn task(mut self, request: &LaunchRequest, startup: Option<MakeStartup>) -> Task {
        if let (Some(shell), Some(make)) = (&mut self.shell, startup) {
            shell.startup = make(&self.places.startup());
        }
        Task {
            command: environment::command(request, self.cwd, &self.places, self.shell.as_ref()),
            terminal: match request.terminal {
                Terminal::None => None,
                Terminal::Size { columns, rows } => Some(TerminalSpec {
                    columns,
                    rows,
                    private: self.modes.devpts,
                }),
            },
            watch: resources::watch(request, &self.modes, &self.places),
            startup: self.shell.map(|shell| shell.into_spec(&self.places)),
        }
    }
}

fn modes(request: &LaunchRequest, support: &Support, run_as: Option<u32>, mark: &Mark) -> Result<Modes, Refusal> {
    let user = support.user_namespace.is_ok();
    let any = user || support.admin;
    let mount = any && support.mount_namespace.is_ok();
    let pid = any && support.pid_namespace.is_ok();
    if !mount && support.landlock == 0 {
        let why = support
            .mount_namespace
            .clone()
            .err()
            .unwrap_or_else(|| "not usable here".to_owned());
        return Err(Refusal::Floor {
            what: "both mount namespaces and Landlock",
            why,
        });
    }
    let network = any && request.profile.network == Network::None && support.network_namespace.is_ok();
    let change = support.root && support.change_user;
    let owner = request.workspace.owner;
    if run_as.is_some_and(|uid| !change && uid != rustix::process::geteuid().as_raw()) {
        return Err(Refusal::RunAs);
    }
    let outside = if !change {
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    } else if let Some(uid) = run_as {
        (uid, uid)
    } else if owner.uid != 0 {
        (owner.uid, owner.gid)
    } else if mount && support.admin {
        (mark.uid, mark.uid)
    } else {
        return Err(Refusal::NoUser);
    };
    Ok(Modes {
        namespaces: Namespaces {
            user,
            mount,
            pid,
            network,
            counts: user && mount && support.counts.is_ok(),
            others: any,
        },
        identity: Identity { outside, change },
        landlock: support.landlock,
        cgroup: support.cgroup.is_ok(),
        proc: mount && pid && support.proc.is_ok(),
        devpts: mount && support.devpts.is_ok(),
    })
}

/// What nothing is run without.
fn floor(modes: &Modes, support: &Support, run_as: Option<u32>, mark: &Mark) -> Result<(), Refusal> {
    let why = |found: &Result<(), String>| found.clone().err().unwrap_or_else(|| "not usable here".to_owned());
    // The owner of a workspace has processes elsewhere. Of a user that the operator names it is said that he has none.
    let (uid, _) = modes.identity.outside;
    let other_user =
        modes.identity.change && uid != rustix::process::geteuid().as_raw() && (uid == mark.uid || run_as == Some(uid));
    if !modes.namespaces.pid && modes.landlock < 6 && !other_user {
        let what = "process namespaces, a user that runs nothing else (--run-as UID), and Landlock 6";
        return Err(Refusal::Floor {
            what,
            why: why(&support.pid_namespace),
        });
    }
    Ok(())
}

fn required(request: &LaunchRequest, modes: &Modes, support: &Support) -> Result<(), Refusal> {
    let profile = &request.profile;
    let wanted = modes.namespaces;
    let found = [
        ("a mount namespace", wanted.mount, support.mount_namespace.clone().err()),
        ("a process namespace", wanted.pid, support.pid_namespace.clone().err()),
        (
            "a network namespace",
            wanted.network || profile.network == Network::Host,
            support.network_namespace.clone().err(),
        ),
        ("Landlock", modes.landlock > 0, Some("the kernel has none".to_owned())),
    ];
    if profile.isolation == Enforcement::Required
        && let Some((what, _, why)) = found.into_iter().find(|(_, there, _)| !there)
    {
        let why = why.unwrap_or_else(|| "not usable here".to_owned());
        return Err(Refusal::Required {
            profile: profile.name.clone(),
            what,
            why,
        });
    }
    match &support.cgroup {
        Err(why) if profile.limits.enforcement == Enforcement::Required => Err(Refusal::Required {
            profile: profile.name.clone(),
            what: "limits that the kernel enforces (cgroups)",
            why: why.clone(),
        }),
        _ => Ok(()),
    }
}

fn conditions(request: &LaunchRequest, modes: &Modes, processors: u32) -> Conditions {
    let profile = &request.profile;
    let own_network = modes.namespaces.network;
    let scoped = modes.landlock >= 6;
    let host = profile.network == Network::Host;
    let netlink = profile
        .syscalls
        .rules
        .get("ptrace")
        .is_some_and(|r| r.action == SyscallAction::Allow);
    Conditions {
        sockets: Sockets {
            unix: modes.namespaces.mount && (own_network || scoped),
            tcp: own_network || host,
            udp: host || (own_network && netlink), // `build` has both, inside its own namespaces
        },
        identity: modes.identity.outside,
        host_processes: !modes.namespaces.pid,
        host_ipc: !modes.namespaces.others,
        host_files: !modes.namespaces.mount,
        truncation_unchecked: !modes.namespaces.mount && modes.landlock < 3,
        memory_enforced: modes.cgroup,
        affinity_fixed: affinity_fixed(&profile.limits, modes, processors),
        write_and_execute: profile.filesystem.write_and_execute,
    }
}

/// Whether the processors are limited by affinity, for lack of a cgroup.
fn affinity_fixed(limits: &Limits, modes: &Modes, processors: u32) -> bool {
    !modes.cgroup && limits.cpu.millicores(processors) < processors * 1000
}

/// The directory to start in: in the workspace unless another of the sandbox's own is named.
fn working_directory(request: &LaunchRequest, places: &Places) -> Result<PathBuf, Refusal> {
    let workspace = request.workspace.path();
    let Some(cwd) = &request.cwd else {
        return Ok(workspace.to_owned());
    };
    let joined = workspace.join(cwd);
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    let mut own = places.all().into_iter().chain([workspace]);
    if own.any(|directory| clean.starts_with(directory)) {
        Ok(clean)
    } else {
        Err(Refusal::OutsideDirectory {
            cwd: cwd.clone(),
            workspace: workspace.to_owned(),
        })
    }
}
