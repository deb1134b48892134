//! The server's side of a launch: one zygote, and a socket for each sandbox.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::ahead::{Kind, MOMENT, Prepared, WAITS_FOR, Waiting};
use super::error::LaunchError;
use super::follow::{Begun, LaunchOrders, Tell};
use super::handle::{Control, Ending, Io, Sandbox, Used};
use super::plan::{Mark, Plan};
use super::shell::MakeStartup;
use super::spec::Task;
use super::start::Zygote;
use super::syscalls::Compiled;
use super::zygote::Ask;
use crate::kernel::probe::Support;
use crate::kernel::{fdpass, fds};
use crate::policy::{LaunchGrant, Terminal};

/// How launchers are started.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// The user whom commands run as, when the server is root.
    pub run_as: Option<u32>,
    /// What to treat as missing on this machine, for tests of degraded modes. Only takes away.
    pub pretend: Vec<String>,
    /// Whether a sandbox like the last one is built before it is asked for.
    pub ahead: bool,
    /// Whether standard error goes where standard output goes, in the order in which it was written.
    pub joined: bool,
}

/// Starts launchers. One for each server; cheap to clone. Starts its zygote when first used.
#[derive(Clone, Debug)]
pub struct Launchers {
    options: Arc<LaunchOptions>,
    compiled: Arc<Compiled>,
    held: Arc<Mutex<Held>>,
    /// What stands in for all of it.
    #[cfg(any(test, fuzzing))]
    play: Option<super::fake::Play>,
}

/// What lives as long as the server. A zygote waits for its launchers, so those that wait go first.
#[derive(Debug, Default)]
struct Held {
    waiting: Waiting,
    zygote: Option<Zygote>,
}

impl Launchers {
    /// Starts nothing yet.
    pub fn new(options: LaunchOptions) -> Self {
        Self {
            options: Arc::new(options),
            compiled: Arc::default(),
            held: Arc::default(),
            #[cfg(any(test, fuzzing))]
            play: None,
        }
    }

    /// Launches nothing: sandboxes come from `play`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn played(play: super::fake::Play) -> Self {
        Self {
            play: Some(play),
            ..Self::new(LaunchOptions::default())
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
        #[cfg(any(test, fuzzing))]
        if let Some(play) = &self.play {
            return Ok(play.start(&grant)?);
        }
        let (orders, take_orders) = mpsc::channel(16);
        let (tell_ending, ending) = watch::channel(None);
        let (tell_used, used) = watch::channel(Used::default());
        let (tell_started, started) = oneshot::channel();
        let me = self.clone();
        tokio::spawn(async move {
            match me.begin(grant, startup).await {
                Ok(begun) => {
                    let tell = Tell {
                        started: tell_started,
                        used: tell_used,
                        ending: tell_ending,
                    };
                    begun.follow(&me, tell, take_orders).await;
                }
                Err(error) => drop(tell_started.send(Err(error))), // a dropped call needs no answer
            }
        });
        let begun = started
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok(Sandbox {
            io: begun.0,
            protections: begun.1,
            control: Control { orders, ending, used },
        })
    }

    /// Plans, and has a launcher told what to do. On a thread that may block.
    async fn begin(&self, grant: LaunchGrant, startup: Option<MakeStartup>) -> Result<Begun, LaunchError> {
        let me = self.clone();
        blocking(move || me.ask_for_launcher(grant, startup)).await
    }

    fn ask_for_launcher(&self, grant: LaunchGrant, startup: Option<MakeStartup>) -> Result<Begun, LaunchError> {
        let Launcher { socket, plan, prepared } = match self.take_prepared(&grant)? {
            Some(launcher) => launcher,
            None => self.new_launcher(&grant)?,
        };
        let (base, protections) = (plan.base, plan.protections);
        let likely = self.builds_ahead() && base.is_complete();
        let task = plan.rest.task(grant.request(), startup);
        let io = Streams::open(grant.request().terminal, &task, self.options.joined)?;
        let mut orders = LaunchOrders {
            base,
            task: serde_json::to_vec(&task).map_err(io::Error::from)?,
            passed: io.inside,
        };
        let sent = if prepared {
            orders.send_task(&socket)
        } else {
            orders.send(&socket)
        };
        let (socket, prepared) = match sent {
            Err(error) if fdpass::never_read(&error) => (self.ask_again(&mut orders)?, false),
            result => result.map(|()| (socket, prepared))?,
        };
        Ok(Begun {
            socket,
            orders,
            outside: io.outside,
            protections,
            prepared,
            next: likely.then_some(grant),
        })
    }

    fn new_launcher(&self, grant: &LaunchGrant) -> Result<Launcher, LaunchError> {
        let (socket, support) = self.fork_launcher()?; // it is forked while we plan
        let plan = Plan::make(grant, &support, &Mark::random()?, self.options.run_as, &self.compiled)?;
        Ok(Launcher {
            socket,
            plan,
            prepared: false,
        })
    }

    /// One that was built ahead, if it is exactly what would be built now.
    fn take_prepared(&self, grant: &LaunchGrant) -> Result<Option<Launcher>, LaunchError> {
        let Some(prepared) = self.held().waiting.take(&Kind::of(grant.request())) else {
            return Ok(None);
        };
        let support = self.with_zygote(|zygote| Ok(zygote.support.clone()))?;
        let plan = Plan::make(grant, &support, &prepared.mark, self.options.run_as, &self.compiled)?;
        let same = plan.base.to_bytes()? == prepared.base;
        Ok(same.then_some(Launcher {
            socket: prepared.socket,
            plan,
            prepared: true,
        }))
    }

