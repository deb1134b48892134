//! Turns a profile as written, and the profile it extends, into a profile as meant.
//!
//! What a file leaves out is its parent's; without a parent it is an error. Bounds are in [`super::bounds`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::bounds;
use super::error::{Fault, Problem};
use super::file::{Listed, PathEntry, ProfileFile, WorkspaceText};
use super::paths;
use super::profile::{
    Environment, Filesystem, HostPath, PathRule, Presence, Profile, SyscallAction, SyscallRule, Syscalls,
    WriteAndExecute,
};
use super::syscalls;
use crate::model::{EnvName, EnvValue};
use crate::yaml::{At, Setting};

/// What the file means.
pub(crate) fn resolve(file: &ProfileFile, parent: Option<&Profile>) -> Result<Profile, Fault> {
    let reading = Reading { file, parent };
    name(&file.name)?;
    line(&file.summary, "summary")?;
    Ok(Profile {
        name: file.name.value.clone(),
        summary: file.summary.value.clone(),
        filesystem: reading.filesystem()?,
        network: reading.word("network", &file.network, |profile| profile.network)?,
        isolation: reading.word("isolation", &file.isolation, |profile| profile.isolation)?,
        syscalls: reading.syscalls()?,
        limits: reading.limits()?,
        environment: reading.environment()?,
    })
}

/// Whether a text can be a profile's name.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= bounds::MAX_NAME && text.bytes().all(plain) && !text.starts_with('-')
}

/// A file being read, and what it inherits from.
pub(crate) struct Reading<'a> {
    pub(crate) file: &'a ProfileFile,
    pub(crate) parent: Option<&'a Profile>,
}

impl Reading<'_> {
    fn filesystem(&self) -> Result<Filesystem, Fault> {
        let file = &self.file.filesystem;
        // There is one choice only; it is still written out, so that nobody wonders.
        self.setting("filesystem.tmp", &file.tmp, |_| (), |_| Ok(()))?;
        let write_and_execute = match (&file.write_and_execute, self.parent) {
            (Setting::Given(at), _) => at.value,
            (Setting::Inherited, Some(parent)) => parent.filesystem.write_and_execute,
            (Setting::Inherited, None) => WriteAndExecute::Allowed,
        };
        Ok(Filesystem {
            workspace: self.word("filesystem.workspace", &file.workspace, |p| p.filesystem.workspace)?,
            read: self.paths("filesystem.read", &file.read, |p| &p.filesystem.read)?,
            execute: self.paths("filesystem.execute", &file.execute, |p| &p.filesystem.execute)?,
            protect: self.protect(&file.protect)?,
            home: self.word("filesystem.home", &file.home, |p| p.filesystem.home)?,
            write_and_execute,
        })
    }

    fn paths(
        &self,
        field: &'static str,
        setting: &Setting<Listed<PathEntry>>,
        of: fn(&Profile) -> &Vec<PathRule>,
    ) -> Result<Vec<PathRule>, Fault> {
        self.setting(
            field,
            setting,
            |parent| of(parent).clone(),
            |at| {
                let (inherited, written) = self.listed(field, at, of)?;
                let mut rules = inherited;
                for entry in written {
                    let rule = path_rule(entry)?;
                    if rules.iter().any(|other| other.path == rule.path) {
                        let path = entry.value.path.clone();
                        return Err(entry.fault(Problem::PathTwice { path }));
                    }
                    rules.push(rule);
                }
                Ok(rules)
            },
        )
    }

    fn protect(&self, setting: &Setting<Listed<WorkspaceText>>) -> Result<Vec<PathBuf>, Fault> {
        let field = "filesystem.protect";
        let of: fn(&Profile) -> &Vec<PathBuf> = |parent| &parent.filesystem.protect;
        self.setting(
            field,
            setting,
            |parent| of(parent).clone(),
            |at| {
                let (mut paths, written) = self.listed(field, at, of)?;
                for entry in written {
                    let text = &entry.value.0;
                    let path = paths::in_workspace(text).map_err(|fault| entry.fault(paths::problem(text, fault)))?;
                    if paths.contains(&path) {
                        return Err(entry.fault(Problem::PathTwice { path: text.clone() }));
                    }
                    paths.push(path);
                }
                Ok(paths)
            },
        )
    }

    fn syscalls(&self) -> Result<Syscalls, Fault> {
        let file = &self.file.syscalls;
        let mut rules = self.setting(
            "syscalls.base",
            &file.base,
            |p| p.syscalls.rules.clone(),
            |at| {
                match syscalls::base(&at.value) {
                    Ok(Some(rules)) => Ok(rules.clone()),
                    // A base that ships and cannot be read is found by a test; here it is as good as not there.
                    Ok(None) | Err(_) => Err(syscalls::unknown_base(at)),
                }
            },
        )?;
        let mut changed = BTreeSet::new();
        for (field, setting, action) in [
            ("syscalls.allow", &file.allow, SyscallAction::Allow),
            ("syscalls.deny", &file.deny, SyscallAction::Deny),
        ] {
            let Some(list) = setting.given() else { continue };
            within(field, list, list.value.len(), bounds::MAX_ENTRIES)?;
            for at in &list.value {
                let name = syscalls::name(&at.value.name).map_err(|problem| at.fault(problem))?;
                if action == SyscallAction::Allow {
                    syscalls::filterable(name).map_err(|problem| at.fault(problem))?;
                }
                if !changed.insert(name) {
                    return Err(at.fault(Problem::SyscallTwice { name }));
                }
                let reason = at.value.reason.clone();
                reason_line(at, &reason)?;
                rules.insert(name, SyscallRule { action, reason });
            }
        }
        Ok(Syscalls { rules })
    }

    fn environment(&self) -> Result<Environment, Fault> {
        let file = &self.file.environment;
        let pass = self.setting(
            "environment.pass",
            &file.pass,
            |p| p.environment.pass.clone(),
            |at| {
                within("environment.pass", at, at.value.len(), bounds::MAX_ENTRIES)?;
                let name = |at: &At<String>| EnvName::new(&*at.value).map_err(|error| at.fault(error.into()));
                at.value.iter().map(name).collect()
            },
        )?;
        let set = self.setting(
            "environment.set",
            &file.set,
            |p| p.environment.set.clone(),
            |at| {
                within("environment.set", at, at.value.len(), bounds::MAX_ENTRIES)?;
                let mut all = self.parent.map_or_else(Default::default, |p| p.environment.set.clone());
                for (name, value) in &at.value {
                    let fault = |error| value.fault(Problem::Environment(error));
                    let text = EnvValue::new(&*value.value).map_err(fault)?;
                    all.insert(EnvName::new(&**name).map_err(fault)?, text);
                }
                Ok(all)
            },
        )?;
        Ok(Environment { pass, set })
    }

    /// What was written, else what is inherited, else an error that names the field.
    pub(crate) fn setting<T, U>(
        &self,
        field: &str,
        setting: &Setting<T>,
        inherited: impl FnOnce(&Profile) -> U,
        written: impl FnOnce(&At<T>) -> Result<U, Fault>,
    ) -> Result<U, Fault> {
        match (setting, self.parent) {
            (Setting::Given(at), _) => written(at),
            (Setting::Inherited, Some(parent)) => Ok(inherited(parent)),
            (Setting::Inherited, None) => {
                let field = field.to_owned();
                Err(self.file.name.fault(Problem::Missing { field }))
            }
        }
    }

    pub(crate) fn word<T: Copy>(&self, field: &str, setting: &Setting<T>, of: fn(&Profile) -> T) -> Result<T, Fault> {
        self.setting(field, setting, of, |at| Ok(at.value))
    }

    /// What a list starts with, and what was written.
    fn listed<'b, T, U: Clone>(
        &self,
        field: &'static str,
        at: &'b At<Listed<T>>,
        of: fn(&Profile) -> &Vec<U>,
    ) -> Result<(Vec<U>, &'b [At<T>]), Fault> {
        let (inherited, written) = match (&at.value, self.parent) {
            (Listed::Replace(written), _) => (Vec::new(), written),
            (Listed::Add(written), Some(parent)) => (of(parent).clone(), written),
            // Adding to nothing would look as if something had been inherited.
            (Listed::Add(_), None) => {
                let field = field.to_owned();
                return Err(at.fault(Problem::Missing { field }));
            }
        };
        within(field, at, inherited.len() + written.len(), bounds::MAX_PATHS)?;
        Ok((inherited, written))
    }
}

