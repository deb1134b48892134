//! pid 1 of a sandbox: finishes building it, starts the command, and reaps.
//!
//! It runs on the command's side of every namespace but is not the command's equal: not dumpable,
//! with a filter of its own, and gone with its launcher.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use super::command;
use super::landlock;
use super::launcher::Prepared;
use super::spec::{Base, Resource, Task, Text, Word};
use super::step::{AtStep as _, Step, StepError};
use super::syscalls;
use super::tend::tend;
use super::view;
use crate::kernel::identity::{self, Groups};
use crate::kernel::process::{self, Fork, SignalAction};
use crate::kernel::{fdpass, fds, network, tty};

/// What a sandbox calls its machine.
const HOST_NAME: &[u8] = b"terrarium";
/// How many descriptors a command starts with.
const STDIO: usize = 3;

/// Builds the rest, waits for the task, runs its command to its end, and exits.
pub(super) fn run(base: &Base, line: UnixStream, mounts: Prepared) -> ! {
    if let Err(error) = build(base, &line, mounts).and_then(|()| take_task(base, &line)) {
        if let Ok(text) = serde_json::to_vec(&Word::Failed(error)) {
            fdpass::send(&line, &text, &[]).ok(); // a launcher that is gone needs no word
        }
        process::exit_now(125);
    }
    process::exit_now(0)
}

fn build(base: &Base, line: &UnixStream, mounts: Prepared) -> Result<(), StepError> {
    let mut go = [0];
    (&*line).read_exact(&mut go).at(Step::Namespaces)?;
    let groups = if base.identity.change {
        Groups::Settable
    } else {
        Groups::GivenUp
    };
    let (uid, gid) = base.identity.outside;
    if base.namespaces.user {
        identity::become_user(uid, gid, groups).at(Step::Identity)?;
    }
    if base.namespaces.counts {
        identity::lower_counts().at(Step::Counts)?;
    }
    if base.namespaces.others {
        rustix::system::sethostname(HOST_NAME).at(Step::Namespaces)?; // the host's is not the sandbox's business
    }
    if base.namespaces.network {
        network::bring_loopback_up().at(Step::Loopback)?;
        if base.cgroup.is_none() {
            network::lower_buffers().ok(); // /proc/sys is read-only; nothing counts what sockets hold here
        }
    }
    if let Some(view) = &base.view {
        view::build(view, mounts)?;
    }
    if base.identity.change && !base.namespaces.user {
        set_limits(base)?; // raising needs root, and the number of processes counts from here
        identity::become_user(uid, gid, groups).at(Step::Identity)?;
    }
    if base.namespaces.user || !base.identity.change {
        set_limits(base)?;
    }
    identity::drop_capabilities().at(Step::Capabilities)?;
    tie_to_launcher(line).at(Step::ParentDeath)?;
    rustix::thread::set_no_new_privs(true).at(Step::NoNewPrivileges)?;
    if let Some(rules) = &base.landlock {
        landlock::restrict(rules)?;
    }
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).at(Step::ParentDeath)?;
    if !base.namespaces.pid {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).at(Step::Fork)?;
    }
    Ok(())
}

/// What is to be run. It is told only what is built, and by the launcher alone.
fn take_task(base: &Base, line: &UnixStream) -> Result<(), StepError> {
    let Some((text, stdio)) = fdpass::receive(line).at(Step::ReadSpec)? else {
        return Ok(()); // nobody wants it
    };
    let task: Task = serde_json::from_slice(&text)
        .map_err(io::Error::from)
        .at(Step::ReadSpec)?;
    let (master, stdio) = terminal(&task, stdio)?;
    write_startup(&task)?;
    start(base, &task, line, stdio, master)
}

/// The files that an interactive shell starts with: the shell removes them before it runs anything else.
fn write_startup(task: &Task) -> Result<(), StepError> {
    let Some(startup) = &task.startup else { return Ok(()) };
    let write = || -> io::Result<()> {
        std::fs::DirBuilder::new().mode(0o700).create(&startup.directory)?;
        for (name, Text(text)) in &startup.files {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(startup.directory.join(name))?;
            file.write_all(text.as_bytes())?;
        }
        Ok(())
    };
    write().at_path(Step::Startup, &startup.directory)
}

