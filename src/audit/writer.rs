//! Writes lines: each in one write(2) to a file opened for appending, complete before the act that it tells of.
//!
//! Whatever fails makes the line not written: what arrived of it is cut off again, or, if that cannot be, told of in
//! the next line. Nothing is given up for good: the next line tries again from the state that the files are in.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::chain::{self, Hash};
use super::files::{self, Name, Stop};
use super::record::{Event, Line, TEXT, VERSION};
use super::redact::Redactor;
use super::settings::Settings;
use super::sync::{Synced, Syncer, Ticket};
use super::tally;
use crate::kernel::own_file;
use crate::model::InstanceId;

/// Closing lines that are kept to be written later. More are lost, which the line that comes next says.
const LATE: usize = 1024;

/// Why a line is not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit in {}", directory.display())]
pub struct WriteError {
    /// Where.
    pub directory: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Writes the lines of one process.
#[derive(Debug)]
pub(super) struct Writer {
    settings: Settings,
    instance: InstanceId,
    redactor: Redactor,
    syncer: Syncer,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// The file that was removed or renamed while we wrote to it, and its last hash.
    gone: Option<(Name, Hash)>,
    /// The directory was there once: if it is not now, somebody took it away.
    made: bool,
    late: VecDeque<Line<'static>>,
    lost: u64,
    buffer: Vec<u8>,
}

/// The file that is written to.
#[derive(Debug)]
struct Open {
    synced: Arc<Synced>,
    path: PathBuf,
    name: Name,
    length: u64,
    n: u64,
    head: Hash,
    distrusted: bool,
}

impl Writer {
    pub(super) fn new(settings: Settings, instance: InstanceId, redactor: Redactor) -> Self {
        Self {
            settings,
            instance,
            redactor,
            syncer: Syncer::default(),
            state: Mutex::default(),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Writes a line. With `durable` the ticket tells when it is on the disk.
    pub(super) fn write(&self, line: &Line<'_>, durable: bool) -> Result<Option<Ticket>, WriteError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        self.try_write(state, line, durable)
            .map_err(|source| self.failed(source))
    }

    /// Writes a line about what has happened already. If that fails it is kept, and goes before the next one.
    pub(super) fn write_or_keep(&self, line: &Line<'_>, durable: bool) -> Result<Option<Ticket>, WriteError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        self.try_write(state, line, durable).map_err(|source| {
            match line.to_owned_line().filter(|_| state.late.len() < LATE) {
                Some(line) => state.late.push_back(Line { late: true, ..line }),
                None => state.lost += 1,
            }
            self.failed(source)
        })
    }

    /// A file whose sync failed may have lost lines: the chain goes on in another.
    pub(super) fn distrust(&self, source: io::Error) -> WriteError {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &mut state.open {
            open.distrusted = true;
        }
        self.failed(source)
    }

    /// The head of the chain: its file, the position of the last line, and its hash.
    pub(super) fn head(&self) -> Option<(Name, u64, Hash)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open.as_ref().map(|open| (open.name, open.n, open.head))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        tally::failed();
        WriteError {
            directory: self.settings.directory.clone(),
            source,
        }
    }

    fn try_write(&self, state: &mut State, line: &Line<'_>, durable: bool) -> io::Result<Option<Ticket>> {
        self.be_ready(state)?;
        while let Some(late) = state.late.front() {
            let late = late.clone();
            self.append(state, &late)?;
            state.late.pop_front();
        }
        if state.lost > 0 {
            let why = format!(
                "{} closing records were lost while the audit could not be written",
                state.lost
            );
            let alert = Line {
                event: Event::Alert,
                why: Some(why.into()),
                ..Line::default()
            };
            self.append(state, &alert)?;
            state.lost = 0;
        }
        self.append(state, line)?;
        match &state.open {
            Some(open) if durable => self.syncer.ask(&open.synced).map(Some),
            _ => Ok(None),
        }
    }

