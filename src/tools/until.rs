//! What a call may wait for, and the waiting.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::ToolError;
use super::arguments::ArgumentError;
use super::terminal_read::StreamName;
use crate::session::screen::Snapshot;
use crate::session::waits::{self, IdleFrom, Pattern, PatternError, Wait};
use crate::session::{Ahead, ExecuteError, Gone, Progress, Session, ShellState, Stream, Streams, Terminal};

/// What is looked at between two turns of others.
pub(super) const PIECE: usize = 256 * 1024;
/// How often it is looked whether the shell has ended what was typed ahead.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked whether the shell is about to read what was typed ahead.
pub(super) const LOOK_AHEAD: Duration = Duration::from_millis(10);
const SYNTAX: &str = "syntax as in the regex crate, without look-around and back references";

/// What to wait for: whatever comes first. The end of the session's command always counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    /// The end of the session's command or shell. Always waited for, whether or not it is given.
    exit: Option<bool>,
    /// The end of the command that the session's shell runs: the shell waits for another.
    command: Option<bool>,
    /// A text.
    #[schemars(length(min = 1, max = 1000))]
    text: Option<String>,
    /// A regular expression (Rust's syntax, matched within lines, in linear time).
    #[schemars(length(min = 1, max = 1000))]
    regex: Option<String>,
    /// Nothing printed for so many milliseconds, after something was; whatever stream is given.
    #[schemars(range(min = 10, max = 50_000))]
    idle_ms: Option<i64>,
    /// Lets idle_ms count although nothing was printed yet. Default: false.
    idle_at_once: Option<bool>,
    /// Where text and regex are looked for: in the output, or on the screen as it is. Default: output.
    scope: Option<Scope>,
    /// In which output they are looked for. Default: everywhere.
    stream: Option<StreamName>,
    /// The position in the output from which on to look. Default: the start, or what was there before the input.
    #[schemars(range(min = 0))]
    cursor: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Output,
    Screen,
}

/// What ended the waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fired {
    /// The session's command ended.
    Exit,
    /// The shell's command ended.
    Command,
    /// The text or the pattern was found.
    Found,
    /// Nothing was printed for the time that was given.
    Idle,
    /// The time was over first.
    Timeout,
}

/// What to wait for, as meant.
#[derive(Debug)]
pub(super) struct Condition {
    wanted: Vec<waits::Condition>,
    stream: Option<StreamName>,
    cursor: Option<u64>,
}

impl Until {
    pub(super) fn parse(self) -> Result<Condition, ArgumentError> {
        let scope = match self.scope.unwrap_or_default() {
            Scope::Output => waits::Scope::Output,
            Scope::Screen => waits::Scope::Screen,
        };
        let mut wanted = Vec::new();
        for (name, pattern) in [
            ("until.text", self.text.as_deref().map(Pattern::text)),
            ("until.regex", self.regex.as_deref().map(Pattern::regex)),
        ] {
            let pattern = pattern.transpose().map_err(|error| wrong_pattern(name, &error))?;
            wanted.extend(pattern.map(|pattern| waits::Condition::Found { pattern, scope }));
        }
        wanted.extend(self.idle_ms.map(|ms| waits::Condition::Idle {
            quiet: Duration::from_millis(ms.unsigned_abs()),
            from: if self.idle_at_once.unwrap_or_default() {
                IdleFrom::Now
            } else {
                IdleFrom::FirstOutput
            },
        }));
        if self.command.unwrap_or_default() {
            wanted.push(waits::Condition::CommandEnd);
        }
        if self.exit == Some(false) && wanted.is_empty() {
            let fix = "give text, regex, idle_ms or command, or leave until out to wait for the end";
            return Err(ArgumentError::new("until", "waits for nothing", fix));
        }
        if self.cursor.is_some() && self.stream.is_none() {
            let fix = "say which stream it is a position in";
            return Err(ArgumentError::new("until.cursor", "needs \"until.stream\"", fix));
        }
        Ok(Condition {
            wanted,
            stream: self.stream,
            cursor: self.cursor.map(i64::unsigned_abs),
        })
    }
}

