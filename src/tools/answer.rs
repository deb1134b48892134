//! The answer about a session: text that is complete alone, and the few numbers beside it.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Reply, ToolError, guess, touched};
use crate::profile::Profile;
use crate::sandbox::{Ending, State as Holds, Status};
use crate::session::{About, Excerpt, Excerpts, Finished, Gone, Plain, Progress, Session, Streams};

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It runs.
    Running,
    /// It exited by itself; exit_code says with what.
    Exited,
    /// A signal ended it.
    Signaled,
    /// It was killed together with its sandbox; ended_by says why.
    Killed,
    /// Its sandbox was torn down from outside and nobody saw it end.
    Lost,
}

/// The structured result about one session. No output is repeated here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Facts {
    /// The session's handle, while there is something to ask it: it runs, or output was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    /// Its short name, as good as the handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    pub(super) state: State,
    /// What the command exited with.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// The number of the signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    duration_ms: i64,
    /// Processor time of all its processes, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<i64>,
    /// The highest memory seen, where the machine tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<i64>,
    /// The limit or the act that ended it, if it did not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    /// Bytes printed on standard output, or on the terminal.
    stdout_bytes: i64,
    /// Bytes printed on standard error.
    stderr_bytes: i64,
    /// Bytes of both that the text leaves out.
    omitted_bytes: i64,
    /// Where standard output (or the terminal) ended: terminal_read from here gives what comes later.
    cursor: i64,
    /// Protected paths of the workspace that appeared or changed, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protected_paths_touched: Vec<String>,
}

/// A complete answer, and whether the session has something left to say.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) facts: Facts,
}

impl Answer {
    /// Asks a session for its state and `max` bytes of its output.
    pub(super) async fn about(session: &Session, max: usize) -> Result<Self, Gone> {
        let progress = session.progress();
        let shown = session.excerpts(max).await?;
        Ok(Self::compose(session, &progress, &shown))
    }

    /// Whether the answer leaves nothing to ask for: then the session may be forgotten.
    pub(super) fn is_all(&self) -> bool {
        self.facts.session.is_none()
    }

    /// The reply to the call.
    pub(super) fn reply(self) -> Result<Reply, ToolError> {
        Ok(Reply {
            text: self.text,
            structured: structured(&self.facts),
        })
    }

    fn compose(session: &Session, progress: &Progress, shown: &Excerpts) -> Self {
        let about = session.about();
        let mut text = String::new();
        let mut unclear = 0;
        let (main, error) = match about.streams {
            Streams::Pipes => ("stdout", "stderr"),
            Streams::Terminal => ("terminal", "stderr"),
        };
        for (name, excerpt) in [(main, &shown.main), (error, &shown.error)] {
            unclear += section(&mut text, &about.alias, name, excerpt);
        }
        if text.is_empty() {
            text.push_str("(no output)\n");
        }
        say_unclear(&mut text, unclear, &about.alias);
        let omitted = [&shown.main, &shown.error].map(|e| e.omitted.map_or(0, |o| o.bytes));
        let to_ask = progress.finished.is_none() || unclear > 0 || omitted != [0, 0];
        let facts = facts(session, progress, shown, omitted.iter().sum(), to_ask);
        let mut whole = header(session, progress.finished.as_ref());
        whole.push_str(&text);
        if let Some(finished) = &progress.finished {
            let end = [&shown.main.head, &shown.main.tail, &shown.error.head, &shown.error.tail];
            let end: Vec<u8> = end.into_iter().flatten().copied().collect();
            footer(&mut whole, &finished.ending, &end, &about.profile);
        } else {
            next_steps(&mut whole, &about.alias);
        }
        Self { text: whole, facts }
    }
}

/// Turns facts into the structured result.
pub(super) fn structured(facts: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(facts).unwrap_or_default() // plain structs of ours: cannot fail
}

/// One line: how it ended, or that it runs.
pub(super) fn header(session: &Session, finished: Option<&Finished>) -> String {
    let about = session.about();
    let Some(finished) = finished else {
        let since = about.started.elapsed().as_secs_f64();
        return format!("running for {since:.1} s in session {} ({})\n", about.alias, about.id);
    };
    let ending = &finished.ending;
    let seconds = ending.duration.as_secs_f64();
    let status = match ending.status {
        _ if ending.was_killed() => format!("killed after {seconds:.3} s"),
        Status::Code(code) => format!("exit {code} in {seconds:.3} s"),
        Status::Signal(number) => format!("signal {number}{} after {seconds:.3} s", signal_name(number)),
        Status::Lost => "lost: the sandbox was torn down and nobody saw the command end".to_owned(),
    };
    match ending
        .cause
        .map(|cause| (cause, cause.describe(&about.profile.limits, about.timeout)))
    {
        Some((cause, by)) => {
            let hint = cause.hint(&about.profile).map(|hint| format!("{hint}\n"));
            format!("ended by {by}: {status}\n{}", hint.unwrap_or_default())
        }
        None => format!("{status}\n"),
    }
}

