//! What a sandbox sees of the host, as mounts and as Landlock rules.

use std::fs;
use std::path::{Path, PathBuf};

use super::environment;
use super::file_id::FileId;
use super::host_file::{HostFile, existing};
use super::pins;
use super::places::{HOME, Places};
use super::plan::Modes;
use super::refusal::Refusal;
use super::shell::Shell;
use super::spec::{Access, Entry, LandlockSpec, View};
use crate::kernel::mounts::{NO_DEV, NO_EXEC, NO_SUID, READ_ONLY};
use crate::policy::LaunchRequest;
use crate::profile::{Limits, Network, WorkspaceAccess, WriteAndExecute};

/// /dev/shm: enough for Python's multiprocessing and for browsers' tests.
const SHM: u64 = 64 << 20;
/// Files in one private file system.
pub(super) const TMPFS_FILES: u64 = 50_000;
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// What /proc must not be written through, and what it must not show.
const PROC_READ_ONLY: [&str; 4] = ["/proc/sys", "/proc/bus", "/proc/irq", "/proc/fs"];
const PROC_MASKED: [&str; 5] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/key-users",
];
/// Links of the root directory on systems whose /usr holds everything.
const ROOT_LINKS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

const PLAIN: u64 = NO_SUID | NO_DEV;

/// The view, where there is a mount namespace, and the rules, where there is Landlock.
pub(super) fn plan(
    request: &LaunchRequest,
    modes: &Modes,
    places: &Places,
    shell: Option<&Shell>,
) -> Result<(Option<View>, Option<LandlockSpec>), Refusal> {
    let profile = &request.profile;
    let mut reads = existing(request, &profile.filesystem.read)?;
    let executes = existing(request, &profile.filesystem.execute)?;
    if profile.network == Network::Host {
        reads.extend(HostFile::find("/etc/resolv.conf".into()));
    }
    let mut view = modes
        .namespaces
        .mount
        .then(|| view(request, modes, places, &reads, &executes));
    let mut rules = match &view {
        Some(_) => inside(request, &executes),
        None => alone(request, places, &reads, &executes)?,
    };
    if let Some(shell) = shell {
        rules.push((places.shells.clone(), PROGRAM));
        if let Some(view) = &mut view {
            view.fixed.push(Entry::Copy {
                path: shell.program.clone(),
                source: shell.source.clone(),
                seen: shell.seen,
            });
        }
    }
    let landlock = (modes.landlock > 0).then(|| LandlockSpec {
        abi: modes.landlock,
        rules,
        deny_tcp: profile.network == Network::None && !modes.namespaces.network,
    });
    Ok((view, landlock))
}

fn view(request: &LaunchRequest, modes: &Modes, places: &Places, reads: &[HostFile], executes: &[HostFile]) -> View {
    let profile = &request.profile;
    let strict = profile.filesystem.write_and_execute == WriteAndExecute::Denied;
    let exec = if strict { NO_EXEC } else { 0 };
    let mut view = View::default();
    for directory in ["/tmp", "/proc", "/dev/pts", "/run", "/var", HOME] {
        view.fixed.push(Entry::Directory { path: directory.into() });
    }
    for link in ROOT_LINKS {
        if let Ok(target) = fs::read_link(link) {
            view.fixed.push(Entry::Link {
                path: link.into(),
                target,
            });
        }
    }
    for file in executes {
        host_path(&mut view.fixed, file, 0);
    }
    for file in reads {
        host_path(&mut view.fixed, file, NO_EXEC);
    }
    view.fixed.extend(environment::files(
        modes.identity.outside,
        profile.network == Network::Host,
    ));
    let mut bound = reads.iter().chain(executes).map(|file| file.path.as_path());
    let there = |path: &Path| path.starts_with("/var/tmp");
    if !there(request.workspace.path()) && !bound.any(there) {
        view.fixed.push(Entry::Link {
            path: "/var/tmp".into(),
            target: "/tmp".into(),
        });
    }
    devices(&mut view, modes);
    if modes.proc {
        proc(&mut view);
    }
    private_directories(&mut view, &profile.limits, modes, places, exec);
    workspace(&mut view, request, exec);
    view
}

