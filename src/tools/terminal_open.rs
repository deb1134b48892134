//! `terminal_open`: a session to type into.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::act::Act;
use super::answer::{State, header, number, state, structured, weakened};
use super::arguments::{self, ArgumentError};
use super::picture::{Picture, Wanted};
use super::terminal_run::{directory, profile, program, variable};
use super::{Definition, Hints, Reply, Services, ToolError, schema};
use crate::model::env::MAX_VARIABLES;
use crate::model::{Program, Shell};
use crate::policy::{Caller, LaunchGrant, LaunchRequest, Request, Terminal};
use crate::sandbox::Stop;
use crate::session::{self, Integration, Progress, Session, Sessions, ShellState};

pub(super) const NAME: &str = "terminal_open";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Open a terminal session",
    description: "Opens a session with a terminal of its own in a fresh sandbox: a shell (bash where there is one), or the \
        program that you name. In a shell, terminal_exec runs commands and gives their exit codes; terminal_send types \
        text and keys into whatever runs; terminal_snapshot shows the screen; terminal_wait waits. Directory, variables \
        and background jobs stay from one command to the next. What is said about a shell's commands is the shell's own \
        report. The session lives until terminal_close, its end, or a limit of its profile.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::Runs,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// How long the first prompt is waited for.
const FIRST_PROMPT: Duration = Duration::from_secs(5);
/// How long the first picture of another program is; one that draws without a pause is shown as it is then.
const FIRST_OUTPUT: Duration = Duration::from_millis(500);
/// The pause after which a prompt, or a picture, counts as drawn.
const PROMPT_DRAWN: Duration = Duration::from_millis(10);
const SETTLED: Duration = Duration::from_millis(50);

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A short name for the session: letters, digits, - and _. Default: s and a number.
    #[schemars(length(min = 1, max = 32))]
    name: Option<String>,
    /// The sandbox profile: default, read-only or build, unless the operator allows others. Default: default.
    #[schemars(length(min = 1, max = 64))]
    #[schemars(extend("default" = "default"))]
    profile: Option<String>,
    /// The shell to open: bash, zsh, fish, sh or dash. Default: bash where there is one, else sh.
    shell: Option<ShellName>,
    /// Instead of a shell to type into: one line for the shell, which ends with it.
    #[schemars(length(max = 131_071))]
    command: Option<String>,
    /// Instead of a shell: a program and its arguments, passed on as they are.
    #[schemars(length(min = 1, max = 100_000), inner(length(max = 131_071)))]
    argv: Option<Vec<String>>,
    /// Where it starts: relative to the workspace, or absolute. Default: the workspace.
    #[schemars(length(min = 1, max = 4096))]
    cwd: Option<String>,
    /// Environment variables besides those of the profile.
    #[schemars(extend("maxProperties" = MAX_VARIABLES))]
    env: Option<BTreeMap<String, String>>,
    /// Columns of the terminal. Default: 120.
    #[schemars(range(min = 20, max = 500))]
    #[schemars(extend("default" = 120))]
    cols: Option<u16>,
    /// Rows of the terminal. Default: 40.
    #[schemars(range(min = 2, max = 300))]
    #[schemars(extend("default" = 40))]
    rows: Option<u16>,
    /// Seconds after which the session is ended. Default: the profile's wall time.
    #[schemars(range(min = 1, max = 86_400))]
    timeout_s: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ShellName {
    Bash,
    Zsh,
    Fish,
    Sh,
    Dash,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    /// The session's handle, for all other tools.
    session: String,
    /// Its short name, as good as the handle.
    alias: String,
    state: State,
    /// terminal_exec can be used: a shell that tells when its commands end has shown its prompt.
    takes_commands: bool,
    profile: String,
    /// Protections that do not hold in full on this machine; the operator's `terrarium doctor` says why.
    weakened: Vec<String>,
    /// How many protections hold in full.
    active: i64,
    #[serde(flatten)]
    picture: Picture,
}

/// How the session is kept.
#[derive(Debug)]
pub(crate) struct Manner {
    name: Option<String>,
}

/// Variables by which shells find their start files or leave them out.
const STARTS_A_SHELL: [&str; 6] = ["BASHOPTS", "BASH_ENV", "ENV", "POSIXLY_CORRECT", "SHELLOPTS", "ZDOTDIR"];

