//! The record of what was asked, decided and done, each before the next happens.
//!
//! An [`Entry`] goes through a call with it. Arguments are recorded as a digest and a size. What is decided is the
//! business of [`crate::policy`]; how lines reach the disk is that of `writer`.

mod anchor;
mod chain;
mod entry;
mod files;
pub mod follow;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod key;
mod lines;
pub mod read;
mod record;
pub mod redact;
mod settings;
mod sync;
mod tally;
#[cfg(test)]
mod tests;
mod writer;

pub use anchor::{Anchor, To};
pub use chain::{Hash, LineError};
pub use entry::{Closing, Decision, Entry};
pub use record::{CallId, Event, Facts, Line, Outcome, VERSION};
pub use redact::Redactor;
pub use settings::{Settings, SyncMode};
pub use writer::{WriteError, now};

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::kernel::own_file;
use crate::model::InstanceId;
use crate::policy::Caller;
use key::{Digest, Key};
use sync::Ticket;
use writer::Writer;

/// Writes records.
#[derive(Debug)]
pub struct Audit {
    instance: InstanceId,
    next: AtomicU64,
    redactor: Redactor,
    files: Option<Files>,
}

/// What records to files need.
#[derive(Debug)]
struct Files {
    writer: Arc<Writer>,
    key: OnceLock<Key>,
    anchor: Option<anchor::Anchoring>,
}

/// Why a call cannot go on: nothing happens without a record.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The record cannot be written.
    #[error("nothing is done without an audit record: {}; hint: {}", chain_of(cause), hint(&cause.source))]
    Write {
        /// Why. It is in the message already.
        cause: Box<WriteError>,
    },
}

impl Audit {
    /// Records to the log only.
    pub fn to_log(instance: InstanceId) -> Self {
        Self {
            instance,
            next: AtomicU64::new(1),
            redactor: Redactor::default(),
            files: None,
        }
    }

    /// Records to files, from the first record on, and to the log. Secrets that the redactor knows stand in neither.
    ///
    /// Within a runtime of tokio a file that reaches the limit of this process on file sizes gives an error instead
    /// of ending the process.
    pub fn to_files(instance: InstanceId, settings: Settings, redactor: Redactor, anchor: Option<Anchor>) -> Self {
        survive_the_limit_on_file_sizes();
        let writer = Arc::new(Writer::new(settings, instance, redactor.clone()));
        Self {
            files: Some(Files {
                anchor: anchor.map(|anchor| anchor::Anchoring::start(anchor, &writer)),
                key: OnceLock::new(),
                writer,
            }),
            redactor,
            ..Self::to_log(instance)
        }
    }

    /// The server that this is the record of.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// What takes secrets out of text.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Somebody asks for something. `tool` is what the caller wrote.
    pub async fn asked(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Entry<'_>, AuditError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut entry = Entry {
            audit: self,
            call: CallId::new(self.instance, number),
            caller: caller.clone(),
            tool: tool.chars().take(64).collect(),
            policy: None,
            durable: false,
            open: false,
        };
        let digest = self.digest(arguments)?;
        let line = Line {
            event: Event::Asked,
            argument_bytes: digest.as_ref().map(|digest| digest.bytes),
            digest: digest.map(|digest| digest.hex.into()),
            ..entry.line()
        };
        self.write(&line, self.each()).await?;
        entry.open = true;
        Ok(entry)
    }

    /// Where the files are, if there are any.
    pub fn directory(&self) -> Option<&Path> {
        let files = self.files.as_ref()?;
        Some(&files.writer.settings().directory)
    }

    /// Records something that is not about one call: an alert, a lockdown, another policy.
    pub async fn note(&self, event: Event, by: &str, why: &str) -> Result<(), AuditError> {
        let line = Line {
            event,
            by: Some(by.into()),
            why: Some(why.into()),
            ..Line::default()
        };
        self.write(&line, self.each()).await
    }

    /// Records that the operator types into a session of a caller's, or no longer does.
    pub async fn note_session(
        &self,
        event: Event,
        by: &str,
        caller: &Caller,
        session: &str,
        why: &str,
    ) -> Result<(), AuditError> {
        let line = Line {
            event,
            by: Some(by.into()),
            caller: Some(caller.to_string().into()),
            session: Some(session.into()),
            why: Some(why.into()),
            ..Line::default()
        };
        self.write(&line, self.each()).await
    }

    /// The last record: no more are written by this process.
    pub fn end(&self) {
        let Some(files) = &self.files else { return };
        if files.writer.head().is_none() {
            return; // nothing was ever written
        }
        let line = Line {
            event: Event::Ended,
            ..Line::default()
        };
        if let Err(error) = files.writer.write(&line, false) {
            tracing::error!(target: "audit", %error, "the last record is lost");
        }
        if let Some(anchor) = &files.anchor {
            anchor.now();
        }
    }

    fn digest(&self, arguments: &Map<String, Value>) -> Result<Option<Digest>, AuditError> {
        let Some(files) = &self.files else { return Ok(None) };
        let key = match files.key.get() {
            Some(key) => key,
            None => {
                let directory = &files.writer.settings().directory;
                let read = own_file::make_directory(directory)
                    .map_err(io::Error::from)
                    .and_then(|()| files::key(directory));
                let bytes = read.map_err(|source| WriteError {
                    directory: directory.clone(),
                    source,
                })?;
                files.key.get_or_init(|| Key::new(&bytes))
            }
        };
        Ok(Some(key.digest(arguments)))
    }

    async fn write(&self, line: &Line<'_>, durable: bool) -> Result<(), AuditError> {
        line.log();
        let Some(files) = &self.files else { return Ok(()) };
        let ticket = files.writer.write(line, durable)?;
        files.settle(ticket).await
    }

    /// Whether every record waits for the disk.
    fn each(&self) -> bool {
        self.mode() == SyncMode::Every
    }

    fn mode(&self) -> SyncMode {
        self.files
            .as_ref()
            .map(|files| files.writer.settings().sync)
            .unwrap_or_default()
    }
}

impl Files {
    /// Waits for the disk, if that was asked for.
    async fn settle(&self, ticket: Option<Ticket>) -> Result<(), AuditError> {
        let Some(ticket) = ticket else { return Ok(()) };
        match ticket.await.map_err(io::Error::other) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) | Err(error) => Err(self.writer.distrust(error).into()),
        }
    }
}

impl From<WriteError> for AuditError {
    fn from(source: WriteError) -> Self {
        Self::Write {
            cause: Box::new(source),
        }
    }
}

/// An error and its cause.
fn chain_of(error: &WriteError) -> String {
    format!("{error}: {}", error.source)
}

/// What to do about it; calls go on by themselves once it is done.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space on its file system",
        io::ErrorKind::FileTooLarge => "raise the limit on file sizes (ulimit -f) of the server",
        io::ErrorKind::NotFound => "put the directory back, closed to others (mkdir -m 700)",
        io::ErrorKind::PermissionDenied => "it must be the server's own, and closed to others",
        io::ErrorKind::ReadOnlyFilesystem => "make its file system writable, or choose another audit.path",
        _ => "see that its file system works, or choose another audit.path",
    }
}

/// SIGXFSZ ends a process that does not listen to it.
fn survive_the_limit_on_file_sizes() {
    if tokio::runtime::Handle::try_current().is_ok() {
        let number = rustix::process::Signal::XFSZ.as_raw();
        let listening = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(number));
        if let Err(error) = listening {
            tracing::warn!(%error, "a file that is too large would end the server");
        }
    }
}
