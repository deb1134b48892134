//! `terminal_send`: types into a session.

use std::sync::LazyLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::answer::{State, header, number, state, structured};
use super::arguments::{self, ArgumentError};
use super::picture::{Picture, Wanted};
use super::terminal_wait::DEFAULT_TIMEOUT_MS;
use super::until::{Condition, Fired, Until};
use super::{Definition, Hints, Reply, Services, ToolError, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::session::input::{Button, Item, Mouse, MouseAct, Wheel};
use crate::session::keys::{Key, Modifiers};

pub(super) const NAME: &str = "terminal_send";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Type into a session",
    description: "Types into a session's terminal, in order: {\"text\": ...} as it is (a line end is Enter), {\"key\": ...} a \
        key by name (Enter, Tab, Escape, Up, F5, C-c, Alt+x, S-Tab, PageDown ...), {\"paste\": ...} as a paste, {\"mouse\": \
        ...} for programs that take the mouse, at a row and column from 1. Text is never taken for a key. Either all of it \
        is sent or none. With wait, waits for what comes of it (a text, a pattern, quiet, the end of a shell's command); only \
        what is printed after the input counts. With show, shows the screen afterwards.",
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
    /// What to type, in order.
    #[schemars(length(min = 1, max = 1000))]
    input: Vec<Typed>,
    /// What to wait for afterwards. Default: nothing.
    wait: Option<Until>,
    /// Milliseconds to wait at most. Default: 10000.
    #[schemars(range(min = 0, max = 50_000))]
    #[schemars(extend("default" = 10_000))]
    timeout_ms: Option<i64>,
    /// Shows the screen afterwards. Default: true with wait, else false.
    show: Option<bool>,
}

/// One thing to type: exactly one of text, key, paste and mouse.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Typed {
    /// Characters, as they are.
    #[schemars(length(max = 65_536))]
    text: Option<String>,
    /// A key by its name.
    #[schemars(length(min = 1, max = 40))]
    key: Option<String>,
    /// Text put in at once.
    #[schemars(length(max = 65_536))]
    paste: Option<String>,
    /// A mouse event. Its row and column count from 1: each is one more than on a snapshot, where they count from 0.
    mouse: Option<MouseGiven>,
}

