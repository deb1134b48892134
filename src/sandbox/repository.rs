//! Where git keeps what `.git` stands for, when that is no directory: what a file of this name says, and the workspace itself.
//!
//! What git's own configuration names besides (`core.hooksPath`, `include.path`) is not followed.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

/// So much of a file is read: more than any path takes.
const MAX_FILE: u64 = 8 << 10;

/// Directories of the workspace that git uses as it does `.git`, relative to it; the workspace itself is the empty path.
pub(super) fn places(workspace: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let git = workspace.join(".git");
    if let Some(text) = content(&git) {
        places.extend(led_to(workspace, workspace, text.strip_prefix("gitdir:")));
    }
    if is_repository(workspace) {
        places.push(PathBuf::new());
    }
    // A worktree has a directory of its own, which says where that of the repository is.
    let all: Vec<_> = places.iter().map(|place| workspace.join(place)).chain([git]).collect();
    for place in all {
        let common = content(&place.join("commondir"));
        let common = led_to(workspace, &place, common.as_deref());
        places.extend(common.filter(|common| common != Path::new(".git")));
    }
    places.sort();
    places.dedup();
    places
}

/// As git sees it (gitrepository-layout(5)): whatever `config` says.
fn is_repository(directory: &Path) -> bool {
    directory.join("HEAD").is_file() && directory.join("objects").is_dir() && directory.join("refs").is_dir()
}

/// What such a file says. Whatever stands there, nobody is waited for.
fn content(path: &Path) -> Option<String> {
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// A path that such a file names, where it lies in the workspace, also if nothing is there yet.
fn led_to(workspace: &Path, from: &Path, named: Option<&str>) -> Option<PathBuf> {
    let named = from.join(named?.trim());
    let place = named.canonicalize().unwrap_or_else(|_| without_dots(&named));
    Some(place.strip_prefix(workspace).ok()?.to_owned())
}

fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}