pub(super) fn parse(services: &Services, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let profile = profile(services, given.profile.as_deref())?;
    let program = match (given.shell, given.command, given.argv) {
        (shell, None, None) => Program::Interactive(shell.map_or_else(default_shell, ShellName::meant)),
        (None, command, argv) => program(command, argv)?,
        (Some(_), ..) => {
            let fix = "give shell for a shell to type into, or command or argv for a program that ends the session";
            return Err(ArgumentError::new("shell", "and \"command\" or \"argv\" are both given", fix).into());
        }
    };
    let starts = |name: &&String| matches!(program, Program::Interactive(_)) && STARTS_A_SHELL.contains(&name.as_str());
    if let Some(name) = given.env.iter().flat_map(BTreeMap::keys).find(starts) {
        let fix = "leave it out, and set it with terminal_exec";
        let field = format!("env.{name}");
        return Err(ArgumentError::new(
            &field,
            "decides how the shell itself starts, which would tell of no command then",
            fix,
        )
        .into());
    }
    let request = LaunchRequest {
        tool: NAME,
        profile,
        workspace: services.workspace.clone(),
        program,
        cwd: given.cwd.map(|cwd| directory(services, cwd)).transpose()?,
        env: given
            .env
            .into_iter()
            .flatten()
            .map(variable)
            .collect::<std::result::Result<_, _>>()?,
        terminal: Terminal::Size {
            columns: given.cols.unwrap_or(120),
            rows: given.rows.unwrap_or(40),
        },
        timeout: given.timeout_s.map(|s| Duration::from_secs(s.unsigned_abs())),
        cpu_time: None,
    };
    let name = given.name.map(name).transpose()?;
    Ok((Request::Launch(Arc::new(request)), Act::Open(Manner { name })))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: LaunchGrant,
    manner: Manner,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let opened = tokio::select! {
        opened = start(services, caller, grant, manner, &cancelled) => opened?,
        () = cancelled.cancelled() => return Err(ToolError::Cancelled),
    };
    let session = opened.session.clone();
    let shown = session
        .terminal(|terminal, _| Picture::of(terminal, Wanted::default()))
        .await?;
    let (screen, picture) = shown.ok_or(ToolError::NoTerminal)?;
    let about = session.about();
    let progress = session.progress();
    let weakened = weakened(about);
    let result = Result {
        session: about.id.to_string(),
        alias: about.alias.clone(),
        state: state(progress.finished.as_ref()).0,
        takes_commands: progress.prompt.is_some_and(|prompt| prompt.shell == ShellState::Ready),
        profile: about.profile.name.clone(),
        active: number(about.protections.len() - weakened.len()),
        weakened,
        picture,
    };
    opened.answered();
    Ok(Reply {
        text: header(&session, progress.finished.as_ref()) + &facts(&session, &result.weakened) + &screen,
        structured: structured(&result),
    })
}

/// A session that its caller has not been told of: it goes with the call.
struct Opened<'a> {
    sessions: &'a Sessions,
    caller: &'a Caller,
    session: Session,
    answered: bool,
}

impl Opened<'_> {
    fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.session.kill(Stop::Cancelled);
            self.sessions.forget(self.caller, self.session.about().id);
        }
    }
}

async fn start<'a>(
    services: &'a Services,
    caller: &'a Caller,
    grant: LaunchGrant,
    manner: Manner,
    cancelled: &CancellationToken,
) -> std::result::Result<Opened<'a>, ToolError> {
    let permit = services.limits.session(caller)?;
    let request = grant.request().clone();
    let room = services.sessions.room(request.terminal).await?;
    let shell = match request.program {
        Program::Interactive(shell) => Some(shell),
        _ => None,
    };
    let integration = shell.map(Integration::new).transpose()?;
    let sandbox = match &integration {
        Some(integration) => services.launchers.launch_shell(grant, integration.startup()).await?,
        None => services.launchers.launch(grant).await?,
    };
    let kept = session::Manner {
        name: manner.name,
        stdin: None,
        integration,
    };
    let session = services.sessions.start(caller, &request, sandbox, kept, room, permit)?;
    let opened = Opened {
        sessions: &services.sessions,
        caller,
        session,
        answered: false,
    };
    if cancelled.is_cancelled() {
        return Err(ToolError::Cancelled); // whoever ended the caller's sessions may not have seen this one
    }
    settled(&opened.session, shell).await?;
    Ok(opened)
}

