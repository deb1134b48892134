//! `terminal_list`: the caller's sessions.

use std::fmt::Write as _;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{State, number, state, structured};
use super::{Definition, Hints, Parsed, Reply, Services, arguments, schema};
use crate::policy::{Caller, Request};
use crate::session::Session;

pub(super) const NAME: &str = "terminal_list";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "List sessions",
    description: "Lists your sessions, running and finished: state, exit code, command, profile, age, and the time that \
        is left before a limit ends them. Finished ones are forgotten after 10 minutes.",
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
    profile: String,
    age_s: i64,
    /// Seconds until its time is over, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_left_s: Option<i64>,
    stdout_bytes: i64,
    stderr_bytes: i64,
}

pub(super) fn parse(given: Map<String, Value>) -> super::ParseResult {
    let Arguments {} = arguments::take(&ARGUMENTS, given)?;
    Ok(Parsed::List(Request::List))
}

pub(super) fn apply(services: &Services, caller: &Caller) -> super::ReplyResult {
    let sessions: Vec<Line> = services.sessions.list(caller).iter().map(Line::of).collect();
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

impl Line {
    fn of(session: &Session) -> Self {
        let about = session.about();
        let progress = session.progress();
        let (state, exit_code, signal) = state(progress.finished.as_ref());
        let age = about.started.elapsed();
        let wall = about.profile.limits.wall_time.duration();
        let allowed = about.timeout.map_or(wall, |timeout| timeout.min(wall));
        Self {
            session: about.id.to_string(),
            alias: about.alias.clone(),
            state,
            exit_code,
            signal,
            command: about.command.clone(),
            profile: about.profile.name.clone(),
            age_s: number(age.as_secs()),
            time_left_s: (state == State::Running).then(|| number(allowed.saturating_sub(age).as_secs())),
            stdout_bytes: number(progress.main),
            stderr_bytes: number(progress.error),
        }
    }

    fn write(&self, text: &mut String) {
        let how = match (self.state, self.exit_code, self.signal) {
            (_, Some(code), _) => format!("exit {code}"),
            (_, _, Some(signal)) => format!("signal {signal}"),
            (State::Running, ..) => format!("running, {} s left", self.time_left_s.unwrap_or_default()),
            (State::Killed, ..) => "killed".to_owned(),
            _ => "lost".to_owned(),
        };
        writeln!(
            text,
            "{} {}: {how}; {} s old; profile {}; {} bytes printed; {}",
            self.alias,
            self.session,
            self.age_s,
            self.profile,
            self.stdout_bytes + self.stderr_bytes,
            self.command
        )
        .ok(); // writing to a string cannot fail
    }
}
