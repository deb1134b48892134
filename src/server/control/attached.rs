//! The operator's end of a session that is watched.

use std::io;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::reach::ReachError;
use super::{Attach, Picture, REQUEST, RESPONSE, Request, Response, Running, Typed, receive, send};

/// Most bytes that are typed in one message.
pub const TYPED: usize = 2048;

/// How a session is to be watched.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Columns and rows of what it is shown on.
    pub size: (u16, u16),
    /// Whether what is typed reaches it.
    pub write: bool,
}

/// A session that is watched.
#[derive(Debug)]
pub struct Attached {
    /// What it shows.
    pub pictures: Pictures,
    /// What it is told.
    pub keyboard: Keyboard,
}

/// What a session shows, picture by picture.
#[derive(Debug)]
pub struct Pictures(OwnedReadHalf);

/// What is typed into it, and how large its watcher is.
#[derive(Debug)]
pub struct Keyboard(OwnedWriteHalf);

pub(super) async fn attach(
    mut stream: UnixStream,
    running: &Running,
    manner: &Manner,
    passphrase: Option<String>,
) -> io::Result<Attached> {
    let (columns, rows) = manner.size;
    let request = Request::Attach(Attach {
        session: running.session.clone(),
        columns,
        rows,
        write: manner.write,
        passphrase,
    });
    send(&mut stream, &request, REQUEST).await?;
    let (from, to) = stream.into_split();
    Ok(Attached {
        pictures: Pictures(from),
        keyboard: Keyboard(to),
    })
}

impl Pictures {
    /// The next one; none when the server is gone. Not cancel-safe: once begun it is to be waited for.
    pub async fn next(&mut self) -> Result<Option<Picture>, ReachError> {
        match receive(&mut self.0, RESPONSE).await {
            Ok(Some(Response::Picture(picture))) => Ok(Some(picture)),
            Ok(Some(Response::Refused(why))) => Err(ReachError::Refused(why)),
            Ok(Some(_)) => Err(ReachError::Answer),
            Ok(None) | Err(_) => Ok(None),
        }
    }
}

impl Keyboard {
    /// Types, at most [`TYPED`] bytes at a time.
    pub async fn type_in(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(TYPED) {
            send(&mut self.0, &Request::Type(Typed(piece.to_vec())), REQUEST).await?;
        }
        Ok(())
    }

    /// The watcher has another size.
    pub async fn resize(&mut self, (columns, rows): (u16, u16)) -> io::Result<()> {
        send(&mut self.0, &Request::Resize { columns, rows }, REQUEST).await
    }
}
