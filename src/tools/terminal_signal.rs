//! `terminal_signal`: a signal for what runs in a session.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::act::Act;
use super::answer::structured;
use super::{Definition, Hints, Reply, Services, ToolError, arguments, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::sandbox::Target;

pub(super) const NAME: &str = "terminal_signal";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Send a signal",
    description: "Sends a signal to what runs in a session: to the foreground group (in a shell that is the command that \
        runs now, else the shell), or to all its processes. A key such as C-c through terminal_send is what a person would do \
        first; this reaches programs that have turned that off. terminal_close ends a session for certain.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::Runs,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The session's handle or short name.
    #[schemars(length(min = 1, max = 64))]
    session: String,
    /// Which one.
    signal: Name,
    /// Who gets it. Default: foreground.
    #[schemars(extend("default" = "foreground"))]
    to: Option<To>,
}

/// The signals that make sense from outside (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Name {
    Int,
    Term,
    Hup,
    Quit,
    Kill,
    Stop,
    Tstp,
    Cont,
    Usr1,
    Usr2,
    Winch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum To {
    Foreground,
    All,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    /// The signal's number.
    signal: i64,
    /// Who got it.
    to: To,
    /// What the program in the foreground calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    foreground: Option<String>,
}

/// The signal and who gets it.
#[derive(Debug)]
pub(crate) struct Manner {
    number: i32,
    to: To,
}

impl Name {
    fn number(self) -> i32 {
        match self {
            Self::Int => libc::SIGINT,
            Self::Term => libc::SIGTERM,
            Self::Hup => libc::SIGHUP,
            Self::Quit => libc::SIGQUIT,
            Self::Kill => libc::SIGKILL,
            Self::Stop => libc::SIGSTOP,
            Self::Tstp => libc::SIGTSTP,
            Self::Cont => libc::SIGCONT,
            Self::Usr1 => libc::SIGUSR1,
            Self::Usr2 => libc::SIGUSR2,
            Self::Winch => libc::SIGWINCH,
        }
    }
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let manner = Manner {
        number: given.signal.number(),
        to: given.to.unwrap_or(To::Foreground),
    };
    Ok((Request::Act { tool: NAME, session }, Act::Signal(manner)))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    manner: Manner,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    if session.progress().finished.is_some() {
        return Err(ToolError::Ended);
    }
    let foreground = session.terminal(|terminal, _| terminal.foreground()).await?.flatten();
    let target = match manner.to {
        To::Foreground => Target::Foreground,
        To::All => Target::All,
    };
    session.signal(manner.number, target).await?;
    let who = match (manner.to, &foreground) {
        (To::All, _) => "all its processes".to_owned(),
        (To::Foreground, Some(name)) => format!("the foreground group ({name:?})"),
        (To::Foreground, None) => "the command's group".to_owned(),
    };
    let result = Result {
        signal: manner.number.into(),
        to: manner.to,
        foreground,
    };
    Ok(Reply {
        text: format!("signal {} sent to {who} of {}\n", manner.number, session.about().alias),
        structured: structured(&result),
    })
}
