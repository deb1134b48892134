//! `terrarium call`: one tool call through a server of its own, over real MCP.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use tokio::process::Child;

use super::filter;
use super::place::Place;
use super::status::{Ended, FAILED};
use crate::server::client::{self, CallError, Said};

/// As shells have it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;
/// How long the server may take to end after its input has.
const GOODBYE: Duration = Duration::from_secs(2);

/// The arguments of `terrarium call`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium call terminal_run '{\"command\":\"uname -a; id\"}'
  terrarium call terminal_run '{\"argv\":[\"make\",\"test\"],\"profile\":\"build\"}' --workspace ~/project
  terrarium call terminal_list --json   # the whole result, as a client gets it

Each call has a server of its own, so a session ends with the call that opened it. Exit status as of
`terrarium run`; 124 also when the command still runs at the end of the call, 130 after Ctrl-C.")]
pub(super) struct Call {
    /// The tool's name, as in terminal_run.
    tool: String,
    /// Its arguments as a JSON object, as in '{"command":"uname -a"}'.
    #[arg(default_value = "{}")]
    arguments: String,
    /// Prints the whole result as JSON instead of its text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the arguments are no JSON object; hint: quote them for the shell, as in '{{\"command\":\"uname -a\"}}'")]
    Arguments {
        #[source]
        source: serde_json::Error,
    },
    #[error("cannot start the runtime")]
    Runtime {
        #[source]
        source: io::Error,
    },
    #[error("cannot start the server")]
    Server {
        #[source]
        source: io::Error,
    },
    #[error("the server has no pipes to speak through")]
    Pipes,
    #[error(transparent)]
    Call(CallError),
    #[error("cannot print the answer")]
    Print {
        #[source]
        source: io::Error,
    },
}

impl Call {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let arguments = serde_json::from_str(&self.arguments).map_err(|source| Error::Arguments { source })?;
        let runtime = super::runtime().map_err(|source| Error::Runtime { source })?;
        match runtime.block_on(self.ask(arguments)) {
            Ok(said) => self.print(&said),
            Err(Error::Call(CallError::Interrupted)) => Ok(ExitCode::from(INTERRUPTED)),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, arguments: Map<String, Value>) -> Result<Said, Error> {
        let mut server = self.start_server().map_err(|source| Error::Server { source })?;
        let (Some(input), Some(output)) = (server.stdout.take(), server.stdin.take()) else {
            return Err(Error::Pipes);
        };
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await; // then nothing can interrupt us but the default
            }
        };
        let said = client::call(input, output, self.tool.clone(), arguments, interrupted).await;
        // Its input has ended with the call; if that is not enough it is killed when dropped.
        tokio::time::timeout(GOODBYE, server.wait()).await.ok();
        said.map_err(Error::Call)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts our own server")]
    fn start_server(&self) -> io::Result<Child> {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.arg("serve");
        for (name, value) in [
            ("--workspace", &self.place.workspace),
            ("--profiles", &self.place.profiles),
            ("--config", &self.place.config.path),
        ] {
            if let Some(value) = value {
                let mut option = OsString::from(format!("{name}="));
                option.push(value);
                command.arg(option);
            }
        }
        // In a group of its own, so that Ctrl-C reaches us, who can cancel the call in good order.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }

    fn print(&self, said: &Said) -> Result<ExitCode, Error> {
        let text = if self.json {
            format!("{}\n", said.raw)
        } else {
            with_line_end(&said.text)
        };
        let mut out = io::stdout();
        let shown = match out.is_terminal() {
            true => filter::whole(text.as_bytes()),
            false => text.into_bytes(),
        };
        match out.write_all(&shown).and_then(|()| out.flush()) {
            // Whoever read has seen enough; the command has ended as it has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            printed => printed.map_err(|source| Error::Print { source })?,
        }
        Ok(ExitCode::from(exit_code(said)))
    }
}

fn with_line_end(text: &str) -> String {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{text}{end}")
}

/// The command's own exit code where there is one, as a shell would give it.
fn exit_code(said: &Said) -> u8 {
    if said.is_error {
        return FAILED;
    }
    let Some(facts) = &said.structured else { return 0 };
    let number = |name: &str| facts.get(name).and_then(Value::as_i64);
    let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let by = text("ended_by");
    let out_of_time = ["limit: timeout_s", "limit: wall_time"]
        .iter()
        .any(|limit| by.starts_with(limit));
    let ended = match (text("state"), number("exit_code"), number("signal")) {
        _ if out_of_time => Ended::OutOfTime,
        ("running", ..) => Ended::OutOfTime,
        ("lost", ..) => Ended::Unknown,
        (_, Some(code), _) => Ended::Code(code),
        (_, _, Some(signal)) => Ended::Signal(signal),
        ("killed", ..) => Ended::Killed,
        _ => Ended::Code(0), // an answer about no command
    };
    ended.status()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_status_follows_the_answer() {
        let table = [
            (false, json!({"state": "exited", "exit_code": 0}), 0),
            (false, json!({"state": "exited", "exit_code": 7}), 7),
            (false, json!({"state": "signaled", "signal": 9}), 137),
            (
                false,
                json!({"state": "signaled", "signal": 9, "ended_by": "limit: timeout_s (1)"}),
                124,
            ),
            (
                false,
                json!({"state": "killed", "ended_by": "limit: wall_time (1min)"}),
                124,
            ),
            (
                false,
                json!({"state": "killed", "ended_by": "limit: cpu_time (1s)"}),
                137,
            ),
            (false, json!({"state": "running"}), 124),
            (false, json!({"state": "lost"}), 125),
            (false, json!({"sessions": []}), 0),
            (true, json!(null), 125),
        ];
        for (is_error, facts, expected) in table {
            let said = Said {
                text: String::new(),
                is_error,
                structured: Some(facts.clone()),
                raw: Value::Null,
            };
            assert_eq!(exit_code(&said), expected, "{facts}");
        }
    }
}
