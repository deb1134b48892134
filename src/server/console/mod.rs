//! The operator's console: a page on a port of its own where a person watches sessions and decides.
//!
//! Whoever opens a link from `terrarium console` is the operator. There are no cookies, as browsers send them to every
//! port of a host: a one-time code in the link's fragment is exchanged for a token that the page sends with each
//! request. What sandboxes and callers wrote leaves here as JSON strings only, and the page shows it as text.

mod about;
mod access;
mod acts;
mod answer;
mod decide;
mod feed;
mod news;
mod page;
mod picture;
mod taken;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::confirm::passphrase::Checker;
use crate::server::http::Metrics;
use crate::server::web::connection::{self, Bounds};
use crate::server::web::counts::Counts;
use crate::server::web::doors::{Doors, INTRODUCTION, Visitor};
use crate::server::web::hosts::Allowed;
use crate::server::web::listen;
use crate::tools::Services;
use access::Access;
use taken::Taken;

/// Browsers that may watch at a time. Each looks at every screen.
const WATCHERS: usize = 8;
/// What answers get to leave once we are told to end.
const CLOSE: Duration = Duration::from_millis(100);

/// Why there is no console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Others could reach it.
    #[error(
        "the console is for this machine only, and {address} can be reached from others; hint: listen on 127.0.0.1, and \
         from another machine go through ssh -L"
    )]
    Exposed {
        /// Where.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address} for the console; hint: leave the address out for a port that is free")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Says nothing of what callers have.
impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

/// A console that listens and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    door: Door,
}

/// Lets operators in. Clones let them into the same console.
#[derive(Clone, Debug)]
pub struct Door {
    address: SocketAddr,
    access: Arc<Access>,
}

/// What the operator acts on.
#[derive(Clone)]
pub struct Desk {
    /// Everything that callers use.
    pub services: Arc<Services>,
    /// What a yes needs.
    pub passphrase: Arc<Checker>,
    /// The server's user.
    pub uid: u32,
}

/// What every request may need.
struct Console {
    desk: Desk,
    access: Arc<Access>,
    allowed: Allowed,
    counts: Counts,
    watchers: Arc<Semaphore>,
    taken: Taken,
    over: CancellationToken,
}

/// Listens on a loopback address; port 0 lets the kernel choose.
pub async fn bind(address: SocketAddr) -> Result<Bound, ConsoleError> {
    if !address.ip().is_loopback() {
        return Err(ConsoleError::Exposed { address });
    }
    let failed = |source| ConsoleError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let access = Arc::default();
    Ok(Bound {
        listener,
        door: Door { address, access },
    })
}

impl Door {
    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A link for somebody who has shown to be the operator. Good once, for a minute.
    pub fn link(&self) -> Result<String, getrandom::Error> {
        Ok(format!("http://{}/#code={}", self.address, self.access.code()?))
    }
}

impl Bound {
    /// What lets operators in.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Serves until `over`.
    pub async fn serve(self, desk: Desk, metrics: &Metrics, over: CancellationToken) {
        let console = Arc::new(Console {
            desk,
            access: self.door.access,
            allowed: Allowed::new(self.door.address, &[], false, false),
            counts: metrics.console.clone(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            taken: Taken::default(),
            over: over.clone(),
        });
        let doors = Doors::new(false, console.counts.clone());
        let connections = TaskTracker::new();
        let serve = |stream, visitor| attend(Arc::clone(&console), stream, visitor);
        tokio::select! {
            () = listen::accept(&self.listener, &doors, &connections, serve) => {}
            () = over.cancelled() => {}
        }
        connections.close();
        tokio::time::timeout(CLOSE, connections.wait()).await.ok(); // who does not read is cut off
        console.give_all_back().await;
    }
}

/// Serves a connection to its end.
async fn attend(console: Arc<Console>, stream: TcpStream, visitor: Arc<Visitor>) {
    let bounds = Bounds {
        visitor: &visitor,
        introduced_by: Instant::now() + INTRODUCTION,
        closing: &console.over,
        counts: &console.counts,
    };
    let answer = |request| {
        let (console, visitor) = (Arc::clone(&console), Arc::clone(&visitor));
        async move { console.answer(&visitor, request).await }
    };
    connection::speak(stream, bounds, answer).await;
}
