//! `terrarium run`: one command in a sandbox, from the command line.
//!
//! Piped, it relays the three streams. On a terminal it gives the command a terminal of its own inside the
//! sandbox: the outer one never enters it, and what could act on the outer one is filtered out.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::output::are_one;
use super::relay::{OuterTerminal, Relayed, Signals, outer_size, relay};
use super::status::Ended;
use crate::audit::{Audit, AuditError, Closing, Decision, Entry, Facts, Outcome, Redactor};
use crate::config::ConfigError;
use crate::confirm::{Locked, quoted};
use crate::kernel::process::allow_many_files;
use crate::model::{Argument, CommandError, Program, SizeError, Span, Workspace};
use crate::policy::{Asked, Caller, Grant, Judgement, LaunchRequest, Policy, Reason, Terminal};
use crate::profile::{Profile, ProfileError, Profiles};
use crate::sandbox::workspace::WorkspaceError;
use crate::sandbox::{Cause, Ending, LaunchError, LaunchOptions, Launchers, Limit, Status, Stop};
use crate::tools::guess;

/// The arguments of `terrarium run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium run -- bash                                       # a shell, in the current directory
  terrarium run --profile build --timeout 10min -- make -j4   # larger limits, and no network
  terrarium run --profile read-only --workspace ~/notes -- ls -l
  curl -s https://example.org/data | terrarium run --profile strict -- wc -l
  while read x; do terrarium run -- echo \"$x\" </dev/null; done <list

It reads its own standard input whether the command does or not, as ssh does: give </dev/null in
loops and background jobs. Of a terminal where it is in the background it reads nothing.

