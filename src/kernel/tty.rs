//! Pseudo-terminals.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
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
    unlock(&master, columns, rows)
}

/// Opens a pseudo-terminal of the host.
pub(crate) fn open(columns: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlock(&master, columns, rows)
}

fn unlock(master: &OwnedFd, columns: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    rustix::pty::unlockpt(master)?;
    let name = rustix::pty::ptsname(master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
    set_size(master, columns, rows)?;
    Ok((master.try_clone()?, slave))
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

/// Makes `tty` the controlling terminal of this process's new session.
pub(crate) fn make_controlling(tty: &impl AsFd) -> io::Result<()> {
    Ok(rustix::process::ioctl_tiocsctty(tty)?)
}

/// `/dev/null`, for reading and writing.
pub(crate) fn null() -> io::Result<File> {
    File::options().read(true).write(true).open(Path::new("/dev/null"))
}
