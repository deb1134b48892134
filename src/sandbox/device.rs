//! The master of a sandbox's terminal, for what is no reading or writing.

use std::io;
use std::os::fd::OwnedFd;

use crate::kernel::tty;

/// A terminal as the server holds it.
#[derive(Debug)]
pub struct Device(OwnedFd);

impl Device {
    /// The terminal behind this master.
    pub fn new(master: OwnedFd) -> Self {
        Self(master)
    }

    /// Sets the size; the foreground group gets SIGWINCH if it changed (tty_ioctl(4)).
    pub fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        tty::set_size(&self.0, columns, rows)
    }

    /// What the leader of the foreground group has called itself: at most 15 bytes (proc_pid_comm(5)), without
    /// controls. Programs choose it.
    pub fn foreground(&self) -> Option<String> {
        let name = tty::foreground_name(&self.0)?;
        Some(name.chars().map(|c| if c.is_control() { '?' } else { c }).collect())
    }

    /// Whether what is in the foreground is stopped.
    pub fn is_stopped(&self) -> bool {
        tty::foreground_is_stopped(&self.0)
    }

    /// What the terminal's first process was started with, or what it has become by executing something else.
    pub fn leader(&self) -> Option<Vec<u8>> {
        tty::leader_arguments(&self.0)
    }
}
