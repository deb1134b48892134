//! `terrarium approvals`: the questions that wait for the operator, of all servers of this user.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::sync::mpsc;

use super::passphrase;
use super::servers::{self, ENOUGH};
use crate::model::plain::plain_json;
use crate::server::control::reach::{ReachError, Reached, reach};
use crate::server::control::{About, Asked};

/// How often `watch` looks for servers that have started.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Shows each question when it comes, of servers that start later too, until interrupted.
    #[command(after_help = "Example:\n  terrarium approvals watch")]
    Watch,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Passphrase(#[from] passphrase::Error),
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
    let runtime = super::runtime()?;
    let json = command.json;
    runtime.block_on(async {
        match command.action {
            Action::List => list(json).await,
            Action::Watch => watch(json).await,
            Action::Show { id } => show(&id, json).await,
            Action::Approve { id } => answer(&id, true).await,
            Action::Deny { id } => answer(&id, false).await,
        }
    })
}

async fn list(json: bool) -> Result<ExitCode, Error> {
    let servers = servers::each(Reached::questions).await?;
    let (among, any) = (
        servers.len(),
        servers.iter().any(|(_, questions)| !questions.is_empty()),
    );
    for (server, questions) in servers {
        for asked in questions {
            line(&server.about, &asked, json)?;
        }
    }
    match (json, any) {
        (true, _) => {}
        (false, true) => writeln!(io::stdout(), "What each asks for: terrarium approvals show NUMBER")?,
        (false, false) => servers::nothing("no questions", among)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn watch(json: bool) -> Result<ExitCode, Error> {
    let (told, mut news) = mpsc::channel(16);
    let mut look = tokio::time::interval(LOOK);
    let mut followed = HashMap::new();
    let mut alone = false;
    loop {
        tokio::select! {
            _ = look.tick() => {
                follow_new(&mut followed, &told).await;
                if followed.is_empty() && !alone {
                    alone = true;
                    super::say(&servers::none());
                    writeln!(io::stderr(), "terrarium: waiting for one to start")?;
                }
            }
            Some((about, asked)) = news.recv() => {
                line(&about, &asked, json)?;
                if !json {
                    writeln!(io::stdout(), "{}", asked.preview)?;
                }
            }
        }
    }
}

/// Follows the servers that are not followed yet; says of one that cannot be talked with why, once, and tries it again.
async fn follow_new(followed: &mut HashMap<PathBuf, bool>, told: &mpsc::Sender<(About, Asked)>) {
    for secret in servers::live() {
        if followed.get(&secret) == Some(&true) {
            continue;
        }
        let reached = match reach(&secret).await {
            Ok(mut server) => server.watch().await.map(|()| server),
            Err(error) => Err(error),
        };
        let before = followed.insert(secret, reached.is_ok());
        match reached {
            Ok(server) => drop(tokio::spawn(follow(server, told.clone()))),
            Err(error) if before.is_none() => super::say(&error),
            Err(_) => {}
        }
    }
}

/// Hands on each question of a server that is new, until it is gone.
async fn follow(mut server: Reached, told: mpsc::Sender<(About, Asked)>) {
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
}

async fn show(id: &str, json: bool) -> Result<ExitCode, Error> {
    let (mut server, mut asked) = find(id).await?;
    complete(&mut server, &mut asked).await?;
    line(&server.about, &asked, json)?;
    if !json {
        writeln!(io::stdout(), "{}", asked.preview)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(id: &str, yes: bool) -> Result<ExitCode, Error> {
    let (mut server, mut asked) = find(id).await?;
    if yes {
        complete(&mut server, &mut asked).await?;
    }
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

/// Fetches the rest of what is asked for, if that is not all.
async fn complete(server: &mut Reached, asked: &mut Asked) -> Result<(), Error> {
    if !asked.whole {
        asked.preview = server.whole(asked).await?;
        asked.whole = true;
    }
    Ok(())
}

/// The one question whose number begins so.
async fn find(id: &str) -> Result<(Reached, Asked), Error> {
    let told = servers::each(Reached::questions).await?;
    let (mut servers, questions): (Vec<Reached>, Vec<_>) = told.into_iter().unzip();
    let (at, asked) = choose(questions, id)?;
    Ok((servers.swap_remove(at), asked))
}

/// The one question whose number begins so, of those of each server, and whose server that is.
fn choose(of_servers: Vec<Vec<Asked>>, id: &str) -> Result<(usize, Asked), Error> {
    if id.len() < ENOUGH {
        return Err(Error::Short);
    }
    let all = of_servers.into_iter().enumerate();
    let all = all.flat_map(|(at, questions)| questions.into_iter().map(move |asked| (at, asked)));
    let mut found: Vec<(usize, Asked)> = all.filter(|(_, asked)| asked.id.starts_with(id)).collect();
    let (count, id) = (found.len(), id.to_owned());
    match found.pop() {
        Some(found) if count == 1 => Ok(found),
        Some(_) => Err(Error::Several { id, count }),
        None => Err(Error::Unknown { id }),
    }
}

fn line(about: &About, asked: &Asked, json: bool) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    if json {
        let line = serde_json::json!({"server": about, "question": asked});
        writeln!(out, "{}", plain_json(&line.to_string()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_that_two_questions_share_answers_neither() {
        let questions = || {
            vec![
                vec![Asked::numbered("aaaa11"), Asked::numbered("aaaa22")],
                vec![Asked::numbered("bbbb11"), Asked::numbered("aaab11")],
            ]
        };
        for (id, count) in [
            ("aaaa", 2),
            ("aaaa1", 1),
            ("aaaa2", 1),
            ("bbbb", 1),
            ("aaab", 1),
            ("cccc", 0),
        ] {
            match choose(questions(), id) {
                Ok((at, found)) => {
                    assert!(count == 1 && found.id.starts_with(id), "{id}");
                    assert!(questions()[at].contains(&found), "{id}");
                }
                Err(Error::Several { count: found, .. }) => assert_eq!((found, count), (2, 2), "{id}"),
                Err(Error::Unknown { .. }) => assert_eq!(count, 0, "{id}"),
                Err(other) => panic!("{id}: {other}"),
            }
        }
        assert!(matches!(choose(questions(), "aaa"), Err(Error::Short)));
    }
}
