//! Builds one sandbox, watches over it, and cleans up after it.
//!
//! A single thread and no tokio. The spec is its only input; it ends the sandbox when the server's
//! socket closes. It stays outside of all namespaces, with the server's own user.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use rustix::process::Pid;

use super::init::{self, InitEnds};
use super::private::Temporary;
use super::spec::{Entry, Spec, Word};
use super::step::{AtStep as _, Step, StepError};
use super::survivors;
use super::view;
use super::watch::{Before, Watcher};
use crate::kernel::cgroup::{self, Group};
use crate::kernel::fdpass;
use crate::kernel::identity::{self, Groups};
use crate::kernel::mounts::{self, Reach};
use crate::kernel::process::{self, Fork, SignalAction};

/// Runs one sandbox from its spec to its end, then exits.
pub(super) fn run(control: UnixStream) -> ! {
    let said = match launch(&control) {
        Ok(ended) => ended,
        Err(error) => Word::Failed(error),
    };
    if let Ok(text) = serde_json::to_vec(&said) {
        fdpass::send(&control, &text, &[]).ok(); // the server may be gone; nobody else to tell
    }
    process::exit_now(0)
}

fn launch(control: &UnixStream) -> Result<Word, StepError> {
    process::set_signal(Signal::SIGCHLD, SignalAction::Default).at(Step::ReadSpec)?;
    let (text, mut passed) = fdpass::receive(control)
        .at(Step::ReadSpec)?
        .ok_or(io::ErrorKind::UnexpectedEof)
        .at(Step::ReadSpec)?;
    let spec: Spec = serde_json::from_slice(&text)
        .map_err(io::Error::from)
        .at(Step::ReadSpec)?;
    drop(text);
    process::join_new_session_keyring()
        .or_else(keyrings_are_missing)
        .at(Step::Keyring)?;
    if !spec.namespaces.pid {
        survivors::adopt().at(Step::Namespaces)?;
    }
    let _private = make_private(&spec)?;
    let group = make_group(&spec)?;
    let before = Before::look(&spec);
    let result = build(control, &spec, group.as_ref(), &mut passed).map(|running| {
        drop(passed);
        Watcher::new(control, &spec, group.as_ref(), running, before).run()
    });
    if let Some(group) = &group {
        group.remove();
    }
    result.map(Word::Ended)
}

/// A kernel without keyrings has none to leak.
fn keyrings_are_missing(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::ENOSYS) {
        Ok(())
    } else {
        Err(error)
    }
}

/// The home and the temporary directory of a sandbox without a view: they go when this is dropped.
fn make_private(spec: &Spec) -> Result<Option<Temporary>, StepError> {
    let Some(path) = &spec.private else { return Ok(None) };
    let make = || -> io::Result<Temporary> {
        // Others may pass through, nobody may list: the names below are no secret.
        let made = Temporary::create_named(path.clone(), if spec.identity.change { 0o711 } else { 0o700 })?;
        if let Some((source, copy)) = spec.startup.as_ref().and_then(|startup| startup.copy.as_ref()) {
            std::fs::DirBuilder::new().mode(0o711).create(path.join("shells"))?;
            view::copy_unreadable(source, copy)?;
        }
        for name in ["home", "tmp"] {
            let directory = path.join(name);
            std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
            if spec.identity.change {
                let (uid, gid) = spec.identity.outside;
                std::os::unix::fs::chown(&directory, Some(uid), Some(gid))?;
            }
        }
        Ok(made)
    };
    make().map(Some).at_path(Step::PrivateDirectories, path)
}

fn make_group(spec: &Spec) -> Result<Option<Group>, StepError> {
    let Some(cgroup) = &spec.cgroup else { return Ok(None) };
    let name = format!("{}{}", cgroup::PREFIX, spec.name);
    Group::create(&cgroup.parent, &name, &cgroup.limits)
        .map(Some)
        .at(Step::Cgroup)
}

/// A sandbox whose command has been executed.
pub(super) struct Running {
    /// pid 1 of the sandbox.
    pub(super) init: Pid,
    /// The same, as a descriptor.
    pub(super) pidfd: OwnedFd,
    /// Where pid 1 reports the end and takes orders.
    pub(super) line: UnixStream,
}

fn build(
    control: &UnixStream,
    spec: &Spec,
    group: Option<&Group>,
    passed: &mut Vec<OwnedFd>,
) -> Result<Running, StepError> {
    let prepared = prepare_mounts(spec)?;
    let (mine, its) = UnixStream::pair().at(Step::Namespaces)?;
    let birthplace = group.and_then(Group::birthplace);
    match process::fork(spec.namespaces.flags(), birthplace).at(Step::Namespaces)? {
        Fork::Child => {
            drop(mine);
            init::run(
                spec,
                InitEnds {
                    line: its,
                    stdio: std::mem::take(passed),
                    mounts: prepared,
                },
            )
        }
        Fork::Parent { pid, pidfd } => {
            drop((its, prepared));
            passed.clear();
            let running = Running {
                init: pid,
                pidfd,
                line: mine,
            };
            let result = settle(control, spec, group, &running);
            if result.is_err() {
                rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::KILL).ok();
                rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).ok();
                if !spec.namespaces.pid {
                    survivors::end_all();
                }
            }
            result.map(|()| running)
        }
    }
}