/// Forks the command, says that it runs, and stays until it has ended.
fn start(
    base: &Base,
    task: &Task,
    line: &UnixStream,
    stdio: Vec<OwnedFd>,
    master: Option<OwnedFd>,
) -> Result<(), StepError> {
    let (mut executed, failed) = io::pipe().at(Step::Fork)?;
    match process::fork(0, None).at(Step::Fork)? {
        Fork::Child => {
            drop((executed, master));
            command::run(base, task, stdio, failed)
        }
        Fork::Parent { pid, .. } => {
            drop((failed, stdio));
            // Before the word that it runs: what fails after that has no name any more.
            syscalls::load(&base.init_filter).at(Step::InitFilter)?;
            let mut text = Vec::new();
            executed.read_to_end(&mut text).at(Step::Exec)?;
            if !text.is_empty() {
                return Err(serde_json::from_slice(&text).map_err(io::Error::from).at(Step::Exec)?);
            }
            let started = serde_json::to_vec(&Word::Started)
                .map_err(io::Error::from)
                .at(Step::Exec)?;
            let own = master.as_ref().filter(|_| task.terminal.is_some_and(|t| t.private));
            let passed: Vec<_> = own.iter().map(|fd| fd.as_fd()).collect();
            fdpass::send(line, &started, &passed).at(Step::Exec)?;
            drop(passed);
            let report = tend(base, line, pid, master.as_ref());
            let text = serde_json::to_vec(&report).map_err(io::Error::from).at(Step::Exec)?;
            fdpass::send(line, &text, &[]).at(Step::Exec)
        }
    }
}

/// The master of the terminal, where there is one, and the command's standard input, output and error.
fn terminal(task: &Task, mut stdio: Vec<OwnedFd>) -> Result<(Option<OwnedFd>, Vec<OwnedFd>), StepError> {
    let Some(wanted) = task.terminal else {
        return Ok((None, stdio));
    };
    if !wanted.private {
        let master = stdio.drain(STDIO.min(stdio.len())..).next();
        return Ok((master, stdio));
    }
    let (master, slave) = tty::open_private(wanted.columns, wanted.rows).at(Step::Terminal)?;
    let copy = || slave.try_clone().at(Step::Terminal);
    Ok((
        Some(master),
        vec![copy()?, copy()?, slave.try_clone().at(Step::Terminal)?],
    ))
}

/// All limits but that on open files, which is the command's alone: of descriptors on their way through sockets the kernel counts all of
/// a user's, another sandbox's among them, and compares them with the sender's limit before a terminal may be handed out.
fn set_limits(base: &Base) -> Result<(), StepError> {
    set_limits_of(base, |resource| resource != Resource::OpenFiles)?;
    if let Some(count) = base.processors {
        limit_processors(count).at(Step::Processors)?;
    }
    Ok(())
}

/// The rest, in the command's process.
pub(super) fn limit_open_files(base: &Base) -> Result<(), StepError> {
    set_limits_of(base, |resource| resource == Resource::OpenFiles)
}

fn set_limits_of(base: &Base, wanted: impl Fn(Resource) -> bool) -> Result<(), StepError> {
    use nix::sys::resource::Resource as R;
    for (resource, soft, hard) in base.rlimits.iter().filter(|(resource, ..)| wanted(*resource)) {
        let known = match resource {
            Resource::OpenFiles => R::RLIMIT_NOFILE,
            Resource::FileSize => R::RLIMIT_FSIZE,
            Resource::Core => R::RLIMIT_CORE,
            Resource::Processes => R::RLIMIT_NPROC,
            Resource::Data => R::RLIMIT_DATA,
            Resource::LockedMemory => R::RLIMIT_MEMLOCK,
            Resource::MessageQueues => R::RLIMIT_MSGQUEUE,
            Resource::PendingSignals => R::RLIMIT_SIGPENDING,
            Resource::RealTime => R::RLIMIT_RTPRIO,
            Resource::Nice => R::RLIMIT_NICE,
        };
        // What is lower already stays: an outer limit always holds.
        let (_, ceiling) = nix::sys::resource::getrlimit(known).at(Step::ResourceLimits)?;
        let (soft, hard) = ((*soft).min(ceiling), (*hard).min(ceiling));
        nix::sys::resource::setrlimit(known, soft, hard).at(Step::ResourceLimits)?;
    }
    Ok(())
}

/// Keeps to the first `count` of the processors this process may use now.
fn limit_processors(count: u32) -> io::Result<()> {
    let mut allowed = rustix::thread::sched_getaffinity(None)?;
    let mut left = count;
    for processor in 0..rustix::thread::CpuSet::MAX_CPU {
        if allowed.is_set(processor) {
            if left == 0 {
                allowed.unset(processor);
            } else {
                left -= 1;
            }
        }
    }
    Ok(rustix::thread::sched_setaffinity(None, &allowed)?)
}

/// Dies with the launcher. Set after the last change of ids, which clears it (prctl(2)).
fn tie_to_launcher(line: &UnixStream) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // A launcher that died before this has closed its end; getppid is 0 in a pid namespace.
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut wanted = [PollFd::new(line.as_fd(), PollFlags::empty())];
    poll(&mut wanted, PollTimeout::ZERO)?;
    let gone = wanted
        .iter()
        .any(|fd| fd.revents().is_some_and(|e| e.contains(PollFlags::POLLHUP)));
    if gone {
        Err(io::ErrorKind::BrokenPipe.into())
    } else {
        Ok(())
    }
}

/// What the command's child must do before anything else: nothing of pid 1 comes along.
pub(super) fn reset_signals() -> io::Result<()> {
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    for signal in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        process::set_signal(signal, SignalAction::Default)?;
    }
    fds::cloexec_from(3)
}
