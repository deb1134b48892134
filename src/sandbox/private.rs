//! Directories of the host that Terrarium makes for itself: private workspaces, the homes and
//! temporary directories of sandboxes that have no view of their own, and homes that are kept.
//!
//! A temporary one is locked (flock(2)) by the process that made it, which is how a later start knows
//! what was left behind.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::resources;
use crate::model::Workspace;
use crate::policy::Caller;

/// Every temporary directory of ours starts with this.
const PREFIX: &str = "terrarium-";
/// A workspace for callers that name none.
pub(super) const WORKSPACE: &str = "workspace";
/// The home and temporary directory of a sandbox.
const SANDBOX: &str = "sandbox";
/// How often a new directory may be lost to the sweep of another start.
const ATTEMPTS: u32 = 16;

/// A temporary directory, and all in it, that goes when this is dropped.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    _lock: File,
}

impl Temporary {
    /// Makes one that only this user can enter. `kind` is for people who look.
    pub(super) fn create(base: &Path, kind: &str, mode: u32) -> io::Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{PREFIX}{kind}-{:032x}", u128::from_le_bytes(random));
        Self::create_named(base.join(name), mode)
    }

    /// The same under a name that somebody else has chosen.
    pub(super) fn create_named(path: PathBuf, mode: u32) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            fs::DirBuilder::new().mode(mode).create(&path)?;
            // Between making and locking it looks left behind: a sweep beside may have removed it.
            let Ok(lock) = open(&path) else { continue };
            rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
            if is(&lock, &path) {
                return Ok(Self { path, _lock: lock });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// The path of the sandbox's directory `name`, which is made with [`Self::create_named`].
    pub(super) fn sandbox(name: &str) -> PathBuf {
        temporary().join(format!("{PREFIX}{SANDBOX}-{name}"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        remove(&self.path).ok(); // the sweep of the next start tries again
    }
}

/// The directory for temporary ones: `TMPDIR` where that is an absolute path. Set to nothing or relative it would be where
/// nobody sweeps.
pub(super) fn temporary() -> PathBuf {
    absolute(std::env::temp_dir())
}

fn absolute(named: PathBuf) -> PathBuf {
    match named.is_absolute() {
        true => named,
        false => "/tmp".into(),
    }
}

/// Removes what dead processes of this user left below `base`; says how many there were.
pub(super) fn sweep(base: &Path) -> usize {
    let me = rustix::process::geteuid().as_raw();
    let mut removed = 0;
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(is_name);
        // Root gives private workspaces to users that nobody else is.
        let of_us = |uid| uid == me || (me == 0 && resources::is_session_uid(uid));
        let look = || open(&entry.path()).or_else(|_| open_closed(&entry.path(), me)).ok();
        let Some(file) = ours.then(look).flatten() else {
            continue;
        };
        let mine = file.metadata().is_ok_and(|found| of_us(found.uid()));
        let free = mine && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if free && is(&file, &entry.path()) {
            removed += usize::from(remove(&entry.path()).is_ok());
        }
    }
    removed
}

/// Whether Terrarium gives such names: nobody else's directory may be taken for one that was left.
fn is_name(name: &str) -> bool {
    let kind_and_number = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    kind_and_number.is_some_and(|(kind, number)| {
        [WORKSPACE, SANDBOX].contains(&kind)
            && number.len() >= 16
            && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether `path` still is the directory that `file` is.
fn is(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Opens a directory of `owner`'s whose command has closed it to everybody.
fn open_closed(path: &Path, owner: u32) -> io::Result<File> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if found.metadata()?.uid() != owner {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let by_handle = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
    fs::set_permissions(&by_handle, fs::Permissions::from_mode(0o700))?;
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    Ok(rustix::fs::open(&by_handle, flags, Mode::empty())?.into())
}

/// Removes a directory with all in it. Follows no link. Nothing may run in it any more.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        make_writable(path); // root needs no rights
    }
    fs::remove_dir_all(path)
}

/// A command may have taken away its own rights to the directories that it made.
fn make_writable(directory: &Path) {
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).ok(); // the removal says it
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
}

/// The home that is kept for a caller and a workspace; made when it is not there.
pub(super) fn kept_home(caller: &Caller, workspace: &Workspace) -> io::Result<PathBuf> {
    let state = state_directory().ok_or(io::ErrorKind::NotFound)?;
    let mut digest = Sha256::new();
    digest.update(format!("{caller}\0{}\0{}\0", workspace.device, workspace.inode));
    digest.update(workspace.path().as_os_str().as_encoded_bytes());
    let mut name = HEXLOWER.encode(&digest.finalize());
    name.truncate(32); // 128 bits of it are as good a name, and a path is shown to people
    let path = state.join("homes").join(name);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
    path.canonicalize()
}

/// Where Terrarium keeps what outlives it: `$XDG_STATE_HOME/terrarium` (XDG base directories). No workspace is or
/// lies there.
pub fn state_directory() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = given.filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(super::workspace::home()?.join(".local/state")))?;
    Some(state.join("terrarium"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_swept_and_what_is_held_stays() {
        let base = Temporary::create(&std::env::temp_dir(), "test", 0o700).unwrap();
        let held = Temporary::create(base.path(), WORKSPACE, 0o700).unwrap();
        let left = base.path().join("terrarium-sandbox-0123456789abcdef");
        let foreign = base.path().join("terrarium-sandbox-notes");
        fs::create_dir(&foreign).unwrap();
        let closed = left.join("closed");
        fs::create_dir_all(closed.join("inner")).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        std::os::unix::fs::symlink("/etc", base.path().join("terrarium-workspace-0123456789abcdef")).unwrap();
        let itself = base.path().join("terrarium-workspace-fedcba9876543210");
        fs::create_dir(&itself).unwrap();
        fs::set_permissions(&itself, fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(sweep(base.path()), 2);
        assert!(!left.exists() && !itself.exists() && held.path().exists() && foreign.exists());
        assert!(
            base.path()
                .join("terrarium-workspace-0123456789abcdef")
                .symlink_metadata()
                .is_ok()
        );
    }
}
