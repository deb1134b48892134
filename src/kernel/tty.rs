//! Pseudo-terminals.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use portable_pty::PtySize;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// Opens a pseudo-terminal in the devpts that is mounted on `/dev/pts`: master and slave.
///
/// Inside a sandbox this is its own devpts, so that `tty`, `ttyname` and tmux find the device.
pub(crate) fn open_private(columns: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let master = rustix::fs::open(
        "/dev/pts/ptmx",
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    rustix::pty::unlockpt(&master)?;
    set_size(&master, columns, rows)?;
    let slave = peer(&master)?;
    Ok((master, slave))
}

/// Opens a pseudo-terminal of the host, where the sandbox has no devpts of its own.
///
/// The library sets close-on-exec a moment after it opens: whatever this process executes closes its
/// descriptors itself, as the zygote does.
pub(crate) fn open(columns: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let size = PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = portable_pty::native_pty_system()
        .openpty(size)
        .map_err(io::Error::other)?;
    let raw = pair.master.as_raw_fd().ok_or(io::ErrorKind::Unsupported)?;
    // JUSTIFICATION: portable-pty 0.9 gives the master's descriptor as a number only.
    // SAFETY: `pair` owns the descriptor and lives to the end of this function; the borrow does not.
    let master = unsafe { BorrowedFd::borrow_raw(raw) }.try_clone_to_owned()?;
    let slave = peer(&master)?;
    Ok((master, slave))
}

/// The other end of a terminal, found by its master and not by a name (ioctl_tty(2), TIOCGPTPEER).
fn peer(master: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(rustix::pty::ioctl_tiocgptpeer(master, flags)?)
}

/// Sets the size; the foreground group gets SIGWINCH if it changed.
pub(crate) fn set_size(tty: &impl AsFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(rustix::termios::tcsetwinsize(tty, size)?)
}

/// What the leader of a terminal's foreground group has called itself (proc_pid_comm(5)).
pub(crate) fn foreground_name(master: &impl AsFd) -> Option<String> {
    let leader = rustix::termios::tcgetpgrp(master).ok()?;
    let name = std::fs::read(format!("/proc/{}/comm", leader.as_raw_nonzero())).ok()?;
    Some(String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned())
}

/// Whether the leader of a terminal's foreground group is stopped by a signal.
pub(crate) fn foreground_is_stopped(master: &impl AsFd) -> bool {
    rustix::termios::tcgetpgrp(master).is_ok_and(|leader| state(leader) == Some('T'))
}

/// Whether the leader of a terminal's session waits for something.
pub(crate) fn leader_sleeps(master: &impl AsFd) -> bool {
    rustix::termios::tcgetsid(master).is_ok_and(|leader| state(leader) == Some('S'))
}

/// What a process is doing (proc_pid_stat(5)).
fn state(process: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    // The name before it may hold anything, also parentheses.
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
}

/// Whether all that was typed has been read: whole lines of it, where lines are read. Where that cannot be seen (a terminal that a
/// program has for itself, TIOCEXCL) it is not.
pub(crate) fn is_read_up(master: &OwnedFd) -> bool {
    // Opened for this look only: while we had it open nobody would see the end of the others.
    peer(master).is_ok_and(|slave| !is_ready(&slave))
}

/// Whether something was printed that nobody has read yet.
pub(crate) fn has_output(master: &OwnedFd) -> bool {
    is_ready(master)
}

/// Whether there is something to read, or no telling. What is on its way in the kernel is there (n_tty_poll() waits for it).
fn is_ready(tty: &OwnedFd) -> bool {
    let mut wanted = [PollFd::new(tty.as_fd(), PollFlags::POLLIN)];
    poll(&mut wanted, PollTimeout::ZERO) != Ok(0)
}

/// Whether the foreground group of a terminal is another than that of its session's leader: a shell has given it to a job.
pub(crate) fn foreground_is_job(master: &impl AsFd) -> bool {
    let leader = rustix::termios::tcgetsid(master);
    rustix::termios::tcgetpgrp(master).is_ok_and(|group| leader.is_ok_and(|leader| leader != group))
}

/// The arguments of the leader of a terminal's session, as it was started or has last executed itself
/// (proc_pid_cmdline(5)).
pub(crate) fn leader_arguments(master: &impl AsFd) -> Option<Vec<u8>> {
    let leader = rustix::termios::tcgetsid(master).ok()?;
    let arguments = std::fs::read(format!("/proc/{}/cmdline", leader.as_raw_nonzero())).ok()?;
    (!arguments.is_empty()).then_some(arguments)
}

/// Makes `tty` the controlling terminal of this process's new session.
pub(crate) fn make_controlling(tty: &impl AsFd) -> io::Result<()> {
    Ok(rustix::process::ioctl_tiocsctty(tty)?)
}

/// `/dev/null`, for reading and writing.
pub(crate) fn null() -> io::Result<File> {
    File::options().read(true).write(true).open(Path::new("/dev/null"))
}
