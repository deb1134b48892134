//! `terrarium run`: one command in a sandbox, from the command line.
//!
//! Piped, it relays the three streams. On a terminal it gives the command a terminal of its own inside the
//! sandbox: the outer one never enters it, and what could act on the outer one is filtered out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::signal::unix::{SignalKind, signal};

use super::filter::Filter;
use crate::kernel::tty;
use crate::model::{Argument, CommandError, Program, SizeError, Span, Workspace};
use crate::policy::{Caller, Grant, Judgement, LaunchRequest, Policy, Reason, Request, Terminal};
use crate::profile::{Profile, ProfileError, Profiles};
use crate::sandbox::workspace::{self, WorkspaceError};
use crate::sandbox::{Cause, Control, Ending, Io, LaunchError, LaunchOptions, Launchers, Limit, Status, Stop, Target};

/// What stands in for a command that ran out of time, as in timeout(1).
const TIMED_OUT: u8 = 124;
const FAILED: u8 = 125;
const GRACE: Duration = Duration::from_millis(300);
/// How long output may take to arrive after the command's end.
const DRAIN: Duration = Duration::from_millis(500);

/// The arguments of `terrarium run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    place: super::serve::Place,
    /// What it may do: see `terrarium profile list`.
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// The directory to start in, in the workspace.
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Ends it after this time, as in 30s or 10min, with status 124.
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Ends it after this processor time of all its processes together.
    #[arg(long, value_name = "TIME")]
    cpu_time: Option<String>,
    /// The user to run as, when this is root.
    #[arg(long, value_name = "UID")]
    run_as: Option<u32>,
    /// Says at the end on standard error, as JSON, how it ended and what it used.
    #[arg(long)]
    json: bool,
    /// Treats a feature of this machine as missing, for tests of degraded modes.
    #[arg(long, value_name = "FEATURE", hide = true)]
    pretend: Vec<String>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<std::ffi::OsString>,
}

/// Why nothing ran.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot relay input and output")]
    Relay(#[from] io::Error),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Time(#[from] SizeError),
    #[error("the policy does not allow this: {0}")]
    Denied(Reason),
}

impl Run {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let result = runtime.block_on(self.go());
        runtime.shutdown_background();
        result
    }

    async fn go(self) -> Result<ExitCode, Error> {
        let (workspace, _held) = match &self.place.workspace {
            Some(directory) => (workspace::named(directory)?, None),
            None => workspace::default()?,
        };
        let request = self.request(workspace)?;
        let (profile, timeout) = (request.profile.clone(), request.timeout);
        let terminal = request.terminal != Terminal::None;
        let caller = Caller::Operator {
            uid: rustix::process::geteuid().as_raw(),
        };
        let grant = match Policy::embedded().judge(&caller, Request::Launch(Box::new(request))) {
            Judgement::Allowed(Grant::Launch(grant)) => grant,
            Judgement::Allowed(Grant::Session(_)) => return Ok(ExitCode::from(FAILED)),
            Judgement::Denied(reason) => return Err(Error::Denied(reason)),
        };
        let launchers = Launchers::new(LaunchOptions {
            run_as: self.run_as,
            pretend: self.pretend.clone(),
        });
        let code = match launchers.launch(grant).await {
            Ok(sandbox) => {
                let outer = terminal.then(OuterTerminal::enter).transpose()?;
                let ending = relay(sandbox.io, sandbox.control, profile.limits.output.bytes()).await?;
                drop(outer);
                self.tell(&ending, &profile, timeout);
                exit_code(&ending)
            }
            Err(error) => refused(&error),
        };
        Ok(ExitCode::from(code))
    }

    fn request(&self, workspace: Workspace) -> Result<LaunchRequest, Error> {
        let profiles = match &self.place.profiles {
            Some(directory) => Profiles::with_directory(directory)?,
            None => Profiles::embedded(),
        };
        let arguments = self.command.iter().map(Argument::new).collect::<Result<Vec<_>, _>>()?;
        let span = |text: &Option<String>| text.as_deref().map(str::parse::<Span>).transpose();
        Ok(LaunchRequest {
            tool: "run",
            profile: profiles.get(&self.profile)?,
            workspace,
            program: Program::argv(arguments)?,
            cwd: self.cwd.clone(),
            env: Vec::new(),
            terminal: outer_size().map_or(Terminal::None, |(columns, rows)| Terminal::Size { columns, rows }),
            timeout: span(&self.timeout)?.map(Span::duration),
            cpu_time: span(&self.cpu_time)?.map(Span::duration),
        })
    }

    /// Says what ended the command, if it did not end by itself, and what it touched.
    fn tell(&self, ending: &Ending, profile: &Profile, timeout: Option<Duration>) {
        let mut errors = io::stderr().lock();
        if self.json {
            let text = serde_json::to_string(ending).unwrap_or_default();
            writeln!(errors, "{text}").ok(); // nobody reads it
            return;
        }
        if let Some(cause) = ending
            .cause
            .filter(|cause| !matches!(cause, Cause::Stopped(Stop::Closed | Stop::Cancelled)))
        {
            let by = cause.describe(profile, timeout);
            writeln!(errors, "terrarium: ended by {by}; {}", cause.hint()).ok(); // as above
        }
        for met in ending.met(profile) {
            writeln!(errors, "terrarium: {met}").ok(); // as above
        }
        for path in &ending.touched {
            let path = path.display();
            writeln!(
                errors,
                "terrarium: {path} appeared or changed, and the host may run it: look at it"
            )
            .ok(); // as above
        }
    }
}