fn proc(view: &mut View) {
    view.mounted.push(Entry::Proc);
    for path in PROC_READ_ONLY {
        view.mounted.push(Entry::Pin {
            within: "/proc".into(),
            path: path.into(),
            attributes: PLAIN | NO_EXEC | READ_ONLY,
            seen: None,
        });
    }
    let masked = PROC_MASKED.into_iter().filter(|path| Path::new(path).exists());
    view.mounted.extend(masked.map(|path| Entry::Bind {
        path: path.into(),
        source: "/dev/null".into(),
        directory: false,
        attributes: NO_SUID | NO_EXEC | READ_ONLY,
        needed: true,
        seen: None,
    }));
}

/// `/tmp`, `/dev/shm` and the home.
fn private_directories(view: &mut View, limits: &Limits, modes: &Modes, places: &Places, exec: u64) {
    let tmpfs = |path: &str, size: u64, mode: u32, attributes: u64| Entry::Tmpfs {
        path: path.into(),
        size,
        files: TMPFS_FILES,
        mode,
        owner: modes.identity.outside,
        attributes: PLAIN | attributes,
    };
    view.mounted.push(tmpfs("/tmp", limits.tmp.bytes(), 0o1777, exec));
    view.mounted.push(match &places.kept {
        None => tmpfs(HOME, limits.home.bytes(), 0o700, exec),
        Some(kept) => Entry::Own {
            path: HOME.into(),
            source: kept.source.clone(),
            attributes: PLAIN | exec,
            device: kept.device,
            inode: kept.inode,
        },
    });
    view.mounted.push(tmpfs("/dev/shm", SHM, 0o1777, NO_EXEC));
}

/// A path of the host: bound, or made again where it is a link.
fn host_path(fixed: &mut Vec<Entry>, file: &HostFile, attributes: u64) {
    let HostFile { path, found } = file;
    let name = path.as_os_str(); // whole: part by part it was a fiftieth of a launch
    let there =
        |e: &Entry| matches!(e, Entry::Link { path: p, .. } | Entry::Bind { path: p, .. } if p.as_os_str() == name);
    if fixed.iter().any(there) {
        return;
    }
    let link = found.is_symlink().then(|| fs::read_link(path));
    fixed.push(match link {
        Some(Ok(target)) => Entry::Link {
            path: path.clone(),
            target,
        },
        _ => Entry::Bind {
            path: path.clone(),
            source: path.clone(),
            directory: found.is_dir(),
            attributes: PLAIN | READ_ONLY | attributes,
            needed: true,
            seen: Some(FileId::of(found)),
        },
    });
}

fn devices(view: &mut View, modes: &Modes) {
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        let needed = name != "tty";
        view.mounted.push(Entry::Bind {
            source: path.clone(),
            path,
            directory: false,
            attributes: NO_SUID | NO_EXEC,
            needed,
            seen: None,
        });
    }
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ];
    for (name, target) in links {
        view.fixed.push(Entry::Link {
            path: Path::new("/dev").join(name),
            target: target.into(),
        });
    }
    view.fixed.push(Entry::Directory {
        path: "/dev/shm".into(),
    });
    if modes.devpts {
        view.mounted.push(Entry::Devpts);
    }
}

/// The workspace, and on it what the host may run later: pinned with its parents, and read-only.
fn workspace(view: &mut View, request: &LaunchRequest, exec: u64) {
    let access = request.profile.filesystem.workspace;
    let checked = &request.workspace;
    let attributes = PLAIN
        | match access {
            WorkspaceAccess::Read => READ_ONLY | NO_EXEC,
            WorkspaceAccess::ReadWrite => NO_EXEC,
            WorkspaceAccess::ReadWriteExecute => exec,
        };
    let path = checked.path().to_owned();
    view.mounted.push(Entry::Own {
        path: path.clone(),
        source: path.clone(),
        attributes,
        device: checked.device,
        inode: checked.inode,
    });
    if access == WorkspaceAccess::Read {
        return;
    }
    pins::protect(view, &path, &request.profile.filesystem.protect, attributes);
}

