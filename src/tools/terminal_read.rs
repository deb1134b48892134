//! `terminal_read`: a session's output from a position on.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::act::Act;
use super::answer::{State, header, number, state, structured};
use super::arguments::{self, ArgumentError};
use super::until::{PIECE, wrong_pattern};
use super::{Definition, Hints, Reply, Services, ToolError, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::session::grep::{Grep, Match};
use crate::session::waits::Pattern;
use crate::session::{Chunk, Plain, Session, Stream, Streams, incomplete_character, lossy};

pub(super) const NAME: &str = "terminal_read";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Read a session's output",
    description: "Reads the output of a session from a position on. Reading takes nothing away: the same cursor gives \
        the same output. Escape sequences are removed and progress lines reduced to their last state, unless raw is \
        true; encoding base64 gives exact bytes; grep gives the lines that match a pattern. About 4 MiB are kept of each session, its first 100 kB among them; what \
        is no longer kept is counted in dropped_bytes.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::ReadOnly,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

const DEFAULT_BYTES: i64 = 40_000;
const DEFAULT_LINES: i64 = 100;

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The session's handle or short name.
    #[schemars(length(min = 1, max = 64))]
    session: String,
    /// Which output: terminal for sessions with a terminal. Default: stdout, or the terminal.
    stream: Option<StreamName>,
    /// The position to read from. Default: 0, the start.
    #[schemars(range(min = 0))]
    #[schemars(extend("default" = 0))]
    cursor: Option<i64>,
    /// Bytes to read at most. Default: 40000.
    #[schemars(range(min = 16, max = 200_000))]
    #[schemars(extend("default" = 40_000))]
    max_bytes: Option<i64>,
    /// Leaves escape sequences and carriage returns in the text. Default: false.
    #[schemars(extend("default" = false))]
    raw: Option<bool>,
    /// How the output is written. Default: text.
    #[schemars(extend("default" = "text"))]
    encoding: Option<Encoding>,
    /// A regular expression (Rust's syntax, within lines): instead of the text, the lines that match of what is printed
    /// already, each with its number and its position. Of more than max_lines the first and the last are shown.
    #[schemars(length(min = 1, max = 1000))]
    grep: Option<String>,
    /// How many matching lines grep shows. Default: 100.
    #[schemars(range(min = 2, max = 1000))]
    #[schemars(extend("default" = 100))]
    max_lines: Option<i64>,
}

/// One of a session's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum StreamName {
    Stdout,
    Stderr,
    Terminal,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

