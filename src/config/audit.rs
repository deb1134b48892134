//! What `audit` in a configuration means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConfigProblem;
use super::file::{AnchorFile, AnchorTo, AuditFile, KeepFile, SyncFile};
use super::load::{Source, directory, size};
use crate::audit::{Anchor, Settings, SyncMode, To};
use crate::model::{ByteCount, Span};
use crate::yaml::{At, Fault, Setting};

/// How the record is kept, as far as the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Where, if not in the directory for state.
    pub path: Option<PathBuf>,
    /// How surely and how long. Its directory is not yet known.
    kept: Settings,
    /// Who is told of the head.
    pub anchor: Option<Anchor>,
}

/// A file that is full after some dozens of calls; one that `audit show` still reads in a moment.
const ROTATE: (ByteCount, ByteCount) = (ByteCount::new(64 << 10), ByteCount::new(1 << 30));
/// A day of a busy server; a disk.
const KEEP: (ByteCount, ByteCount) = (ByteCount::new(1 << 20), ByteCount::new(1 << 40));
/// A day; ten years.
const DAYS: (u64, u64) = (1, 3650);
/// Often enough for any attacker who must be quick; once a day.
const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
/// How often where nobody says it.
const EVERY_USUALLY: Duration = Duration::from_secs(60);
/// Words of a command, and bytes of each.
const WORDS: (usize, usize) = (64, 4096);

impl AuditSettings {
    pub(super) fn load(file: &AuditFile, source: &Source) -> Result<Self, Fault<ConfigProblem>> {
        let mut kept = Settings::new(PathBuf::new());
        kept.sync = match file.sync.given().map(|at| at.value) {
            None => kept.sync,
            Some(SyncFile::Write) => SyncMode::Write,
            Some(SyncFile::Group) => SyncMode::Group,
            Some(SyncFile::Every) => SyncMode::Every,
        };
        if let Some(at) = file.rotate.given() {
            kept.rotate = size("audit.rotate", at, ROTATE)?.bytes();
        }
        keep(&file.keep, &mut kept)?;
        let anchor = match file.anchor.given() {
            Some(at) => Some(anchor(at)?),
            None => None,
        };
        Ok(Self {
            path: directory("audit.path", &file.path, source)?,
            kept,
            anchor,
        })
    }

    /// With its directory: the one that is named, or else this one.
    pub fn settings(&self, usual: Option<PathBuf>) -> Option<Settings> {
        Some(Settings {
            directory: self.path.clone().or(usual)?,
            ..self.kept.clone()
        })
    }

    /// As it is written.
    pub(super) fn show(&self) -> serde_json::Value {
        let sync = match self.kept.sync {
            SyncMode::Write => "write",
            SyncMode::Group => "group",
            SyncMode::Every => "every",
        };
        let days = self.kept.keep_age.as_secs() / DAY;
        let mut shown = serde_json::json!({
            "sync": sync,
            "rotate": ByteCount::new(self.kept.rotate).to_string(),
            "keep": {"size": ByteCount::new(self.kept.keep_bytes).to_string(), "days": days},
        });
        let Some(map) = shown.as_object_mut() else { return shown };
        if let Some(path) = &self.path {
            map.insert("path".to_owned(), path.display().to_string().into());
        }
        if let Some(anchor) = &self.anchor {
            let every = Span::new(anchor.every).to_string();
            let anchor = match &anchor.to {
                To::Journal => serde_json::json!({"to": "journald", "every": every}),
                To::Command(words) => serde_json::json!({"to": "command", "command": words, "every": every}),
            };
            map.insert("anchor".to_owned(), anchor);
        }
        shown
    }
}

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

fn keep(file: &KeepFile, kept: &mut Settings) -> Result<(), Fault<ConfigProblem>> {
    if let Some(at) = file.size.given() {
        let least = KEEP.0.max(ByteCount::new(kept.rotate)); // or no file would ever be full
        kept.keep_bytes = size("audit.keep.size", at, (least, KEEP.1))?.bytes();
    }
    if let Some(at) = file.days.given() {
        at.in_range("audit.keep.days", DAYS)?;
        kept.keep_age = Duration::from_secs(at.value * DAY);
    }
    Ok(())
}

fn anchor(at: &At<AnchorFile>) -> Result<Anchor, Fault<ConfigProblem>> {
    let file = &at.value;
    let to = match (file.to.value, file.command.given()) {
        (AnchorTo::Journald, None) => To::Journal,
        (AnchorTo::Journald, Some(command)) => return Err(command.fault(ConfigProblem::NotCommand)),
        (AnchorTo::Command, None) => return Err(file.to.fault(ConfigProblem::NoCommand)),
        (AnchorTo::Command, Some(command)) => To::Command(words(command)?),
    };
    let every = every(&file.every)?;
    Ok(Anchor { to, every })
}

fn words(command: &At<Vec<String>>) -> Result<Vec<String>, Fault<ConfigProblem>> {
    let (most, longest) = WORDS;
    let words = &command.value;
    let is_program = words.first().is_some_and(|program| Path::new(program).is_absolute());
    let fits = |word: &String| word.len() <= longest && !word.contains('\0');
    if is_program && words.len() <= most && words.iter().all(fits) {
        return Ok(words.clone());
    }
    Err(command.fault(ConfigProblem::Command { most, longest }))
}

fn every(setting: &Setting<String>) -> Result<Duration, Fault<ConfigProblem>> {
    let Some(at) = setting.given() else {
        return Ok(EVERY_USUALLY);
    };
    match at.value.parse::<Span>().map(Span::duration) {
        Ok(time) if (EVERY.0..=EVERY.1).contains(&time) => Ok(time),
        _ => Err(at.fault(ConfigProblem::Time {
            field: "audit.anchor.every",
            value: at.value.chars().take(64).collect(),
            least: Span::new(EVERY.0),
            most: Span::new(EVERY.1),
        })),
    }
}