/// What runs, under which limits, and what does not protect in full.
fn facts(session: &Session, weakened: &[String]) -> String {
    let about = session.about();
    let limits = &about.profile.limits;
    let mut text = format!(
        "{} in profile {}: {} Memory {}, {} processes; ends after {}, or {} without work.\n",
        about.command,
        about.profile.name,
        about.profile.summary,
        limits.memory,
        limits.processes,
        limits.wall_time,
        limits.idle_time
    );
    let active = about.protections.len() - weakened.len();
    match weakened.is_empty() {
        true => text.push_str(&format!("All {active} protections hold in full.\n")),
        false => text.push_str(&format!(
            "{active} protections hold in full; on this machine not: {}.\n",
            weakened.join(", ")
        )),
    }
    text
}

/// Until a shell has its prompt, or another program has drawn something and pauses.
async fn settled(session: &Session, shell: Option<Shell>) -> std::result::Result<(), ToolError> {
    let Some(shell) = shell else {
        if let Ok(first) = tokio::time::timeout(FIRST_OUTPUT, session.until(|p| p.main > 0)).await {
            pause(session, first?, SETTLED).await?;
        }
        return Ok(());
    };
    let ready = session.until(|p| p.drawn && p.prompt.is_some_and(|prompt| prompt.shell == ShellState::Ready));
    let drawn = async {
        let seen = ready.await?;
        match shell {
            Shell::Bash | Shell::Sh | Shell::Dash => Ok(()), // the mark is the end of the prompt
            Shell::Zsh => pause(session, seen, PROMPT_DRAWN).await, // there may be more of it at the right
            Shell::Fish => pause(session, begun(session, seen).await?, PROMPT_DRAWN).await,
        }
    };
    tokio::time::timeout(FIRST_PROMPT, drawn).await.unwrap_or(Ok(()))
}

/// Until the cursor has left its first place: fish draws its prompt some time after the mark.
async fn begun(session: &Session, mut seen: Progress) -> std::result::Result<Progress, ToolError> {
    while seen.finished.is_none() {
        let cursor = session.terminal(|terminal, _| terminal.screen().look().cursor).await?;
        if cursor.is_none_or(|cursor| (cursor.row, cursor.column) != (0, 0)) {
            break;
        }
        seen = session.changed_from(&seen).await?;
    }
    Ok(seen)
}

/// Until nothing is drawn for so long.
async fn pause(session: &Session, mut seen: Progress, quiet: Duration) -> std::result::Result<(), ToolError> {
    let until = tokio::time::Instant::now() + FIRST_OUTPUT;
    while let Ok(progress) = tokio::time::timeout(quiet, session.changed_from(&seen)).await {
        seen = progress?;
        if seen.finished.is_some() || tokio::time::Instant::now() > until {
            break;
        }
    }
    Ok(())
}

fn default_shell() -> Shell {
    if std::path::Path::new("/bin/bash").exists() {
        Shell::Bash
    } else {
        Shell::Sh
    }
}

/// A short name that cannot be taken for one of ours, nor for a handle.
fn name(name: String) -> std::result::Result<String, ArgumentError> {
    let legal = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let ours = name
        .strip_prefix('s')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    if legal && !ours && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Ok(name)
    } else {
        let rule = "must be a letter followed by letters, digits, - and _, and not s and a number";
        Err(ArgumentError::new("name", rule, "leave it out for a name of ours"))
    }
}

impl ShellName {
    fn meant(self) -> Shell {
        match self {
            Self::Bash => Shell::Bash,
            Self::Zsh => Shell::Zsh,
            Self::Fish => Shell::Fish,
            Self::Sh => Shell::Sh,
            Self::Dash => Shell::Dash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_neither_one_of_ours_nor_a_handle() {
        for taken in ["s1", "s007", "1", "", "a b", "-x", "ü"] {
            assert!(name(taken.to_owned()).is_err(), "{taken}");
        }
        for free in ["s", "s1x", "server", "a-1_b"] {
            assert_eq!(name(free.to_owned()).unwrap(), free);
        }
    }
}
