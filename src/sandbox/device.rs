//! The master of a sandbox's terminal, for what is no reading or writing.

use std::fs::File;
use std::io::{self, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::kernel::{fds, tty};

/// More than a terminal gives at once (4095 bytes).
const PIECE: usize = 8 << 10;
/// What the thread of a terminal needs, generously.
const STACK: usize = 128 << 10;

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

    /// Whether the terminal's first process, a shell, has given the foreground to a job.
    pub fn has_job(&self) -> bool {
        tty::foreground_is_job(&self.0)
    }

    /// Whether its first process waits, all that was typed has been read, and all that was printed is on its way: it has nothing to do
    /// and nothing to tell. Each is looked at after the one before it: who has read the last of it and waits again has done so since.
    pub fn waits_for_input(&self) -> bool {
        tty::is_read_up(&self.0) && tty::leader_sleeps(&self.0) && !tty::has_output(&self.0)
    }

    /// What the terminal's first process was started with, or what it has become by executing something else.
    pub fn leader(&self) -> Option<Vec<u8>> {
        tty::leader_arguments(&self.0)
    }
}

/// A pipe with what the terminal behind this master prints, until its last user is gone. Its reader does not block;
/// nothing is read from the terminal while the pipe is full.
///
/// A thread of its own reads the terminal: whoever looks whether a pseudo-terminal has something to read waits, in the kernel, for
/// the work that carries its bytes from one side to the other (`n_tty_read` and `n_tty_poll` flush it). Where a program
/// floods and the processors are busy that takes up to twenty milliseconds, in which a thread of the runtime would answer nobody.
pub fn output_of(master: OwnedFd) -> io::Result<OwnedFd> {
    let (from, to) = io::pipe()?;
    fds::set_nonblocking(&from)?;
    std::thread::Builder::new()
        .name("terminal".to_owned())
        .stack_size(STACK)
        .spawn(move || copy(&File::from(master), to).ok())?; // either side is gone, and the other sees it
    Ok(from.into())
}

/// Copies until nobody has the terminal open any more (it gives EIO then), or nobody reads.
fn copy(mut master: &File, mut to: PipeWriter) -> io::Result<()> {
    let mut buffer = [0; PIECE];
    loop {
        match master.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(buffer.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut wanted = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
                poll(&mut wanted, PollTimeout::NONE).ok(); // interrupted is as good: it is read again
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