/// A mouse event.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MouseGiven {
    /// What the mouse does.
    act: Act,
    #[schemars(range(min = 1, max = 500))]
    column: u16,
    #[schemars(range(min = 1, max = 300))]
    row: u16,
    /// Which button. Default: left; for move: none.
    button: Option<ButtonName>,
    shift: Option<bool>,
    alt: Option<bool>,
    control: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Act {
    Click,
    Press,
    Release,
    Move,
    WheelUp,
    WheelDown,
    WheelLeft,
    WheelRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ButtonName {
    Left,
    Middle,
    Right,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    state: State,
    /// Bytes that were sent to the program.
    sent_bytes: i64,
    /// Where the output ended when it was sent.
    cursor: i64,
    /// What ended the waiting, if there was any.
    #[serde(skip_serializing_if = "Option::is_none")]
    fired: Option<Fired>,
    /// The line with the text or pattern, if that was it.
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_line: Option<String>,
    /// The exit code of the shell's command, if its end was waited for and came.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    /// The frame of the screen that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    screen: Option<Picture>,
}

/// What to type, and what to wait for.
#[derive(Debug)]
pub(crate) struct Manner {
    items: Vec<Item>,
    condition: Option<Condition>,
    timeout: Duration,
    show: bool,
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let items = given
        .input
        .into_iter()
        .enumerate()
        .map(|(index, typed)| typed.item(index));
    let manner = Manner {
        items: items.collect::<std::result::Result<_, _>>()?,
        show: given.show.unwrap_or(given.wait.is_some()),
        condition: given.wait.map(Until::parse).transpose()?,
        timeout: Duration::from_millis(given.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS).unsigned_abs()),
    };
    Ok((Request::Act { tool: NAME, session }, super::act::Act::Send(manner)))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    manner: Manner,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    if let Some(condition) = &manner.condition {
        condition.suits(&session)?;
        condition.can_come(&session).await?;
    }
    let before = session.progress();
    let items = manner.items;
    let sent = session.terminal(move |terminal, _| terminal.type_in(&items)).await?;
    let sent = sent.ok_or(ToolError::NoTerminal)??;
    let (fired, matched_line) = match &manner.condition {
        None => (None, None),
        Some(condition) => {
            let waited = condition.wait_within(&session, Some(&before), manner.timeout, &cancelled);
            let (fired, line) = waited.await?;
            (Some(fired), line)
        }
    };
    let (screen, picture) = if manner.show {
        session
            .terminal(|terminal, _| Picture::of(terminal, Wanted::default()))
            .await?
            .unzip()
    } else {
        (None, None)
    };
    let progress = session.progress();
    let prompt = progress.prompt.filter(|_| fired == Some(Fired::Command));
    let result = Result {
        state: state(progress.finished.as_ref()).0,
        sent_bytes: number(sent),
        cursor: number(before.main),
        fired,
        matched_line,
        exit_code: prompt.map(|prompt| prompt.last.exit_code.into()),
        screen: picture,
    };
    let mut text = format!("{sent} bytes sent; ");
    text.push_str(&match (fired, &result.matched_line, result.exit_code) {
        (Some(Fired::Found), Some(line), _) => format!("found: {line}\n"),
        (Some(Fired::Command), _, Some(code)) => format!("the shell's command ended with exit code {code}\n"),
        (Some(Fired::Idle), ..) => "then nothing was printed for the time given\n".to_owned(),
        (Some(Fired::Timeout), ..) => format!("not seen within {} ms\n", manner.timeout.as_millis()),
        _ => header(&session, progress.finished.as_ref()),
    });
    text.push_str(&screen.unwrap_or_default());
    Ok(Reply {
        text,
        structured: structured(&result),
    })
}

impl Typed {
    fn item(self, index: usize) -> std::result::Result<Item, ArgumentError> {
        let field = format!("input[{index}]");
        match (self.text, self.key, self.paste, self.mouse) {
            (Some(text), None, None, None) => Ok(Item::Text(text)),
            (None, Some(name), None, None) => Key::parse(&name)
                .map(Item::Key)
                .map_err(|error| ArgumentError::new(&format!("{field}.key"), error, "")),
            (None, None, Some(text), None) => Ok(Item::Paste(text)),
            (None, None, None, Some(mouse)) => Ok(Item::Mouse(mouse.meant())),
            _ => {
                let rule = "must have exactly one of text, key, paste and mouse";
                Err(ArgumentError::new(
                    &field,
                    rule,
                    "give each its own item: they are sent in order",
                ))
            }
        }
    }
}

impl MouseGiven {
    fn meant(&self) -> Mouse {
        let button = self.button.map(|button| match button {
            ButtonName::Left => Button::Left,
            ButtonName::Middle => Button::Middle,
            ButtonName::Right => Button::Right,
        });
        let pressed = button.unwrap_or(Button::Left);
        Mouse {
            act: match self.act {
                Act::Click => MouseAct::Click(pressed),
                Act::Press => MouseAct::Press(pressed),
                Act::Release => MouseAct::Release(pressed),
                Act::Move => MouseAct::Move(button),
                Act::WheelUp => MouseAct::Wheel(Wheel::Up),
                Act::WheelDown => MouseAct::Wheel(Wheel::Down),
                Act::WheelLeft => MouseAct::Wheel(Wheel::Left),
                Act::WheelRight => MouseAct::Wheel(Wheel::Right),
            },
            column: self.column,
            row: self.row,
            modifiers: Modifiers {
                shift: self.shift.unwrap_or_default(),
                alt: self.alt.unwrap_or_default(),
                control: self.control.unwrap_or_default(),
            },
        }
    }
}