/// The protections of a session that do not hold in full, each with how it holds.
pub(super) fn weakened(about: &About) -> Vec<String> {
    let weak = about.protections.iter().filter(|p| p.state != Holds::Active);
    weak.map(|p| format!("{} ({:?})", p.name, p.state).to_lowercase())
        .collect()
}

/// State, code and signal of an ending.
pub(super) fn state(finished: Option<&Finished>) -> (State, Option<i32>, Option<i32>) {
    let Some(Finished { ending, .. }) = finished else {
        return (State::Running, None, None);
    };
    match ending.status {
        _ if ending.was_killed() => (State::Killed, None, None),
        Status::Code(code) => (State::Exited, Some(code), None),
        Status::Signal(number) => (State::Signaled, None, Some(number)),
        Status::Lost => (State::Lost, None, None),
    }
}

/// The numbers, as a client's JSON has them.
pub(super) fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// Adds one stream's output, and says how many bytes of it are not UTF-8.
pub(super) fn section(text: &mut String, alias: &str, name: &str, excerpt: &Excerpt) -> u64 {
    if excerpt.total == 0 {
        return 0;
    }
    // What is printed can address whatever terminal shows the answer: no escape sequence gets there.
    let readable = |bytes: &[u8]| {
        let mut plain = Plain::default();
        plain.feed(bytes);
        plain.finish()
    };
    let (head, mut unclear) = readable(&excerpt.head);
    if head.is_empty() && excerpt.omitted.is_none() {
        return unclear; // nothing but escape sequences
    }
    text.push_str("--- ");
    text.push_str(name);
    text.push('\n');
    push_lines(text, &head);
    if let Some(omitted) = excerpt.omitted {
        let (tail, in_tail) = readable(&excerpt.tail);
        unclear += in_tail;
        let marker = format!(
            "[{} bytes, {} lines omitted; terminal_read session={alias} stream={name} cursor={}]",
            omitted.bytes, omitted.lines, omitted.cursor
        );
        push_lines(text, &marker);
        push_lines(text, &tail);
    }
    unclear
}

/// Says that what is shown is not exactly what was printed.
pub(super) fn say_unclear(text: &mut String, unclear: u64, alias: &str) {
    if unclear > 0 {
        let said = writeln!(
            text,
            "({unclear} bytes that are not UTF-8 are shown as \u{FFFD}; exact bytes: terminal_read with session {alias:?}, encoding \
             \"base64\")"
        );
        said.ok(); // writing to a string cannot fail
    }
}

fn push_lines(text: &mut String, lines: &str) {
    text.push_str(lines);
    if !lines.is_empty() && !lines.ends_with('\n') {
        text.push('\n');
    }
}

fn footer(text: &mut String, ending: &Ending, printed: &[u8], profile: &Profile) {
    text.push_str(&touched::warning(&ending.touched));
    let failed = matches!(ending.status, Status::Code(code) if code != 0) && ending.cause.is_none();
    let met = ending.met(profile);
    if !met.is_empty() {
        push_lines(text, &met.join("\n"));
    } else if let Some(guess) = failed.then(|| guess::why(printed, profile)).flatten() {
        push_lines(text, &guess);
    }
}

fn next_steps(text: &mut String, alias: &str) {
    writeln!(
        text,
        "next: terminal_wait {{\"session\":\"{alias}\"}} waits for its end or for text; terminal_read reads its \
         output; terminal_close ends it"
    )
    .ok(); // writing to a string cannot fail
}

fn facts(session: &Session, progress: &Progress, shown: &Excerpts, omitted: u64, to_ask: bool) -> Facts {
    let about = session.about();
    let (state, exit_code, signal) = state(progress.finished.as_ref());
    let ending = progress.finished.as_ref().map(|f| &f.ending);
    Facts {
        session: to_ask.then(|| about.id.to_string()),
        alias: to_ask.then(|| about.alias.clone()),
        state,
        exit_code,
        signal,
        duration_ms: number(
            ending
                .map_or_else(|| about.started.elapsed(), |e| e.duration)
                .as_millis(),
        ),
        cpu_ms: ending.map(|e| number(e.usage.cpu.as_millis())),
        peak_memory_bytes: ending.and_then(|e| e.usage.peak_memory).map(number),
        ended_by: ending
            .and_then(|e| e.cause)
            .map(|c| c.describe(&about.profile.limits, about.timeout)),
        stdout_bytes: number(shown.main.total),
        stderr_bytes: number(shown.error.total),
        omitted_bytes: number(omitted),
        cursor: number(shown.main.total),
        protected_paths_touched: ending.map_or_else(Vec::new, |e| touched::named(&e.touched)),
    }
}

/// The signals that commands end by, by their numbers on x86_64 and aarch64 (signal(7)).
fn signal_name(number: i32) -> &'static str {
    match number {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        14 => " (SIGALRM)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        31 => " (SIGSYS)",
        _ => "",
    }
}
