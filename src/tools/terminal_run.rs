//! `terminal_run`: one command in a fresh sandbox.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::act::{Act, Turn};
use super::answer::{Answer, Facts};
use super::arguments::{self, ArgumentError};
use super::terminal_close::{GRACE, PATIENCE};
use super::{Definition, Hints, Reply, Services, ToolError, schema};
use crate::model::env::MAX_VARIABLES;
use crate::model::{Argument, EnvName, EnvValue, Program, ShellLine};
use crate::policy::{Caller, LaunchGrant, LaunchRequest, Request, Terminal};
use crate::profile::Profile;
use crate::sandbox::Stop;
use crate::session::{self, Session};

pub(super) const NAME: &str = "terminal_run";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Run a command",
    description: "Runs one command in a fresh sandbox that the kernel enforces, and answers with its exit code and its \
        output, stdout and stderr apart, without escape sequences. Give `command` (one line for the shell: pipes, && and redirections work) or \
        `argv` (a program and its arguments, nothing interpreted). Files in the workspace stay; processes, /tmp, HOME \
        and environment variables do not outlive the command. A command that is not done after yield_ms goes on as a \
        session: use terminal_wait, terminal_read and terminal_close with the handle from the answer. A non-zero exit \
        code is a normal answer. Long output loses its middle; terminal_read gives the rest for 10 minutes. Profiles: \
        default (work in the workspace, no network), read-only (look, change nothing), build (compilers, more memory \
        and processes, no network).",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Facts>,
    hints: Hints::Runs,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// The size of the terminal of `tty`.
const TERMINAL: Terminal = Terminal::Size { columns: 120, rows: 40 };
pub(super) const DEFAULT_YIELD_MS: i64 = 10_000;
pub(super) const DEFAULT_OUTPUT: i64 = 40_000;

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// One line for the shell (bash where there is one). Exactly one of command and argv.
    #[schemars(length(max = 131_071))]
    command: Option<String>,
    /// A program and its arguments, passed on as they are. Exactly one of command and argv.
    #[schemars(length(min = 1, max = 100_000), inner(length(max = 131_071)))]
    argv: Option<Vec<String>>,
    /// The sandbox profile: default, read-only or build, unless the operator allows others. Default: default.
    #[schemars(length(min = 1, max = 64))]
    #[schemars(extend("default" = "default"))]
    profile: Option<String>,
    /// Where the command starts: relative to the workspace, or absolute. Default: the workspace.
    #[schemars(length(min = 1, max = 4096))]
    cwd: Option<String>,
    /// Environment variables besides those of the profile.
    #[schemars(extend("maxProperties" = MAX_VARIABLES))]
    env: Option<BTreeMap<String, String>>,
    /// Text for the command's standard input, which then ends. With tty: lines of at most 4095 bytes. Default: no input.
    #[schemars(length(max = 4_194_304))]
    stdin: Option<String>,
    /// Bytes for the command's standard input as base64, instead of stdin.
    #[schemars(length(max = 5_592_408))]
    stdin_base64: Option<String>,
    /// Gives the command a terminal of 120x40 instead of pipes; stdout and stderr are then one. Default: false.
    #[schemars(extend("default" = false))]
    tty: Option<bool>,
    /// Seconds after which the command is ended. Default: the profile's wall time.
    #[schemars(range(min = 1, max = 86_400))]
    timeout_s: Option<i64>,
    /// Milliseconds to wait for the end before the command goes on as a session. Default: 10000.
    #[schemars(range(min = 0, max = 50_000))]
    #[schemars(extend("default" = 10_000))]
    yield_ms: Option<i64>,
    /// Bytes of output in the answer, both streams together. Default: 40000.
    #[schemars(range(min = 1000, max = 200_000))]
    #[schemars(extend("default" = 40_000))]
    max_output_bytes: Option<i64>,
}

/// What is not the policy's business: input, waiting, and the size of the answer.
#[derive(Debug)]
pub(crate) struct Manner {
    stdin: Vec<u8>,
    pub(super) patience: Duration,
    max_output: usize,
}

