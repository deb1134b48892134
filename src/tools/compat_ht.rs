//! The six tools of ht-mcp 0.1.3, for clients that were written for it: its names, arguments and texts.
//!
//! Each call becomes one of ours, and is judged and recorded as that. Sizes are ht-mcp's; what it got wrong is not
//! repeated: arguments stay apart, a command's whole output comes when it ends, unknown keys are typed as text only
//! where they are no key of ours.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::arguments::take;
use super::{Definition, Hints, Listed, Reply, ReplyResult, Services, ToolCall, ToolError, run, schema, tally};
use super::{terminal_close, terminal_exec, terminal_list, terminal_open, terminal_send, terminal_snapshot};
use crate::policy::Caller;
use crate::session::ExecuteError;
use crate::session::keys::Key;

/// The size of its terminals.
const SIZE: (u16, u16) = (120, 40);
/// A program's answer to what is typed is over when it has printed nothing for so long.
const QUIET_MS: u64 = 300;

/// The tools, in its order.
pub const DEFINITIONS: [Definition; 6] = [
    Definition {
        name: "ht_create_session",
        title: "Open a session (ht-mcp)",
        description: "As ht-mcp's: opens a terminal session and gives its id. terminal_open can do more.",
        arguments: || &CREATE,
        result: any,
        hints: Hints::Runs,
    },
    Definition {
        name: "ht_send_keys",
        title: "Send keys (ht-mcp)",
        description: "As ht-mcp's: sends keys by name (Enter, C-c, Up ...) and all else as text. terminal_send keeps keys and \
            text apart.",
        arguments: || &KEYS,
        result: any,
        hints: Hints::Runs,
    },
    Definition {
        name: "ht_take_snapshot",
        title: "Show the screen (ht-mcp)",
        description: "As ht-mcp's: shows the screen. terminal_snapshot can show what is new only.",
        arguments: || &SESSION,
        result: any,
        hints: Hints::ReadOnly,
    },
    Definition {
        name: "ht_execute_command",
        title: "Run a command (ht-mcp)",
        description: "As ht-mcp's: runs a command in a session's shell, and gives all of its output when it ends. terminal_exec \
            gives its exit code too.",
        arguments: || &EXECUTE,
        result: any,
        hints: Hints::Runs,
    },
    Definition {
        name: "ht_list_sessions",
        title: "List sessions (ht-mcp)",
        description: "As ht-mcp's: lists your sessions. terminal_list tells more about each.",
        arguments: || &NOTHING,
        result: any,
        hints: Hints::ReadOnly,
    },
    Definition {
        name: "ht_close_session",
        title: "Close a session (ht-mcp)",
        description: "As ht-mcp's: ends a session and all that runs in it.",
        arguments: || &SESSION,
        result: any,
        hints: Hints::Ends,
    },
];

