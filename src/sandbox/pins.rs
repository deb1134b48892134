//! What the host may run later, pinned in the view: read-only, and its parents where they are.

use std::path::{Path, PathBuf};

use super::file_id::FileId;
use super::leads::Leads;
use super::protect;
use super::spec::{Entry, View};
use crate::kernel::mounts::READ_ONLY;

/// Pins what these patterns stand for in a workspace that is mounted with these attributes, and what that leads to.
pub(super) fn protect(view: &mut View, workspace: &Path, patterns: &[PathBuf], attributes: u64) {
    let mut all = protect::paths(workspace, patterns);
    for path in all.clone() {
        for target in Leads::of(workspace, &path).targets {
            let target = target.strip_prefix(workspace).unwrap_or(&target);
            if !all.iter().any(|path| target.starts_with(path)) {
                all.push(target.to_owned());
            }
        }
    }
    let mut pinned: Vec<PathBuf> = Vec::new();
    for path in &all {
        pin(view, &mut pinned, workspace, path, attributes);
    }
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
