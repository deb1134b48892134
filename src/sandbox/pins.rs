//! What the host may run later, pinned in the view: read-only, and its parents where they are.

use std::path::{Path, PathBuf};

use super::file_id::FileId;
use super::protect::expand;
use super::spec::{Entry, View};
use crate::kernel::mounts::READ_ONLY;

/// Pins what these patterns stand for in a workspace that is mounted with these attributes, and what that leads to.
pub(super) fn protect(view: &mut View, workspace: &Path, protect: &[PathBuf], attributes: u64) {
    let protect: Vec<PathBuf> = protect.iter().flat_map(|protect| expand(workspace, protect)).collect();
    let led_to = protect.iter().filter_map(|protect| led_to(workspace, protect));
    let led_to = led_to.filter_map(|target| Some(target.strip_prefix(workspace).ok()?.to_owned()));
    let mut pinned: Vec<PathBuf> = Vec::new();
    for protect in protect.iter().cloned().chain(led_to) {
        pin(view, &mut pinned, workspace, &protect, attributes);
    }
}

/// What a protected path leads to by links, where that lies in the workspace too. What is outside is out of reach.
pub(super) fn led_to(workspace: &Path, protect: &Path) -> Option<PathBuf> {
    let named = workspace.join(protect);
    let target = named.canonicalize().ok()?;
    (target != named && target != workspace && target.starts_with(workspace)).then_some(target)
}

/// Makes `protect` read-only, and keeps what it lies in from being replaced. A file that stands where a directory should be leads there
/// too: `.git` of a worktree.
fn pin(view: &mut View, pinned: &mut Vec<PathBuf>, workspace: &Path, protect: &Path, attributes: u64) {
    let mut place = workspace.to_owned();
    let parts: Vec<_> = protect.components().collect();
    for (index, part) in parts.iter().enumerate() {
        place.push(part);
        let Ok(found) = place.symlink_metadata() else { break };
        if found.is_symlink() || !(found.is_dir() || found.is_file()) {
            break; // a link that is replaced, and what appears, is reported at the end
        }
        let last = index + 1 == parts.len();
        let whole = last || found.is_file();
        if !last && pinned.contains(&place) {
            continue;
        }
        pinned.push(place.clone());
        view.mounted.push(Entry::Pin {
            within: workspace.to_owned(),
            path: place.clone(),
            attributes: if whole { attributes | READ_ONLY } else { attributes },
            seen: Some(FileId::of(&found)),
        });
    }
}