static CREATE: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Create>);
static KEYS: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Keys>);
static SESSION: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Session>);
static EXECUTE: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Execute>);
static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(schema::of_arguments::<Nothing>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Create {
    /// The program and its arguments; one text with spaces is a line for the shell. Default: a shell, bash where there is one.
    #[schemars(length(max = 1000), inner(length(max = 131_071)))]
    command: Option<Vec<String>>,
    /// There is no web server; accepted and answered so.
    enable_web_server: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Keys {
    /// The session's id.
    #[schemars(length(min = 1, max = 64))]
    session_id: String,
    /// Names of keys, and texts.
    #[schemars(length(max = 1000))]
    keys: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Session {
    /// The session's id.
    #[schemars(length(min = 1, max = 64))]
    session_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Execute {
    /// The session's id.
    #[schemars(length(min = 1, max = 64))]
    session_id: String,
    /// The command line.
    #[schemars(length(min = 1, max = 65_000))]
    command: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The structured result is that of the tool that the call became.
fn any() -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema
}

/// What each becomes, in the order of [`DEFINITIONS`].
const BECOMES: [&str; 6] = [
    terminal_open::NAME,
    terminal_send::NAME,
    terminal_snapshot::NAME,
    terminal_exec::NAME,
    terminal_list::NAME,
    terminal_close::NAME,
];

/// Those that some rule could allow the caller, as what they become.
pub fn listed(services: &Services, caller: &Caller) -> Vec<Listed> {
    let policy = services.policy.get();
    let offered = DEFINITIONS.into_iter().zip(BECOMES);
    offered
        .filter(|(_, becomes)| policy.offers(caller, becomes))
        .map(|(definition, _)| Listed {
            arguments: (definition.arguments)().clone(),
            definition,
        })
        .collect()
}

/// Whether a call is for one of these.
pub fn is_one(name: &str) -> bool {
    DEFINITIONS.iter().any(|tool| tool.name == name)
}

/// Who calls, and with what.
struct Call<'a> {
    services: &'a Services,
    caller: &'a Caller,
    cancelled: CancellationToken,
}

/// Runs one of them.
pub async fn run_as_ht(
    services: &Services,
    caller: &Caller,
    call: ToolCall,
    cancelled: CancellationToken,
) -> ReplyResult {
    // What is well-formed is recorded as the call of ours that it becomes.
    let asked = match Asked::of(&call) {
        Ok(asked) => asked,
        Err(error) => {
            tally::misfit(services, caller, &call, error.kind()).await?;
            return Err(error);
        }
    };
    let call = Call {
        services,
        caller,
        cancelled,
    };
    match asked {
        Asked::Create(given) => call.create(given).await,
        Asked::Keys(given) => call.keys(given).await,
        Asked::Snapshot(given) => call.snapshot(given).await,
        Asked::Execute(given) => call.execute(given).await,
        Asked::List(given) => call.list(given).await,
        Asked::Close(given) => call.close(given).await,
    }
}

/// A call whose arguments are as they should be.
enum Asked {
    Create(Create),
    Keys(Keys),
    Snapshot(Session),
    Execute(Execute),
    List(Nothing),
    Close(Session),
}

impl Asked {
    fn of(ToolCall { name, arguments }: &ToolCall) -> Result<Self, ToolError> {
        let arguments = arguments.clone();
        Ok(match name.as_str() {
            "ht_create_session" => Self::Create(take(&CREATE, arguments)?),
            "ht_send_keys" => Self::Keys(take(&KEYS, arguments)?),
            "ht_take_snapshot" => Self::Snapshot(take(&SESSION, arguments)?),
            "ht_execute_command" => Self::Execute(take(&EXECUTE, arguments)?),
            "ht_list_sessions" => Self::List(take(&NOTHING, arguments)?),
            "ht_close_session" => Self::Close(take(&SESSION, arguments)?),
            _ => return Err(super::listed::unknown(name)),
        })
    }
}

impl Call<'_> {
    async fn run(&self, name: &str, arguments: Value) -> ReplyResult {
        let Value::Object(arguments) = arguments else {
            return Err(ToolError::WrongGrant); // ours are objects
        };
        let name = name.to_owned();
        run(
            self.services,
            self.caller,
            ToolCall { name, arguments },
            None, // one call of theirs is several of ours, of which those that are done must not be done again
            self.cancelled.clone(),
        )
        .await
    }

    async fn create(&self, given: Create) -> ReplyResult {
        let (columns, rows) = SIZE;
        let what = match given.command.as_deref() {
            None | Some([]) => json!({"cols": columns, "rows": rows}),
            Some([shell]) if matches!(shell.as_str(), "bash" | "zsh" | "fish" | "sh" | "dash") => {
                json!({"cols": columns, "rows": rows, "shell": shell})
            }
            Some([line]) if line.contains(' ') => json!({"cols": columns, "rows": rows, "command": line}),
            Some(argv) => json!({"cols": columns, "rows": rows, "argv": argv}),
        };
        let reply = self.run(terminal_open::NAME, what).await?;
        let id = text_of(&reply.structured, "session");
        let mut text = format!(
            "HT session created successfully!\n\nSession ID: {id}\n\nYou can now use this session ID with other HT tools to \
             send commands and take snapshots."
        );
        if given.enable_web_server == Some(true) {
            text.push_str("\n\nThere is no web server here: ht_take_snapshot shows the screen.");
        }
        Ok(Reply { text, ..reply })
    }

    async fn keys(&self, Keys { session_id, keys }: Keys) -> ReplyResult {
        let mut input: Vec<Value> = keys.iter().map(|key| item(key)).collect();
        if input.is_empty() {
            input.push(item("")); // nothing is typed, but into a session that there is
        }
        let typed = json!({"session": session_id, "input": input});
        let structured = self.run(terminal_send::NAME, typed).await?.structured;
        Ok(Reply {
            text: format!(
                "Keys sent successfully to session {session_id}\n\nKeys: {}",
                json!(keys)
            ),
            structured,
        })
    }

    async fn snapshot(&self, Session { session_id }: Session) -> ReplyResult {
        let reply = self
            .run(terminal_snapshot::NAME, json!({"session": session_id}))
            .await?;
        Ok(Reply {
            text: format!(
                "Terminal Snapshot (Session: {session_id})\n\n```\n{}```",
                rows(&reply.text)
            ),
            ..reply
        })
    }

    async fn execute(&self, Execute { session_id, command }: Execute) -> ReplyResult {
        let asked = json!({"session": session_id, "command": command});
        let (shown, structured) = match self.run(terminal_exec::NAME, asked).await {
            Ok(reply) => {
                let (first, rest) = reply.text.split_once('\n').unwrap_or((&reply.text, ""));
                let output = rest.strip_prefix("--- terminal\n").unwrap_or(rest);
                (format!("```\n{output}```\n\n{first}"), reply.structured)
            }
            // What it types into another program than a shell, that program answers.
            Err(ToolError::Execute(ExecuteError::NoShell)) => {
                let input = json!([{"text": command}, {"key": "Enter"}]);
                let typed = json!({"session": session_id, "input": input, "wait": {"idle_ms": QUIET_MS}});
                let reply = self.run(terminal_send::NAME, typed).await?;
                (format!("```\n{}```", rows(&reply.text)), reply.structured)
            }
            Err(error) => return Err(error),
        };
        Ok(Reply {
            text: format!("Command executed: {command}\n\nTerminal Output:\n{shown}"),
            structured,
        })
    }

    async fn list(&self, Nothing {}: Nothing) -> ReplyResult {
        let reply = self.run(terminal_list::NAME, json!({})).await?;
        let sessions = reply.structured.get("sessions").and_then(Value::as_array);
        let sessions = sessions.map_or(&[][..], Vec::as_slice);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let mut text = format!("Active HT Sessions ({}):\n\n", sessions.len());
        for session in sessions {
            let alive = if text_of(session, "state") == "running" {
                "alive"
            } else {
                "ended"
            };
            let id = text_of(session, "session");
            let created = now.saturating_sub(session.get("age_s").and_then(Value::as_u64).unwrap_or_default());
            writeln!(text, "- {id} ({alive}) - Created: {created}").ok(); // to a string: cannot fail
        }
        if sessions.is_empty() {
            text.push_str("No active sessions");
        }
        let text = text.trim_end_matches('\n').to_owned();
        Ok(Reply { text, ..reply })
    }

    async fn close(&self, Session { session_id }: Session) -> ReplyResult {
        let reply = self.run(terminal_close::NAME, json!({"session": session_id})).await?;
        Ok(Reply {
            text: format!("Session {session_id} closed successfully."),
            ..reply
        })
    }
}

/// A field of an answer of ours.
fn text_of<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A key where it is the name of one and more than a character, else text.
fn item(key: &str) -> Value {
    if key.chars().nth(1).is_some() && Key::parse(key).is_ok() {
        json!({"key": key})
    } else {
        json!({"text": key})
    }
}

/// The rows in the text of an answer that shows a screen: what comes after the line about the screen.
fn rows(text: &str) -> &str {
    let start = match text.starts_with("screen ") {
        true => Some(0),
        false => text.find("\nscreen ").map(|at| at + 1),
    };
    let about = start.and_then(|at| text.get(at..)).unwrap_or_default();
    about.split_once('\n').map_or("", |(_, rows)| rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_text_by_our_table() {
        let table = [
            ("Enter", json!({"key": "Enter"})),
            ("C-c", json!({"key": "C-c"})),
            ("^c", json!({"key": "^c"})),
            ("C-[", json!({"key": "C-["})),
            ("F13", json!({"key": "F13"})),
            ("ls -la", json!({"text": "ls -la"})),
            ("a", json!({"text": "a"})),
            ("", json!({"text": ""})),
            ("http://x/[y]", json!({"text": "http://x/[y]"})),
        ];
        for (key, expected) in table {
            assert_eq!(item(key), expected, "{key}");
        }
    }

    #[test]
    fn the_rows_come_after_the_line_about_the_screen() {
        assert_eq!(
            rows("running for 1 s\nscreen 80x24, frame 1\n$ ls\nscreen 1\n"),
            "$ ls\nscreen 1\n"
        );
        assert_eq!(rows("screen 80x24\nx\n"), "x\n");
        assert_eq!(rows("exit 0"), "");
    }
}
