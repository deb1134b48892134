//! `terminal_list`: the caller's sessions.

use std::fmt::Write as _;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::act::Act;
use super::answer::{State, number, state, structured, weakened};
use super::{Definition, Hints, Reply, Services, arguments, schema};
use crate::policy::{Caller, Request};
use crate::session::{Session, ShellState};

pub(super) const NAME: &str = "terminal_list";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "List sessions",
    description: "Lists your sessions, running and finished: state, exit code, command, the program in the foreground, \
        profile, limits, protections that do not hold in full, age, and the time that is left before a limit ends them. \
        Finished ones are forgotten after 10 minutes, or sooner where their memory is needed.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::ReadOnly,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    sessions: Vec<Line>,
}

/// One session.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    session: String,
    alias: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// The command, shortened.
    command: String,
    /// What runs in the foreground calls itself so.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// What runs in the foreground is stopped; the signal CONT or the shell's fg lets it go on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stopped: bool,
    /// What the shell is doing, if the session has one that tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    shell: Option<ShellIs>,
    profile: String,
    /// Memory and processes that it may have.
    limits: String,
    /// Protections that do not hold in full on this machine, each with how it holds.
    weakened: Vec<String>,
    /// How many protections hold in full.
    active: i64,
    age_s: i64,
    /// Seconds until its time is over, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_left_s: Option<i64>,
    /// How it ended, in words; the text alone says it.
    #[serde(skip)]
    ended: Option<String>,
    stdout_bytes: i64,
    stderr_bytes: i64,
}

/// What a shell is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ShellIs {
    Starting,
    Ready,
    Busy,
    Unfinished,
    /// It was replaced by a program that tells nothing.
    MarksLost,
}

/// What only the terminal knows.
#[derive(Debug, Default)]
struct Foreground {
    program: Option<String>,
    stopped: bool,
    replaced: bool,
}

pub(super) fn parse(given: Map<String, Value>) -> super::ParseResult {
    let Arguments {} = arguments::typed(given)?;
    Ok((Request::List, Act::List))
}

pub(super) async fn apply(services: &Services, caller: &Caller) -> super::ReplyResult {
    let mut sessions = Vec::new();
    for session in services.sessions.list(caller) {
        let foreground = foreground(&session).await;
        sessions.push(Line::of(&session, foreground));
    }
    let mut text = match sessions.len() {
        0 => "no sessions\n".to_owned(),
        1 => "1 session\n".to_owned(),
        count => format!("{count} sessions\n"),
    };
    for line in &sessions {
        line.write(&mut text);
    }
    Ok(Reply {
        text,
        structured: structured(&Result { sessions }),
    })
}

/// Looks at the terminal of a session that runs.
async fn foreground(session: &Session) -> Foreground {
    if session.progress().finished.is_some() {
        return Foreground::default();
    }
    let looked = session.terminal(|terminal, _| Foreground {
        program: terminal.foreground(),
        stopped: terminal.is_stopped(),
        replaced: terminal.replaced().is_some(),
    });
    // One that has just gone has nothing in the foreground.
    looked.await.ok().flatten().unwrap_or_default()
}

impl Line {
    fn of(session: &Session, foreground: Foreground) -> Self {
        let about = session.about();
        let progress = session.progress();
        let (state, exit_code, signal) = state(progress.finished.as_ref());
        let age = about.started.elapsed();
        let wall = about.profile.limits.wall_time.duration();
        let allowed = about.timeout.map_or(wall, |timeout| timeout.min(wall));
        let shell = progress.prompt.filter(|_| progress.finished.is_none());
        let weakened = weakened(about);
        Self {
            program: foreground.program,
            stopped: foreground.stopped,
            shell: shell.map(|prompt| match prompt.shell {
                _ if foreground.replaced => ShellIs::MarksLost,
                ShellState::Starting => ShellIs::Starting,
                ShellState::Ready => ShellIs::Ready,
                ShellState::Busy => ShellIs::Busy,
                ShellState::Unfinished => ShellIs::Unfinished,
            }),
            limits: format!(
                "memory {}, {} processes",
                about.profile.limits.memory, about.profile.limits.processes
            ),
            active: number(about.protections.len() - weakened.len()),
            weakened,
            session: about.id.to_string(),
            alias: about.alias.clone(),
            state,
            exit_code,
            signal,
            command: about.command.clone(),
            profile: about.profile.name.clone(),
            age_s: number(age.as_secs()),
            ended: about.ended(&progress),
            time_left_s: (state == State::Running).then(|| number(allowed.saturating_sub(age).as_secs())),
            stdout_bytes: number(progress.main),
            stderr_bytes: number(progress.error),
        }
    }

    fn write(&self, text: &mut String) {
        let how = match &self.ended {
            Some(ended) => ended.clone(),
            None => {
                let what = if self.stopped { "stopped" } else { "running" };
                let program = self
                    .program
                    .as_ref()
                    .map(|name| format!(" {name:?}"))
                    .unwrap_or_default();
                format!("{what}{program}, {} s left", self.time_left_s.unwrap_or_default())
            }
        };
        let shell = match self.shell {
            Some(ShellIs::Ready) => "; takes commands",
            Some(ShellIs::Busy | ShellIs::Starting) => "; the shell is busy",
            Some(ShellIs::Unfinished) => "; the shell waits for the rest of a line",
            Some(ShellIs::MarksLost) => "; marks lost: the shell was replaced, use terminal_send",
            None => "",
        };
        let weakened = match self.weakened.is_empty() {
            true => String::new(),
            false => format!("; not in full: {}", self.weakened.join(", ")),
        };
        writeln!(
            text,
            "{} {}: {how}{shell}; {} s old; profile {} ({}){weakened}; {} bytes printed; {}",
            self.alias,
            self.session,
            self.age_s,
            self.profile,
            self.limits,
            self.stdout_bytes + self.stderr_bytes,
            self.command
        )
        .ok(); // writing to a string cannot fail
    }
}
