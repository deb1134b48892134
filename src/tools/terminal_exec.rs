//! `terminal_exec`: one command in the shell of a session.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::act::Act;
use super::answer::{number, say_unclear, section, structured};
use super::terminal_run::{DEFAULT_OUTPUT, DEFAULT_YIELD_MS};
use super::until::LOOK_AHEAD;
use super::{Definition, Hints, Reply, Services, ToolError, arguments, guess, schema};
use crate::policy::{Caller, Request, SessionGrant};
use crate::session::{Ahead, ExecuteError, Gone, Progress, Prompt, Ran, Session, ShellState};

pub(super) const NAME: &str = "terminal_exec";

pub(super) const DEFINITION: Definition = Definition {
    name: NAME,
    title: "Run a command in a session's shell",
    description: "Runs a command in the shell of a session that terminal_open opened, and waits for its end: exit code and \
        the output of just this command. Several lines, here-documents and loops are fine; they are given to the shell \
        at once. If it is not done after yield_ms it goes on: terminal_wait with until.command waits for the end, \
        terminal_send types into it. The exit code is the shell's report, which code that the shell itself runs could \
        imitate; terminal_run's comes from the kernel.",
    arguments: || &ARGUMENTS,
    result: schema::of_result::<Result>,
    hints: Hints::Runs,
};

static ARGUMENTS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Arguments>);

/// A shell that has printed nothing for so long after it was given a command, and has not begun with it, waits for more.
const HESITATES: Duration = Duration::from_millis(1500);
/// How often a shell that prints nothing is looked at, whether it still is that shell.
const LOOK: Duration = Duration::from_millis(250);
/// How long a prompt that is being drawn is waited for.
const PROMPT: Duration = Duration::from_millis(500);
/// How long a shell may take to answer an interrupt, on a busy machine. One that ignores them never does.
const INTERRUPTED: Duration = Duration::from_secs(10);

/// The arguments as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The session's handle or short name.
    #[schemars(length(min = 1, max = 64))]
    session: String,
    /// The command: one or more lines for the shell. No control characters but line ends and tabs.
    #[schemars(length(min = 1, max = 65_000))]
    command: String,
    /// Milliseconds to wait for its end. Default: 10000.
    #[schemars(range(min = 0, max = 50_000))]
    #[schemars(extend("default" = 10_000))]
    yield_ms: Option<i64>,
    /// Bytes of output in the answer. Default: 40000.
    #[schemars(range(min = 1000, max = 200_000))]
    #[schemars(extend("default" = 40_000))]
    max_output_bytes: Option<i64>,
}

/// How far the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It ended, and the shell takes another.
    Ended,
    /// The line held nothing to run, or the shell did not understand it.
    NothingRan,
    /// It runs.
    Running,
    /// The shell waits for the rest of it.
    Unfinished,
    /// The shell has executed another program in its place: nothing tells when commands end any more.
    MarksLost,
    /// The shell itself ended.
    ShellEnded,
}

/// The structured result.
#[derive(Debug, Serialize, JsonSchema)]
struct Result {
    outcome: Outcome,
    /// What the command exited with, as the shell reports it, or the shell itself where that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    duration_ms: i64,
    /// Bytes that the command printed.
    output_bytes: i64,
    /// Bytes of them that the text leaves out.
    omitted_bytes: i64,
    /// Where its output starts.
    start: i64,
    /// Where its output ends so far: terminal_read from here gives what comes later.
    cursor: i64,
}

/// The command, and how long to wait.
#[derive(Debug)]
pub(crate) struct Manner {
    command: String,
    patience: Duration,
    max_output: usize,
}

pub(super) fn parse(services: &Services, caller: &Caller, given: Map<String, Value>) -> super::ParseResult {
    let given: Arguments = arguments::typed(given)?;
    let session = services.sessions.resolve(caller, &given.session)?;
    let manner = Manner {
        command: given.command,
        patience: Duration::from_millis(given.yield_ms.unwrap_or(DEFAULT_YIELD_MS).unsigned_abs()),
        max_output: usize::try_from(given.max_output_bytes.unwrap_or(DEFAULT_OUTPUT)).unwrap_or_default(),
    };
    Ok((Request::Act { tool: NAME, session }, Act::Exec(manner)))
}

