//! The operator's end of the control socket.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use tokio::net::UnixStream;

use super::attached::{self, Attached, Manner};
use super::{About, Asked, Hello, REQUEST, RESPONSE, Request, Response, Running, VERSION, receive, send};

/// How long a server may take to answer when it is spoken to. One that is stopped never does, and must not keep the
/// operator from the others.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that was reached.
#[derive(Debug)]
pub struct Reached {
    stream: UnixStream,
    /// What it says of itself.
    pub about: About,
}

/// Why a server cannot be talked with.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The connection fails.
    #[error("cannot talk with the server at {}", socket.display())]
    Talk {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not answer.
    #[error(
        "the server at {} does not answer within {} s; hint: is its process stopped?", socket.display(), PATIENCE.as_secs()
    )]
    Silent {
        /// Its socket.
        socket: PathBuf,
    },
    /// It says no.
    #[error("{0}")]
    Refused(String),
    /// It says something else than was asked for.
    #[error("the server answers with something else; hint: use the terrarium that it was started from")]
    Answer,
}

/// Whether the server that made this file lives: it holds a lock on it.
pub(super) fn is_live(secret: &Path) -> bool {
    File::open(secret).is_ok_and(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// What leads to each server of this user that lives.
pub fn live(directory: &Path) -> Vec<PathBuf> {
    let mut secrets: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == "key") && is_live(path))
        .collect();
    secrets.sort();
    secrets
}

/// The server that `secret` leads to.
pub async fn reach(secret: &Path) -> Result<Reached, ReachError> {
    let answered = tokio::time::timeout(PATIENCE, greet(secret)).await;
    answered.unwrap_or_else(|_| {
        Err(ReachError::Silent {
            socket: secret.with_extension("sock"),
        })
    })
}

async fn greet(secret: &Path) -> Result<Reached, ReachError> {
    let socket = secret.with_extension("sock");
    let talk = |source| ReachError::Talk {
        socket: socket.clone(),
        source,
    };
    let secret = fs::read_to_string(secret).map_err(talk)?;
    let mut stream = UnixStream::connect(&socket).await.map_err(talk)?;
    let version = VERSION;
    send(&mut stream, &Hello { version, secret }, REQUEST)
        .await
        .map_err(talk)?;
    match receive(&mut stream, RESPONSE).await.map_err(talk)? {
        Some(Response::Welcome(about)) => Ok(Reached { stream, about }),
        Some(Response::Refused(why)) => Err(ReachError::Refused(why)),
        _ => Err(ReachError::Answer),
    }
}

impl Reached {
    /// Its questions.
    pub async fn questions(&mut self) -> Result<Vec<Asked>, ReachError> {
        self.ask(&Request::Questions).await?;
        self.news().await
    }

    /// From now on [`Self::news`] gives its questions whenever they change.
    pub async fn watch(&mut self) -> Result<(), ReachError> {
        self.ask(&Request::Watch).await
    }

    /// The questions that it tells of next.
    pub async fn news(&mut self) -> Result<Vec<Asked>, ReachError> {
        match self.answer().await? {
            Response::Questions(asked) => Ok(asked),
            Response::Refused(why) => Err(ReachError::Refused(why)),
            _ => Err(ReachError::Answer),
        }
    }

    /// All of what a question asks for.
    pub async fn whole(&mut self, asked: &Asked) -> Result<String, ReachError> {
        let question = asked.id.clone();
        self.ask(&Request::Whole { question }).await?;
        let mut whole = String::new();
        loop {
            match self.answer().await? {
                Response::Part { text, more } => {
                    whole.push_str(&text);
                    if !more {
                        return Ok(whole);
                    }
                }
                Response::Refused(why) => return Err(ReachError::Refused(why)),
                _ => return Err(ReachError::Answer),
            }
        }
    }

    /// Its sessions.
    pub async fn sessions(&mut self) -> Result<Vec<Running>, ReachError> {
        self.ask(&Request::Sessions).await?;
        match self.answer().await? {
            Response::Sessions(sessions) => Ok(sessions),
            Response::Refused(why) => Err(ReachError::Refused(why)),
            _ => Err(ReachError::Answer),
        }
    }

    /// Watches one of them. Whether that is refused shows when its first picture is waited for.
    pub async fn attach(
        self,
        running: &Running,
        manner: &Manner,
        passphrase: Option<String>,
    ) -> Result<Attached, ReachError> {
        let peer = self.stream.peer_addr().ok();
        let socket = peer.and_then(|peer| Some(peer.as_pathname()?.to_owned()));
        let attached = attached::attach(self.stream, running, manner, passphrase).await;
        attached.map_err(|source| ReachError::Talk {
            socket: socket.unwrap_or_default(),
            source,
        })
    }

    /// Says yes or no to a question as it was shown.
    pub async fn say(&mut self, asked: &Asked, yes: bool, passphrase: Option<String>) -> Result<(), ReachError> {
        let request = Request::Answer {
            question: asked.id.clone(),
            action: asked.action.clone(),
            yes,
            passphrase,
        };
        self.ask(&request).await?;
        match self.answer().await? {
            Response::Done => Ok(()),
            Response::Refused(why) => Err(ReachError::Refused(why)),
            _ => Err(ReachError::Answer),
        }
    }

    /// A link that lets one browser into its console.
    pub async fn console(&mut self, passphrase: Option<String>) -> Result<String, ReachError> {
        self.ask(&Request::Console { passphrase }).await?;
        match self.answer().await? {
            Response::Link(link) => Ok(link),
            Response::Refused(why) => Err(ReachError::Refused(why)),
            _ => Err(ReachError::Answer),
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<(), ReachError> {
        let sent = send(&mut self.stream, request, REQUEST).await;
        sent.map_err(|source| self.broken(source))
    }

    async fn answer(&mut self) -> Result<Response, ReachError> {
        match receive(&mut self.stream, RESPONSE).await {
            Ok(Some(response)) => Ok(response),
            Ok(None) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Err(source) => Err(self.broken(source)),
        }
    }

    fn broken(&self, source: io::Error) -> ReachError {
        let peer = self.stream.peer_addr().ok();
        let socket = peer.and_then(|peer| Some(peer.as_pathname()?.to_owned()));
        ReachError::Talk {
            socket: socket.unwrap_or_default(),
            source,
        }
    }
}