/// What to read, and how to write it.
#[derive(Debug)]
pub(crate) struct Manner {
    stream: Option<StreamName>,
    cursor: u64,
    max: usize,
    form: Form,
    /// What lines must match, and how many are shown.
    grep: Option<(Pattern, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Raw,
    Base64,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    stream: StreamName,
    /// Where the text starts in the stream.
    start: i64,
    /// Where to read on.
    next_cursor: i64,
    /// Bytes printed so far.
    total_bytes: i64,
    /// Bytes between the cursor that was given and the start that are no longer kept.
    dropped_bytes: i64,
    /// Lines that match grep.
    #[serde(skip_serializing_if = "Option::is_none")]
    matching_lines: Option<i64>,
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let form = match (given.encoding.unwrap_or_default(), given.raw.unwrap_or_default()) {
        (Encoding::Base64, _) => Form::Base64,
        (Encoding::Text, true) => Form::Raw,
        (Encoding::Text, false) => Form::Plain,
    };
    let manner = Manner {
        stream: given.stream,
        cursor: given.cursor.unwrap_or_default().unsigned_abs(),
        max: usize::try_from(given.max_bytes.unwrap_or(DEFAULT_BYTES)).unwrap_or_default(),
        form,
        grep: match given.grep.as_deref().map(Pattern::regex).transpose() {
            Ok(pattern) => pattern.map(|pattern| {
                let most = usize::try_from(given.max_lines.unwrap_or(DEFAULT_LINES)).unwrap_or_default();
                (pattern, most)
            }),
            Err(error) => return Err(wrong_pattern("grep", &error).into()),
        },
    };
    Ok((Request::Observe { tool: NAME, session }, Act::Read(manner)))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    manner: Manner,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    let streams = session.about().streams;
    let stream = manner.stream.unwrap_or(StreamName::main(streams));
    if !stream.exists(streams) {
        let has = StreamName::main(streams).name();
        return Err(ArgumentError::new(
            "stream",
            format!("this session has no {}", stream.name()),
            &format!("it has {has}"),
        )
        .into());
    }
    if let Some((pattern, most)) = manner.grep {
        let grep = Grep::new(pattern, manner.cursor, most);
        return tokio::select! {
            found = search(&session, stream, manner.cursor, grep) => found,
            () = cancelled.cancelled() => Err(ToolError::Cancelled),
        };
    }
    // The state before the output: "ended" then means that the output is complete.
    let finished = session.progress().finished;
    let chunk = session.read(stream.stream(streams), manner.cursor, manner.max).await?;
    let complete = finished.is_some() && chunk.start + chunk.bytes.len() as u64 == chunk.total;
    let (text, used, unclear) = written(&chunk, manner.form, complete);
    let next = chunk.start + used as u64;
    let (state, exit_code, signal) = state(finished.as_ref());
    let result = Result {
        state,
        exit_code,
        signal,
        stream,
        start: number(chunk.start),
        next_cursor: number(next),
        total_bytes: number(chunk.total),
        dropped_bytes: number(chunk.dropped),
        matching_lines: None,
    };
    let first = header(&session, finished.as_ref());
    Ok(Reply {
        text: first + &position(stream, &chunk, next, unclear) + &text,
        structured: structured(&result),
    })
}

/// The lines that match, of all output from `cursor` on that is there when the search begins: a program can print faster
/// than it goes.
async fn search(session: &Session, stream: StreamName, cursor: u64, mut grep: Grep) -> super::ReplyResult {
    let finished = session.progress().finished;
    let read = |from, most| session.read(stream.stream(session.about().streams), from, most);
    let (mut next, mut dropped, total) = (cursor, 0, read(cursor, 1).await?.total);
    while next < total {
        let most = usize::try_from(total - next).map_or(PIECE, |left| left.min(PIECE));
        let chunk = read(next, most).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        if chunk.dropped > 0 {
            // What comes after a gap has its own positions, and no line goes over it.
            dropped += chunk.dropped;
            grep.skip_to(chunk.start);
        }
        grep.feed(&chunk.bytes);
        next = chunk.start + chunk.bytes.len() as u64;
    }
    let found = grep.finish();
    let matching = found.total();
    let mut text = header(session, finished.as_ref());
    text.push_str(&format!(
        "--- {matching} of {} lines of {} match (number:position: line)",
        found.lines,
        stream.name()
    ));
    if dropped > 0 {
        text.push_str(&format!("; {dropped} bytes are no longer kept"));
    }
    text.push('\n');
    let line = |it: &Match| format!("{}:{}: {}\n", it.number, it.cursor, it.text);
    text.extend(found.first.iter().map(line));
    if found.omitted > 0 {
        text.push_str(&format!(
            "[{} matching lines omitted; a larger max_lines shows them]\n",
            found.omitted
        ));
    }
    text.extend(found.last.iter().map(line));
    let (state, exit_code, signal) = state(finished.as_ref());
    let result = Result {
        state,
        exit_code,
        signal,
        stream,
        start: number(cursor),
        next_cursor: number(next),
        total_bytes: number(total),
        dropped_bytes: number(dropped),
        matching_lines: Some(number(matching)),
    };
    Ok(Reply {
        text,
        structured: structured(&result),
    })
}

/// One line about where the text is from.
fn position(stream: StreamName, chunk: &Chunk, next: u64, unclear: u64) -> String {
    let mut line = format!(
        "--- {} bytes {} to {next} of {}",
        stream.name(),
        chunk.start,
        chunk.total
    );
    if chunk.dropped > 0 {
        line.push_str(&format!("; {} bytes before them are no longer kept", chunk.dropped));
    }
    if next < chunk.total {
        line.push_str(&format!("; read on with cursor {next}"));
    }
    if unclear > 0 {
        line.push_str(&format!(
            "; {unclear} bytes are not UTF-8 and shown as \u{FFFD}, encoding base64 gives them"
        ));
    }
    line.push('\n');
    line
}

/// The bytes as text, how many of them it stands for, and how many are not UTF-8. What is cut off in
/// the middle of a character or a sequence is left for the next read, unless there is nothing else.
fn written(chunk: &Chunk, form: Form, complete: bool) -> (String, usize, u64) {
    let bytes = &chunk.bytes;
    let begun = if form == Form::Plain { chunk.begun } else { 0 };
    let pending = match form {
        Form::Base64 => return (STANDARD.encode(bytes), bytes.len(), 0),
        Form::Raw => incomplete_character(bytes),
        Form::Plain => {
            let mut plain = Plain::default();
            plain.feed(bytes.get(begun..).unwrap_or_default());
            plain.pending()
        }
    };
    let used = match bytes.len().checked_sub(pending) {
        Some(used) if used > 0 && !complete => used,
        _ => bytes.len(),
    };
    let bytes = bytes.get(begun..used).unwrap_or_default();
    let (text, unclear) = match form {
        Form::Plain => {
            let mut plain = Plain::default();
            plain.feed(bytes);
            plain.finish()
        }
        Form::Raw | Form::Base64 => lossy(bytes),
    };
    (text, used, unclear)
}

impl StreamName {
    /// What a session has for output besides standard error.
    pub(super) fn main(streams: Streams) -> Self {
        match streams {
            Streams::Pipes => Self::Stdout,
            Streams::Terminal => Self::Terminal,
        }
    }