fn path_rule(entry: &At<PathEntry>) -> Result<PathRule, Fault> {
    let text = &entry.value.path;
    if let Some(reason) = &entry.value.reason {
        reason_line(entry, reason)?;
    }
    Ok(PathRule {
        path: HostPath::new(text).map_err(|fault| entry.fault(paths::problem(text, fault)))?,
        presence: match entry.value.optional {
            true => Presence::IfThere,
            false => Presence::Required,
        },
        reason: entry.value.reason.clone(),
    })
}

fn name(at: &At<String>) -> Result<(), Fault> {
    match is_name(&at.value) {
        true => Ok(()),
        false => Err(at.fault(Problem::Name {
            name: at.value.chars().take(bounds::MAX_NAME).collect(),
            limit: bounds::MAX_NAME,
        })),
    }
}

fn line(at: &At<String>, field: &'static str) -> Result<(), Fault> {
    one_line(at, field, &at.value)
}

fn reason_line<T>(at: &At<T>, reason: &str) -> Result<(), Fault> {
    one_line(at, "reason", reason)
}

fn one_line<T>(at: &At<T>, field: &'static str, text: &str) -> Result<(), Fault> {
    let length = text.chars().count();
    let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    match plain && length <= bounds::MAX_LINE {
        true => Ok(()),
        false => Err(at.fault(Problem::Line {
            field,
            limit: bounds::MAX_LINE,
        })),
    }
}

fn within<T>(field: &'static str, at: &At<T>, count: usize, limit: usize) -> Result<(), Fault> {
    match count <= limit {
        true => Ok(()),
        false => Err(at.fault(Problem::TooManyEntries { field, count, limit })),
    }
}
