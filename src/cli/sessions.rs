//! `terrarium sessions`: what runs or ran, in all servers of this user.

use std::process::ExitCode;

use clap::Args;

use super::servers;
use crate::confirm::quoted;
use crate::model::plain::plain_json;
use crate::server::control::reach::Reached;
use crate::server::control::{About, Running};

/// Lists the sessions of every server of yours.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium sessions
  terrarium sessions --json")]
pub(super) struct SessionsCommand {
    /// As JSON, one object for each session.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &SessionsCommand) -> Result<ExitCode, servers::Error> {
    let runtime = super::runtime()?;
    runtime.block_on(list(command.json))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(json: bool) -> Result<(), servers::Error> {
    let servers = servers::each(Reached::sessions).await?;
    if !json && servers.iter().all(|(_, sessions)| sessions.is_empty()) {
        servers::nothing("no sessions", servers.len())?;
    }
    for (server, sessions) in servers {
        for running in sessions {
            let text = match json {
                true => plain_json(&serde_json::json!({"server": server.about, "session": running}).to_string()),
                false => line(&server.about, &running),
            };
            servers::line(&text)?;
        }
    }
    Ok(())
}

fn line(about: &About, running: &Running) -> String {
    let number = running.session.get(..8).unwrap_or(&running.session);
    let program = running.program.as_deref().map(|name| format!(" {}", quoted(name, 32)));
    let size = match running.size {
        Some((columns, rows)) => format!("{columns}x{rows}"),
        None => "no terminal".to_owned(),
    };
    format!(
        "{number}  {} of {}, {size}, profile {}: {}{}, {} s old: {}  [server {} in {}]",
        quoted(&running.alias, 64),
        quoted(&running.caller, 64),
        quoted(&running.profile, 64),
        running.state,
        program.unwrap_or_default(),
        running.age_s,
        quoted(&running.command, 60),
        about.pid,
        quoted(&about.workspace, 200),
    )
}