fn workspace_access(request: &LaunchRequest) -> Access {
    let access = request.profile.filesystem.workspace;
    Access {
        seen: Some(FileId::of_workspace(&request.workspace)),
        read: true,
        write: access != WorkspaceAccess::Read,
        execute: access == WorkspaceAccess::ReadWriteExecute,
        ..Access::default()
    }
}

const READ: Access = Access {
    read: true,
    write: false,
    execute: false,
    ioctl: false,
    optional: true,
    seen: None,
};

/// The kernel opens what it executes for reading too (do_open_execat), and Landlock asks for both rights;
/// that nobody else reads it is the business of its mode.
const PROGRAM: Access = Access {
    read: true,
    write: false,
    execute: true,
    ioctl: false,
    optional: false,
    seen: None,
};

/// The home and the temporary directory.
fn private(request: &LaunchRequest) -> Access {
    Access {
        read: true,
        write: true,
        execute: request.profile.filesystem.write_and_execute != WriteAndExecute::Denied,
        ioctl: false,
        optional: false,
        seen: None,
    }
}

/// Rules inside a view: all of it is there to be read, little to be written or executed.
fn inside(request: &LaunchRequest, executes: &[HostFile]) -> Vec<(PathBuf, Access)> {
    let private = private(request);
    let device = Access {
        read: true,
        write: true,
        execute: false,
        ioctl: true,
        optional: true,
        seen: None,
    };
    let mut rules = vec![
        ("/".into(), READ),
        ("/tmp".into(), private),
        (HOME.into(), private),
        (
            "/dev/shm".into(),
            Access {
                execute: false,
                ..private
            },
        ),
        ("/dev/pts".into(), device),
        // Through /proc/self/mem a program writes into what it executes.
        (
            "/proc".into(),
            Access {
                write: request.profile.filesystem.write_and_execute != WriteAndExecute::Denied,
                ..READ
            },
        ),
        (request.workspace.path().to_owned(), workspace_access(request)),
    ];
    rules.extend(DEVICES.iter().map(|name| (Path::new("/dev").join(name), device)));
    rules.extend(
        executes
            .iter()
            .map(|file| (file.path.clone(), Access { execute: true, ..READ })),
    );
    rules
}

/// Rules without a view: paths of the host, and nothing of its /proc, /tmp or home directories. What a rule gives, none below it takes away.
fn alone(
    request: &LaunchRequest,
    places: &Places,
    reads: &[HostFile],
    executes: &[HostFile],
) -> Result<Vec<(PathBuf, Access)>, Refusal> {
    let workspace = workspace_access(request);
    let below = |file: &&HostFile| request.workspace.path().starts_with(&file.path);
    if let Some(file) = executes.iter().find(below).filter(|_| !workspace.execute) {
        return Err(Refusal::Executable {
            profile: request.profile.name.clone(),
            path: file.path.clone(),
        });
    }
    let mut rules: Vec<(PathBuf, Access)> = reads.iter().map(|file| (file.path.clone(), READ)).collect();
    rules.extend(["/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts"].map(|path| (path.into(), READ)));
    rules.extend(["/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg"].map(|path| (path.into(), READ)));
    rules.extend(
        executes
            .iter()
            .map(|file| (file.path.clone(), Access { execute: true, ..READ })),
    );
    for name in DEVICES {
        let device = Access {
            write: true,
            ioctl: name == "tty",
            ..READ
        };
        rules.push((Path::new("/dev").join(name), device));
    }
    rules.push((request.workspace.path().to_owned(), workspace));
    rules.extend(places.all().map(|path| (path.to_owned(), private(request))));
    Ok(rules)
}
