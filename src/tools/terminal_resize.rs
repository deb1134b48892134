//! `terminal_resize`: another size for a session's terminal.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::act::Act;
use super::answer::structured;
use super::arguments::{self, ArgumentError};
use super::{Definition, Hints, Reply, Services, ToolError, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::session::screen::Size;

pub(super) const NAME: &str = "terminal_resize";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Resize a session's terminal",
    description: "Gives a session's terminal another size: the program gets SIGWINCH and draws anew, and the screen has \
        the same size from then on. Says both sizes, the old and the new.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::Sets,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The session's handle or short name.
    #[schemars(length(min = 1, max = 64))]
    session: String,
    /// Columns.
    #[schemars(range(min = 20, max = 500))]
    cols: u16,
    /// Rows.
    #[schemars(range(min = 2, max = 300))]
    rows: u16,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    cols: i64,
    rows: i64,
    /// What it was before.
    old_cols: i64,
    /// What it was before.
    old_rows: i64,
}

/// The size that is wanted.
#[derive(Debug)]
pub(crate) struct Manner(Size);

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let size = Size::new(given.cols, given.rows).map_err(|error| ArgumentError::new("cols", error, ""))?;
    Ok((Request::Act { tool: NAME, session }, Act::Resize(Manner(size))))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    Manner(size): Manner,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    let resized = session.terminal(move |terminal, _| {
        let old = terminal.screen().size();
        terminal.resize(size).map(|()| old)
    });
    let old = resized.await?.ok_or(ToolError::NoTerminal)??;
    let result = Result {
        cols: size.columns().into(),
        rows: size.rows().into(),
        old_cols: old.columns().into(),
        old_rows: old.rows().into(),
    };
    Ok(Reply {
        text: format!(
            "{} has {}x{} now, and had {}x{}\n",
            session.about().alias,
            result.cols,
            result.rows,
            result.old_cols,
            result.old_rows
        ),
        structured: structured(&result),
    })
}
