//! The servers of this user, reached through their control sockets.

use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::sandbox::workspace;
use crate::server::control::Running;
use crate::server::control::reach::{self, ReachError, Reached};

/// Characters of a number that are enough, if they tell it from the others.
pub(super) const ENOUGH: usize = 4;

/// Why no server, or no session, was reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    #[error(
        "no server of yours runs with a control socket in any of: {directories}; hint: a client starts one, or terrarium serve"
    )]
    NoServer { directories: String },
    #[error("no session is called {name:?}, or has a number that begins so; hint: terrarium sessions")]
    Unknown { name: String },
    #[error("{count} sessions are called {name:?}, or have numbers that begin so; hint: write more of the number")]
    Several { name: String, count: usize },
    #[error(transparent)]
    Reach(#[from] ReachError),
}

/// All servers that can be talked with; says of the others why not.
pub(super) async fn all() -> Result<Vec<Reached>, Error> {
    let mut servers = Vec::new();
    for secret in live() {
        match reach::reach(&secret).await {
            Ok(server) => servers.push(server),
            Err(error) => super::say(&error),
        }
    }
    if servers.is_empty() { Err(none()) } else { Ok(servers) }
}

/// What leads to each server that lives.
pub(super) fn live() -> Vec<PathBuf> {
    let directories = workspace::runtime_directories();
    directories
        .iter()
        .flat_map(|directory| reach::live(directory))
        .collect()
}

/// No server can be talked with.
pub(super) fn none() -> Error {
    let directories = workspace::runtime_directories();
    let directories: Vec<_> = directories.iter().map(|d| d.display().to_string()).collect();
    let directories = directories.join(", ");
    Error::NoServer { directories }
}

/// Each server with what it tells; says of those that break meanwhile why. One that ends just then must not keep the
/// operator from the others.
pub(super) async fn each<T>(
    tell: impl AsyncFn(&mut Reached) -> Result<T, ReachError>,
) -> Result<Vec<(Reached, T)>, Error> {
    let mut told = Vec::new();
    for mut server in all().await? {
        match tell(&mut server).await {
            Ok(what) => told.push((server, what)),
            Err(error) => super::say(&error),
        }
    }
    Ok(told)
}

/// The one session of this short name, or whose number begins so.
pub(super) async fn session(name: &str) -> Result<(Reached, Running), Error> {
    let named =
        |running: &Running| running.alias == name || (name.len() >= ENOUGH && running.session.starts_with(name));
    let (mut found, mut count) = (None, 0);
    for (server, sessions) in each(Reached::sessions).await? {
        let mut sessions: Vec<Running> = sessions.into_iter().filter(named).collect();
        count += sessions.len();
        found = sessions.pop().map(|running| (server, running)).or(found);
    }
    let name = name.to_owned();
    match found {
        Some(found) if count == 1 => Ok(found),
        Some(_) => Err(Error::Several { name, count }),
        None => Err(Error::Unknown { name }),
    }
}

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Says on standard error that a list is empty, and that servers were asked.
pub(super) fn nothing(what: &str, servers: usize) -> io::Result<()> {
    let of = if servers == 1 { "server" } else { "servers" };
    writeln!(io::stderr(), "{what} in {servers} {of} of yours")
}
