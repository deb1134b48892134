//! `terrarium audit`: verifies the record, shows it, follows it, hands it on.
//!
//! It reads only. What it prints was checked line by line; texts that callers wrote are escaped.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rustix::fs::inotify;

use super::place::ConfigOption;
use super::record;
use crate::audit::Line;
use crate::audit::follow::{self, Follow};
use crate::audit::read::{self, Anchored};
use crate::config::{Config, ConfigError};
use crate::model::plain::plain_json;

/// Bytes of a line with an anchor; those that we write are far shorter.
const MAX_ANCHOR: u64 = 4096;
/// Anchors that are compared: one each second for three months, one each minute for 19 years.
const MAX_ANCHORS: usize = 10_000_000;

/// Looks at the record of what was asked, decided and done.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium audit verify
  terrarium audit tail --follow
  terrarium audit export --json > record.jsonl")]
pub(super) struct AuditCommand {
    /// The directory of the record. Default: the configuration's, else `audit` in `$XDG_STATE_HOME/terrarium`.
    #[arg(long, value_name = "DIR", global = true)]
    path: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Whether lines were changed, taken out, moved or, against anchors, cut off. Ends with 1 if so.
    #[command(after_help = "Example:\n  journalctl -t terrarium-audit -o cat | terrarium audit verify --anchors -")]
    Verify {
        /// Lines with anchors, as `journalctl -t terrarium-audit -o cat` prints them; - is standard input.
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// The last lines.
    #[command(after_help = "Example:\n  terrarium audit tail -n 100 --follow")]
    Tail {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
        /// Goes on with what is written from now on.
        #[arg(short, long)]
        follow: bool,
        /// As they are written.
        #[arg(long)]
        json: bool,
    },
    /// Everything about one call, question or session.
    #[command(after_help = "Example:\n  terrarium audit show 3f9a1c02-7")]
    Show {
        /// Its number, as `tail` shows it.
        id: String,
        /// As it is written.
        #[arg(long)]
        json: bool,
    },
    /// All lines, oldest file first.
    #[command(after_help = "Example:\n  terrarium audit export --json > record.jsonl")]
    Export {
        /// As they are written, which is what `verify` can check elsewhere.
        #[arg(long)]
        json: bool,
    },
}

/// Why the record cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot tell where the record is, which --path DIR would name")]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Record(#[from] record::Error),
    #[error("cannot read the audit in {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no record in {}; hint: terrarium config show says where it is, --path names another", path.display())]
    Nothing { path: PathBuf },
    #[error("cannot read the anchors in {}", path.display())]
    Anchors {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}:{line}: no anchor; hint: journalctl -t terrarium-audit -o cat prints them", path.display())]
    NotAnAnchor { path: PathBuf, line: usize },
    #[error("{} holds more than {MAX_ANCHORS} anchors; hint: give those of the last years only", path.display())]
    TooManyAnchors { path: PathBuf },
    #[error("no anchors in {}; hint: journalctl -t terrarium-audit -o cat prints them", path.display())]
    NoAnchors { path: PathBuf },
    #[error("no record of {id:?}; hint: terrarium audit tail shows the numbers")]
    Unknown { id: String },
    #[error(
        "cannot watch the record; hint: leave out --follow, or end what uses up this user's inotify instances and watches"
    )]
    Watch(#[source] io::Error),
    #[error("cannot write")]
    Write(#[from] io::Error),
}

impl AuditCommand {
    fn directory(&self) -> Result<PathBuf, Error> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let kept = Config::find_audit(self.config.path.as_deref())?;
        Ok(kept.path.or_else(record::usual).ok_or(record::Error::Nowhere)?)
    }
}

pub(super) fn run(command: AuditCommand) -> Result<ExitCode, Error> {
    let directory = command.directory()?;
    match command.action {
        Action::Verify { anchors, json } => verify(&directory, anchors.as_deref(), json),
        Action::Tail { lines, follow, json } => tail(&directory, lines, follow, json),
        Action::Show { id, json } => show(&directory, &id, json),
        Action::Export { json } => export(&directory, json),
    }
}