pub(super) fn wrong_pattern(name: &str, error: &PatternError) -> ArgumentError {
    match error {
        PatternError::Regex { source } => {
            // The lines before show the pattern, which the caller knows.
            let source = source.to_string();
            let reason = source.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            ArgumentError::new(name, format!("{error}: {reason}"), SYNTAX)
        }
        _ => ArgumentError::new(name, error, ""),
    }
}

impl Condition {
    pub(super) fn is_more_than_the_end(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Whether the end of a command can come, if that is waited for: not where the shell was replaced.
    pub(super) async fn can_come(&self, session: &Session) -> Result<(), ToolError> {
        let wanted = |wanted: &waits::Condition| matches!(wanted, waits::Condition::CommandEnd);
        if !self.wanted.iter().any(wanted) {
            return Ok(());
        }
        match session.terminal(|terminal, _| terminal.replaced()).await?.flatten() {
            Some(program) => Err(ExecuteError::Replaced { program }.into()),
            None => Ok(()),
        }
    }

    /// Whether the session has what is waited for.
    pub(super) fn suits(&self, session: &Session) -> Result<(), ArgumentError> {
        let streams = session.about().streams;
        for wanted in &self.wanted {
            match wanted {
                waits::Condition::Found {
                    scope: waits::Scope::Screen,
                    ..
                } if streams == Streams::Pipes => {
                    let fix = "leave scope out: this session has stdout and stderr";
                    return Err(ArgumentError::new(
                        "until.scope",
                        "is a screen, and this session has none",
                        fix,
                    ));
                }
                waits::Condition::CommandEnd if session.progress().prompt.is_none() => {
                    let fix = "leave command out: the session's own end is always waited for";
                    return Err(ArgumentError::new(
                        "until.command",
                        "needs a shell, and this session runs none",
                        fix,
                    ));
                }
                _ => {}
            }
        }
        match self.stream.filter(|name| !name.exists(streams)) {
            None => Ok(()),
            Some(name) => Err(ArgumentError::new(
                "until.stream",
                format!("this session has no {}", name.name()),
                &format!("it has {}", StreamName::main(streams).name()),
            )),
        }
    }

    /// Waits until the time is over or the caller has enough, at the most.
    pub(super) async fn wait_within(
        &self,
        session: &Session,
        before: Option<&Progress>,
        timeout: Duration,
        cancelled: &CancellationToken,
    ) -> Result<(Fired, Option<String>), ToolError> {
        tokio::select! {
            waited = tokio::time::timeout(timeout, self.wait(session, before)) => match waited {
                Ok(fired) => Ok(fired?),
                Err(_) => Ok((Fired::Timeout, None)),
            },
            () = cancelled.cancelled() => Err(ToolError::Cancelled),
        }
    }

    /// Waits; with the line where a text or pattern was found. `before` is how far the session was when
    /// something was typed: only what came since counts. Cancel-safe.
    async fn wait(&self, session: &Session, before: Option<&Progress>) -> Result<(Fired, Option<String>), Gone> {
        let start = before.cloned().unwrap_or_default();
        let mut watches = self.watches(session.about().streams, &start);
        loop {
            let seen = session.progress();
            for watch in &mut watches {
                if let Some(found) = watch.advance(session).await? {
                    return Ok(self.fired(found));
                }
            }
            let Some(first) = watches.first() else {
                return Ok((Fired::Exit, session.finished().await.map(|_| None)?));
            };
            let news = before.is_none() || (seen.main, seen.error) != (start.main, start.error);
            if first.wait.needs_screen() && news && seen.drawn {
                let shown = session
                    .terminal(|terminal, _| lines(&terminal.screen().snapshot()))
                    .await?;
                if let Some(found) = first.wait.screen(shown.iter().flatten().map(String::as_str)) {
                    return Ok(self.fired(found));
                }
            }
            if seen.finished.is_some() {
                return Ok((Fired::Exit, None));
            }
            let ready = seen.prompt.is_some_and(|prompt| prompt.shell == ShellState::Ready);
            let ended = ready && (before.is_none() || seen.prompt != start.prompt);
            let mut again = None;
            if let Some(found) = first.wait.command_ended().filter(|_| ended) {
                // What was typed ahead is the shell's next command, unless another program has read it; not every shell tells when it
                // begins with one.
                let busy = |terminal: &mut Terminal, _| match terminal.ahead() {
                    Some(Ahead::Line) => Some(LOOK_AHEAD),
                    _ => terminal.has_job().then_some(LOOK),
                };
                match session.terminal(busy).await?.flatten() {
                    None => return Ok(self.fired(found)),
                    Some(look) => again = Some(Instant::now() + look),
                }
            }
            // Quiet means that no stream has anything.
            let quiet_at = watches.iter().filter_map(|watch| watch.wait.deadline()).max();
            let next = session.changed_from(&seen);
            match [quiet_at, again].into_iter().flatten().min() {
                None => drop(next.await?),
                Some(at) => match tokio::time::timeout_at(at.into(), next).await {
                    Err(_) if quiet_at == Some(at) => return Ok((Fired::Idle, None)),
                    Err(_) => {}
                    Ok(changed) => drop(changed?),
                },
            }
        }
    }

    fn fired(&self, found: waits::Fired) -> (Fired, Option<String>) {
        let what = match self.wanted.get(found.condition) {
            Some(waits::Condition::Found { .. }) => Fired::Found,
            Some(waits::Condition::CommandEnd) => Fired::Command,
            Some(waits::Condition::Idle { .. }) | None => Fired::Idle, // by its deadline alone
        };
        (what, found.line)
    }

    fn watches(&self, streams: Streams, start: &Progress) -> Vec<Watch> {
        let both = [(Stream::Main, start.main), (Stream::Error, start.error)];
        let looked_at = |stream: Stream| match self.stream {
            Some(name) => name.stream(streams) == stream,
            None => true,
        };
        let watch = |stream, cursor, wanted| {
            let wait = Wait::new(wanted, Instant::now()).ok()?; // there are four at the most
            Some(Watch { stream, cursor, wait })
        };
        let (looked, others): (Vec<_>, Vec<_>) = both.into_iter().partition(|(stream, _)| looked_at(*stream));
        let looked = looked.into_iter().filter_map(|(stream, position)| {
            let cursor = self.cursor.unwrap_or(position);
            watch(stream, cursor, self.wanted.clone())
        });
        // What is looked for is not in them, but while they print it is not quiet.
        let idle: Vec<_> = self.wanted.iter().filter(|wanted| wanted.is_idle()).cloned().collect();
        let others = others.into_iter().filter(|_| !idle.is_empty());
        looked
            .chain(others.filter_map(|(stream, position)| watch(stream, position, idle.clone())))
            .collect()
    }
}

/// The wait for what one stream prints, and how far that was looked at.
struct Watch {
    stream: Stream,
    cursor: u64,
    wait: Wait,
}

impl Watch {
    /// Looks at all that is there now.
    async fn advance(&mut self, session: &Session) -> Result<Option<waits::Fired>, Gone> {
        loop {
            let chunk = session.read(self.stream, self.cursor, PIECE).await?;
            if chunk.bytes.is_empty() {
                return Ok(None);
            }
            self.cursor = chunk.start + chunk.bytes.len() as u64;
            if let Some(found) = self.wait.output(&chunk.bytes, Instant::now()) {
                return Ok(Some(found));
            }
        }
    }
}

/// The rows of a screen, without the spaces at their ends: but a prompt has those before the cursor.
fn lines(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.rows.iter().zip(0..);
    rows.map(|(row, number)| {
        let mut text = row.text();
        let cursor = snapshot.cursor;
        if number == cursor.row && row.columns() <= cursor.column {
            text.extend(std::iter::repeat_n(' ', usize::from(cursor.column - row.columns())));
        }
        text
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(until: serde_json::Value) -> Result<Condition, ArgumentError> {
        serde_json::from_value::<Until>(until).unwrap().parse()
    }

    #[test]
    fn what_waits_for_nothing_or_cannot_be_is_refused() {
        for until in [
            serde_json::json!({"exit": false}),
            serde_json::json!({"regex": "("}),
            serde_json::json!({"regex": "(a{1000}){1000}"}),
            serde_json::json!({"text": "x", "cursor": 5}),
        ] {
            assert!(condition(until.clone()).is_err(), "{until}");
        }
    }
}
