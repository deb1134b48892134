//! A guess why a command failed, from what it printed and from its profile. Always called a guess.

use crate::profile::{Network, Profile, WorkspaceAccess};

/// How much of the end of the output is looked at.
pub(super) const LOOKED_AT: usize = 4096;

/// What a failure may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likely {
    NoNetwork,
    NotWritable,
    NoRoot,
    DiskFull,
    Processes,
    OpenFiles,
    Memory,
    FileSize,
    Protected,
    NotFound,
}

/// Words of common programs, in small letters, and what they point to. The first match counts.
const TABLE: [(&str, Likely); 30] = [
    ("could not resolve", Likely::NoNetwork),
    ("temporary failure in name resolution", Likely::NoNetwork),
    ("name or service not known", Likely::NoNetwork),
    ("failed to lookup address", Likely::NoNetwork),
    ("network is unreachable", Likely::NoNetwork),
    ("ssh: connect to host", Likely::NoNetwork),
    ("getaddrinfo", Likely::NoNetwork),
    ("sudo:", Likely::NoRoot),
    ("are you root", Likely::NoRoot),
    ("must be root", Likely::NoRoot),
    ("no space left on device", Likely::DiskFull),
    ("disk quota exceeded", Likely::DiskFull),
    ("fork: retry", Likely::Processes),
    ("resource temporarily unavailable", Likely::Processes),
    ("can't start new thread", Likely::Processes),
    ("failed to create thread", Likely::Processes),
    ("too many open files", Likely::OpenFiles),
    ("memoryerror", Likely::Memory),
    ("cannot allocate memory", Likely::Memory),
    ("out of memory", Likely::Memory),
    ("bad_alloc", Likely::Memory),
    ("memory exhausted", Likely::Memory),
    ("file too large", Likely::FileSize),
    ("file size limit exceeded", Likely::FileSize),
    ("device or resource busy", Likely::Protected),
    ("read-only file system", Likely::NotWritable),
    ("permission denied", Likely::NotWritable),
    ("operation not permitted", Likely::NotWritable),
    ("command not found", Likely::NotFound),
    (": not found", Likely::NotFound),
];

/// A guess for a command that failed, from the end of what it printed.
pub(super) fn why(printed: &[u8], profile: &Profile) -> Option<String> {
    explain(likely(printed)?, profile)
}

/// The same, but only where a limit of the profile is behind it.
pub(crate) fn limit(printed: &[u8], profile: &Profile) -> Option<String> {
    let limits = [
        Likely::DiskFull,
        Likely::Processes,
        Likely::OpenFiles,
        Likely::Memory,
        Likely::FileSize,
    ];
    explain(likely(printed).filter(|likely| limits.contains(likely))?, profile)
}

fn likely(printed: &[u8]) -> Option<Likely> {
    let start = printed.len().saturating_sub(LOOKED_AT);
    let end = String::from_utf8_lossy(printed.get(start..)?).to_lowercase();
    TABLE
        .iter()
        .find(|(words, _)| end.contains(words))
        .map(|(_, likely)| *likely)
}

fn explain(likely: Likely, profile: &Profile) -> Option<String> {
    likely.explain(profile).map(|text| format!("hint (a guess): {text}"))
}

impl Likely {
    fn explain(self, profile: &Profile) -> Option<String> {
        let name = &profile.name;
        let limits = &profile.limits;
        Some(match self {
            Self::NoNetwork if profile.network == Network::None => format!(
                "profile {name} has no network, only its own loopback; use what is installed or in the workspace, or \
                 ask the operator for the network"
            ),
            Self::NoNetwork => return None,
            Self::NotWritable if profile.filesystem.workspace == WorkspaceAccess::Read => {
                format!("profile {name} may only read the workspace; write to /tmp or HOME, or use profile default")
            }
            Self::NotWritable => format!(
                "profile {name} may write to the workspace (protected paths apart), /tmp and HOME, and see the rest of \
                 the system in part and read-only"
            ),
            Self::NoRoot => "there is no root in a sandbox, and no way to become it".to_owned(),
            Self::DiskFull => format!(
                "/tmp may hold {} and HOME {}; large files belong in the workspace, which may grow by {}",
                limits.tmp, limits.home, limits.workspace_growth
            ),
            Self::Processes => format!(
                "profile {name} allows {} processes and threads at a time",
                limits.processes
            ),
            Self::OpenFiles => format!("profile {name} allows {} open files to each process", limits.open_files),
            Self::Memory => format!(
                "profile {name} allows {} of memory to all processes together",
                limits.memory
            ),
            Self::FileSize => format!("profile {name} allows files of {}", limits.file_size),
            Self::Protected if profile.filesystem.protect.is_empty() => return None,
            Self::Protected => "what the host may run later is protected and cannot be replaced (.git/config, hooks): pass settings of \
                 git's by `git -c NAME=VALUE`, or ask the operator to change it outside"
                .to_owned(),
            Self::NotFound => format!(
                "it is not installed on this machine, or not where profile {name} runs programs from; `command -v` says \
                 what is there"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;

    #[test]
    fn common_failures_get_a_labelled_guess() {
        let profile = Profiles::embedded().get("default").unwrap();
        let table = [
            ("curl: (6) Could not resolve host: example.com", Some("no network")),
            (
                "mkdir: cannot create directory '/x': Read-only file system",
                Some("may write to"),
            ),
            ("bash: line 1: foo: command not found", Some("not installed")),
            (
                "error: could not write config file .git/config: Device or resource busy",
                Some("git -c"),
            ),
            ("sudo: command not found", Some("no root")),
            ("assertion failed", None),
        ];
        for (printed, expected) in table {
            let found = why(printed.as_bytes(), &profile);
            match expected {
                Some(part) => {
                    let found = found.unwrap();
                    assert!(found.starts_with("hint (a guess): ") && found.contains(part), "{found}");
                }
                None => assert_eq!(found, None),
            }
        }
    }
}
