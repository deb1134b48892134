//! The system call bases that ship: a decision and a reason for every name of the table.
//!
//! Conditions on arguments are not written here; they follow from the profile and live with the sandbox.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::error::{Fault, Problem, ProfileError, invalid, parse};
use super::profile::{SyscallAction, SyscallRule};
use super::syscall_table::{SYSCALLS, known};
use crate::yaml::{At, Place, nearest};

/// The rules of a base by the table's names.
pub(crate) type Rules = BTreeMap<&'static str, SyscallRule>;

/// The names of the bases.
pub(crate) fn base_names() -> impl Iterator<Item = &'static str> {
    BASES.iter().map(|base| base.name)
}

/// The rules of a base, parsed when first asked for; `None` if there is no such base.
pub(crate) fn base(name: &str) -> Result<Option<&'static Rules>, ProfileError> {
    let Some(base) = BASES.iter().find(|base| base.name == name) else {
        return Ok(None);
    };
    if let Some(rules) = base.rules.get() {
        return Ok(Some(rules));
    }
    let file = format!("sandbox-profiles/syscalls/{name}.yaml");
    let rules = read(base.text).map_err(|fault| invalid(fault, &file))?;
    Ok(Some(base.rules.get_or_init(|| rules)))
}

/// The table's spelling of a name, or the problem with the nearest one.
pub(crate) fn name(text: &str) -> Result<&'static str, Problem> {
    known(text).ok_or_else(|| Problem::UnknownSyscall {
        name: text.chars().take(64).collect(),
        nearest: nearest(text, SYSCALLS.iter().map(|entry| entry.0)),
    })
}

/// Whether the filter sees what the call does: those that take their orders from memory could undo every condition.
pub(crate) fn filterable(name: &'static str) -> Result<(), Problem> {
    match UNFILTERABLE.contains(&name) {
        true => Err(Problem::Unfilterable { name }),
        false => Ok(()),
    }
}

pub(super) fn read(text: &str) -> Result<Rules, Fault> {
    let file: BaseFile = parse(text)?;
    let mut rules = match &file.extends {
        None => Rules::new(),
        Some(parent) => BASES
            .iter()
            .find(|base| base.name == parent.value && base.name != file.name)
            .map(|base| read(base.text))
            .ok_or_else(|| unknown_base(parent))??,
    };
    let mut own = Rules::new();
    for group in &file.groups {
        let (action, names) = group.value.decision().ok_or_else(|| group.fault(Problem::Group))?;
        for at in names {
            let name = name(&at.value).map_err(|problem| at.fault(problem))?;
            let reason = group.value.reason.clone();
            if own.insert(name, SyscallRule { action, reason }).is_some() {
                return Err(at.fault(Problem::SyscallTwice { name }));
            }
        }
    }
    rules.append(&mut own);
    match SYSCALLS.iter().find(|entry| !rules.contains_key(entry.0)) {
        None => Ok(rules),
        Some((name, ..)) => Err(Place { line: 1, column: 1 }.fault(Problem::SyscallLeftOut { name })),
    }
}

/// The fault of a base that does not ship.
pub(crate) fn unknown_base(at: &At<String>) -> Fault {
    at.fault(Problem::UnknownBase {
        name: at.value.chars().take(64).collect(),
        nearest: nearest(&at.value, base_names()),
        known: base_names().map(str::to_owned).collect(),
    })
}

/// A base as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseFile {
    name: String,
    #[serde(default)]
    extends: Option<At<String>>,
    groups: Vec<At<Group>>,
}

/// Names that get the same for the same reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    reason: String,
    allow: Option<Vec<At<String>>>,
    deny: Option<Vec<At<String>>>,
    missing: Option<Vec<At<String>>>,
    unsupported: Option<Vec<At<String>>>,
}

impl Group {
    fn decision(&self) -> Option<(SyscallAction, &[At<String>])> {
        let mut given = [
            (SyscallAction::Allow, &self.allow),
            (SyscallAction::Deny, &self.deny),
            (SyscallAction::Missing, &self.missing),
            (SyscallAction::Unsupported, &self.unsupported),
        ]
        .into_iter()
        .filter_map(|(action, names)| names.as_deref().map(|names| (action, names)));
        given.next().filter(|_| given.next().is_none())
    }
}

/// A base that ships in the binary.
struct Base {
    name: &'static str,
    text: &'static str,
    rules: OnceLock<Rules>,
}

impl Base {
    const fn new(name: &'static str, text: &'static str) -> Self {
        let rules = OnceLock::new();
        Self { name, text, rules }
    }
}

/// Only these: an operator changes single calls, with reasons, in a profile.
static BASES: [Base; 3] = [
    Base::new("default", include_str!("../../sandbox-profiles/syscalls/default.yaml")),
    Base::new("build", include_str!("../../sandbox-profiles/syscalls/build.yaml")),
    Base::new("strict", include_str!("../../sandbox-profiles/syscalls/strict.yaml")),
];

/// Their arguments lie in memory, so no filter sees a namespace flag, a mode or a command in them.
const UNFILTERABLE: [&str; 5] = [
    "clone3",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "openat2",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        read(text).unwrap_err().problem.to_string()
    }

    #[test]
    fn every_base_decides_every_system_call() {
        for name in base_names() {
            let rules = base(name).unwrap().unwrap();
            assert_eq!(rules.len(), SYSCALLS.len(), "{name}");
            assert!(rules.values().all(|rule| !rule.reason.is_empty()));
            for name in UNFILTERABLE {
                assert_eq!(rules[name].action, SyscallAction::Missing);
            }
        }
    }

    #[test]
    fn bases_differ_where_they_say_so() {
        let action = |of: &str, name: &str| base(of).unwrap().unwrap()[name].action;
        assert_eq!(action("default", "ptrace"), SyscallAction::Deny);
        assert_eq!(action("build", "ptrace"), SyscallAction::Allow);
        assert_eq!(action("default", "memfd_create"), SyscallAction::Allow);
        assert_eq!(action("strict", "memfd_create"), SyscallAction::Missing);
        assert_eq!(action("default", "fallocate"), SyscallAction::Unsupported);
        assert_eq!(action("build", "mount"), SyscallAction::Deny);
    }

    #[test]
    fn a_base_with_a_mistake_is_refused() {
        assert_eq!(
            problem("name: x\ngroups: [{reason: r, allow: [raed]}]"),
            "no system call is called \"raed\"; hint: did you mean \"read\"?"
        );
        assert_eq!(
            problem("name: x\nextends: default\ngroups: [{reason: r, allow: [read, read]}]"),
            "the system call read is named twice"
        );
        assert_eq!(
            problem("name: x\ngroups: [{reason: r, allow: [read], deny: [write]}]"),
            "a group has exactly one of allow, deny, missing and unsupported"
        );
        assert_eq!(
            problem("name: x\ngroups: [{reason: r, allow: [read]}]"),
            "nothing is said about the system call _sysctl"
        );
    }
}
