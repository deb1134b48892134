//! The control socket: how the operator reaches a running server.
//!
//! One Unix socket for each server, in a directory that only its user can enter. A peer must be of that user, and
//! must know a secret from a file beside the socket: a sandbox of the same user may find the socket, but reads no
//! file outside its own. Messages are JSON with their length before them, bounded, and of one version.

pub mod attached;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod listen;
pub mod reach;
#[cfg(test)]
mod tests;
mod watched;

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::confirm::{Answer, Shown};

/// The version of the messages.
const VERSION: u32 = 2;
/// Bytes of a message to the server.
const REQUEST: usize = 16 << 10;
/// Bytes of a message from the server: all questions with the beginning of what callers wrote.
const RESPONSE: usize = 16 << 20;
/// Bytes of one part of a longer text. In JSON each may take six.
const PART: usize = 1 << 20;
/// Bytes of the secret.
const SECRET: usize = 32;

/// First message to the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    version: u32,
    secret: String,
}

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Which server.
    pub instance: String,
    /// Its process.
    pub pid: u32,
    /// Where its commands work.
    pub workspace: String,
    /// Whether a yes needs the operator's passphrase.
    pub passphrase: bool,
    /// Where its console is, if it has one.
    pub console: Option<String>,
}

/// What the operator wants.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Request {
    /// The questions there are.
    Questions,
    /// The questions there are when that changes.
    Watch,
    /// All of what one asks for, in parts.
    Whole { question: String },
    /// An answer to one.
    Answer {
        question: String,
        action: String,
        yes: bool,
        passphrase: Option<String>,
    },
    /// The sessions there are.
    Sessions,
    /// From now on pictures of one, and what is typed into it.
    Attach(Attach),
    /// The watcher's terminal has another size.
    Resize { columns: u16, rows: u16 },
    /// What was typed.
    Type(Typed),
    /// A link into the console.
    Console { passphrase: Option<String> },
}

/// A wish to watch a session. Printed nowhere: it may hold the passphrase.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attach {
    session: String,
    /// The size of what the watcher has to show it on.
    columns: u16,
    rows: u16,
    /// Whether the watcher types too.
    write: bool,
    passphrase: Option<String>,
}

/// Bytes of a keyboard. Printed nowhere.
#[derive(Serialize, Deserialize)]
struct Typed(Vec<u8>);

/// What the server answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Response {
    Welcome(About),
    Questions(Vec<Asked>),
    /// A part of a text, and whether another comes.
    Part {
        text: String,
        more: bool,
    },
    Sessions(Vec<Running>),
    Picture(Picture),
    Link(String),
    Done,
    Refused(String),
}

/// A question as it is told to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its number.
    pub id: String,
    /// The digest of what is approved.
    pub action: String,
    /// Who asks.
    pub caller: String,
    /// For what tool.
    pub tool: String,
    /// The rule that wants a person's yes.
    pub rule: String,
    /// Whose yes counts.
    pub by: Vec<String>,
    /// Milliseconds until it expires.
    pub left_ms: u64,
    /// `yes` or `no` if it was answered.
    pub answered: Option<String>,
    /// What a person must know.
    pub preview: String,
    /// Whether that is all of what is asked for, and not the beginning.
    pub whole: bool,
}

#[cfg(test)]
impl Asked {
    /// One with nothing but its number.
    pub(crate) fn numbered(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            action: "0".repeat(64),
            caller: String::new(),
            tool: String::new(),
            rule: String::new(),
            by: Vec::new(),
            left_ms: 0,
            answered: None,
            preview: String::new(),
            whole: true,
        }
    }
}

/// A session as it is told to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    /// Its handle.
    pub session: String,
    /// Its short name, which each caller may have one of.
    pub alias: String,
    /// Whose it is.
    pub caller: String,
    /// The profile of its sandbox.
    pub profile: String,
    /// Its command, shortened; the caller wrote it.
    pub command: String,
    /// The program in the foreground, as it calls itself.
    pub program: Option<String>,
    /// `running`, or how it ended.
    pub state: String,
    /// Whether it has ended.
    pub ended: bool,
    /// Columns and rows of its terminal, if it has one.
    pub size: Option<(u16, u16)>,
    /// Seconds since it started.
    pub age_s: u64,
}

/// What a session shows at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// Columns and rows of the whole screen.
    pub size: (u16, u16),
    /// The rows that the watcher has room for, those with the cursor among them: text and colours, no other
    /// sequences and no controls.
    pub rows: Vec<String>,
    /// The cursor among these, row and column from 0, if it is shown.
    pub cursor: Option<(u16, u16)>,
    /// `running`, or how it ended.
    pub state: String,
    /// Whether it has ended: no other picture comes.
    pub ended: bool,
    /// Why what was typed last was not taken.
    pub note: Option<String>,
}

impl From<Shown> for Asked {
    fn from(shown: Shown) -> Self {
        let answered = shown.answered.map(|answer| match answer {
            Answer::Yes => "yes",
            Answer::No => "no",
        });
        Self {
            id: shown.id.to_string(),
            action: shown.action.to_string(),
            caller: shown.caller.to_string(),
            tool: shown.tool.to_owned(),
            rule: shown.rule.to_string(),
            by: shown.by.iter().map(|channel| channel.name().to_owned()).collect(),
            left_ms: u64::try_from(shown.left.as_millis()).unwrap_or(u64::MAX),
            answered: answered.map(str::to_owned),
            preview: shown.preview,
            whole: shown.whole,
        }
    }
}

/// The two files of a server.
struct Files {
    socket: PathBuf,
    secret: PathBuf,
}

impl Files {
    fn of(directory: &Path, name: &str) -> Self {
        Self {
            socket: directory.join(format!("{name}.sock")),
            secret: directory.join(format!("{name}.key")),
        }
    }
}

async fn send(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize, most: usize) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= most);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?;
    to.write_all(&[&length.to_le_bytes(), bytes.as_slice()].concat()).await
}

/// One message; `None` at the end.
async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}
