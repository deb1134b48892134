//! A sandbox with nothing in it: the test plays launcher and command. For tests of what stands above.

use std::os::unix::net::UnixStream;

use tokio::sync::{mpsc, watch};

use super::handle::{Control, Ending, Io, Order, Sandbox, Status, Usage, Used};

/// The command's side of its input and output, and the launcher's side of its control.
pub(crate) struct Inside {
    pub(crate) stdin: UnixStream,
    pub(crate) stdout: UnixStream,
    pub(crate) stderr: UnixStream,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) ending: watch::Sender<Option<Ending>>,
}

/// A sandbox and its inside. The outside is non-blocking, the inside blocks.
pub(crate) fn sandbox() -> (Sandbox, Inside) {
    let pair = || {
        let (outside, inside) = UnixStream::pair().unwrap();
        outside.set_nonblocking(true).unwrap();
        (outside, inside)
    };
    let ((stdin, stdin_inside), (stdout, stdout_inside), (stderr, stderr_inside)) = (pair(), pair(), pair());
    let (orders, orders_inside) = mpsc::channel(8);
    let (ending_inside, ending) = watch::channel(None);
    let outside = Sandbox {
        io: Io::Pipes {
            stdin: stdin.into(),
            stdout: stdout.into(),
            stderr: stderr.into(),
        },
        protections: Vec::new(),
        control: Control {
            orders,
            ending,
            used: watch::channel(Used::default()).1,
        },
    };
    let inside = Inside {
        stdin: stdin_inside,
        stdout: stdout_inside,
        stderr: stderr_inside,
        orders: orders_inside,
        ending: ending_inside,
    };
    (outside, inside)
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
