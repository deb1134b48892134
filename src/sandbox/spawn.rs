//! The server's side of a launch: one zygote, and a socket for each sandbox.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::LaunchError;
use super::handle::{Control, Ending, Io, Order, Sandbox};
use super::plan;
use super::shell::MakeStartup;
use super::spec::{Spec, Word};
use super::start::Zygote;
use super::step::{Step, StepError};
use super::zygote::Ask;
use crate::kernel::probe::Support;
use crate::kernel::{fdpass, fds};
use crate::model::SessionId;
use crate::policy::{LaunchGrant, Terminal};

/// How launchers are started.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// The user whom commands run as, when the server is root.
    pub run_as: Option<u32>,
    /// What to treat as missing on this machine, for tests of degraded modes. Only takes away.
    pub pretend: Vec<String>,
}

/// Starts launchers. One for each server; cheap to clone. Starts its zygote when first used.
#[derive(Clone, Debug)]
pub struct Launchers {
    options: Arc<LaunchOptions>,
    zygote: Arc<Mutex<Option<Zygote>>>,
}

impl Launchers {
    /// Starts nothing yet.
    pub fn new(options: LaunchOptions) -> Self {
        Self {
            options: Arc::new(options),
            zygote: Arc::default(),
        }
    }

    /// What this machine offers, as the zygote found it.
    pub async fn support(&self) -> Result<Support, LaunchError> {
        let me = self.clone();
        blocking(move || me.with_zygote(|zygote| Ok(zygote.support.clone()))).await
    }

    /// Runs the granted command. Returns when the command has been executed, or could not be.
    ///
    /// Cancel-safe: a dropped future closes the launcher's socket, which ends the sandbox.
    pub async fn launch(&self, grant: LaunchGrant) -> Result<Sandbox, LaunchError> {
        self.start(grant, None).await
    }

    /// The same for an interactive shell and what it starts with.
    pub async fn launch_shell(&self, grant: LaunchGrant, startup: MakeStartup) -> Result<Sandbox, LaunchError> {
        self.start(grant, Some(startup)).await
    }

    async fn start(&self, grant: LaunchGrant, startup: Option<MakeStartup>) -> Result<Sandbox, LaunchError> {
        let (orders, take_orders) = mpsc::channel(16);
        let (tell_ending, ending) = watch::channel(None);
        let (tell_started, started) = oneshot::channel();
        let me = self.clone();
        tokio::spawn(async move {
            match me.begin(grant, startup).await {
                Ok(begun) => begun.follow(&me, tell_started, take_orders, &tell_ending).await,
                Err(error) => drop(tell_started.send(Err(error))), // a dropped call needs no answer
            }
        });
        let begun = started
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok(Sandbox {
            io: begun.0,
            protections: begun.1,
            control: Control { orders, ending },
        })
    }

    /// Plans, and has a launcher forked that gets its spec. On a thread that may block.
    async fn begin(&self, grant: LaunchGrant, startup: Option<MakeStartup>) -> Result<Begun, LaunchError> {
        let me = self.clone();
        blocking(move || me.ask_for_launcher(&grant, startup)).await
    }

    fn ask_for_launcher(&self, grant: &LaunchGrant, startup: Option<MakeStartup>) -> Result<Begun, LaunchError> {
        let id = SessionId::random()?.to_string();
        let (mine, its) = UnixStream::pair()?;
        let support = self.with_zygote(|zygote| {
            let ask = serde_json::to_vec(&Ask::Launch).map_err(io::Error::from)?;
            fdpass::send(&zygote.socket, &ask, &[its.as_fd()])?;
            Ok(zygote.support.clone())
        })?;
        drop(its);
        let (spec, protections) = plan::plan(grant, &support, &id, self.options.run_as, startup)?;
        let io = Streams::open(grant.request().terminal, &spec)?;
        let text = serde_json::to_vec(&spec).map_err(io::Error::from)?;
        let passed: Vec<_> = io.inside.iter().map(|fd| fd.as_fd()).collect();
        fdpass::send(&mine, &text, &passed)?;
        Ok(Begun {
            socket: mine,
            outside: io.outside,
            protections,
        })
    }

    /// Removes what a launcher that was killed could not.
    async fn clean_up(&self) {
        let me = self.clone();
        let asked = blocking(move || {
            me.with_zygote(|zygote| {
                let ask = serde_json::to_vec(&Ask::Sweep).map_err(io::Error::from)?;
                fdpass::send(&zygote.socket, &ask, &[])
            })
        });
        asked.await.ok(); // the next start sweeps as well
    }

    /// Acts on the zygote, which is started where there is none or where it has died.
    fn with_zygote<T>(&self, act: impl Fn(&Zygote) -> io::Result<T>) -> Result<T, LaunchError> {
        let mut held = self.zygote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zygote) = held.as_mut() {
            let alive = matches!(zygote.process.try_wait(), Ok(None));
            if alive && let Ok(value) = act(zygote) {
                return Ok(value);
            }
            *held = None;
        }
        let zygote = Zygote::start(&self.options)?;
        let value = act(&zygote)?;
        *held = Some(zygote);
        Ok(value)
    }
}