/// Lets pid 1 go once its ids and its cgroup are set, and waits until the command is executed.
fn settle(control: &UnixStream, spec: &Spec, group: Option<&Group>, running: &Running) -> Result<(), StepError> {
    if spec.namespaces.user {
        let groups = if spec.identity.change {
            Groups::Settable
        } else {
            Groups::GivenUp
        };
        let ids = spec.identity.outside;
        identity::write_maps(running.init, ids, ids, groups).at(Step::IdMaps)?;
    }
    if let Some(group) = group.filter(|g| g.birthplace().is_none()) {
        group.add_process(running.init).at(Step::Cgroup)?;
    }
    let mut line = &running.line;
    line.write_all(b"g").at(Step::Namespaces)?;
    let (text, terminal) = fdpass::receive(line)
        .and_then(|said| said.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()))
        .map_err(|error| died_early(group, &error))?;
    match serde_json::from_slice(&text).map_err(io::Error::from).at(Step::Exec)? {
        Word::Failed(error) => return Err(error),
        Word::Started | Word::Ended(_) => {}
    }
    let terminal: Vec<_> = terminal.iter().map(|fd| fd.as_fd()).collect();
    fdpass::send(control, &text, &terminal).at(Step::Exec)
}

/// pid 1 ended without a word: most often the memory limit is too low to start at all.
fn died_early(group: Option<&Group>, error: &io::Error) -> StepError {
    let memory = group.is_some_and(|g| g.usage().out_of_memory_kills > 0);
    let error = if memory {
        io::Error::from_raw_os_error(libc::ENOMEM)
    } else {
        io::Error::other(error.to_string())
    };
    StepError::new(Step::Exec, &error)
}

/// Mounts that only the launcher can prepare, because it is privileged: one for each bind.
///
/// An ordinary user cannot, and binds by path once it has its own user and mount namespaces.
pub(super) type Prepared = HashMap<PathBuf, OwnedFd>;

fn prepare_mounts(spec: &Spec) -> Result<Prepared, StepError> {
    let mut prepared = Prepared::new();
    let Some(view) = spec
        .view
        .as_ref()
        .filter(|_| spec.identity.change && identity::has_admin())
    else {
        return Ok(prepared);
    };
    for entry in view.fixed.iter().chain(&view.mounted) {
        match entry {
            Entry::Bind { path, source, .. } => {
                let tree = mounts::detached(rustix::fs::CWD, source, Reach::Tree);
                if let Ok(tree) = tree {
                    prepared.insert(path.clone(), tree); // otherwise bound by path, or reported there
                }
            }
            Entry::Own {
                path,
                source,
                device,
                inode,
                ..
            } => {
                let tree = own_mount(source, (*device, *inode), spec.identity.outside);
                prepared.insert(path.clone(), tree.at_path(Step::PrepareWorkspace, source)?);
            }
            _ => {}
        }
    }
    Ok(prepared)
}

/// A mount of a checked directory on which its owner's files belong to the sandbox's user.
fn own_mount(path: &Path, expected: (u64, u64), user: (u32, u32)) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&directory)?;
    if (found.st_dev, found.st_ino) != expected {
        return Err(io::Error::from_raw_os_error(libc::ESTALE));
    }
    let owner = (found.st_uid, found.st_gid);
    if owner == user {
        return mounts::detached(&directory, Path::new(""), Reach::Tree);
    }
    let tree = mounts::detached(&directory, Path::new(""), Reach::Mount)?;
    let namespace = id_namespace(owner, user)?;
    mounts::set_idmap(tree.as_fd(), namespace.as_fd())?;
    Ok(tree)
}

/// A user namespace that maps the owner on disk to the user of the sandbox.
fn id_namespace(owner: (u32, u32), user: (u32, u32)) -> io::Result<OwnedFd> {
    let (mut wait, go) = io::pipe()?;
    match process::fork(libc::CLONE_NEWUSER, None)? {
        Fork::Child => {
            drop(go);
            wait.read_exact(&mut [0]).ok(); // only the end of the pipe matters
            process::exit_now(0)
        }
        Fork::Parent { pid, .. } => {
            drop(wait);
            let mapped = identity::write_maps(pid, user, owner, Groups::Settable);
            let path = format!("/proc/{}/ns/user", pid.as_raw_nonzero());
            let namespace = mapped.and_then(|()| std::fs::File::open(path));
            drop(go);
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())?;
            Ok(namespace?.into())
        }
    }
}
