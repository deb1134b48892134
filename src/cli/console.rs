//! The console's half of `terrarium serve`, and `terrarium console`, which lets one browser in.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::http::address;
use super::{passphrase, servers};
use crate::server::console::{self, ConsoleError, Desk};
use crate::server::control::reach::ReachError;
use crate::server::http::Metrics;

/// What the console gets to put on record that terminals were given back.
const FAREWELL: Duration = Duration::from_millis(150);

/// The arguments.
#[derive(Debug, Args)]
#[command(next_help_heading = "Console")]
pub(super) struct ConsoleOptions {
    /// Serves the operator's console, a page for this machine's browsers, at http://ADDRESS/.
    ///
    /// A loopback address; port 0 lets the kernel choose, and the address is printed to standard error. `terrarium
    /// console` prints a link that lets one browser in.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:0", value_parser = address)]
    console: Option<SocketAddr>,
}

/// Prints links into the consoles of servers.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  terrarium console        # then open the link that it prints

Servers have a console when they were started with --console. A link lets one browser in, once, within a minute.")]
pub(super) struct ConsoleCommand {
    /// Only of the server that is this process.
    #[arg(long, value_name = "PID")]
    server: Option<u32>,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Servers(#[from] servers::Error),
    #[error("no link")]
    Reach(#[from] ReachError),
    #[error("no server of yours is process {pid}; hint: `terrarium sessions` lists servers with sessions")]
    NoServer { pid: u32 },
    #[error("server {pid} has no console; hint: start it with `terrarium serve --console`")]
    NotThat { pid: u32 },
    #[error("none of the servers that run has a console; hint: start one with `terrarium serve --console`")]
    NoConsole,
    #[error(transparent)]
    Passphrase(#[from] passphrase::Error),
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}

pub(super) fn run(command: &ConsoleCommand) -> Result<ExitCode, Error> {
    let runtime = super::runtime()?;
    runtime.block_on(links(command.server))
}

async fn links(server: Option<u32>) -> Result<ExitCode, Error> {
    let (mut found, mut seen) = (false, false);
    for mut reached in servers::all().await? {
        let about = reached.about.clone();
        if server.is_some_and(|pid| pid != about.pid) {
            continue;
        }
        seen = true;
        if about.console.is_none() {
            continue;
        }
        let workspace = crate::confirm::quoted(&about.workspace, 200);
        writeln!(io::stderr(), "the console of server {} in {workspace}:", about.pid)?;
        let passphrase = match about.passphrase {
            true => Some(passphrase::operators()?),
            false => None,
        };
        writeln!(io::stdout(), "{}", reached.console(passphrase).await?)?;
        found = true;
    }
    match server {
        _ if found => Ok(ExitCode::SUCCESS),
        Some(pid) if seen => Err(Error::NotThat { pid }),
        Some(pid) => Err(Error::NoServer { pid }),
        None => Err(Error::NoConsole),
    }
}

/// A console that serves.
pub(super) struct Running {
    over: CancellationToken,
    serving: JoinHandle<()>,
}

impl ConsoleOptions {
    /// Listens, if it is wanted.
    pub(super) async fn bind(&self) -> Result<Option<console::Bound>, ConsoleError> {
        let Some(address) = self.console else { return Ok(None) };
        let bound = console::bind(address).await?;
        let address = bound.door().address();
        writeln!(
            io::stderr(),
            "terrarium: console at http://{address}/ (`terrarium console` prints a link)"
        )
        .ok(); // nowhere left to say it
        Ok(Some(bound))
    }
}

impl Running {
    /// Serves from now on.
    pub(super) fn start(bound: console::Bound, desk: Desk, metrics: Arc<Metrics>) -> Self {
        let over = CancellationToken::new();
        let until = over.clone();
        let serving = tokio::spawn(async move { bound.serve(desk, &metrics, until).await });
        Self { over, serving }
    }

    /// Ends it.
    pub(super) async fn end(self) {
        self.over.cancel();
        tokio::time::timeout(FAREWELL, self.serving).await.ok(); // it ends with the runtime
    }
}