fn verify(directory: &Path, anchors: Option<&Path>, json: bool) -> Result<ExitCode, Error> {
    let anchors = match anchors {
        None => Vec::new(),
        Some(path) => read_anchors(path)?,
    };
    let report = read::verify(directory, &anchors).map_err(|source| unreadable(directory, source))?;
    if report.files == 0 && report.wrong.is_empty() {
        let path = directory.to_owned();
        return Err(Error::Nothing { path });
    }
    let code = ExitCode::from(u8::from(!report.wrong.is_empty()));
    let wrong: Vec<String> = report.wrong.iter().map(ToString::to_string).collect();
    let torn: Vec<String> = report
        .torn
        .iter()
        .map(|(file, at)| format!("{file}, byte {at}"))
        .collect();
    let mut out = io::stdout().lock();
    if json {
        let report = serde_json::json!({
            "intact": wrong.is_empty(), "files": report.files, "lines": report.lines, "anchors": anchors.len(),
            "anchors_found": report.anchors, "torn": torn, "wrong": wrong,
        });
        writeln!(out, "{}", plain_json(&report.to_string()))?;
        return Ok(code);
    }
    for torn in &torn {
        writeln!(
            out,
            "torn: {torn}: a line that its writer could not complete; what it was about did not happen"
        )?;
    }
    for wrong in &wrong {
        writeln!(out, "wrong: {wrong}")?;
    }
    let verdict = if wrong.is_empty() { "intact" } else { "NOT intact" };
    writeln!(out, "{verdict}: {}", report.extent())?;
    if anchors.is_empty() {
        writeln!(
            out,
            "without anchors: lines cut off at the end, and chains that were removed whole, do not show"
        )?;
    } else {
        writeln!(
            out,
            "{} of {} anchors are among these lines",
            report.anchors,
            anchors.len()
        )?;
    }
    Ok(code)
}

/// Each line is one, but for what journalctl writes between them; a line that is none may be one that was spoilt.
fn read_anchors(path: &Path) -> Result<Vec<Anchored>, Error> {
    let unreadable = |source| Error::Anchors {
        path: path.to_owned(),
        source,
    };
    let from: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path).map_err(unreadable)?),
    };
    // Line by line: it may be a pipe, or a device that never ends.
    let mut from = BufReader::new(from);
    let path = path.to_owned();
    let mut anchors = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        match from.by_ref().take(MAX_ANCHOR).read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => line = "?".to_owned(),
            Err(source) => return Err(unreadable(source)),
        }
        match Anchored::parse(line.trim_end_matches(['\n', '\r'])) {
            Some(_) if anchors.len() >= MAX_ANCHORS => return Err(Error::TooManyAnchors { path }),
            Some(anchor) => anchors.push(anchor),
            None if line.trim().is_empty() || line.starts_with("-- ") => {}
            None => return Err(Error::NotAnAnchor { path, line: number }),
        }
    }
    match anchors.is_empty() {
        true => Err(Error::NoAnchors { path }),
        false => Ok(anchors),
    }
}

fn tail(directory: &Path, count: usize, follow: bool, json: bool) -> Result<ExitCode, Error> {
    // Watched before it is read: nothing falls between.
    let watch = follow.then(|| watch(directory)).transpose()?;
    let mut written = Follow::all(directory.to_owned());
    let mut lines = written.fresh().map_err(|source| unreadable(directory, source))?;
    lines.drain(..lines.len().saturating_sub(count));
    loop {
        let mut out = io::stdout().lock();
        for (bytes, line) in &lines {
            print(&mut out, bytes, line, json)?;
        }
        out.flush()?;
        let Some(watch) = &watch else {
            return Ok(ExitCode::SUCCESS);
        };
        let mut room = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(watch, &mut room);
        events.next().map_err(|error| Error::Watch(error.into()))?;
        lines = written.fresh().map_err(|source| unreadable(directory, source))?;
    }
}

/// Tells of what is written to the record from now on.
fn watch(directory: &Path) -> Result<OwnedFd, Error> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).map_err(|error| Error::Watch(error.into()))?;
    let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
    match inotify::add_watch(&watch, directory, events) {
        Ok(_) => Ok(watch),
        Err(rustix::io::Errno::NOSPC) => Err(Error::Watch(rustix::io::Errno::NOSPC.into())),
        Err(error) => Err(unreadable(directory, error.into())),
    }
}

fn show(directory: &Path, id: &str, json: bool) -> Result<ExitCode, Error> {
    let lines = read::lines(directory).map_err(|source| unreadable(directory, source))?;
    let mut out = io::stdout().lock();
    let mut found = false;
    for (bytes, line) in lines {
        if [&line.call, &line.question, &line.session]
            .into_iter()
            .flatten()
            .any(|name| name == id)
        {
            print(&mut out, &bytes, &line, json)?;
            found = true;
        }
    }
    if found {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Error::Unknown { id: id.to_owned() })
    }
}

fn export(directory: &Path, json: bool) -> Result<ExitCode, Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (bytes, line) in read::lines(directory).map_err(|source| unreadable(directory, source))? {
        print(&mut out, &bytes, &line, json)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn unreadable(directory: &Path, source: io::Error) -> Error {
    let path = directory.to_owned();
    Error::Read { path, source }
}

fn print(out: &mut impl Write, bytes: &[u8], line: &Line<'_>, json: bool) -> io::Result<()> {
    if json {
        // To the byte, for `verify`; but on a terminal also what an older version wrote acts as nothing.
        match std::str::from_utf8(bytes) {
            Ok(text) if io::stdout().is_terminal() => out.write_all(plain_json(text).as_bytes())?,
            _ => out.write_all(bytes)?,
        }
        return out.write_all(b"\n");
    }
    writeln!(out, "{}", follow::describe(line))
}
