//! Finds the configuration, reads it, and says what it means.
//!
//! `--config FILE` comes first, then `TERRARIUM_CONFIG`, then `$XDG_CONFIG_HOME/terrarium/terrarium.yaml`; without any of
//! them the embedded one holds. A file that was named must be there. Options of the command line come before the file.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::audit::AuditSettings;
use super::error::{ConfigError, ConfigProblem};
use super::file::{AuditFile, ConfigFile, LimitsFile, ServerFile};
use crate::hf::{HfFile, Settings};
use crate::limits::Caps;
use crate::model::ByteCount;
use crate::policy::file::PolicyFile;
use crate::policy::{self, Known, Policy};
use crate::session;
use crate::yaml::{self, At, Fault, Setting};

/// A configuration as meant. The policy in it becomes one when it is known what there is.
#[derive(Debug)]
pub struct Config {
    source: Source,
    /// The directory that commands work in.
    pub workspace: Option<PathBuf>,
    /// A directory with profiles.
    pub profiles: Option<PathBuf>,
    /// Memory for the output and the screens of all sessions.
    pub memory: ByteCount,
    /// How much may be going on.
    pub caps: Caps,
    /// The tools of Hack Forums, where there are any.
    pub hf: Option<Settings>,
    /// How the record is kept.
    pub audit: AuditSettings,
    policy: PolicyFile,
    /// The policy as plain JSON.
    pub(super) said: Value,
    /// The section of Hack Forums as plain JSON.
    pub(super) said_of_hf: Value,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The binary.
    Embedded,
    /// This file.
    File(PathBuf),
}

/// What the file is called.
const NAME: &str = "terrarium/terrarium.yaml";