    /// Builds a sandbox like that of `grant`, without its task. One at a time.
    fn prepare(&self, grant: &LaunchGrant) -> Result<Option<(Mark, oneshot::Receiver<()>)>, LaunchError> {
        let kind = Kind::of(grant.request());
        if !self.held().waiting.start(&kind) {
            return Ok(None);
        }
        let (waits, gone) = oneshot::channel();
        let prepared = self.plan_ahead(grant, kind, waits);
        let mut held = self.held();
        held.waiting.being_built = false;
        let prepared = prepared?;
        // Under the lock: from when it is being built, the next call has it or ends it.
        fdpass::send(&prepared.socket, &prepared.base, &[])?;
        let mark = prepared.mark.clone();
        held.waiting.add(prepared);
        Ok(Some((mark, gone)))
    }

    fn plan_ahead(&self, grant: &LaunchGrant, kind: Kind, waits: oneshot::Sender<()>) -> Result<Prepared, LaunchError> {
        let (socket, support) = self.fork_launcher()?;
        let mark = Mark::random()?;
        let plan = Plan::make(grant, &support, &mark, self.options.run_as, &self.compiled)?;
        Ok(Prepared {
            kind,
            mark,
            base: plan.base.to_bytes()?,
            socket,
            _waits: waits,
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

    /// The launcher went before the command had begun: another one is asked, for a sandbox of another name.
    pub(super) fn ask_again(&self, orders: &mut LaunchOrders) -> Result<UnixStream, LaunchError> {
        let (socket, _) = self.fork_launcher()?;
        orders.base.name = Mark::random()?.name;
        orders.send(&socket)?;
        self.sweep()?;
        Ok(socket)
    }

    /// Removes what a launcher that was killed could not.
    fn sweep(&self) -> Result<(), LaunchError> {
        self.with_zygote(|zygote| {
            let ask = serde_json::to_vec(&Ask::Sweep).map_err(io::Error::from)?;
            fdpass::send(&zygote.socket, &ask, &[])
        })
    }

    /// The same, without blocking a thread.
    pub(super) async fn clean_up(&self) {
        let me = self.clone();
        blocking(move || me.sweep()).await.ok(); // the next start sweeps as well
    }

    /// Acts on the zygote, which is started where there is none or where it has died.
    fn with_zygote<T>(&self, act: impl Fn(&Zygote) -> io::Result<T>) -> Result<T, LaunchError> {
        let mut held = self.held();
        if let Some(zygote) = held.zygote.as_mut() {
            let alive = matches!(zygote.process.try_wait(), Ok(None));
            if alive && let Ok(value) = act(zygote) {
                return Ok(value);
            }
            *held = Held::default();
        }
        let zygote = Zygote::start(&self.options)?;
        let value = act(&zygote)?;
        held.zygote = Some(zygote);
        Ok(value)
    }

    fn builds_ahead(&self) -> bool {
        self.options.ahead && !self.options.pretend.iter().any(|name| name == "ahead")
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prepares for the next call, and ends what nobody has asked for after a while. It begins when the command has ended, or has had a
/// moment to itself: at once it would take the processor that the command's own processes are about to use.
pub(super) async fn prepare(launchers: Launchers, grant: LaunchGrant, mut ending: watch::Receiver<Option<Ending>>) {
    let ended = ending.wait_for(Option::is_some);
    tokio::time::timeout(MOMENT, ended).await.ok(); // either is a time to begin
    let held = Arc::downgrade(&launchers.held);
    let prepared = blocking(move || launchers.prepare(&grant)).await;
    if let Ok(Some((mark, gone))) = prepared {
        if tokio::time::timeout(WAITS_FOR, gone).await.is_ok() {
            return; // somebody has it, or it made way for another
        }
        // A zygote may be starting or ending meanwhile, which takes seconds.
        let end = move || {
            if let Some(held) = held.upgrade() {
                held.lock().unwrap_or_else(PoisonError::into_inner).waiting.end(&mark);
            }
        };
        tokio::task::spawn_blocking(end).await.ok(); // the server ends, and it with it
    }
}

/// A launcher, and what is planned for it.
struct Launcher {
    socket: UnixStream,
    plan: Plan,
    /// Whether it has its base already.
    prepared: bool,
}

/// Both ends of a command's standard input, output and error.
struct Streams {
    inside: Vec<OwnedFd>,
    outside: Option<Io>,
}

impl Streams {
    fn open(terminal: Terminal, task: &Task, joined: bool) -> io::Result<Self> {
        if terminal != Terminal::None {
            let Some(wanted) = task.terminal.filter(|t| !t.private) else {
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
        let stderr_inside = if joined {
            stdout_inside.try_clone()?
        } else {
            stderr_inside
        };
        let inside = vec![stdin_inside.into(), stdout_inside.into(), stderr_inside.into()];
        Ok(Self {
            inside,
            outside: Some(outside),
        })
    }
}

/// Runs what may block where that does no harm.
pub(super) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, LaunchError> {
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?
}
