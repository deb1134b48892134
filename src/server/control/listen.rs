//! The server's end of the control socket.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustix::fs::FlockOperation;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::AbortHandle;

use super::{About, Files, Hello, PART, REQUEST, RESPONSE, Request, Response, SECRET, VERSION, receive, send};
use crate::confirm::passphrase::Checker;
use crate::confirm::{Answer, Unanswerable};
use crate::kernel::own_file;
use crate::model::QuestionId;
use crate::policy::{Channel, Digest};
use crate::server::console::Door;
use crate::tools::Services;

/// How long a peer may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// How long the socket waits after a peer that it could not take.
const AGAIN: Duration = Duration::from_millis(100);
/// Peers that have not said it yet. One more drops the oldest, so that nobody can keep the operator out.
const STRANGERS: usize = 32;
/// Operators at a time.
const OPERATORS: usize = 32;

/// The socket, until it is dropped.
#[derive(Debug)]
pub struct Control {
    socket: std::path::PathBuf,
    secret: std::path::PathBuf,
    accepting: AbortHandle,
    _lock: File,
}

/// What operators reach.
pub(super) struct Desk {
    pub(super) services: Arc<Services>,
    about: About,
    secret: Digest,
    passphrase: Arc<Checker>,
    console: Option<Door>,
    operators: Semaphore,
}

/// Listens in this directory. From then on the operator can be asked.
pub fn listen(
    directory: &Path,
    services: &Arc<Services>,
    about: About,
    passphrase: Arc<Checker>,
    console: Option<Door>,
) -> io::Result<Control> {
    prepare(directory)?;
    let mut secret = [0; SECRET];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    let secret = HEXLOWER.encode(&secret);
    services.confirm.hide(&secret).map_err(io::Error::other)?;
    let files = Files::of(directory, about.instance.get(..16).unwrap_or(&about.instance));
    let (lock, listener) = open(&files, &secret).inspect_err(|_| {
        for file in [&files.socket, &files.secret, &files.secret.with_extension("new")] {
            fs::remove_file(file).ok(); // the error that is given says what is wrong
        }
    })?;
    let desk = Arc::new(Desk {
        services: Arc::clone(services),
        about,
        secret: Digest::of(secret.as_bytes()),
        passphrase,
        console,
        operators: Semaphore::new(OPERATORS),
    });
    let accepting = tokio::spawn(accept(listener, desk)).abort_handle();
    services.confirm.operator_listens();
    Ok(Control {
        socket: files.socket,
        secret: files.secret,
        accepting,
        _lock: lock,
    })
}

/// Puts the secret in its file, locked as long as the server lives, and opens the socket.
fn open(files: &Files, secret: &str) -> io::Result<(File, UnixListener)> {
    // Locked before it has its name: whoever sweeps takes what is not locked for a dead server's.
    let new = files.secret.with_extension("new");
    let mut lock = own_file::create(&new)?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    lock.write_all(secret.as_bytes())?;
    fs::rename(&new, &files.secret)?;
    let listener = UnixListener::bind(&files.socket)?;
    fs::set_permissions(&files.socket, fs::Permissions::from_mode(0o600))?;
    Ok((lock, listener))
}

impl Drop for Control {
    fn drop(&mut self) {
        self.accepting.abort();
        for file in [&self.socket, &self.secret] {
            fs::remove_file(file).ok(); // the next server sweeps
        }
    }
}

/// Makes the directory, checks that only its user can enter, and removes what dead servers left.
fn prepare(directory: &Path) -> io::Result<()> {
    own_file::make_directory(directory)?;
    sweep(directory)
}

/// Removes what dead servers left in a directory that only its user can enter.
pub fn sweep(directory: &Path) -> io::Result<()> {
    own_file::check_directory(directory)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == "key") && !super::reach::is_live(&path) {
            fs::remove_file(&path).ok(); // another start may have been faster
            fs::remove_file(path.with_extension("sock")).ok(); // as above
        }
    }
    Ok(())
}

async fn accept(listener: UnixListener, desk: Arc<Desk>) {
    let mut strangers: VecDeque<(AbortHandle, Arc<AtomicBool>)> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                tokio::time::sleep(AGAIN).await; // most often descriptors are used up
                continue;
            }
        };
        strangers.retain(|(task, known)| !task.is_finished() && !known.load(Ordering::Relaxed));
        if strangers.len() >= STRANGERS
            && let Some((oldest, _)) = strangers.pop_front()
        {
            oldest.abort();
        }
        let known = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(attend(stream, Arc::clone(&desk), Arc::clone(&known)));
        strangers.push_back((task.abort_handle(), known));
    }
}

async fn attend(mut stream: UnixStream, desk: Arc<Desk>, known: Arc<AtomicBool>) {
    let welcomed = tokio::time::timeout(HANDSHAKE, desk.welcome(&mut stream)).await;
    let Ok(Ok(Some((by, _operator)))) = welcomed else {
        return;
    };
    known.store(true, Ordering::Relaxed);
    if let Err(error) = desk.serve(&mut stream, &by).await {
        tracing::debug!(%error, "an operator's connection ended");
    }
}

