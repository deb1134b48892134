//! Where git keeps what `.git` stands for, when that is no directory: what a file of this name says, and the workspace itself.
//!
//! What git's own configuration names besides (`core.hooksPath`, `include.path`) is not followed.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// So much of a file is read: more than any path takes.
const MAX_FILE: u64 = 8 << 10;

/// Directories of the workspace that git uses as it does `.git`, relative to it; the workspace itself is the empty path.
pub(super) fn places(workspace: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let git = workspace.join(".git");
    if let Some(text) = content(workspace, &git) {
        places.extend(led_to(workspace, workspace, text.strip_prefix("gitdir:")));
    }
    if is_repository(workspace) {
        places.push(PathBuf::new());
    }
    // A worktree has a directory of its own, which says where that of the repository is.
    let all: Vec<_> = places.iter().map(|place| workspace.join(place)).chain([git]).collect();
    for place in all {
        let common = content(workspace, &place.join("commondir"));
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

/// What such a file says. Nothing is opened but a file of the workspace's own file system: it may be a link of the command's to a device,
/// a pipe or the kernel's log (/proc/kmsg), where that does something or waits.
fn content(workspace: &Path, path: &Path) -> Option<String> {
    let found = File::from(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?);
    let (file, around) = (found.metadata().ok()?, workspace.metadata().ok()?);
    if !file.is_file() || file.dev() != around.dev() {
        return None;
    }
    let file = File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()?;
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

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

    use super::*;
    use crate::sandbox::private::{Temporary, WORKSPACE};

    #[test]
    fn nothing_but_a_file_is_opened() {
        let directory = Temporary::create(&std::env::temp_dir(), WORKSPACE, 0o700).unwrap();
        let pipe = directory.path().join("pipe");
        let kind = (rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind.0, kind.1, 0).unwrap();
        let workspace = directory.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        std::os::unix::fs::symlink(&pipe, workspace.join(".git")).unwrap();
        let watch = inotify::init(CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, &pipe, WatchFlags::OPEN).unwrap();
        let mut buffer = [MaybeUninit::uninit(); 512];
        let mut opened = || inotify::Reader::new(&watch, &mut buffer).next().is_ok();
        assert_eq!(places(&workspace), Vec::<PathBuf>::new());
        assert!(!opened());
        rustix::fs::open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        assert!(opened(), "the watch sees nothing");
    }

    #[test]
    fn what_the_kernel_writes_is_not_read() {
        let directory = Temporary::create(&std::env::temp_dir(), WORKSPACE, 0o700).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/proc/version", &link).unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(content(directory.path(), &link), None);
        assert_eq!(content(directory.path(), &file).as_deref(), Some("text"));
    }
}
