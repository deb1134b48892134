//! Descriptors: closing what a command must not inherit.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

/// Marks every descriptor from `first` on to be closed by exec.
pub(crate) fn cloexec_from(first: u32) -> io::Result<()> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes what this process inherited besides standard input, output and error. Only for its first
/// act: nobody may own one of them yet.
pub(crate) fn close_inherited() -> io::Result<()> {
    close_range(3, 0)
}

fn close_range(first: u32, flags: libc::c_uint) -> io::Result<()> {
    // JUSTIFICATION: neither rustix 1.1 nor nix 0.31 wraps close_range(2).
    // SAFETY: passes no pointers; descriptors stay valid until exec, or have no owner yet.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Puts `fd` where a program expects standard input (0), output (1) or error (2).
pub(crate) fn move_to(fd: &impl AsFd, number: i32) -> io::Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    if raw == number {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        return Ok(());
    }
    // JUSTIFICATION: nix's dup2 wants to own the target, which nobody owns before exec.
    // SAFETY: takes two numbers. The target is 0, 1 or 2 of a process that is about to exec.
    let result = unsafe { libc::dup2(raw, number) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Makes reads and writes on `fd` return at once.
pub(crate) fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