fn refused(error: &LaunchError) -> u8 {
    super::say(error);
    error.exit_code()
}

fn exit_code(ending: &Ending) -> u8 {
    match (ending.cause, ending.status) {
        (Some(Cause::Limit(Limit::Timeout | Limit::WallTime)), _) => TIMED_OUT,
        (_, Status::Code(code)) => u8::try_from(code).unwrap_or(FAILED),
        (_, Status::Signal(number)) => 128_u8.wrapping_add(u8::try_from(number).unwrap_or(0)),
        (Some(_), Status::Lost) => 137,
        (None, Status::Lost) => FAILED,
    }
}

/// Relays both ways until the command has ended and its output is out.
async fn relay(io: Io, control: Control, limit: u64) -> io::Result<Ending> {
    let printed = Arc::new(AtomicU64::new(0));
    let (over, mut is_over) = tokio::sync::mpsc::channel(1);
    let (done, mut is_done) = tokio::sync::mpsc::channel::<()>(1);
    let out = |from: OwnedFd, to: Out, filter: Option<Filter>| {
        let (printed, over, done) = (Arc::clone(&printed), over.clone(), done.clone());
        std::thread::spawn(move || {
            copy_out(File::from(from), to, filter, &printed, limit, &over);
            drop(done);
        });
    };
    let terminal = match io {
        Io::Pipes { stdin, stdout, stderr } => {
            out(stdout, Out::Standard, None);
            out(stderr, Out::Error, None);
            std::thread::spawn(move || copy_in(File::from(stdin)));
            None
        }
        Io::Terminal(master) => {
            out(master.try_clone()?, Out::Standard, Some(Filter::default()));
            let input = File::from(master.try_clone()?);
            std::thread::spawn(move || copy_in(input));
            Some(master)
        }
    };
    drop(done);
    let mut resized = signal(SignalKind::window_change())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let ending = loop {
        tokio::select! {
            ending = control.ended() => break ending,
            _ = is_over.recv() => control.stop(Stop::Output, Duration::ZERO).await,
            _ = resized.recv() => if let (Some(master), Some((columns, rows))) = (&terminal, outer_size()) {
                tty::set_size(master, columns, rows).ok(); // it has ended
            },
            _ = interrupt.recv() => { control.signal(libc::SIGINT, Target::Foreground).await; }
            _ = terminate.recv() => control.stop(Stop::Closed, GRACE).await,
            _ = hangup.recv() => control.stop(Stop::Closed, GRACE).await,
        }
    };
    drop(terminal);
    tokio::time::timeout(DRAIN, is_done.recv()).await.ok(); // what is not out by then is held up by our reader
    Ok(ending)
}

#[derive(Clone, Copy)]
enum Out {
    Standard,
    Error,
}

impl Out {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Standard => {
                let mut to = io::stdout().lock();
                to.write_all(bytes)?;
                to.flush()
            }
            Self::Error => io::stderr().lock().write_all(bytes),
        }
    }
}

/// Copies until the end, or until more was printed than the profile allows.
fn copy_out(
    mut from: File,
    to: Out,
    mut filter: Option<Filter>,
    printed: &AtomicU64,
    limit: u64,
    over: &tokio::sync::mpsc::Sender<()>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        if !wait(from.as_fd(), PollFlags::POLLIN) {
            return;
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return, // a terminal's end
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        // A terminal is watched by a person; a pipe may fill a disk.
        if filter.is_none() && printed.fetch_add(count as u64, Ordering::Relaxed) + count as u64 > limit {
            over.try_send(()).ok(); // said already
            return;
        }
        let shown = match &mut filter {
            Some(filter) => to.write(&filter.pass(bytes)),
            None => to.write(bytes),
        };
        if shown.is_err() {
            return; // nobody reads: the command sees a closed pipe
        }
    }
}

/// Copies standard input; its end closes the command's.
fn copy_in(mut to: File) {
    let mut buffer = vec![0; 64 << 10];
    let mut from = io::stdin().lock();
    while let Ok(count) = from.read(&mut buffer) {
        let mut rest = buffer.get(..count).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        while !rest.is_empty() {
            if !wait(to.as_fd(), PollFlags::POLLOUT) {
                return;
            }
            match to.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return, // the command does not read any more
            }
        }
    }
}

fn wait(fd: BorrowedFd<'_>, what: PollFlags) -> bool {
    let mut wanted = [PollFd::new(fd, what)];
    loop {
        match poll(&mut wanted, PollTimeout::NONE) {
            Ok(_) => return true,
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// The outer terminal's size, if standard input and output are one.
fn outer_size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    rustix::termios::tcgetwinsize(rustix::stdio::stdin()).ok()?;
    Some((size.ws_col.max(20), size.ws_row.max(5)))
}

/// The outer terminal in raw mode; as it was before when dropped.
struct OuterTerminal(rustix::termios::Termios);

impl OuterTerminal {
    fn enter() -> io::Result<Self> {
        let before = rustix::termios::tcgetattr(rustix::stdio::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(rustix::stdio::stdin(), rustix::termios::OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for OuterTerminal {
    fn drop(&mut self) {
        // Leaves the alternate screen, mouse reporting, bracketed paste, and shows the cursor.
        Out::Standard
            .write(b"\x1b[?1049l\x1b[?1000l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m")
            .ok(); // nobody looks
        let now = rustix::termios::OptionalActions::Drain;
        rustix::termios::tcsetattr(rustix::stdio::stdin(), now, &self.0).ok(); // it has been closed
    }
}
