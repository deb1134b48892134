//! Making processes, and what is set for a process once and for all.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::process::{Pid, Resource, getrlimit, setrlimit};

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The new process.
    Child,
    /// The old one.
    Parent {
        /// The child, as this process sees it.
        pid: Pid,
        /// A descriptor of the child that never means another process.
        pidfd: OwnedFd,
    },
}

/// libc's own constant overflows its type (rust-lang/libc 3584).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks into new namespaces (`CLONE_NEW*` bits), and into a cgroup v2 directory if one is given.
///
/// Fails with `EDEADLK` in a process with a second thread: only there could the child find a lock
/// held by a thread that it does not have.
pub(crate) fn fork(namespaces: i32, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Fork> {
    if has_threads() {
        return Err(io::Error::from_raw_os_error(libc::EDEADLK));
    }
    match clone3(namespaces, cgroup) {
        // Container runtimes answer ENOSYS to clone3, so that libc falls back as we do.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && cgroup.is_none() => clone(namespaces),
        result => result,
    }
}

/// Whether this process has a second thread. To unshare threads does nothing where there is one, and fails
/// with `EINVAL` where there are more (unshare(2)); where a container forbids it, /proc is asked.
fn has_threads() -> bool {
    match nix::sched::unshare(nix::sched::CloneFlags::CLONE_THREAD) {
        Ok(()) => false,
        Err(nix::errno::Errno::EINVAL) => true,
        Err(_) => fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1),
    }
}

fn clone3(namespaces: i32, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Fork> {
    let mut pidfd: libc::c_int = -1;
    let mut flags = u64::from(namespaces.cast_unsigned()) | libc::CLONE_PIDFD as u64;
    if cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    let arguments = libc::clone_args {
        flags,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |fd| u64::from(fd.as_raw_fd().cast_unsigned())),
    };
    // JUSTIFICATION: no crate wraps clone3, which alone puts a child into a cgroup at birth.
    // SAFETY: without CLONE_VM this is a fork: the child has its own copy of memory and, as checked
    // by the caller, of the only thread. The kernel reads `arguments` and writes `pidfd`; both live
    // until the call returns.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    finish(pid, pidfd)
}

fn clone(namespaces: i32) -> io::Result<Fork> {
    let mut pidfd: libc::c_int = -1;
    let flags = i64::from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD);
    // JUSTIFICATION: nix's clone wants a stack of its own for the child; this is a plain fork.
    // SAFETY: as for clone3 above. The third argument is where CLONE_PIDFD stores the descriptor on
    // every architecture; stack and tls are zero, which means those of the caller.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    finish(pid, pidfd)
}

fn finish(pid: libc::c_long, pidfd: libc::c_int) -> io::Result<Fork> {
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        None => Ok(Fork::Child),
        Some(pid) => {
            // JUSTIFICATION: the descriptor comes from a raw call.
            // SAFETY: the kernel has just opened it for us (CLONE_PIDFD), and nobody else owns it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Fork::Parent { pid, pidfd })
        }
    }
}

/// Ends this process now: no destructors, no flushing, which belong to the parent.
pub(crate) fn exit_now(status: i32) -> ! {
    // JUSTIFICATION: std's exit runs the parent's atexit handlers in a forked child.
    // SAFETY: `_exit` takes no pointers and does not return.
    unsafe { libc::_exit(status) }
}

/// Waits where the kernel offers no event to wait for. Not for async code.
pub(crate) fn pause(time: std::time::Duration) {
    let time = rustix::thread::Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    // Woken early by a signal is as good: the callers look again.
    let rustix::thread::NanosleepRelativeResult::Ok = rustix::thread::nanosleep(&time) else {
        return;
    };
}

/// Makes this process ignore a signal, or take its default action again.
pub(crate) fn set_signal(signal: nix::sys::signal::Signal, action: SignalAction) -> io::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};
    let handler = match action {
        SignalAction::Default => SigHandler::SigDfl,
        SignalAction::Ignore => SigHandler::SigIgn,
    };
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // JUSTIFICATION: nix marks this unsafe because of handlers that run code.
    // SAFETY: neither SIG_DFL nor SIG_IGN runs any code of ours.
    unsafe { nix::sys::signal::sigaction(signal, &action) }?;
    Ok(())
}

/// What a process does on a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalAction {
    /// What the kernel does.
    Default,
    /// Nothing.
    Ignore,
}

/// Gives this process a session keyring of its own, so that the caller's keys are out of reach
/// (`KEYCTL_JOIN_SESSION_KEYRING`, keyctl(2)).
pub(crate) fn join_new_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // JUSTIFICATION: no crate in the tree wraps keyctl.
    // SAFETY: a null name asks for an anonymous keyring; no memory is read or written.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The version of Landlock's interface, 0 where there is none (landlock(7)).
pub(crate) fn landlock_abi() -> u8 {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_long = 1;
    // JUSTIFICATION: the landlock crate hides the version on purpose.
    // SAFETY: with a null attribute and the version flag the kernel only returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    u8::try_from(version).unwrap_or(0)
}

/// Lets this process, and those that it starts, open as many files as its hard limit has: shells leave that high and the soft one at
/// 1024. Each connection and session takes descriptors; and of those on their way through sockets the kernel counts all of a user's,
/// a sandbox's among them, before it lets us send one (`ETOOMANYREFS` in unix(7)).
pub(crate) fn allow_many_files() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