impl Desk {
    /// Who the peer is, if it may speak at all, and its place among the operators.
    async fn welcome(&self, stream: &mut UnixStream) -> io::Result<Option<(String, SemaphorePermit<'_>)>> {
        let peer = stream.peer_cred()?;
        let me = rustix::process::geteuid().as_raw();
        let Some(hello) = receive::<Hello>(stream, REQUEST).await? else {
            return Ok(None);
        };
        // Digests are compared: how long that takes says nothing of the secret.
        if (peer.uid() != me && peer.uid() != 0) || Digest::of(hello.secret.as_bytes()) != self.secret {
            tracing::warn!(
                uid = peer.uid(),
                pid = peer.pid(),
                "a stranger was at the control socket"
            );
            return Ok(None);
        }
        if hello.version != VERSION {
            let why = format!("this server speaks version {VERSION}; hint: use the terrarium that it was started from");
            send(stream, &Response::Refused(why), RESPONSE).await?;
            return Ok(None);
        }
        let Ok(place) = self.operators.try_acquire() else {
            let why = format!(
                "{OPERATORS} operators' programs are connected to this server already; hint: end one, as `terrarium approvals watch` or \
                 `terrarium attach`"
            );
            send(stream, &Response::Refused(why), RESPONSE).await?;
            return Ok(None);
        };
        send(stream, &Response::Welcome(self.about.clone()), RESPONSE).await?;
        Ok(Some((format!("operator:{}", peer.uid()), place)))
    }

    async fn serve(&self, stream: &mut UnixStream, by: &str) -> io::Result<()> {
        while let Some(request) = receive::<Request>(stream, REQUEST).await? {
            let response = match request {
                Request::Questions => self.questions(),
                Request::Watch => return self.watch(stream).await,
                Request::Whole { question } => self.whole(stream, &question).await?,
                Request::Answer {
                    question,
                    action,
                    yes,
                    passphrase,
                } => {
                    let answer = if yes { Answer::Yes } else { Answer::No };
                    match self.answer(&question, &action, answer, passphrase, by).await {
                        Ok(()) => Response::Done,
                        Err(why) => Response::Refused(why),
                    }
                }
                Request::Sessions => Response::Sessions(self.sessions().await),
                Request::Attach(attach) => return self.attach(stream, attach, by).await,
                Request::Resize { .. } | Request::Type(_) => {
                    Response::Refused("nothing is attached; hint: terrarium attach SESSION".to_owned())
                }
                Request::Console { passphrase } => match self.link(passphrase).await {
                    Ok(link) => Response::Link(link),
                    Err(why) => Response::Refused(why),
                },
            };
            send(stream, &response, RESPONSE).await?;
        }
        Ok(())
    }

    fn questions(&self) -> Response {
        Response::Questions(self.services.confirm.list().into_iter().map(Into::into).collect())
    }

    /// All of what a question asks for: sends all parts but the last, which it gives.
    async fn whole(&self, stream: &mut UnixStream, question: &str) -> io::Result<Response> {
        let confirm = self.services.confirm.clone();
        let id = QuestionId::parse(question);
        let whole = tokio::task::spawn_blocking(move || id.and_then(|id| confirm.whole(id))).await;
        let Some(whole) = whole.map_err(io::Error::other)? else {
            return Ok(Response::Refused(Unanswerable::Unknown.to_string()));
        };
        let mut rest = whole.as_str();
        loop {
            let mut end = PART.min(rest.len());
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (part, after) = rest.split_at(end);
            let (text, more) = (part.to_owned(), !after.is_empty());
            let response = Response::Part { text, more };
            if !more {
                return Ok(response);
            }
            send(stream, &response, RESPONSE).await?;
            rest = after;
        }
    }

    /// Tells of every change until the peer goes.
    async fn watch(&self, stream: &mut UnixStream) -> io::Result<()> {
        let mut changes = self.services.confirm.changes();
        loop {
            send(stream, &self.questions(), RESPONSE).await?;
            tokio::select! {
                changed = changes.changed() => changed.map_err(io::Error::other)?,
                gone = receive::<Request>(stream, REQUEST) => return gone.map(drop),
            }
        }
    }

    async fn answer(
        &self,
        question: &str,
        action: &str,
        answer: Answer,
        passphrase: Option<String>,
        by: &str,
    ) -> Result<(), String> {
        if answer == Answer::Yes {
            self.check(passphrase).await?;
        }
        let id = QuestionId::parse(question).ok_or("no question has such a number")?;
        let counted = self.services.confirm.answer(id, action, answer, Channel::Operator, by);
        let heard = counted.map_err(|error| error.to_string())?;
        heard.note(&self.services.audit, answer, id, by).await;
        Ok(())
    }

    /// Checks the passphrase, where there is one.
    pub(super) async fn check(&self, passphrase: Option<String>) -> Result<(), String> {
        let checked = self
            .passphrase
            .check(passphrase, &self.services.audit, "the control socket")
            .await;
        checked.map_err(|error| error.to_string())
    }

    /// A link into the console, for whoever is the operator.
    async fn link(&self, passphrase: Option<String>) -> Result<String, String> {
        let console = self.console.as_ref();
        let console = console.ok_or("this server has no console; hint: start it with --console")?;
        self.check(passphrase).await?;
        console.link().map_err(|error| error.to_string())
    }
}
