//! What this machine offers to a sandbox, found out by trying it.
//!
//! Each trial runs in a forked child, so the process that asks must have one thread. Tests pretend
//! that something is missing by [`Support::pretend`]: it only ever takes away.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags};
use serde::{Deserialize, Serialize};

use super::cgroup::{self, Group, GroupLimits, Parent};
use super::identity::{self, Groups};
use super::process::{self, Fork};

/// What can be had here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// Whether the prober's effective user is root.
    pub root: bool,
    /// Whether it has CAP_SYS_ADMIN, and can use it: namespaces without a user namespace.
    pub admin: bool,
    /// Whether it can become another user.
    pub change_user: bool,
    /// User namespaces.
    pub user_namespace: Found,
    /// Mount namespaces, with the right to mount a tmpfs.
    pub mount_namespace: Found,
    /// Process namespaces.
    pub pid_namespace: Found,
    /// Network namespaces.
    pub network_namespace: Found,
    /// Counts that the kernel keeps for each user namespace, lowered.
    pub counts: Found,
    /// A fresh /proc.
    pub proc: Found,
    /// A private devpts.
    pub devpts: Found,
    /// The version of Landlock, 0 for none.
    pub landlock: u8,
    /// Where cgroups can be made.
    pub cgroup: Result<Parent, String>,
    /// Processors of this machine.
    pub processors: u32,
}

/// The result of one trial: nothing, or why not.
pub type Found = Result<(), String>;

/// What a test or an operator can pretend to be missing.
const PRETENCES: [&str; 11] = [
    "user",
    "mount",
    "pid",
    "network",
    "counts",
    "proc",
    "devpts",
    "landlock",
    "landlock=N",
    "cgroup",
    "ahead",
];

impl Support {
    /// Takes things away: names of `PRETENCES`, `landlock=N` for an older version.
    pub fn pretend(mut self, missing: &[String]) -> Result<Self, PretenceError> {
        let gone = || Err("pretended to be missing".to_owned());
        for name in missing {
            match name.as_str() {
                "user" => {
                    self.user_namespace = gone();
                    if !self.admin {
                        self.mount_namespace = gone();
                        self.pid_namespace = gone();
                        self.network_namespace = gone();
                    }
                }
                "mount" => self.mount_namespace = gone(),
                "pid" => self.pid_namespace = gone(),
                "network" => self.network_namespace = gone(),
                "counts" => self.counts = gone(),
                "proc" => self.proc = gone(),
                "devpts" => self.devpts = gone(),
                "landlock" => self.landlock = 0,
                "ahead" => {} // nothing of the machine: sandboxes that are built before they are asked for
                "cgroup" => self.cgroup = Err("pretended to be missing".to_owned()),
                other => match other.strip_prefix("landlock=").and_then(|n| n.parse::<u8>().ok()) {
                    Some(version) => self.landlock = self.landlock.min(version),
                    None => return Err(PretenceError { name: other.to_owned() }),
                },
            }
        }
        Ok(self)
    }
}

/// A name that `--pretend` does not know.
#[derive(Debug, thiserror::Error)]
#[error("cannot pretend that {name:?} is missing; hint: one of {}", PRETENCES.join(", "))]
pub struct PretenceError {
    name: String,
}

/// Tries everything. Takes a few milliseconds; must be called from a process with one thread.
pub(crate) fn run(cgroup: Result<Parent, String>) -> Support {
    // A container's filter may refuse what root may do.
    let admin = identity::has_admin() && trial(libc::CLONE_NEWUTS, || Ok(())).is_ok();
    let change_user = identity::can_change_user();
    let user_namespace = trial(libc::CLONE_NEWUSER, || Ok(()));
    let user = if user_namespace.is_ok() { libc::CLONE_NEWUSER } else { 0 };
    let mount = user | libc::CLONE_NEWNS;
    let pid = mount | libc::CLONE_NEWPID;
    Support {
        root: rustix::process::geteuid().is_root(),
        admin,
        change_user,
        mount_namespace: trial(mount, try_mount),
        pid_namespace: trial(user | libc::CLONE_NEWPID, || Ok(())),
        network_namespace: trial(user | libc::CLONE_NEWNET, super::network::bring_loopback_up),
        // Without a user namespace they would be the machine's.
        counts: user_namespace
            .clone()
            .and_then(|()| trial(user, identity::lower_counts)),
        proc: trial(pid, || try_mount_kind("proc", "proc", "hidepid=2")),
        devpts: trial(mount, || {
            try_mount_kind("devpts", "devpts", "newinstance,ptmxmode=0666,mode=0620")
        }),
        user_namespace,
        landlock: process::landlock_abi(),
        cgroup: cgroup.and_then(|parent| try_cgroup(&parent).map(|()| parent)),
        processors: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1)),
    }
}

fn try_mount() -> io::Result<()> {
    try_mount_kind("tmpfs", "tmpfs", "size=4k")
}

