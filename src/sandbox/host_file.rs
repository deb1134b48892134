//! Paths of the host that a profile names, looked at once for each plan.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::refusal::Refusal;
use crate::policy::LaunchRequest;
use crate::profile::{HostPath, PathRule, Presence};

/// A path of the host, and what is there. A last link is not followed.
pub(super) struct HostFile {
    pub(super) path: PathBuf,
    pub(super) found: Metadata,
}

impl HostFile {
    pub(super) fn find(path: PathBuf) -> Option<Self> {
        let found = path.symlink_metadata().ok()?;
        Some(Self { path, found })
    }
}

/// The paths of the rules that exist; one that must and does not stops the launch.
pub(super) fn existing(request: &LaunchRequest, rules: &[PathRule]) -> Result<Vec<HostFile>, Refusal> {
    let home = super::workspace::home();
    let mut files = Vec::new();
    for rule in rules {
        let path = match (&rule.path, &home) {
            (HostPath::Absolute(path), _) => path.clone(),
            (HostPath::Home(below), Some(home)) => home.join(below),
            (HostPath::Home(below), None) => Path::new("~").join(below),
        };
        match HostFile::find(path.clone()) {
            Some(file) => files.push(file),
            None if rule.presence == Presence::Required => {
                return Err(Refusal::MissingPath {
                    profile: request.profile.name.clone(),
                    path,
                });
            }
            None => {}
        }
    }
    Ok(files)
}
