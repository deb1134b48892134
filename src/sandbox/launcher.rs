//! Builds one sandbox, watches over it, and cleans up after it.
//!
//! A single thread and no tokio. The spec is its only input; it ends the sandbox when the server's
//! socket closes. It stays outside of all namespaces, with the server's own user.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::iter;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::process::Pid;

use super::file_id::FileId;
use super::init;
use super::private::Temporary;
use super::spec::{Base, Entry, Task, Word};
use super::step::{AtStep as _, Step, StepError};
use super::survivors;
use super::view;
use super::watch::{Before, Watcher};
use crate::kernel::cgroup::{self, Group};
use crate::kernel::fdpass;
use crate::kernel::identity::{self, Groups};
use crate::kernel::mountinfo;
use crate::kernel::mounts::{self, Reach};
use crate::kernel::process::{self, Fork, SignalAction};

/// How often a pid 1 that may have been stopped is let go on, in milliseconds.
const HEAR_MS: u8 = 100;

/// Runs one sandbox from its spec to its end, then exits.
pub(super) fn run(control: UnixStream) -> ! {
    if let Err(error) = launch(&control) {
        say(&control, &Word::Failed(error));
    }
    process::exit_now(0)
}

/// Tells the server.
pub(super) fn say(control: &UnixStream, word: &Word) {
    if let Ok(text) = serde_json::to_vec(word) {
        fdpass::send(control, &text, &[]).ok(); // the server may be gone; nobody else to tell
    }
}

/// Builds what can be built before anybody asks for it; then waits for what is to be run.
fn launch(control: &UnixStream) -> Result<(), StepError> {
    process::set_signal(Signal::SIGCHLD, SignalAction::Default).at(Step::ReadSpec)?;
    let Some((text, _)) = fdpass::receive(control).at(Step::ReadSpec)? else {
        return Ok(()); // nobody wants it
    };
    let base: Base = serde_json::from_slice(&text)
        .map_err(io::Error::from)
        .at(Step::ReadSpec)?;
    drop(text);
    process::join_new_session_keyring()
        .or_else(keyrings_are_out_of_reach)
        .at(Step::Keyring)?;
    if !base.namespaces.pid {
        survivors::adopt().at(Step::Namespaces)?;
    }
    let _private = make_private(&base)?;
    let group = make_group(&base)?;
    let result = run_in(control, &base, group.as_ref());
    if let Some(group) = &group {
        group.remove();
    }
    result
}

fn run_in(control: &UnixStream, base: &Base, group: Option<&Group>) -> Result<(), StepError> {
    let running = build(base, group)?;
    let begun = settle(base, group, &running).and_then(|()| begin(control, base, group, &running));
    match begun {
        Ok(Some((task, before))) => {
            Watcher::new(control, base, &task, group, running, before).run();
            Ok(())
        }
        nothing_runs => {
            rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::KILL).ok(); // it may have ended
            rustix::process::waitpid(Some(running.init), rustix::process::WaitOptions::empty()).ok();
            if !base.namespaces.pid {
                survivors::end_all();
            }
            nothing_runs.map(|_| ())
        }
    }
}

/// A kernel without keyrings has none to leak. Nor does one under a filter from outside that refuses keyctl(2), as Docker's
/// does: only a filter says EPERM here, and without that call nobody reads a key.
fn keyrings_are_out_of_reach(error: io::Error) -> io::Result<()> {
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM) => Ok(()),
        _ => Err(error),
    }
}

/// The home and the temporary directory of a sandbox without a view: they go when this is dropped.
fn make_private(base: &Base) -> Result<Option<Temporary>, StepError> {
    let Some(path) = &base.private else { return Ok(None) };
    let make = || -> io::Result<Temporary> {
        // Others may pass through, nobody may list: the names below are no secret.
        let made = Temporary::create_named(path.clone(), if base.identity.change { 0o711 } else { 0o700 })?;
        if let Some((source, copy)) = &base.copy {
            std::fs::DirBuilder::new().mode(0o711).create(path.join("shells"))?;
            view::copy_unreadable(source, copy)?;
        }
        for name in ["home", "tmp"] {
            let directory = path.join(name);
            std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
            if base.identity.change {
                let (uid, gid) = base.identity.outside;
                std::os::unix::fs::chown(&directory, Some(uid), Some(gid))?;
            }
        }
        Ok(made)
    };
    make().map(Some).at_path(Step::PrivateDirectories, path)
}