pub(super) async fn apply(
    services: &Services,
    caller: &Caller,
    grant: &SessionGrant,
    manner: Manner,
    cancelled: CancellationToken,
) -> super::ReplyResult {
    let session = services.granted(caller, grant)?;
    tokio::select! {
        free = free(&session) => free?,
        () = cancelled.cancelled() => return Err(ToolError::Cancelled),
    }
    let started = Instant::now();
    let number = send(&session, &manner.command).await?;
    let over = tokio::select! {
        waited = tokio::time::timeout(manner.patience, over(&session, number)) => waited.unwrap_or(Ok(Over::NotYet))?,
        () = cancelled.cancelled() => return Err(ToolError::Cancelled),
    };
    answer(&session, number, over, started.elapsed(), manner.max_output).await
}

/// Until the shell has shown its prompt, which comes a moment after the end of the last command, and has answered what was
/// typed ahead; or for as long as that may take. A shell may sleep on an interrupt until the next one (readline looks for
/// signals before it waits for keys), and a terminal may lose what it printed about one (isig() in the kernel's n_tty.c
/// empties the output after the signal): where nothing is heard of one, it is typed again.
async fn free(session: &Session) -> std::result::Result<(), Gone> {
    let begun = tokio::time::Instant::now();
    let mut until = begun + PROMPT;
    let mut seen = session.progress();
    while let Some(prompt) = seen.prompt.filter(|_| seen.finished.is_none()) {
        let ahead = session.terminal(|terminal, _| terminal.ahead()).await?.flatten();
        if prompt.shell == ShellState::Ready && ahead.is_none() {
            break;
        }
        let next = match ahead {
            Some(Ahead::Line) => until.min(tokio::time::Instant::now() + LOOK_AHEAD),
            _ => until,
        };
        if let Ok(changed) = tokio::time::timeout_at(next, session.changed_from(&seen)).await {
            seen = changed?;
        }
        let now = tokio::time::Instant::now();
        // Where a program in the background prints without end there is always something new.
        if now < until {
            continue;
        }
        if ahead != Some(Ahead::Interrupt) || now > begun + INTERRUPTED {
            break;
        }
        session.terminal(|terminal, _| terminal.interrupt_again().ok()).await?; // a full queue: the next time
        until = now + PROMPT;
    }
    Ok(())
}

/// Why a command is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// There is something to say about it.
    Known,
    /// The shell has not begun with it for so long that it must wait for more.
    Hesitates,
    /// The caller's time is over.
    NotYet,
}

/// Gives the shell the command. A line editor says that it takes pastes a moment after the prompt.
async fn send(session: &Session, command: &str) -> std::result::Result<u64, ToolError> {
    let until = tokio::time::Instant::now() + PROMPT;
    loop {
        let seen = session.progress();
        let command = command.to_owned();
        let sent = session
            .terminal(move |terminal, place| terminal.execute(&command, place))
            .await?;
        match sent.ok_or(ToolError::NoTerminal)? {
            Err(ExecuteError::NoPaste) if tokio::time::Instant::now() < until => {
                if let Ok(changed) = tokio::time::timeout_at(until, session.changed_from(&seen)).await {
                    changed?;
                }
            }
            sent => return Ok(sent?),
        }
    }
}

/// Until the command with this number has ended, or the shell wants more of it.
async fn over(session: &Session, number: u64) -> std::result::Result<Over, Gone> {
    let known = |progress: &Progress| {
        let over = |prompt: Prompt| prompt.ended >= number || prompt.shell == ShellState::Unfinished;
        progress.prompt.is_some_and(over) || progress.finished.is_some()
    };
    let mut seen = session.progress();
    while !known(&seen) {
        let began = seen.prompt.is_some_and(|prompt| prompt.began);
        let next = session.changed_from(&seen);
        if began {
            match tokio::time::timeout(LOOK, next).await {
                Ok(progress) => seen = progress?,
                Err(_) if replaced(session).await?.is_some() => return Ok(Over::Known),
                Err(_) => {}
            }
            continue;
        }
        match tokio::time::timeout(HESITATES, next).await {
            Ok(progress) => seen = progress?,
            // What it has set for its prompt runs (PROMPT_COMMAND, PS0): it tells when that has ended.
            Err(_) if session.terminal(|terminal, _| terminal.has_job()).await? == Some(true) => {}
            // Not every shell says that it wants more: it just goes on editing.
            Err(_) => return Ok(Over::Hesitates),
        }
    }
    Ok(Over::Known)
}

