//! What a protected path of the workspace leads to besides itself: by links, and by other names of its files.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// So many entries of one path are looked at, the nearest first, and so many of its links followed: more than hooks and settings have.
const MAX_ENTRIES: usize = 2000;
const MAX_TARGETS: usize = 100;

/// What one path leads to, within the workspace. What is outside is out of reach.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// Where it and the links in it lead.
    pub(super) targets: Vec<PathBuf>,
    /// Files in it that have another name too, which may be anywhere.
    pub(super) shared: Vec<PathBuf>,
}

impl Leads {
    /// Looks, at the path and all that is in it.
    pub(super) fn of(workspace: &Path, protect: &Path) -> Self {
        let named = workspace.join(protect);
        let mut leads = Self::default();
        let mut left = VecDeque::from([named.clone()]);
        leads.follow(workspace, &named, &mut left);
        let mut seen = 0;
        while let Some(path) = left.pop_front() {
            seen += 1;
            let Ok(found) = path.symlink_metadata() else { continue };
            if found.is_symlink() {
                leads.follow(workspace, &path, &mut left);
            } else if found.is_dir() && seen + left.len() < MAX_ENTRIES {
                let below = fs::read_dir(&path).into_iter().flatten().flatten();
                left.extend(below.map(|entry| entry.path()).take(MAX_ENTRIES));
            } else if found.is_file() && found.nlink() > 1 {
                leads.shared.push(path);
            }
        }
        leads
    }

    fn follow(&mut self, workspace: &Path, link: &Path, left: &mut VecDeque<PathBuf>) {
        let Ok(target) = link.canonicalize() else { return };
        let around = link.starts_with(&target); // the workspace, and what the link itself lies in
        if target == link || around || !target.starts_with(workspace) || self.targets.len() >= MAX_TARGETS {
            return;
        }
        if !self.targets.contains(&target) {
            left.push_back(target.clone());
            self.targets.push(target);
        }
    }
}