pub(super) fn parse(services: &Services, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let profile = profile(services, given.profile.as_deref())?;
    let request = LaunchRequest {
        tool: NAME,
        profile,
        workspace: services.workspace.clone(),
        program: program(given.command, given.argv)?,
        cwd: given.cwd.map(|cwd| directory(services, cwd)).transpose()?,
        env: given
            .env
            .into_iter()
            .flatten()
            .map(variable)
            .collect::<Result<_, _>>()?,
        terminal: if given.tty == Some(true) {
            TERMINAL
        } else {
            Terminal::None
        },
        timeout: given.timeout_s.map(|s| Duration::from_secs(s.unsigned_abs())),
        cpu_time: None,
    };
    let stdin = input(given.stdin, given.stdin_base64)?;
    if given.tty == Some(true) {
        fits_a_terminal(&stdin)?;
    }
    let manner = Manner {
        stdin,
        patience: Duration::from_millis(given.yield_ms.unwrap_or(DEFAULT_YIELD_MS).unsigned_abs()),
        max_output: usize::try_from(given.max_output_bytes.unwrap_or(DEFAULT_OUTPUT)).unwrap_or_default(),
    };
    Ok((Request::Launch(Arc::new(request)), Act::Run(manner)))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: LaunchGrant,
    manner: Manner,
    Turn { permit, deadline }: Turn,
    cancelled: CancellationToken,
) -> Result<Reply, ToolError> {
    let started = async {
        let request = grant.request().clone();
        let room = services.sessions.room(request.terminal).await?;
        let sandbox = services.launchers.launch(grant).await?;
        let kept = session::Manner {
            stdin: Some(manner.stdin),
            ..session::Manner::default()
        };
        let session = services.sessions.start(caller, &request, sandbox, kept, room, permit)?;
        Ok::<Session, ToolError>(session)
    };
    let session = tokio::select! {
        started = started => started?,
        () = cancelled.cancelled() => return Err(ToolError::Cancelled),
    };
    let unanswered = KillOnDrop(Some(session.clone()));
    tokio::select! {
        biased;
        // First: whoever ended the caller's sessions may not have seen this one.
        () = cancelled.cancelled() => {
            session.stop(Stop::Cancelled, GRACE).await?;
            tokio::time::timeout(PATIENCE, session.finished()).await.ok(); // its launcher goes on trying
            services.sessions.forget(caller, session.about().id);
            return Err(ToolError::Cancelled);
        }
        finished = session.finished() => drop(finished?),
        () = tokio::time::sleep_until(deadline.into()) => {}
    }
    let answer = Answer::about(&session, manner.max_output).await?;
    unanswered.answered();
    if answer.is_all() {
        services.sessions.forget(caller, session.about().id);
    }
    answer.reply()
}

/// Ends the command of a call whose future is dropped before it has an answer.
struct KillOnDrop(Option<Session>);

impl KillOnDrop {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(session) = &self.0 {
            session.kill(Stop::Cancelled);
        }
    }
}

pub(super) fn program(command: Option<String>, argv: Option<Vec<String>>) -> Result<Program, ArgumentError> {
    match (command, argv) {
        (Some(line), None) => {
            let line = ShellLine::new(line).map_err(|error| ArgumentError::new("command", error, ""))?;
            Ok(Program::Shell(line))
        }
        (None, Some(argv)) => {
            let wrong = |error| ArgumentError::new("argv", error, "");
            let argv: Vec<Argument> = argv
                .into_iter()
                .map(Argument::new)
                .collect::<Result<_, _>>()
                .map_err(wrong)?;
            Program::argv(argv).map_err(wrong)
        }
        (given, _) => Err(ArgumentError::new(
            "command",
            if given.is_some() {
                "and \"argv\" are both given"
            } else {
                "and \"argv\" are both missing"
            },
            "give exactly one: command for a shell line, argv for a program with its arguments",
        )),
    }
}

pub(super) fn directory(services: &Services, cwd: String) -> Result<PathBuf, ArgumentError> {
    if cwd.contains('\0') {
        return Err(ArgumentError::new("cwd", "holds a NUL byte, which no path can", ""));
    }
    Ok(services.workspace.path().join(cwd))
}

/// The profile of this name, or the default one.
pub(super) fn profile(services: &Services, name: Option<&str>) -> Result<Arc<Profile>, ArgumentError> {
    let found = services.profiles.get(name.unwrap_or("default"));
    found.map_err(|error| ArgumentError::no_such("profile", error))
}

pub(super) fn variable((name, value): (String, String)) -> Result<(EnvName, EnvValue), ArgumentError> {
    let name = EnvName::new(name).map_err(|error| ArgumentError::new("env", error, ""))?;
    let value = EnvValue::new(value).map_err(|error| {
        ArgumentError::new(
            &format!("env.{}", name.as_str()),
            error,
            "pass it on stdin or in a file",
        )
    })?;
    Ok((name, value))
}

/// A terminal takes lines of so many bytes, without their ends, until its program reads by the key, which it does not yet do
/// when the input is typed; of longer ones it drops the rest (N_TTY_BUF_SIZE of drivers/tty/n_tty.c).
const MAX_TYPED_LINE: usize = 4095;

fn fits_a_terminal(stdin: &[u8]) -> Result<(), ArgumentError> {
    let longest = stdin.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::len).max();
    match longest.filter(|longest| *longest > MAX_TYPED_LINE) {
        None => Ok(()),
        Some(longest) => Err(ArgumentError::new(
            "stdin",
            format!("has a line of {longest} bytes, of which a terminal drops all but {MAX_TYPED_LINE}"),
            "leave tty out, or give the text in a file",
        )),
    }
}

fn input(text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, ArgumentError> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(ArgumentError::new(
            "stdin",
            "and \"stdin_base64\" are both given",
            "give one",
        )),
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => STANDARD
            .decode(base64)
            .map_err(|error| ArgumentError::new("stdin_base64", error, "use the standard alphabet with padding")),
        (None, None) => Ok(Vec::new()),
    }
}
