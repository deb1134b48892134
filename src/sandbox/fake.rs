//! A sandbox with nothing in it: the test plays launcher and command. For tests of what stands above.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::handle::{Control, Ending, Io, Order, Sandbox, Status, Usage, Used};
use crate::kernel::{fds, tty};
use crate::policy::LaunchGrant;

type Start = dyn Fn(&LaunchGrant) -> io::Result<Sandbox> + Send + Sync;

/// Gives sandboxes for grants, in place of launchers.
#[derive(Clone)]
pub(crate) struct Play(Arc<Start>);

impl Play {
    pub(crate) fn new(start: impl Fn(&LaunchGrant) -> io::Result<Sandbox> + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    pub(super) fn start(&self, grant: &LaunchGrant) -> io::Result<Sandbox> {
        self.0(grant)
    }
}

impl fmt::Debug for Play {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Play").finish_non_exhaustive()
    }
}

/// A sandbox on a terminal of this size; what is written into the file is printed by its command. Neither side blocks.
pub(crate) fn terminal(columns: u16, rows: u16) -> io::Result<(Sandbox, File, Heard)> {
    let (master, command) = tty::open(columns, rows)?;
    fds::set_nonblocking(&master)?;
    fds::set_nonblocking(&command)?;
    let (control, heard) = control();
    let sandbox = Sandbox {
        io: Io::Terminal(master),
        protections: Vec::new(),
        control,
    };
    Ok((sandbox, command.into(), heard))
}

/// The launcher's side of a control.
pub(crate) struct Heard {
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) ending: watch::Sender<Option<Ending>>,
}

fn control() -> (Control, Heard) {
    let (orders, orders_inside) = mpsc::channel(8);
    let (ending_inside, ending) = watch::channel(None);
    let control = Control {
        orders,
        ending,
        used: watch::channel(Used::default()).1,
    };
    let heard = Heard {
        orders: orders_inside,
        ending: ending_inside,
    };
    (control, heard)
}

/// The command's side of its input and output, and the launcher's side of its control.
pub(crate) struct Inside {
    pub(crate) stdin: UnixStream,
    pub(crate) stdout: UnixStream,
    pub(crate) stderr: UnixStream,
    pub(crate) heard: Heard,
}

/// A sandbox and its inside. The outside is non-blocking, the inside blocks.
pub(crate) fn sandbox() -> io::Result<(Sandbox, Inside)> {
    let pair = || {
        let (outside, inside) = UnixStream::pair()?;
        outside.set_nonblocking(true)?;
        io::Result::Ok((outside, inside))
    };
    let ((stdin, stdin_inside), (stdout, stdout_inside), (stderr, stderr_inside)) = (pair()?, pair()?, pair()?);
    let (control, heard) = control();
    let outside = Sandbox {
        io: Io::Pipes {
            stdin: stdin.into(),
            stdout: stdout.into(),
            stderr: stderr.into(),
        },
        protections: Vec::new(),
        control,
    };
    let inside = Inside {
        stdin: stdin_inside,
        stdout: stdout_inside,
        stderr: stderr_inside,
        heard,
    };
    Ok((outside, inside))
}

/// An ending with nothing special about it.
pub(crate) fn ended(status: Status) -> Ending {
    Ending {
        status,
        cause: None,
        usage: Usage::default(),
        duration: std::time::Duration::from_millis(12),
        killed: 0,
        touched: Vec::new(),
    }
}
