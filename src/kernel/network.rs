//! The loopback interface of a new network namespace.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Lowers the most that a connection may buffer in a new network namespace, each way (tcp(7)). The machine's connections share one
/// stock of pages, and what is on its way within the namespace needs little.
pub(crate) fn lower_buffers() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv4/tcp_rmem", format!("4096 65536 {MAX_BUFFER}"))?;
    fs::write("/proc/sys/net/ipv4/tcp_wmem", format!("4096 16384 {MAX_BUFFER}"))
}

/// A sixteenth of what a sender may have at the most elsewhere.
const MAX_BUFFER: u32 = 256 << 10;

/// Brings `lo` up, which a new network namespace has down (netdevice(7)).
pub(crate) fn bring_loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(libc::c_short::MAX);
    let request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    };
    // JUSTIFICATION: no crate in the tree wraps this ioctl; nix gives its number the type that the C library wants.
    // SAFETY: SIOCSIFFLAGS reads an ifreq with the name and the flags set, which outlives the call.
    unsafe { set_flags(socket.as_raw_fd(), &raw const request) }?;
    Ok(())
}

nix::ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, libc::ifreq);