impl Config {
    /// The configuration in use: the one that was named, the user's own, or the embedded one.
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        match named {
            Some(path) => Self::read(path),
            None => match users_own_file()? {
                Some(path) => Self::read(&path),
                None => Self::embedded(),
            },
        }
    }

    /// How the record is kept, also where the rest of the configuration cannot be used: a policy that is wrong must not
    /// stand between the operator and a lockdown.
    pub fn find_audit(named: Option<&Path>) -> Result<AuditSettings, ConfigError> {
        /// All other settings are passed over.
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Only {
            audit: AuditFile,
        }
        let users = || users_own_file().transpose();
        let Some(path) = named.map(|path| Ok(path.to_owned())).or_else(users).transpose()? else {
            return Ok(Self::embedded()?.audit);
        };
        let text = yaml::read_own(&path)?;
        let source = Source::File(path);
        let invalid = |fault: Fault<ConfigProblem>| ConfigError::Invalid {
            file: source.to_string(),
            place: fault.place,
            problem: Box::new(fault.problem),
        };
        let only: Only = yaml::parse(&text).map_err(|fault| invalid(fault.map(ConfigProblem::from)))?;
        AuditSettings::load(&only.audit, &source).map_err(invalid)
    }

    /// The one in the binary.
    pub fn embedded() -> Result<Self, ConfigError> {
        Self::parse(Source::Embedded, "{}")
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = yaml::read_own(path)?;
        Self::parse(Source::File(path.to_owned()), &text)
    }

    /// What a text means as the configuration of that name.
    pub fn parse(source: Source, text: &str) -> Result<Self, ConfigError> {
        let named = source.to_string();
        let invalid = |fault: Fault<ConfigProblem>| ConfigError::Invalid {
            file: named.clone(),
            place: fault.place,
            problem: Box::new(fault.problem),
        };
        let file: ConfigFile = yaml::parse(text).map_err(|fault| invalid(fault.map(ConfigProblem::from)))?;
        let plain: Value = yaml::parse(text).map_err(|fault| invalid(fault.map(ConfigProblem::from)))?;
        let (policy, said) = match (file.policy.given(), plain.get("policy")) {
            (Some(at), Some(said)) => (at.value.clone(), said.clone()),
            _ => policy::read(policy::EMBEDDED).map_err(|fault| invalid(fault.map(ConfigProblem::from)))?,
        };
        Ok(Self {
            workspace: directory("workspace", &file.workspace, &source).map_err(invalid)?,
            profiles: directory("profiles", &file.profiles, &source).map_err(invalid)?,
            memory: memory(&file.server).map_err(invalid)?,
            caps: caps(&file.limits).map_err(invalid)?,
            hf: hack_forums(&file.hf).map_err(invalid)?,
            audit: AuditSettings::load(&file.audit, &source).map_err(invalid)?,
            policy,
            said,
            said_of_hf: plain.get("hf").cloned().unwrap_or_default(),
            source,
        })
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The policy, for what there is.
    pub fn policy(&self, known: &Known) -> Result<Policy, ConfigError> {
        Policy::load(&self.policy, &self.said, known).map_err(|fault| ConfigError::Invalid {
            file: self.source.to_string(),
            place: fault.place,
            problem: Box::new(ConfigProblem::Policy(fault.problem)),
        })
    }

    /// What no workspace may be, contain or lie in because of this configuration.
    pub fn own_paths(&self) -> Vec<PathBuf> {
        let file = match &self.source {
            Source::Embedded => None,
            Source::File(path) => Some(path.clone()),
        };
        let others = [self.profiles.clone(), self.audit.path.clone()];
        file.into_iter().chain(others.into_iter().flatten()).collect()
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("the embedded configuration"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Where the user's own configuration is, if there is one.
pub fn users_own() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let directory = given.filter(|path| path.is_absolute());
    let directory = directory.or_else(|| Some(std::env::home_dir()?.join(".config")));
    directory.filter(|path| path.is_absolute()).map(|path| path.join(NAME))
}

/// The user's own configuration where there is one. Only a file that is known not to be there leaves the embedded
/// policy in force: one that cannot be looked at may hold less.
fn users_own_file() -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = users_own() else { return Ok(None) };
    match path.symlink_metadata() {
        Ok(_) => Ok(Some(path)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(ConfigError::Hidden { path, source }),
    }
}

pub(super) fn directory(
    field: &'static str,
    setting: &Setting<String>,
    source: &Source,
) -> Result<Option<PathBuf>, Fault<ConfigProblem>> {
    let Some(at) = setting.given() else { return Ok(None) };
    let wrong = || at.fault(ConfigProblem::Path { field });
    let text = at.value.as_str();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(wrong());
    }
    if let Some(rest) = text.strip_prefix("~/") {
        return std::env::home_dir().map(|home| Some(home.join(rest))).ok_or_else(wrong);
    }
    match (Path::new(text).is_absolute(), source) {
        (true, _) => Ok(Some(text.into())),
        (false, Source::File(file)) => Ok(file.parent().map(|parent| parent.join(text))),
        (false, Source::Embedded) => Err(wrong()),
    }
}

/// The least screens and outputs of some sessions; more than a server's machine would give it.
const MEMORY: (ByteCount, ByteCount) = (ByteCount::new(16 << 20), ByteCount::new(64 << 30));

fn hack_forums(section: &Setting<HfFile>) -> Result<Option<Settings>, Fault<ConfigProblem>> {
    let Some(at) = section.given() else { return Ok(None) };
    let settings = Settings::new(&at.value);
    settings.map(Some).map_err(|problem| at.fault(problem.into()))
}

fn memory(file: &ServerFile) -> Result<ByteCount, Fault<ConfigProblem>> {
    let Some(at) = file.memory.given() else {
        return Ok(session::MEMORY);
    };
    size("server.memory", at, MEMORY)
}

/// A size between the two.
pub(super) fn size(
    field: &'static str,
    at: &At<String>,
    (least, most): (ByteCount, ByteCount),
) -> Result<ByteCount, Fault<ConfigProblem>> {
    match at.value.parse() {
        Ok(size) if (least..=most).contains(&size) => Ok(size),
        _ => Err(at.fault(ConfigProblem::Size {
            field,
            value: at.value.chars().take(64).collect(),
            least,
            most,
        })),
    }
}

fn caps(file: &LimitsFile) -> Result<Caps, Fault<ConfigProblem>> {
    let usual = Caps::default();
    let sessions = number("limits.sessions", &file.sessions, usual.sessions, MAX_LIVE)?;
    let share = sessions.saturating_sub(sessions / 8).max(1);
    let caps = Caps {
        calls: number("limits.calls", &file.calls, usual.calls, MAX_CALLS)?,
        commands: number("limits.commands", &file.commands, usual.commands, MAX_LIVE)?,
        queue: number("limits.queue", &file.queue, usual.queue, MAX_CALLS)?,
        sessions,
        sessions_per_caller: number("limits.sessions_per_caller", &file.sessions_per_caller, share, MAX_LIVE)?,
    };
    if let Some(at) = file.sessions_per_caller.given() {
        let most = u64::try_from(caps.sessions).unwrap_or(u64::MAX);
        at.in_range("limits.sessions_per_caller", (1, most))?;
    }
    Ok(caps)
}

/// Each call holds some kilobytes until it is answered.
const MAX_CALLS: u64 = 65_536;
/// Each live command is four processes and ten descriptors of the server's machine.
const MAX_LIVE: u64 = 4096;

fn number(field: &'static str, setting: &Setting<u64>, usual: usize, most: u64) -> Result<usize, Fault<ConfigProblem>> {
    let Some(at) = setting.given() else { return Ok(usual) };
    at.in_range(field, (1, most))?;
    Ok(usize::try_from(at.value).unwrap_or(usize::MAX))
}
