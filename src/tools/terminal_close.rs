//! `terminal_close`: ends a session and forgets it.

use std::sync::LazyLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::act::Act;
use super::answer::{State, header, state, structured};
use super::{Definition, Hints, Reply, Services, arguments, schema, touched};
use crate::policy::{Caller, Request, SessionGrant};
use crate::sandbox::Stop;

pub(super) const NAME: &str = "terminal_close";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "End a session",
    description: "Ends a session: asks its processes to end (SIGHUP, SIGTERM), kills what is left after 200 ms, and \
        forgets its output. Nothing of it stays but the files in the workspace. Says how the command ended, how many \
        processes were killed, and which protected paths of the workspace appeared or changed.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::Ends,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// Between asking and killing what is closed or cancelled.
pub(super) const GRACE: Duration = Duration::from_millis(200);
/// How long the certain end may take before we say that it goes on without us.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The session's handle or short name.
    #[schemars(length(min = 1, max = 64))]
    session: String,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// What ended it, if it did not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    /// Processes that were still there and were killed.
    killed: i64,
    /// Protected paths of the workspace that appeared or changed, at most 20.
    protected_paths_touched: Vec<String>,
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    Ok((Request::Close { session }, Act::Close))
}

pub(super) async fn apply(services: &Services, caller: &Caller, grant: &SessionGrant) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    if session.progress().finished.is_none() {
        session.stop(Stop::Closed, GRACE).await?;
        tokio::time::timeout(GRACE + PATIENCE, session.finished()).await.ok(); // told below
    }
    let about = session.about();
    let finished = session.progress().finished;
    services.sessions.forget(caller, about.id);

    let (state, exit_code, signal) = state(finished.as_ref());
    let ending = finished.as_ref().map(|f| &f.ending);
    let paths = ending.map(|ending| ending.touched.as_slice()).unwrap_or_default();
    let mut text = format!("closed {}: {}", about.alias, header(&session, finished.as_ref()));
    match ending {
        Some(ending) => text.push_str(&format!("processes killed: {}\n", ending.killed)),
        None => text.push_str("it has not ended yet; its launcher goes on ending it\n"),
    }
    text.push_str(&touched::warning(paths));
    let result = Result {
        state,
        exit_code,
        signal,
        ended_by: ending
            .and_then(|e| e.cause)
            .map(|c| c.describe(&about.profile.limits, about.timeout)),
        killed: ending.map_or(0, |e| i64::from(e.killed)),
        protected_paths_touched: touched::named(paths),
    };
    Ok(Reply {
        text,
        structured: structured(&result),
    })
}
