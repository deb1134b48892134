//! Paths of a profile: of the host, absolute or below the home directory, and of the workspace, relative.

use std::path::{Component, Path, PathBuf};

use super::error::{PathFault, Problem};
use super::profile::HostPath;

impl HostPath {
    /// Takes a path as written in a profile.
    pub fn new(text: &str) -> Result<Self, PathFault> {
        characters(text)?;
        if let Some(rest) = text.strip_prefix("~/") {
            return components(rest).map(Self::Home);
        }
        let rest = text.strip_prefix('/').ok_or(PathFault::NotAbsolute)?;
        if rest.is_empty() {
            return Err(PathFault::Root);
        }
        let path = Path::new("/").join(components(rest)?);
        if MADE_ANEW.iter().any(|top| path.starts_with(top)) {
            return Err(PathFault::MadeAnew);
        }
        if GENERATED.iter().any(|file| path == Path::new(file)) {
            return Err(PathFault::Generated);
        }
        Ok(Self::Absolute(path))
    }

    /// The path on the host, if the home directory is known where it is needed.
    pub fn under(&self, home: Option<&Path>) -> Option<PathBuf> {
        match self {
            Self::Absolute(path) => Some(path.clone()),
            Self::Home(below) => home.map(|home| home.join(below)),
        }
    }
}

impl std::fmt::Display for HostPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absolute(path) => path.display().fmt(f),
            Self::Home(below) => write!(f, "~/{}", below.display()),
        }
    }
}

/// Takes a path inside the workspace.
pub(crate) fn in_workspace(text: &str) -> Result<PathBuf, PathFault> {
    characters(text)?;
    if text.starts_with(['/', '~']) {
        return Err(PathFault::NotRelative);
    }
    components(text)
}

/// The problem of a path that is refused.
pub(crate) fn problem(path: &str, fault: PathFault) -> Problem {
    Problem::Path {
        path: path.chars().take(200).collect(),
        fault,
    }
}

fn characters(text: &str) -> Result<(), PathFault> {
    match text.len() < 4096 && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(PathFault::Characters),
    }
}

/// Normal components only; `Path` alone would pass over `.` and `//` in the middle.
fn components(text: &str) -> Result<PathBuf, PathFault> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let path = Path::new(text);
    let plain = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match plain && path.components().all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(path.to_owned()),
        false => Err(PathFault::Components),
    }
}

/// Directories that every sandbox gets anew; a rule about the host's would have no effect, or a bad one.
pub(crate) const MADE_ANEW: [&str; 3] = ["/proc", "/dev", "/tmp"];

/// Files that are written for every sandbox anew, so that nothing of the host's users and network is told.
pub(crate) const GENERATED: [&str; 7] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/machine-id",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_or_below_home_and_lead_nowhere_else() {
        assert_eq!(HostPath::new("/usr/"), Ok(HostPath::Absolute("/usr".into())));
        assert_eq!(HostPath::new("~/.cargo/bin"), Ok(HostPath::Home(".cargo/bin".into())));
        for (text, fault) in [
            ("usr", PathFault::NotAbsolute),
            ("~", PathFault::NotAbsolute),
            ("~root/x", PathFault::NotAbsolute),
            ("", PathFault::NotAbsolute),
            ("/", PathFault::Root),
            ("~/", PathFault::Components),
            ("/usr/../etc", PathFault::Components),
            ("/usr/./lib", PathFault::Components),
            ("/usr//lib", PathFault::Components),
            ("//", PathFault::Components),
            ("~/..", PathFault::Components),
            ("/a\0b", PathFault::Characters),
            ("/a\nb", PathFault::Characters),
            ("/proc/1", PathFault::MadeAnew),
            ("/tmp", PathFault::MadeAnew),
            ("/etc/passwd", PathFault::Generated),
        ] {
            assert_eq!(HostPath::new(text), Err(fault), "{text:?}");
        }
        assert!(HostPath::new("/process").is_ok());
    }

    #[test]
    fn protected_paths_are_relative() {
        assert_eq!(in_workspace(".git/hooks"), Ok(".git/hooks".into()));
        assert_eq!(in_workspace("/etc"), Err(PathFault::NotRelative));
        assert_eq!(in_workspace("~/x"), Err(PathFault::NotRelative));
        assert_eq!(in_workspace("a/../b"), Err(PathFault::Components));
        assert_eq!(in_workspace(""), Err(PathFault::Components));
    }
}
