//! What the host may run later, pinned in the view: read-only, and its parents where they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::file_id::FileId;
use super::leads::Leads;
use super::protect;
use super::spec::{Entry, View};
use crate::kernel::mounts::READ_ONLY;

/// So many mounts protect one workspace: the kernel has a bound for all of a namespace (fs.mount-max), and each takes its time and memory.
const MAX_PINS: usize = 4000;

/// Pins what these patterns stand for in a workspace that is mounted with these attributes, and what that leads to.
pub(super) fn protect(view: &mut View, workspace: &Path, patterns: &[PathBuf], attributes: u64) {
    let paths = protect::paths(workspace, patterns);
    let mut pins = Pins {
        view,
        workspace,
        attributes,
        pinned: BTreeSet::new(),
    };
    for path in &paths {
        pins.pin(path);
    }
    let mut whole: BTreeSet<PathBuf> = paths.iter().cloned().collect();
    for target in Leads::of_all(workspace, &paths).targets {
        let target = target.strip_prefix(workspace).unwrap_or(&target);
        if !target.ancestors().any(|around| whole.contains(around)) {
            pins.pin(target);
            whole.insert(target.to_owned());
        }
    }
}

struct Pins<'a> {
    view: &'a mut View,
    workspace: &'a Path,
    attributes: u64,
    /// What is mounted already.
    pinned: BTreeSet<PathBuf>,
}

impl Pins<'_> {
    /// Makes `protect` read-only, and keeps what it lies in from being replaced. A file that stands where a directory should be leads there
    /// too: `.git` of a worktree.
    fn pin(&mut self, protect: &Path) {
        let mut place = self.workspace.to_owned();
        let parts: Vec<_> = protect.components().collect();
        for (index, part) in parts.iter().enumerate() {
            place.push(part);
            let Ok(found) = place.symlink_metadata() else { break };
            if found.is_symlink() || !(found.is_dir() || found.is_file()) {
                break; // a link that is replaced, and what appears, is reported at the end
            }
            let last = index + 1 == parts.len();
            let whole = last || found.is_file();
            if !last && self.pinned.contains(&place) {
                continue;
            }
            if self.pinned.len() >= MAX_PINS {
                break; // what is changed there is reported at the end
            }
            self.pinned.insert(place.clone());
            self.view.mounted.push(Entry::Pin {
                within: self.workspace.to_owned(),
                path: place.clone(),
                attributes: if whole {
                    self.attributes | READ_ONLY
                } else {
                    self.attributes
                },
                seen: Some(FileId::of(&found)),
            });
        }
    }
}