/// Both ends of a command's standard input, output and error.
struct Streams {
    inside: Vec<OwnedFd>,
    outside: Option<Io>,
}

impl Streams {
    fn open(terminal: Terminal, spec: &Spec) -> io::Result<Self> {
        if terminal != Terminal::None {
            let Some(wanted) = spec.terminal.filter(|t| !t.private) else {
                return Ok(Self {
                    inside: Vec::new(),
                    outside: None,
                }); // opened inside
            };
            let (master, slave) = crate::kernel::tty::open(wanted.columns, wanted.rows)?;
            fds::set_nonblocking(&master)?;
            // pid 1 asks the master which group is in the foreground.
            let inside = vec![slave.try_clone()?, slave.try_clone()?, slave, master.try_clone()?];
            return Ok(Self {
                inside,
                outside: Some(Io::Terminal(master)),
            });
        }
        let (stdin_inside, stdin) = io::pipe()?;
        let (stdout, stdout_inside) = io::pipe()?;
        let (stderr, stderr_inside) = io::pipe()?;
        let outside = Io::Pipes {
            stdin: stdin.into(),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        if let Io::Pipes { stdin, stdout, stderr } = &outside {
            for fd in [stdin, stdout, stderr] {
                fds::set_nonblocking(fd)?;
            }
        }
        let inside = vec![stdin_inside.into(), stdout_inside.into(), stderr_inside.into()];
        Ok(Self {
            inside,
            outside: Some(outside),
        })
    }
}

/// A launcher that has its spec.
struct Begun {
    socket: UnixStream,
    outside: Option<Io>,
    protections: Vec<super::Protection>,
}

type Started = Result<(Io, Vec<super::Protection>), LaunchError>;

impl Begun {
    /// Waits for the start and for the end; passes orders on meanwhile.
    async fn follow(
        self,
        launchers: &Launchers,
        tell: oneshot::Sender<Started>,
        orders: mpsc::Receiver<Order>,
        ending: &watch::Sender<Option<Ending>>,
    ) {
        let Self {
            socket,
            outside,
            protections,
        } = self;
        let socket = socket
            .set_nonblocking(true)
            .and_then(|()| tokio::net::UnixStream::from_std(socket));
        let (mut reader, writer) = match socket {
            Ok(socket) => socket.into_split(),
            Err(error) => return drop(tell.send(Err(error.into()))), // a dropped call needs no answer
        };
        let started = first_word(&mut reader, outside).await;
        let running = started.is_ok();
        if tell.send(started.map(|io| (io, protections))).is_err() || !running {
            return; // nobody wants it: the closing socket ends it
        }
        let said = fdpass::receive_later(&mut reader);
        let passing = pass_on(orders, writer);
        tokio::pin!(said, passing);
        let said = tokio::select! {
            said = &mut said => said,
            () = &mut passing => said.await,
        };
        let said = said
            .ok()
            .flatten()
            .and_then(|(text, _)| serde_json::from_slice(&text).ok());
        let ended = match said {
            Some(Word::Ended(ended)) => ended,
            _ => {
                launchers.clean_up().await;
                Ending::lost()
            }
        };
        ending.send_replace(Some(ended));
    }
}

/// Passes orders on until every handle is gone; so goes the sandbox.
async fn pass_on(mut orders: mpsc::Receiver<Order>, mut launcher: OwnedWriteHalf) {
    while let Some(order) = orders.recv().await {
        let text = serde_json::to_vec(&order).map_err(io::Error::from);
        if let Ok(bytes) = text.and_then(|text| fdpass::frame(&text)) {
            launcher.write_all(&bytes).await.ok(); // it has ended
        }
    }
    launcher.shutdown().await.ok(); // the same
}

/// Waits until the command is executed; its terminal comes along if it has one of its own.
async fn first_word(launcher: &mut OwnedReadHalf, outside: Option<Io>) -> Result<Io, LaunchError> {
    let (text, mut passed) = fdpass::receive_later(launcher)
        .await?
        .ok_or(io::ErrorKind::UnexpectedEof)
        .map_err(io::Error::from)?;
    match serde_json::from_slice(&text).map_err(io::Error::from)? {
        Word::Started => {}
        Word::Failed(error) => return Err(name(error)),
        Word::Ended(_) => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
    match (passed.pop(), outside) {
        (Some(master), _) => {
            fds::set_nonblocking(&master)?;
            Ok(Io::Terminal(master))
        }
        (None, Some(outside)) => Ok(outside),
        (None, None) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

/// Failures that are the caller's business get a name of their own.
fn name(error: StepError) -> LaunchError {
    let reason = io::Error::from_raw_os_error(error.errno);
    let subject = || error.subject.clone().unwrap_or_default();
    match (error.step, error.errno) {
        (Step::Exec, libc::ENOENT) => LaunchError::NotFound { program: subject() },
        (Step::Exec, _) if error.subject.is_some() => LaunchError::NotExecutable {
            program: subject(),
            reason,
        },
        (Step::WorkingDirectory, _) => LaunchError::WorkingDirectory {
            directory: subject(),
            reason,
        },
        _ => LaunchError::Step(error),
    }
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, LaunchError> {
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?
}