/// The program that has taken the shell's place.
async fn replaced(session: &Session) -> std::result::Result<Option<String>, Gone> {
    Ok(session.terminal(|terminal, _| terminal.replaced()).await?.flatten())
}

/// What came of the command with this number.
async fn answer(session: &Session, command: u64, over: Over, took: Duration, max: usize) -> super::ReplyResult {
    let progress = session.progress();
    let prompt = progress.prompt.unwrap_or_default();
    let here = session.terminal(|_, place| place).await?.unwrap_or_default();
    let (outcome, exit_code, start, end) = if prompt.ended >= command {
        let last = prompt.last;
        let outcome = match last.ran {
            Ran::Something => Outcome::Ended,
            Ran::Nothing | Ran::Unknown => Outcome::NothingRan,
        };
        (outcome, Some(i64::from(last.exit_code)), last.start, last.end)
    } else if let Some(finished) = &progress.finished {
        let (_, exit_code, _) = super::answer::state(Some(finished));
        (Outcome::ShellEnded, exit_code.map(i64::from), prompt.start, here)
    } else if prompt.shell == ShellState::Unfinished || (over == Over::Hesitates && !prompt.began) {
        (Outcome::Unfinished, None, prompt.start, here)
    } else if replaced(session).await?.is_some() {
        (Outcome::MarksLost, None, prompt.start, here)
    } else {
        (Outcome::Running, None, prompt.start, here)
    };
    let excerpt = session.excerpt_of(start, end, max).await?;
    let about = session.about();
    let mut text = first_line(outcome, exit_code, took, session, &progress);
    let before = text.len();
    let unclear = section(&mut text, &about.alias, "terminal", &excerpt);
    if text.len() == before {
        text.push_str("(no output)\n");
    }
    say_unclear(&mut text, unclear, &about.alias);
    if exit_code.is_some_and(|code| code != 0)
        && let Some(hint) = guess::why(
            if excerpt.tail.is_empty() {
                &excerpt.head
            } else {
                &excerpt.tail
            },
            &about.profile,
        )
    {
        writeln!(text, "{hint}").ok(); // to a string: cannot fail
    }
    let result = Result {
        outcome,
        exit_code,
        duration_ms: number(took.as_millis()),
        output_bytes: number(excerpt.total),
        omitted_bytes: number(excerpt.omitted.map_or(0, |omitted| omitted.bytes)),
        start: number(start.bytes),
        cursor: number(start.bytes.max(end.bytes)),
    };
    Ok(Reply {
        text,
        structured: structured(&result),
    })
}

fn first_line(
    outcome: Outcome,
    exit_code: Option<i64>,
    took: Duration,
    session: &Session,
    progress: &Progress,
) -> String {
    let alias = &session.about().alias;
    let seconds = took.as_secs_f64();
    let code = exit_code.unwrap_or_default();
    match outcome {
        Outcome::Ended => format!("exit {code} in {seconds:.3} s\n"),
        Outcome::NothingRan if progress.prompt.is_some_and(|prompt| prompt.last.ran == Ran::Unknown) => format!(
            "the shell did not tell that it began: it did not understand the line, or it reads lines otherwise than they are typed \
             (`stty`), and then something may have run; exit {code}\n"
        ),
        Outcome::NothingRan => {
            format!("nothing ran (an empty line, or one that the shell did not understand); exit {code}\n")
        }
        Outcome::Running => format!(
            "still running after {seconds:.1} s; hint: terminal_wait {{\"session\": {alias:?}, \"until\": {{\"command\": true}}}}\n"
        ),
        Outcome::Unfinished => format!(
            "the shell waits for the rest of the command, or has not begun with it; hint: terminal_send {{\"session\": {alias:?}, \"input\": [{{\"key\": \
             \"C-c\"}}]}} drops it\n"
        ),
        Outcome::MarksLost => "marks lost: the shell has been replaced by another program, which does not tell when a command ends; \
                               hint: type with terminal_send and wait for a text or for quiet, or terminal_open a new shell\n"
            .to_owned(),
        Outcome::ShellEnded => format!(
            "the shell ended: {}",
            super::answer::header(session, progress.finished.as_ref())
        ),
    }
}