fn try_mount_kind(source: &str, kind: &str, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options).map_err(|_| io::ErrorKind::InvalidInput)?;
    let flags = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", flags)?;
    let target = mount_point().ok_or(io::ErrorKind::NotFound)?;
    rustix::mount::mount(
        source,
        target,
        kind,
        MountFlags::NOSUID | MountFlags::NOEXEC,
        Some(options.as_c_str()),
    )?;
    Ok(())
}

/// A directory of this machine to build a new root on; it is only covered in a new mount namespace.
pub(crate) fn mount_point() -> Option<&'static Path> {
    ["/tmp", "/run", "/mnt", "/var/tmp", "/dev", "/"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.is_dir())
}

/// Runs `act` in a child with new namespaces; the error is the kernel's own words.
fn trial(namespaces: i32, act: impl FnOnce() -> io::Result<()>) -> Found {
    try_in_child(namespaces, act).map_err(|error| error.to_string())
}

fn try_in_child(namespaces: i32, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (mut go, mut say_go) = io::pipe()?;
    let (mut answer, mut say) = io::pipe()?;
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    match process::fork(namespaces, None)? {
        Fork::Child => {
            drop((answer, say_go));
            let waited = go.read_exact(&mut [0]);
            let result = waited.and_then(|()| act());
            let code = result.err().map_or(0, |e| e.raw_os_error().unwrap_or(libc::EIO));
            say.write_all(&code.to_le_bytes()).ok(); // the parent sees a missing answer
            process::exit_now(0)
        }
        Fork::Parent { pid, .. } => {
            drop((go, say));
            let mapped = if namespaces & libc::CLONE_NEWUSER == 0 {
                Ok(())
            } else {
                let groups = if identity::can_change_user() {
                    Groups::Settable
                } else {
                    Groups::GivenUp
                };
                identity::write_maps(pid, own, own, groups)
            };
            if mapped.is_ok() {
                say_go.write_all(b"x").ok(); // a child that is gone gives no answer below
            }
            drop(say_go);
            let mut code = [0; 4];
            let answered = answer.read_exact(&mut code);
            // The launcher's child status is its own; this one says nothing new.
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).ok();
            mapped?;
            answered?;
            match i32::from_le_bytes(code) {
                0 => Ok(()),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }
}

fn try_cgroup(parent: &Parent) -> Found {
    let name = format!("{}probe-{}", cgroup::PREFIX, rustix::process::getpid().as_raw_nonzero());
    let limits = GroupLimits {
        memory: 64 << 20,
        processes: 8,
        millicores: 1000,
    };
    let group = Group::create(parent, &name, &limits).map_err(|error| error.to_string())?;
    group.remove();
    Ok(())
}

/// Where this process may make groups, judging by `/proc/self/cgroup` and what is mounted.
pub(crate) fn own_cgroup() -> Result<Parent, String> {
    let text = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    let mut unified = None;
    let mut directories = std::collections::BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            unified = Some(path.to_owned());
            continue;
        }
        for controller in controllers
            .split(',')
            .filter(|c| ["memory", "pids", "cpu", "cpuacct"].contains(c))
        {
            let below = path.trim_start_matches('/');
            let mounted = [controller, controllers].map(|name| PathBuf::from("/sys/fs/cgroup").join(name).join(below));
            if let Some(directory) = mounted.into_iter().find(|d| d.is_dir()) {
                // Controllers that are mounted together have one directory under several names.
                let directory = directory.canonicalize().unwrap_or(directory);
                directories.insert(controller.to_owned(), directory);
            }
        }
    }
    if directories.len() == 4 {
        return Ok(Parent::V1 { directories });
    }
    let unified = unified.ok_or("this process is in no cgroup")?;
    own_unified(&unified)
}

/// The unified directory of this process, if its children get the controllers.
fn own_unified(path: &str) -> Result<Parent, String> {
    let directory = PathBuf::from("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let enabled = fs::read_to_string(directory.join("cgroup.subtree_control")).map_err(|error| error.to_string())?;
    let missing: Vec<&str> = cgroup::CONTROLLERS
        .into_iter()
        .filter(|c| !enabled.split_ascii_whitespace().any(|e| e == *c))
        .collect();
    if missing.is_empty() {
        return Ok(Parent::V2 { directory });
    }
    Err(format!(
        "the cgroup {path} does not hand on the controllers {}",
        missing.join(", ")
    ))
}

/// The unified directory above this process, if that was given to this user: a group that hands on
/// controllers holds no process, so who delegates one puts the program into a leaf of it
/// (`DelegateSubgroup=` in systemd.resource-control(5), "Delegation" in the kernel's cgroup-v2.rst).
pub(crate) fn given_cgroup() -> io::Result<Parent> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
    let above = path
        .and_then(|path| Path::new(path).parent())
        .ok_or(io::ErrorKind::NotFound)?;
    // With systemd every other group of root's is systemd's, which wants to be asked.
    if rustix::process::geteuid().is_root() && Path::new("/run/systemd/system").exists() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let directory = Path::new("/sys/fs/cgroup").join(above);
    rustix::fs::access(directory.join("cgroup.procs"), rustix::fs::Access::WRITE_OK)?;
    cgroup::hand_on(&directory)?;
    Ok(Parent::V2 { directory })
}
