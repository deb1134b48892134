//! `terrarium approvals`: the questions that wait for the operator, of all servers of this user.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::passphrase;
use super::servers::{self, ENOUGH};
use crate::server::control::reach::{ReachError, Reached};
use crate::server::control::{About, Asked};

/// Answers the questions of servers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium approvals watch            # in a terminal of your own
  terrarium approvals approve 3f9a     # the beginning of the number that was shown")]
pub(super) struct ApprovalsCommand {
    /// As JSON, one object for each question.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The questions that wait.
    #[command(after_help = "Example:\n  terrarium approvals list --json")]
    List,
    /// One question, with everything that a person must know.
    #[command(after_help = "Example:\n  terrarium approvals show 3f9a")]
    Show {
        /// Its number, or how that begins.
        id: String,
    },
    /// Says yes to exactly this, once.
    #[command(after_help = "Example:\n  terrarium approvals approve 3f9a")]
    Approve {
        /// Its number, or how that begins.
        id: String,
    },
    /// Says no.
    #[command(after_help = "Example:\n  terrarium approvals deny 3f9a")]
    Deny {
        /// Its number, or how that begins.
        id: String,
    },
    /// Shows each question when it comes, until interrupted.
    #[command(after_help = "Example:\n  terrarium approvals watch")]
    Watch,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Servers(#[from] servers::Error),
    #[error("no question has a number that begins with {id:?}; hint: terrarium approvals list")]
    Unknown { id: String },
    #[error("{count} questions have numbers that begin with {id:?}; hint: write more of it")]
    Several { id: String, count: usize },
    #[error("write at least {ENOUGH} characters of the number")]
    Short,
    #[error("not answered")]
    Reach(#[from] ReachError),
}

pub(super) fn run(command: ApprovalsCommand) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let json = command.json;
    let done = runtime.block_on(async {
        match command.action {
            Action::List => list(json).await,
            Action::Watch => watch(json).await,
            Action::Show { id } => show(&id, json).await,
            Action::Approve { id } => answer(&id, true).await,
            Action::Deny { id } => answer(&id, false).await,
        }
    });
    match done {
        // Whoever read has seen enough.
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

async fn list(json: bool) -> Result<ExitCode, Error> {
    for mut server in servers::all().await? {
        for asked in server.questions().await? {
            line(&server.about, &asked, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn watch(json: bool) -> Result<ExitCode, Error> {
    let (told, mut news) = tokio::sync::mpsc::channel(16);
    for mut server in servers::all().await? {
        server.watch().await?;
        let told = told.clone();
        tokio::spawn(async move {
            let mut known: Vec<String> = Vec::new();
            while let Ok(questions) = server.news().await {
                let fresh = |asked: &&Asked| asked.answered.is_none() && !known.contains(&asked.id);
                for asked in questions.iter().filter(fresh) {
                    if told.send((server.about.clone(), asked.clone())).await.is_err() {
                        return;
                    }
                }
                known = questions.into_iter().map(|asked| asked.id).collect();
            }
        });
    }
    drop(told);
    while let Some((about, asked)) = news.recv().await {
        line(&about, &asked, json)?;
        if !json {
            writeln!(io::stdout(), "{}", asked.preview)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(id: &str, json: bool) -> Result<ExitCode, Error> {
    let (server, asked) = find(id).await?;
    line(&server.about, &asked, json)?;
    if !json {
        writeln!(io::stdout(), "{}", asked.preview)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(id: &str, yes: bool) -> Result<ExitCode, Error> {
    let (mut server, asked) = find(id).await?;
    writeln!(io::stdout(), "{}", asked.preview)?;
    let passphrase = if yes && server.about.passphrase {
        Some(passphrase::operators()?)
    } else {
        None
    };
    server.say(&asked, yes, passphrase).await?;
    writeln!(io::stdout(), "{}", if yes { "approved, once" } else { "denied" })?;
    Ok(ExitCode::SUCCESS)
}

/// The one question whose number begins so.
async fn find(id: &str) -> Result<(Reached, Asked), Error> {
    if id.len() < ENOUGH {
        return Err(Error::Short);
    }
    let mut found = Vec::new();
    for mut server in servers::all().await? {
        let asked = server
            .questions()
            .await?
            .into_iter()
            .find(|asked| asked.id.starts_with(id));
        found.extend(asked.map(|asked| (server, asked)));
    }
    let count = found.len();
    match (found.pop(), count) {
        (Some(found), 1) => Ok(found),
        (None, _) => Err(Error::Unknown { id: id.to_owned() }),
        (Some(_), count) => Err(Error::Several {
            id: id.to_owned(),
            count,
        }),
    }
}

fn line(about: &About, asked: &Asked, json: bool) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    if json {
        let line = serde_json::json!({"server": about, "question": asked});
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let state = match asked.answered.as_deref() {
        None => format!("{} s left", asked.left_ms / 1000),
        Some(answer) => format!("answered: {answer}"),
    };
    writeln!(
        out,
        "{}  {} asks for {} (rule {}), {state}  [server {} in {}]",
        asked.id,
        asked.caller,
        asked.tool,
        asked.rule,
        about.pid,
        crate::confirm::quoted(&about.workspace, 200),
    )?;
    Ok(())
}
