//! What runs in the sandboxes, as the input plays it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::policy::{Caller, LaunchGrant, Terminal};
use crate::sandbox::fake::{self, Heard};
use crate::sandbox::handle::Order;
use crate::sandbox::{Cause, Ending, Sandbox, Status};

/// The programs that run, by their age.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) programs: BTreeMap<u64, Program>,
    started: u64,
    /// Whether nothing may start.
    pub(super) closed: bool,
}

pub(super) struct Program {
    pub(super) owner: Caller,
    pub(super) output: File,
    /// Input and errors, which nobody uses.
    _rest: Vec<UnixStream>,
    heard: watch::Sender<Option<Ending>>,
}

pub(super) type Shared = Arc<Mutex<Stage>>;

pub(super) fn stage(shared: &Shared) -> MutexGuard<'_, Stage> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn play(shared: &Shared, grant: &LaunchGrant) -> io::Result<Sandbox> {
    let (sandbox, output, rest, heard) = match grant.request().terminal {
        Terminal::Size { columns, rows } => {
            let (sandbox, output, heard) = fake::terminal(columns, rows)?;
            (sandbox, output, Vec::new(), heard)
        }
        Terminal::None => {
            let (sandbox, inside) = fake::sandbox()?;
            inside.stdout.set_nonblocking(true)?;
            let output = File::from(OwnedFd::from(inside.stdout));
            (sandbox, output, vec![inside.stdin, inside.stderr], inside.heard)
        }
    };
    let mut now = stage(shared);
    assert!(!now.closed, "something was started under lockdown");
    now.started += 1;
    let (number, owner) = (now.started, grant.caller().clone());
    let Heard { mut orders, ending } = heard;
    let program = Program {
        owner,
        output,
        _rest: rest,
        heard: ending,
    };
    now.programs.insert(number, program);
    drop(now);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let mut last = (Status::Lost, Some(Cause::Abandoned));
        while let Some(order) = orders.recv().await {
            last = match order {
                Order::Stop { why, .. } => (Status::Signal(9), Some(Cause::Stopped(why))),
                Order::Signal { number, .. } if number < 16 => (Status::Signal(number), None),
                _ => continue,
            };
            break;
        }
        if let Some(program) = stage(&shared).programs.remove(&number) {
            program.end(last.0, last.1);
        }
    });
    Ok(sandbox)
}

impl Program {
    pub(super) fn end(self, status: Status, cause: Option<Cause>) {
        let ending = Ending {
            cause,
            ..fake::ended(status)
        };
        self.heard.send_replace(Some(ending));
    }
}
