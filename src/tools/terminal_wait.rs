//! `terminal_wait`: until a session's command ends, or prints a text.

use std::sync::LazyLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Facts, structured};
use super::arguments::{self, ArgumentError};
use super::terminal_read::StreamName;
use super::{Definition, Hints, Parsed, Reply, Services, ToolError, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::session::{Gone, Plain, Session, Stream, Streams};

pub(super) const NAME: &str = "terminal_wait";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Wait for a session",
    description: "Waits until the command of a session ends, or until its output holds a text, or until timeout_ms has \
        passed; says which, and shows the beginning and the end of the output. A text is looked for in the output from \
        its start, or from until.cursor on, as the bytes came. To wait longer, call it again: nothing is lost between \
        calls.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::ReadOnly,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

const DEFAULT_TIMEOUT_MS: i64 = 10_000;
/// Output shown in the answer.
const SHOWN: usize = 40_000;
/// The same while the command runs: the rest is a terminal_read away.
const SHOWN_RUNNING: usize = 8_000;
const PIECE: usize = 256 * 1024;
/// How much before a match is kept to show its line.
const LINE: usize = 2048;

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
    timeout_ms: Option<i64>,
}

/// What to wait for; the end of the command always counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Until {
    /// The end of the command. Always waited for, whether or not it is given.
    exit: Option<bool>,
    /// A text in the output.
    #[schemars(length(min = 1, max = 1000))]
    text: Option<String>,
    /// Where to look for the text. Default: everywhere.
    stream: Option<StreamName>,
    /// The position in the stream from which on to look. Default: 0, the start.
    #[schemars(range(min = 0))]
    cursor: Option<i64>,
}

/// What to wait for, as meant.
#[derive(Debug)]
pub(crate) struct Manner {
    text: Option<Sought>,
    timeout: Duration,
}

#[derive(Debug)]
struct Sought {
    text: Vec<u8>,
    stream: Option<StreamName>,
    cursor: u64,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Fired {
    /// The command ended.
    Exit,
    /// The text was found.
    Text,
    /// The time was over first.
    Timeout,
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::take(&ARGUMENTS, given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let until = given.until.unwrap_or_default();
    if until.exit == Some(false) && until.text.is_none() {
        return Err(ArgumentError::new(
            "until",
            "waits for nothing",
            "give text, or leave until out to wait for the end",
        )
        .into());
    }
    if until.cursor.is_some() && until.stream.is_none() {
        return Err(ArgumentError::new(
            "until.cursor",
            "needs \"until.stream\"",
            "say which stream it is a position in",
        )
        .into());
    }
    let manner = Manner {
        text: until.text.map(|text| Sought {
            text: text.into_bytes(),
            stream: until.stream,
            cursor: until.cursor.unwrap_or_default().unsigned_abs(),
        }),
        timeout: Duration::from_millis(given.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS).unsigned_abs()),
    };
    Ok(Parsed::Wait(Request::Observe { tool: NAME, session }, manner))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    manner: Manner,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    let waited = async {
        match &manner.text {
            Some(sought) => look_for(&session, sought).await,
            None => session.finished().await.map(|_| None),
        }
    };
    let (fired, matched_line) = tokio::select! {
        waited = tokio::time::timeout(manner.timeout, waited) => match waited {
            Ok(line) => match line? {
                Some(line) => (Fired::Text, Some(line)),
                None => (Fired::Exit, None),
            },
            Err(_) => (Fired::Timeout, None),
        },
        () = cancelled.cancelled() => return Err(ToolError::Cancelled),
    };
    let shown = if session.progress().finished.is_some() {
        SHOWN
    } else {
        SHOWN_RUNNING
    };
    let Answer { text, facts } = Answer::about(&session, shown).await?;
    let first = match (fired, &matched_line) {
        (Fired::Text, Some(line)) => format!("text found: {line}\n"),
        (Fired::Exit, _) if manner.text.is_some() => "the text was not printed and the command ended\n".to_owned(),
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

/// The line with the text when it is printed, or none when the command ends without it.
async fn look_for(session: &Session, sought: &Sought) -> std::result::Result<Option<String>, Gone> {
    let mut searches: Vec<Search> = sought.searches(session.about().streams);
    loop {
        let progress = session.progress();
        for search in &mut searches {
            if let Some(line) = search.advance(session, &sought.text).await? {
                return Ok(Some(line));
            }
        }
        if progress.finished.is_some() {
            return Ok(None);
        }
        session.more_than(&progress).await?;
    }
}

/// The search in one stream: how far it is, and the end of what was looked at.
struct Search {
    stream: Stream,
    cursor: u64,
    window: Vec<u8>,
}

impl Sought {
    fn searches(&self, streams: Streams) -> Vec<Search> {
        let both = [Stream::Main, Stream::Error];
        let wanted = |stream: &Stream| match self.stream {
            Some(name) => name.stream(streams) == *stream,
            None => true,
        };
        let search = |stream| Search {
            stream,
            cursor: self.cursor,
            window: Vec::new(),
        };
        both.into_iter().filter(wanted).map(search).collect()
    }
}

impl Search {
    /// Looks at all that is there now.
    async fn advance(&mut self, session: &Session, text: &[u8]) -> std::result::Result<Option<String>, Gone> {
        loop {
            let chunk = session.read(self.stream, self.cursor, PIECE).await?;
            if chunk.bytes.is_empty() {
                return Ok(None);
            }
            if chunk.dropped > 0 {
                self.window.clear();
            }
            self.cursor = chunk.start + chunk.bytes.len() as u64;
            let from = self.window.len().saturating_sub(text.len() - 1);
            self.window.extend_from_slice(&chunk.bytes);
            if let Some(line) = line_with(&self.window, from, text) {
                return Ok(Some(line));
            }
            let old = self.window.len().saturating_sub(LINE.max(text.len()));
            self.window.drain(..old);
        }
    }
}

/// The line that holds the first occurrence of `text` at or after `from`.
fn line_with(window: &[u8], from: usize, text: &[u8]) -> Option<String> {
    let at = from + window.get(from..)?.windows(text.len()).position(|w| w == text)?;
    let (before, rest) = window.split_at_checked(at)?;
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1)
        .max(at.saturating_sub(LINE));
    let after = rest.iter().skip(text.len()).position(|b| *b == b'\n');
    let end = after
        .map_or(window.len(), |n| at + text.len() + n)
        .min(at + text.len() + LINE);
    let mut plain = Plain::default();
    plain.feed(window.get(start..end)?);
    Some(plain.finish().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_around_a_match_is_shown() {
        let window = b"first\nlisten on \x1b[1mport\x1b[0m 80\nlast";
        assert_eq!(line_with(window, 0, b"listen").unwrap(), "listen on port 80");
        assert_eq!(line_with(window, 0, b"last").unwrap(), "last");
        assert_eq!(line_with(window, 7, b"first"), None);
        assert_eq!(line_with(b"", 0, b"x"), None);
    }
}