    pub(super) fn exists(self, streams: Streams) -> bool {
        match streams {
            Streams::Pipes => self != Self::Terminal,
            Streams::Terminal => self != Self::Stderr,
        }
    }

    pub(super) fn stream(self, streams: Streams) -> Stream {
        match (self, streams) {
            (Self::Stderr, Streams::Pipes) => Stream::Error,
            _ => Stream::Main,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Terminal => "terminal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_left_for_the_next_read() {
        let euro = "x€".as_bytes();
        let table = [
            (&b"a\x1b[3"[..], 0, Form::Plain, false, "a", 1),
            (b"a\x1b[3", 0, Form::Plain, true, "a", 4),
            (b"a\x1b[3", 0, Form::Raw, false, "a\x1b[3", 4),
            (b"\x1b[3", 0, Form::Plain, false, "", 3),
            (&euro[..3], 0, Form::Raw, false, "x", 1),
            (&euro[..3], 0, Form::Plain, false, "x", 1),
            (&euro[..3], 0, Form::Base64, false, "eOKC", 3),
            (b"1mtext\x1b[3", 2, Form::Plain, false, "text", 6),
            (b"1mtext", 2, Form::Raw, false, "1mtext", 6),
            (b"1m\x1b[3", 2, Form::Plain, false, "", 2),
            (b"~~~~", 4, Form::Plain, false, "", 4),
        ];
        for (bytes, begun, form, complete, text, used) in table {
            let chunk = Chunk {
                bytes: bytes.to_vec(),
                begun,
                ..Chunk::default()
            };
            let found = written(&chunk, form, complete);
            assert_eq!(
                (found.0.as_str(), found.1),
                (text, used),
                "{bytes:?} {form:?} {complete}"
            );
        }
    }
}