fn make_group(base: &Base) -> Result<Option<Group>, StepError> {
    let Some(cgroup) = &base.cgroup else { return Ok(None) };
    let name = format!("{}{}", cgroup::PREFIX, base.name);
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

/// Forks pid 1, which builds on once its ids and its cgroup are set.
fn build(base: &Base, group: Option<&Group>) -> Result<Running, StepError> {
    let mounts = prepare_mounts(base)?;
    let (mine, its) = UnixStream::pair().at(Step::Namespaces)?;
    let birthplace = group.and_then(Group::birthplace);
    match process::fork(base.namespaces.flags(), birthplace).at(Step::Namespaces)? {
        Fork::Child => {
            drop(mine);
            init::run(base, its, mounts)
        }
        Fork::Parent { pid, pidfd } => Ok(Running {
            init: pid,
            pidfd,
            line: mine,
        }),
    }
}

/// Sets ids and cgroup of pid 1, and lets it go.
fn settle(base: &Base, group: Option<&Group>, running: &Running) -> Result<(), StepError> {
    if base.namespaces.user {
        let groups = if base.identity.change {
            Groups::Settable
        } else {
            Groups::GivenUp
        };
        let ids = base.identity.outside;
        identity::write_maps(running.init, ids, ids, groups).at(Step::IdMaps)?;
    }
    if let Some(group) = group.filter(|g| g.birthplace().is_none()) {
        group.add_process(running.init).at(Step::Cgroup)?;
    }
    let mut line = &running.line;
    line.write_all(b"g").at(Step::Namespaces)
}

/// Waits for the task, hands it to pid 1, and waits until its command is executed. None: nobody wants it.
fn begin(
    control: &UnixStream,
    base: &Base,
    group: Option<&Group>,
    running: &Running,
) -> Result<Option<(Task, Before)>, StepError> {
    let Some((text, passed)) = fdpass::receive(control).at(Step::ReadSpec)? else {
        return Ok(None);
    };
    let task: Task = serde_json::from_slice(&text)
        .map_err(io::Error::from)
        .at(Step::ReadSpec)?;
    let before = Before::look(&task.watch);
    let line = &running.line;
    let lent: Vec<_> = passed.iter().map(|fd| fd.as_fd()).collect();
    let sent = fdpass::send(line, &text, &lent);
    drop(lent);
    drop(passed); // the command's ends are the command's alone from here on
    if !base.namespaces.pid {
        hear(running);
    }
    let said = fdpass::receive(line).and_then(|said| said.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
    let (text, terminal) = match (said, sent) {
        (Ok(said), _) => said, // why it could not be built, if it was gone before
        (Err(_), Err(error)) => return Err(error).at(Step::Namespaces),
        (Err(error), Ok(())) if fdpass::never_read(&error) => return Err(error).at(Step::Namespaces),
        (Err(error), Ok(())) => return Err(died_early(group, &error)),
    };
    match serde_json::from_slice(&text).map_err(io::Error::from).at(Step::Exec)? {
        Word::Failed(error) => return Err(error),
        Word::Started | Word::Used(_) | Word::Ended(_) => {}
    }
    let terminal: Vec<_> = terminal.iter().map(|fd| fd.as_fd()).collect();
    fdpass::send(control, &text, &terminal).at(Step::Exec)?;
    Ok(Some((task, before)))
}

/// Waits until pid 1 says something. The command may have stopped it before it could, where it has no namespace of its own.
fn hear(running: &Running) {
    loop {
        let mut wanted = [PollFd::new(running.line.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wanted, PollTimeout::from(HEAR_MS)) {
            Ok(0) => rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::CONT).ok(), // it has ended, which is heard
            Err(nix::errno::Errno::EINTR) => None,
            Ok(_) | Err(_) => return,
        };
    }
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
/// An ordinary user cannot, and binds by path once it has its own user and mount namespaces. By the paths in the sandbox.
pub(super) type Prepared = HashMap<OsString, OwnedFd>;

fn prepare_mounts(base: &Base) -> Result<Prepared, StepError> {
    let mut prepared = Prepared::new();
    let Some(view) = base
        .view
        .as_ref()
        .filter(|_| base.identity.change && identity::has_admin())
    else {
        return Ok(prepared);
    };
    for entry in view.fixed.iter().chain(&view.mounted) {
        match entry {
            Entry::Bind { path, source, seen, .. } => {
                let tree = mounts::detached(rustix::fs::CWD, source, Reach::Tree);
                if let Ok(tree) = tree {
                    FileId::check(*seen, &tree).at_path(Step::Mount, path)?;
                    prepared.insert(path.into(), tree); // otherwise bound by path, or reported there
                }
            }
            Entry::Own {
                path,
                source,
                device,
                inode,
                ..
            } => {
                let tree = own_mount(source, (*device, *inode), base.identity.outside)?;
                prepared.insert(path.into(), tree);
            }
            _ => {}
        }
    }
    Ok(prepared)
}

/// A mount of a checked directory, and of what is mounted in it, on which its owner's files belong to the sandbox's user.
fn own_mount(path: &Path, expected: (u64, u64), user: (u32, u32)) -> Result<OwnedFd, StepError> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let at = Step::PrepareWorkspace;
    let directory = rustix::fs::open(path, flags, Mode::empty()).at_path(at, path)?;
    let found = rustix::fs::fstat(&directory).at_path(at, path)?;
    if (found.st_dev, found.st_ino) != expected {
        return Err(io::Error::from_raw_os_error(libc::ESTALE)).at_path(at, path);
    }
    let owner = (found.st_uid, found.st_gid);
    if owner == user {
        return mounts::detached(&directory, Path::new(""), Reach::Tree).at_path(at, path);
    }
    let namespace = id_namespace(owner, user).at_path(at, path)?;
    mapped(&directory, Path::new(""), &namespace, Reach::Tree)
        .or_else(|error| Err(error).at_path(at, &unmappable(path, &namespace)))
}

fn mapped(at: impl AsFd, path: &Path, namespace: &OwnedFd, reach: Reach) -> io::Result<OwnedFd> {
    let tree = mounts::detached(at, path, reach)?;
    mounts::set_idmap(tree.as_fd(), namespace.as_fd(), reach)?;
    Ok(tree)
}

/// Which one of a directory's file systems cannot map ids: its own, or the first of those mounted in it.
fn unmappable(path: &Path, namespace: &OwnedFd) -> PathBuf {
    let mounts = mountinfo::of(Path::new("/proc/self")).unwrap_or_default();
    let inside = mounts.into_iter().map(|mount| mount.path);
    let mut all = iter::once(path.to_owned()).chain(inside.filter(|place| place.starts_with(path)));
    let found = all.find(|place| mapped(rustix::fs::CWD, place, namespace, Reach::Mount).is_err());
    found.unwrap_or_else(|| path.to_owned())
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
