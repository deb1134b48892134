//! `terminal_wait`: until a session's command ends, or prints a text.

use std::sync::LazyLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::act::Act;
use super::answer::{Answer, Facts, header, section, structured};
use super::arguments;
use super::picture::{Picture, Wanted};
use super::until::{Condition, Fired, Until};
use super::{Definition, Hints, Reply, Services, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::session::{Gone, Progress, Session, Streams};

pub(super) const NAME: &str = "terminal_wait";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Wait for a session",
    description: "Waits until the command of a session ends, or for what until names (a text, a pattern, quiet, the end of \
        the command that a shell runs), or until timeout_ms has passed; says which, and shows the beginning and the end \
        of the output. A text is looked for in the output from its start, or from until.cursor on. To wait longer, call \
        it again: nothing is lost between calls.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::ReadOnly,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

pub(super) const DEFAULT_TIMEOUT_MS: i64 = 10_000;
/// Output shown in the answer.
const SHOWN: usize = 40_000;
/// The same while the command runs: the rest is a terminal_read away.
const SHOWN_RUNNING: usize = 8_000;

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The session's handle or short name.
    #[schemars(length(min = 1, max = 64))]
    session: String,
    /// What to wait for. Default: the end of the command.
    until: Option<Until>,
    /// Milliseconds to wait at most. Default: 10000.
    #[schemars(range(min = 0, max = 50_000))]
    #[schemars(extend("default" = 10_000))]
    timeout_ms: Option<i64>,
}

/// What to wait for, and for how long.
#[derive(Debug)]
pub(crate) struct Manner {
    condition: Condition,
    timeout: Duration,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    /// What ended the waiting.
    fired: Fired,
    /// The line with the text, if that was it.
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_line: Option<String>,
    #[serde(flatten)]
    facts: Facts,
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let manner = Manner {
        condition: given.until.unwrap_or_default().parse()?,
        timeout: Duration::from_millis(given.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS).unsigned_abs()),
    };
    Ok((Request::Observe { tool: NAME, session }, Act::Wait(manner)))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    manner: Manner,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    manner.condition.suits(&session)?;
    manner.condition.can_come(&session).await?;
    let (fired, matched_line) = manner
        .condition
        .wait_within(&session, None, manner.timeout, &cancelled)
        .await?;
    let shown = if session.progress().finished.is_some() {
        SHOWN
    } else {
        SHOWN_RUNNING
    };
    let Answer { mut text, facts } = Answer::about(&session, shown).await?;
    let progress = session.progress();
    if fired == Fired::Command {
        text = command_output(&session, &progress, SHOWN).await?;
    } else if session.about().streams == Streams::Terminal && progress.finished.is_none() {
        let screen = session
            .terminal(|terminal, _| Picture::of(terminal, Wanted::default()))
            .await?;
        text = header(&session, None) + &screen.map(|(text, _)| text).unwrap_or_default();
    }
    let first = match (fired, &matched_line) {
        (Fired::Found, Some(line)) => format!("found: {line}\n"),
        (Fired::Command, _) => match progress.prompt {
            Some(prompt) => format!("the shell's command ended with exit code {}\n", prompt.last.exit_code),
            None => String::new(),
        },
        (Fired::Idle, _) => "nothing was printed for the time given\n".to_owned(),
        (Fired::Exit, _) if manner.condition.is_more_than_the_end() => {
            "the session ended before that came\n".to_owned()
        }
        (Fired::Timeout, _) => format!("still running after waiting {} ms\n", manner.timeout.as_millis()),
        _ => String::new(),
    };
    let result = Result {
        fired,
        matched_line,
        facts,
    };
    Ok(Reply {
        text: first + &text,
        structured: structured(&result),
    })
}

/// What the last command of the session's shell printed.
async fn command_output(session: &Session, progress: &Progress, max: usize) -> std::result::Result<String, Gone> {
    let last = progress.prompt.unwrap_or_default().last;
    let excerpt = session.excerpt_of(last.start, last.end, max).await?;
    let mut text = String::new();
    section(&mut text, &session.about().alias, "terminal", &excerpt);
    if text.is_empty() {
        text.push_str("(no output)\n");
    }
    Ok(text)
}
