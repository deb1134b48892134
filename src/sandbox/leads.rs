//! What a protected path of the workspace leads to besides itself: by links, and by other names of its files.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// So many entries are looked at for each path, the nearest first, and for all together, and so many links are followed: more than hooks and
/// settings have.
const MAX_ENTRIES: usize = 2000;
const MAX_ALL: usize = 20_000;
const MAX_TARGETS: usize = 100;

/// What paths lead to, within the workspace. What is outside is out of reach.
#[derive(Debug, Default)]
pub(super) struct Leads {
    /// Where they and the links in them lead.
    pub(super) targets: Vec<PathBuf>,
    /// Files in them that have another name too, which may be anywhere.
    pub(super) shared: Vec<PathBuf>,
    /// How many entries were looked at.
    pub(super) seen: usize,
    known: BTreeSet<PathBuf>,
}

impl Leads {
    /// Looks, at the path and all that is in it.
    pub(super) fn of(workspace: &Path, protect: &Path) -> Self {
        let mut leads = Self::default();
        leads.look(workspace, protect);
        leads
    }

    /// Looks at several, the first ones first.
    pub(super) fn of_all(workspace: &Path, protect: &[PathBuf]) -> Self {
        let mut leads = Self::default();
        for path in protect {
            if leads.seen < MAX_ALL {
                leads.look(workspace, path);
            }
        }
        leads
    }

    fn look(&mut self, workspace: &Path, protect: &Path) {
        let named = workspace.join(protect);
        let mut left = VecDeque::from([named.clone()]);
        let most = self.targets.len() + MAX_TARGETS;
        self.follow(workspace, &named, &mut left, most);
        let mut seen = 0;
        while let Some(path) = left.pop_front() {
            seen += 1;
            let Ok(found) = path.symlink_metadata() else { continue };
            if found.is_symlink() {
                self.follow(workspace, &path, &mut left, most);
            } else if found.is_dir() && seen + left.len() < MAX_ENTRIES {
                let below = fs::read_dir(&path).into_iter().flatten().flatten();
                left.extend(below.map(|entry| entry.path()).take(MAX_ENTRIES));
            } else if found.is_file() && found.nlink() > 1 {
                self.shared.push(path);
            }
        }
        self.seen += seen;
    }

    fn follow(&mut self, workspace: &Path, link: &Path, left: &mut VecDeque<PathBuf>, most: usize) {
        let Ok(target) = link.canonicalize() else { return };
        let around = link.starts_with(&target); // the workspace, and what the link itself lies in
        if target == link || around || !target.starts_with(workspace) || self.targets.len() >= most {
            return;
        }
        if self.known.insert(target.clone()) {
            self.targets.push(target.clone());
            left.push_back(target);
        }
    }
}