Exit status: the command's own; 124 when time ran out; 125 when Terrarium failed or refused; 126 or
127 when the program could not be executed or was not found; 128 and the number for a signal.")]
pub(super) struct Run {
    #[command(flatten)]
    place: super::place::Place,
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
    #[error("cannot relay input and output; hint: check the limits on processes and open files")]
    Relay(#[from] io::Error),
    #[error("the command's output is incomplete, as it cannot be written: {0}; hint: make room, or send it elsewhere")]
    Lost(io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Time(#[from] SizeError),
    #[error(transparent)]
    Record(#[from] super::record::Error),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Locked(Locked),
    #[error("the policy gave something else than a launch, which is a mistake of Terrarium's; hint: please report it")]
    NoLaunch,
    #[error("the policy does not allow this: {0}")]
    Denied(Reason),
}

impl Run {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let runtime = super::runtime()?;
        allow_many_files().ok(); // a launch that then fails says why
        let result = runtime.block_on(self.go());
        runtime.shutdown_background();
        result
    }

    async fn go(self) -> Result<ExitCode, Error> {
        let config = self.place.config()?;
        let (workspace, instead) = self.place.workspace(&config, &[])?;
        if let Some(instead) = &instead {
            super::say(instead);
        }
        let profiles = self.place.profiles(&config)?;
        let audit = super::record::keep(&config.audit, &workspace, &profiles, Redactor::default(), &[])?;
        let result = self.audited(&audit, &profiles, workspace).await;
        audit.end();
        result
    }

    async fn audited(&self, audit: &Audit, profiles: &Profiles, workspace: Workspace) -> Result<ExitCode, Error> {
        let request = self.request(profiles, workspace)?;
        let (profile, timeout) = (request.profile.clone(), request.timeout);
        let terminal = request.terminal != Terminal::None;
        let caller = Caller::Operator {
            uid: rustix::process::geteuid().as_raw(),
        };
        let mut entry = audit.asked(&caller, request.tool, &self.arguments()).await?;
        let name = profile.name.clone();
        let decision = |rule| Decision {
            rule,
            profile: Some(&name),
            ..Decision::default()
        };
        if let Err(locked) = super::serve::lockdown().check() {
            entry.refused("lockdown").await;
            return Err(Error::Locked(locked));
        }
        let grant = match Policy::without_rules().judge(&caller, &Asked::by_operator(request), None) {
            Judgement::Allowed(grant) => grant,
            Judgement::Confirm(_) => return Err(Error::NoLaunch),
            Judgement::Denied(reason) => {
                let rule = reason.rule();
                entry.denied(&reason.to_string(), decision(Some(rule.as_str()))).await;
                return Err(Error::Denied(reason));
            }
        };
        let rule = grant.rule().clone();
        let Grant::Launch(grant) = grant else {
            return Err(Error::NoLaunch);
        };
        entry.allowed(decision(Some(rule.as_str()))).await?;
        let launchers = Launchers::new(LaunchOptions {
            run_as: self.run_as,
            pretend: self.pretend.clone(),
            ahead: false,
            joined: !terminal && are_one(),
        });
        let code = match launchers.launch(grant).await {
            Ok(sandbox) => {
                let signals = Signals::listen()?;
                let outer = terminal.then(OuterTerminal::enter).transpose()?;
                let limit = profile.limits.output.bytes();
                let Relayed { ending, tail, lost } = relay(sandbox.io, sandbox.control, limit, signals).await?;
                drop(outer);
                self.tell(&ending, &tail, &profile, timeout);
                close(entry, Outcome::Done, &facts(&ending)).await;
                match lost {
                    Some(why) => return Err(Error::Lost(why)),
                    None => exit_code(&ending),
                }
            }
            Err(error) => {
                close(entry, Outcome::Failed, &Facts::default()).await;
                refused(&error)
            }
        };
        Ok(ExitCode::from(code))
    }

    /// What is recorded of the command line.
    fn arguments(&self) -> Map<String, Value> {
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        Map::from_iter([("argv".to_owned(), Value::from(words))])
    }

    fn request(&self, profiles: &Profiles, workspace: Workspace) -> Result<LaunchRequest, Error> {
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
    fn tell(&self, ending: &Ending, printed: &[u8], profile: &Profile, timeout: Option<Duration>) {
        let mut errors = io::stderr().lock();
        if self.json {
            let text = serde_json::to_string(ending).unwrap_or_default();
            writeln!(errors, "{text}").ok(); // nobody reads it
            return;
        }
        if let Some(cause) = ending
            .cause
            .filter(|cause| !matches!(cause, Cause::Stopped(Stop::Signal(_))))
        {
            let mut limits = profile.limits.clone();
            let asked = self.cpu_time.as_deref().and_then(|text| text.parse().ok());
            limits.cpu_time = [limits.cpu_time, asked].into_iter().flatten().min();
            let by = cause.describe(&limits, timeout);
            let hint = match cause {
                Cause::Limit(Limit::Timeout) => {
                    Some("hint: give a larger --timeout if the command needs longer".to_owned())
                }
                cause => cause.hint(profile),
            };
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            writeln!(errors, "terrarium: ended by {by}{hint}").ok(); // as above
        }
        let met = ending.met(profile);
        for met in &met {
            writeln!(errors, "terrarium: {met}").ok(); // as above
        }
        if met.is_empty()
            && ending.cause.is_none()
            && ending.status != Status::Code(0)
            && let Some(limit) = guess::limit(printed, profile)
        {
            writeln!(errors, "terrarium: {limit}").ok(); // as above
        }
        for path in &ending.touched {
            let path = quoted(&path.to_string_lossy(), usize::MAX);
            writeln!(
                errors,
                "terrarium: {path} appeared or changed, and the host may run it: look at it"
            )
            .ok(); // as above
        }
    }
}

/// Closes the record. What was done stays done if that fails.
async fn close(entry: Entry<'_>, outcome: Outcome, facts: &Facts) {
    if let Closing::Late(error) = entry.done(outcome, facts).await {
        writeln!(
            io::stderr(),
            "terrarium: this was done, but its closing record was not written: {error}"
        )
        .ok(); // as above
    }
}

fn facts(ending: &Ending) -> Facts {
    let (exit_code, signal) = match ending.status {
        Status::Code(code) => (Some(code.into()), None),
        Status::Signal(number) => (None, Some(number.into())),
        Status::Lost => (None, None),
    };
    Facts {
        exit_code,
        signal,
        ..Facts::default()
    }
}

fn refused(error: &LaunchError) -> u8 {
    super::say(error);
    error.exit_code()
}

fn exit_code(ending: &Ending) -> u8 {
    let ended = match (ending.cause, ending.status) {
        (Some(Cause::Limit(Limit::Timeout | Limit::WallTime)), _) => Ended::OutOfTime,
        (_, Status::Code(code)) => Ended::Code(code.into()),
        (_, Status::Signal(number)) => Ended::Signal(number.into()),
        (Some(_), Status::Lost) => Ended::Killed,
        (None, Status::Lost) => Ended::Unknown,
    };
    ended.status()
}
