//! Paths of the workspace that the host may run later: looked at before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::leads::Leads;
use super::repository;

/// So many entries of a protected directory are looked at, and so many of all. What holds more counts as changed.
const MAX_ENTRIES: usize = 20_000;
const MAX_ALL: usize = 100_000;

/// So many paths a pattern stands for at the most. More directories than that are protected as what they lie in.
const MAX_EXPANDED: usize = 200;

/// What a path looked like: nothing where it was not there. Changes of an entry set its ctime, for good.
pub(super) type Fingerprint = Vec<(PathBuf, u64, i64, i64, u64)>;

/// How closely it is looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Depth {
    /// The path itself: what is in it is out of the command's reach, but for what has a name or is led to elsewhere.
    Itself,
    /// All that is in it too.
    #[default]
    Whole,
}

/// What is looked at: each path, and what stands where one of the directories should be that lead to it. A file called `.git` leads git
/// to wherever it says.
fn watched(workspace: &Path, protect: &[PathBuf]) -> BTreeMap<PathBuf, Part> {
    let mut watched = BTreeMap::new();
    for path in paths(workspace, protect) {
        for leads in path.ancestors().skip(1).filter(|leads| !leads.as_os_str().is_empty()) {
            watched.entry(leads.to_owned()).or_insert(Part::LeadsThere);
        }
        watched.insert(path, Part::Whole);
    }
    watched
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The path itself.
    Whole,
    /// Only what is no directory.
    LeadsThere,
}

/// The paths that patterns stand for. What is said of `.git` goes for wherever git has its directory in the workspace.
///
/// Those come last of which a command can make many: what is done for some paths only is done for the others.
pub(super) fn paths(workspace: &Path, patterns: &[PathBuf]) -> Vec<PathBuf> {
    let mut patterns = patterns.to_vec();
    for place in repository::places(workspace) {
        let below = patterns.iter().filter_map(|pattern| pattern.strip_prefix(".git").ok());
        let below: Vec<_> = below.map(|below| place.join(below)).collect();
        patterns.extend(below);
    }
    patterns.sort_by_key(|pattern| pattern.iter().any(|part| part == "*"));
    let mut all: Vec<_> = patterns.iter().flat_map(|pattern| expand(workspace, pattern)).collect();
    let mut seen = BTreeSet::new();
    all.retain(|path| !path.as_os_str().is_empty() && seen.insert(path.clone()));
    all
}

/// The paths that a pattern stands for: a component `*` is every directory that is there, or all that they lie in when there are too many.
fn expand(workspace: &Path, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        if part.as_os_str() != "*" {
            found = found.into_iter().map(|path| path.join(part)).collect();
            continue;
        }
        let each: Vec<_> = found.iter().flat_map(|path| directories(workspace, path)).collect();
        if each.len() > MAX_EXPANDED {
            return found;
        }
        found = each;
    }
    found
}

fn directories(workspace: &Path, below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace.join(below)).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<_> = directories.map(|entry| below.join(entry.file_name())).collect();
    names.sort();
    names
}

/// What there was of each path, relative to the workspace. A link is looked at as itself, and so is what it leads to.
pub(super) fn look(workspace: &Path, protect: &[PathBuf], depth: Depth) -> BTreeMap<PathBuf, Fingerprint> {
    let watched = watched(workspace, protect).into_iter();
    let mut room = MAX_ALL;
    let look = |(path, part): (PathBuf, Part)| {
        let found = fingerprint(workspace, &path, part, depth, &mut room).unwrap_or_default();
        (path, found)
    };
    watched.map(look).collect()
}

/// Those that look different now.
pub(super) fn changed(
    workspace: &Path,
    protect: &[PathBuf],
    before: &BTreeMap<PathBuf, Fingerprint>,
    depth: Depth,
) -> Vec<PathBuf> {
    let mut now = watched(workspace, protect);
    for path in before
        .keys()
        .filter(|path| !now.contains_key(*path))
        .cloned()
        .collect::<Vec<_>>()
    {
        now.insert(path, Part::Whole); // what a pattern stood for
    }
    let mut room = MAX_ALL;
    let differs = |(path, part): &(PathBuf, Part)| {
        let was = before.get(path).map_or(&[][..], Vec::as_slice);
        fingerprint(workspace, path, *part, depth, &mut room).is_none_or(|now| now != was)
    };
    now.into_iter().filter(differs).map(|(path, _)| path).collect()
}

/// `None` where there is more than can be looked at. `room` is for how many entries.
fn fingerprint(workspace: &Path, path: &Path, part: Part, depth: Depth, room: &mut usize) -> Option<Fingerprint> {
    let mut found = Fingerprint::new();
    let mut left = vec![workspace.join(path)];
    if part == Part::LeadsThere {
        left.retain(|path| !path.is_dir());
    } else if *room == 0 {
        return None;
    } else {
        // What it leads to within the workspace is the command's to change, where a link on the way can be replaced or a file has two names.
        let leads = Leads::of(workspace, path);
        *room = room.saturating_sub(leads.seen);
        left.extend(leads.targets.into_iter().chain(leads.shared));
    }
    let most = MAX_ENTRIES.min(*room);
    while let Some(path) = left.pop() {
        let Ok(entry) = fs::symlink_metadata(&path) else {
            continue;
        };
        if depth == Depth::Whole && entry.is_dir() {
            let below = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(below.map(|entry| entry.path()).take(MAX_ENTRIES));
        }
        found.push((path, entry.ino(), entry.ctime(), entry.ctime_nsec(), entry.size()));
        if found.len() + left.len() > most {
            *room = room.saturating_sub(found.len());
            return None;
        }
    }
    *room = room.saturating_sub(found.len());
    found.sort();
    found.dedup();
    Some(found)
}