    /// Opens a file if there is none, checks that the one there is still is in its place, and turns to another
    /// when it is full.
    fn be_ready(&self, state: &mut State) -> io::Result<()> {
        if let Some(open) = &state.open
            && !files::is(&open.synced.file, &open.path)
        {
            state.gone = Some((open.name, open.head));
            state.open = None;
            // This line is refused, so that somebody sees it; the next one goes to another file.
            own_file::check_directory(&self.settings.directory)?;
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "its file was removed or renamed",
            ));
        }
        let full = |open: &Open| open.length >= self.settings.rotate || open.distrusted;
        match &state.open {
            None => self.open(state),
            Some(open) if full(open) => self.rotate(state),
            Some(_) => Ok(()),
        }
    }

    /// Goes on with a chain that nobody holds, or begins one.
    fn open(&self, state: &mut State) -> io::Result<()> {
        let directory = &self.settings.directory;
        if state.made {
            own_file::check_directory(directory)?;
        } else {
            own_file::make_directory(directory)?;
            state.made = true;
        }
        let (name, file, stop) = match self.adopt()? {
            Some(found) => found,
            None => {
                let mut chain = [0; 8];
                getrandom::fill(&mut chain).map_err(io::Error::other)?;
                let name = Name {
                    chain: u64::from_le_bytes(chain),
                    number: 1,
                };
                (name, files::create(&directory.join(name.to_string()))?, Stop::default())
            }
        };
        self.begin(state, name, file, stop)?;
        state.gone = None;
        self.retire(state)
    }

    /// The chain that was written to last, of those that nobody holds.
    fn adopt(&self) -> io::Result<Option<(Name, File, Stop)>> {
        let all = files::list(&self.settings.directory)?;
        let is_last = |name: Name| {
            all.iter()
                .all(|other| other.name.chain != name.chain || other.name <= name)
        };
        let mut last: Vec<_> = all.iter().filter(|found| is_last(found.name)).collect();
        last.sort_by_key(|found| std::cmp::Reverse(found.modified));
        for found in last {
            let Some(file) = files::lock(&found.path) else { continue };
            let path = |name: Name| self.settings.directory.join(name.to_string());
            if path(found.name.next()).exists() {
                continue; // it was rotated just now
            }
            let Some(mut stop) = files::stop(&file)? else { continue };
            if stop.n == 0
                && let Some(before) = found.name.before()
                && let Ok(before) = File::open(path(before))
            {
                // It ended before the first line of a new file was whole.
                let Some(end) = files::stop(&before)? else { continue };
                stop = Stop { torn: stop.torn, ..end };
            }
            return Ok(Some((found.name, file, stop)));
        }
        Ok(None)
    }

    /// Writes the first line of ours to a file.
    fn begin(&self, state: &mut State, name: Name, file: File, stop: Stop) -> io::Result<()> {
        let directory = self.settings.directory.clone();
        let open = Open {
            path: directory.join(name.to_string()),
            length: file.metadata()?.len(),
            synced: Arc::new(Synced::new(file, directory)),
            name,
            n: stop.n,
            head: stop.head,
            distrusted: false,
        };
        state.open = Some(open);
        let gone = state.gone;
        let first = Line {
            event: Event::Opened,
            pid: Some(std::process::id()),
            uid: Some(rustix::process::geteuid().as_raw()),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            torn: stop.torn,
            file: gone.map(|(name, _)| name.to_string().into()),
            head: gone.map(|(_, head)| head.digits().into()),
            ..Line::default()
        };
        let begun = self.append(state, &first);
        if begun.is_err() {
            state.open = None; // and with it the lock
        }
        begun
    }

    fn rotate(&self, state: &mut State) -> io::Result<()> {
        let Some(open) = &state.open else { return Ok(()) };
        let next = open.name.next();
        let path = self.settings.directory.join(next.to_string());
        let file = files::create(&path)?;
        let last = Line {
            event: Event::Rotated,
            file: Some(next.to_string().into()),
            ..Line::default()
        };
        if let Err(error) = self.append(state, &last) {
            std::fs::remove_file(&path)?;
            return Err(error);
        }
        let Some(open) = &state.open else { return Ok(()) };
        let stop = Stop {
            n: open.n,
            head: open.head,
            torn: None,
        };
        self.begin(state, next, file, stop)?;
        self.retire(state)
    }

    /// Removes files that are too old or too many, oldest first and each on record before; never one that a
    /// process holds.
    fn retire(&self, state: &mut State) -> io::Result<()> {
        let mut all = files::list(&self.settings.directory)?;
        all.sort_by_key(|found| found.modified);
        let mut total: u64 = all.iter().map(|found| found.bytes).sum();
        let now = SystemTime::now();
        for found in all {
            let age = now.duration_since(found.modified).unwrap_or_default();
            if total <= self.settings.keep_bytes && age <= self.settings.keep_age {
                break;
            }
            let Some(held) = files::lock(&found.path) else { continue };
            let head = files::stop(&held)?.unwrap_or_default().head;
            let line = Line {
                event: Event::Retired,
                file: Some(found.name.to_string().into()),
                head: Some(head.digits().into()),
                ..Line::default()
            };
            self.append(state, &line)?;
            std::fs::remove_file(&found.path)?;
            total = total.saturating_sub(found.bytes);
        }
        Ok(())
    }

    /// One line, one write.
    fn append(&self, state: &mut State, line: &Line<'_>) -> io::Result<()> {
        let Some(open) = &mut state.open else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut line = Line {
            v: VERSION,
            n: open.n + 1,
            time: now().into(),
            instance: self.instance.to_string().into(),
            prev: open.head.digits().into(),
            ..line.clone()
        };
        for text in line.texts() {
            if let std::borrow::Cow::Owned(clean) = self.redactor.clean(text) {
                *text = clean.into();
            }
            if text.len() > TEXT {
                let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at));
                let cut = text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned();
                *text = cut.into();
            }
        }
        let buffer = &mut state.buffer;
        buffer.clear();
        if line.torn.is_some() {
            buffer.push(b'\n'); // ends the line that was torn
        }
        let head = chain::seal(&line, buffer)?;
        match write_all(&open.synced.file, buffer) {
            Ok(()) => {
                open.length += u64::try_from(buffer.len()).unwrap_or_default();
                open.n = line.n;
                open.head = head;
                tally::written();
                Ok(())
            }
            Err(error) => {
                // The next line comes in the place of this one, or tells of it.
                if open.synced.file.set_len(open.length).is_err() {
                    state.open = None;
                }
                Err(error)
            }
        }
    }
}

/// One write. Where the kernel takes only a part of it, a second one says why, or brings the rest.
fn write_all(mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::StorageFull.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The time as it stands in records (UTC, RFC 3339, microseconds).
pub fn now() -> String {
    chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
