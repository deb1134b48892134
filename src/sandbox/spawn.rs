//! The server's side of a launch: one zygote, and a socket for each sandbox.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::command::NO_INTERPRETER;
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
        let (socket, support) = self.fork_launcher()?; // it is forked while we plan
        let (spec, protections) = plan::plan(grant, &support, &id, self.options.run_as, startup)?;
        let io = Streams::open(grant.request().terminal, &spec)?;
        let orders = LaunchOrders {
            text: serde_json::to_vec(&spec).map_err(io::Error::from)?,
            passed: io.inside,
        };
        let socket = match orders.send(&socket) {
            Err(error) if never_read(&error) => self.ask_again(&orders)?,
            result => result.map(|()| socket)?,
        };
        Ok(Begun {
            socket,
            orders,
            outside: io.outside,
            protections,
        })
    }

    fn fork_launcher(&self) -> Result<(UnixStream, Support), LaunchError> {
        let (mine, its) = UnixStream::pair()?;
        let support = self.with_zygote(|zygote| {
            let ask = serde_json::to_vec(&Ask::Launch).map_err(io::Error::from)?;
            fdpass::send(&zygote.socket, &ask, &[its.as_fd()])?;
            Ok(zygote.support.clone())
        })?;
        Ok((mine, support))
    }

    /// The zygote was killed before it forked: another one is asked.
    fn ask_again(&self, orders: &LaunchOrders) -> Result<UnixStream, LaunchError> {
        let (socket, _) = self.fork_launcher()?;
        orders.send(&socket)?;
        Ok(socket)
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

/// What a launcher is sent. Kept until it says that it has begun.
struct LaunchOrders {
    text: Vec<u8>,
    passed: Vec<OwnedFd>,
}

impl LaunchOrders {
    fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let passed: Vec<_> = self.passed.iter().map(|fd| fd.as_fd()).collect();
        fdpass::send(socket, &self.text, &passed)
    }
}

/// Whether the other side went away without having read all that was sent (unix(7)): then nothing was done.
fn never_read(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// A launcher that has its spec.
struct Begun {
    socket: UnixStream,
    orders: LaunchOrders,
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
            orders: sent,
            outside,
            protections,
        } = self;
        let mut first = first_word(socket).await;
        if let Err(LaunchError::Zygote { source }) = &first
            && never_read(source)
        {
            let me = launchers.clone();
            first = match blocking(move || me.ask_again(&sent)).await {
                Ok(socket) => first_word(socket).await,
                Err(error) => Err(error),
            };
        } else {
            drop(sent); // the command's ends are the command's alone from here on
        }
        let (started, reader, writer) = match first {
            Ok((terminal, reader, writer)) => (pair_up(terminal, outside), reader, writer),
            Err(error) => {
                if matches!(error, LaunchError::LauncherLost) {
                    launchers.clean_up().await;
                }
                return drop(tell.send(Err(error))); // a dropped call needs no answer
            }
        };
        let mut reader = reader;
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
async fn first_word(socket: UnixStream) -> Result<(Option<OwnedFd>, OwnedReadHalf, OwnedWriteHalf), LaunchError> {
    socket.set_nonblocking(true)?;
    let (mut reader, writer) = tokio::net::UnixStream::from_std(socket)?.into_split();
    let (text, mut passed) = fdpass::receive_later(&mut reader)
        .await?
        .ok_or(LaunchError::LauncherLost)?;
    match serde_json::from_slice(&text).map_err(io::Error::from)? {
        Word::Started => Ok((passed.pop(), reader, writer)),
        Word::Failed(error) => Err(name(error)),
        Word::Ended(_) => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}

/// The terminal that was opened inside, or what was opened here.
fn pair_up(terminal: Option<OwnedFd>, outside: Option<Io>) -> Result<Io, LaunchError> {
    match (terminal, outside) {
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
        (Step::Exec, NO_INTERPRETER) => LaunchError::NoInterpreter { program: subject() },
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
