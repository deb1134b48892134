//! The root directory of a sandbox: built on a tmpfs, then made the root.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::file_id::FileId;
use super::launcher::Prepared;
use super::spec::{Entry, View};
use super::step::{AtStep as _, Step, StepError};
use crate::kernel::mounts::{self, NO_DEV, NO_EXEC, NO_SUID, READ_ONLY, Reach};
use crate::kernel::probe;

/// Room for directories, links and small files.
const ROOT_SIZE: u64 = 4 << 20;

/// Builds the view and enters it. The host's root is gone afterwards.
pub(super) fn build(view: &View, mut prepared: Prepared) -> Result<(), StepError> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", private).at(Step::Root)?;
    take_sources(view, &mut prepared)?;
    let root = probe::mount_point().ok_or(io::ErrorKind::NotFound).at(Step::Root)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let size = ROOT_SIZE + copies(view);
    let options = std::ffi::CString::new(format!("size={size},nr_inodes=4k,mode=755"))
        .map_err(io::Error::from)
        .at(Step::Root)?;
    rustix::mount::mount("root", root, "tmpfs", flags, Some(options.as_c_str())).at(Step::Root)?;
    let builder = Builder {
        root,
        prepared: &prepared,
        made: RefCell::default(),
        together: Cell::new(true),
    };
    for entry in view.fixed.iter().chain(&view.mounted) {
        builder.make_room(entry)?;
    }
    let (executable, plain): (Vec<_>, Vec<_>) = view.fixed.iter().partition(|entry| is_executable(entry));
    for entry in plain {
        builder.add(entry)?;
    }
    // Most of what is fixed has these attributes: they are set in one go.
    mounts::set_attributes(root, READ_ONLY | NO_SUID | NO_DEV | NO_EXEC, Reach::Tree).at(Step::Root)?;
    mounts::clear_attributes(root, NO_EXEC).at(Step::Root)?; // a shell's copy is in it
    builder.together.set(false);
    for entry in executable.into_iter().chain(&view.mounted) {
        builder.add(entry)?;
    }
    enter(root).at(Step::Pivot)
}

fn is_executable(entry: &Entry) -> bool {
    matches!(entry, Entry::Bind { attributes, .. } if attributes & NO_EXEC == 0)
}

/// How much room the programs that are copied take.
fn copies(view: &View) -> u64 {
    let sizes = view.fixed.iter().map(|entry| match entry {
        Entry::Copy { source, .. } => fs::metadata(source).map_or(0, |found| found.len()),
        _ => 0,
    });
    sizes.sum()
}

/// A copy that can be executed and not read.
pub(super) fn copy_unreadable(source: &Path, to: &Path) -> io::Result<()> {
    fs::copy(source, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o111))
}

/// Takes hold of every source before the new root covers the place it is built on.
fn take_sources(view: &View, prepared: &mut Prepared) -> Result<(), StepError> {
    for entry in view.fixed.iter().chain(&view.mounted) {
        let (path, source, needed, seen) = match entry {
            Entry::Bind {
                path,
                source,
                needed,
                seen,
                ..
            } => (path, source, *needed, *seen),
            Entry::Own { path, source, .. } => (path, source, true, None), // compared when it is mounted
            _ => continue,
        };
        if prepared.contains_key(path.as_os_str()) {
            continue;
        }
        match mounts::detached(rustix::fs::CWD, source, Reach::Tree) {
            Ok(tree) => {
                FileId::check(seen, &tree).at_path(Step::Mount, path)?;
                prepared.insert(path.into(), tree);
            }
            Err(_) if !needed => {}
            Err(error) => return Err(error).at_path(Step::Mount, path),
        }
    }
    Ok(())
}

fn enter(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

struct Builder<'a> {
    root: &'a Path,
    prepared: &'a Prepared,
    /// Directories that were made, and that no mount covers yet: most entries have the same few parents.
    made: RefCell<HashSet<OsString>>,
    /// Whether the attributes of binds are set later, all together.
    together: Cell<bool>,
}

impl Builder<'_> {
    /// Where a path of the sandbox is while the root is being built.
    fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn prepared(&self, path: &Path) -> Option<&OwnedFd> {
        self.prepared.get(path.as_os_str())
    }

    /// Makes the directories that mounts need while the root can still be written.
    fn make_room(&self, entry: &Entry) -> Result<(), StepError> {
        match entry {
            Entry::Directory { path } | Entry::Tmpfs { path, .. } | Entry::Own { path, .. } => self.directory(path),
            Entry::Bind {
                path, directory: true, ..
            } => self.directory(path),
            Entry::Bind { path, .. } => self.point(path),
            Entry::Proc => self.directory(Path::new("/proc")),
            Entry::Devpts => self.directory(Path::new("/dev/pts")),
            Entry::File { .. } | Entry::Copy { .. } | Entry::Link { .. } | Entry::Pin { .. } => Ok(()),
        }
    }

    fn directory(&self, path: &Path) -> Result<(), StepError> {
        if self.made.borrow().contains(path.as_os_str()) {
            return Ok(());
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(self.place(path))
            .at_path(Step::Mount, path)?;
        self.made.borrow_mut().insert(path.into());
        Ok(())
    }

    /// An empty file to mount on.
    fn point(&self, path: &Path) -> Result<(), StepError> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        let (kind, mode) = (rustix::fs::FileType::RegularFile, rustix::fs::Mode::from(0o444));
        match rustix::fs::mknodat(rustix::fs::CWD, self.place(path), kind, mode, 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error).at_path(Step::Mount, path),
        }
    }

    fn add(&self, entry: &Entry) -> Result<(), StepError> {
        match entry {
            Entry::Directory { .. } => Ok(()),
            Entry::File { path, text } => {
                self.parent(path)?;
                fs::write(self.place(path), text).at_path(Step::Mount, path)
            }
            Entry::Copy { path, source, .. } => {
                self.parent(path)?;
                copy_unreadable(source, &self.place(path)).at_path(Step::Mount, path)
            }
            Entry::Link { path, target } => {
                self.parent(path)?;
                std::os::unix::fs::symlink(target, self.place(path)).at_path(Step::Mount, path)
            }
            Entry::Bind {
                path,
                source,
                attributes,
                needed,
                ..
            } => match self.bind(path, source, *attributes) {
                Err(_) if !needed => Ok(()),
                result => result.at_path(Step::Mount, path),
            },
            Entry::Own {
                path,
                source,
                attributes,
                device,
                inode,
            } => self
                .own(path, source, *attributes, (*device, *inode))
                .at_path(Step::PrepareWorkspace, path),
            Entry::Pin {
                within,
                path,
                attributes,
                seen,
            } => self.pin(within, path, *attributes, *seen).at_path(Step::Mount, path),
            Entry::Tmpfs {
                path,
                size,
                files,
                mode,
                owner: (user, group),
                attributes,
            } => {
                let options = format!("size={size},nr_inodes={files},mode={mode:o},uid={user},gid={group}");
                self.mount("tmpfs", path, &options, *attributes)
            }
            Entry::Proc => {
                let attributes = NO_SUID | NO_DEV | mounts::NO_EXEC;
                self.mount("proc", Path::new("/proc"), "hidepid=2", attributes)
            }
            Entry::Devpts => {
                let options = "newinstance,ptmxmode=0666,mode=0620,max=64";
                self.mount("devpts", Path::new("/dev/pts"), options, NO_SUID | mounts::NO_EXEC)
            }
        }
    }

    fn parent(&self, path: &Path) -> Result<(), StepError> {
        path.parent().map_or(Ok(()), |parent| self.directory(parent))
    }

    fn mount(&self, kind: &str, path: &Path, options: &str, attributes: u64) -> Result<(), StepError> {
        self.directory(path)?;
        let options = std::ffi::CString::new(options)
            .map_err(io::Error::from)
            .at_path(Step::Mount, path)?;
        let place = self.place(path);
        rustix::mount::mount(kind, &place, kind, MountFlags::empty(), Some(options.as_c_str()))
            .at_path(Step::Mount, path)?;
        let covered = path.as_os_str().as_encoded_bytes(); // what was made below is; neighbours are made again
        let mut made = self.made.borrow_mut();
        made.retain(|made| !made.as_encoded_bytes().starts_with(covered));
        mounts::set_attributes(&place, attributes, Reach::Mount).at_path(Step::Mount, path)
    }

    fn bind(&self, path: &Path, source: &Path, attributes: u64) -> io::Result<()> {
        let place = self.place(path);
        match self.prepared(path) {
            Some(tree) => mounts::attach(tree, &place)?,
            None => rustix::mount::mount_bind_recursive(source, &place)?,
        }
        if self.together.get() {
            return Ok(());
        }
        mounts::set_attributes(&place, attributes, Reach::Tree)
    }

    /// By descriptors from `within` on, and never through a link: what else works there may replace every part of the path meanwhile.
    fn pin(&self, within: &Path, path: &Path, attributes: u64, seen: Option<FileId>) -> io::Result<()> {
        let below = path.strip_prefix(within).map_err(io::Error::other)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut place = rustix::fs::open(self.place(within), flags | OFlags::DIRECTORY, Mode::empty())?;
        // Name by name, which stops at a link; openat2(2) would do the same, and systemd refuses it (RestrictSUIDSGID=).
        for part in below.components() {
            let Component::Normal(name) = part else {
                return Err(io::Error::from_raw_os_error(libc::EXDEV));
            };
            place = rustix::fs::openat(&place, name, flags, Mode::empty())?;
        }
        FileId::check(seen, &place)?;
        let tree = mounts::detached(&place, Path::new(""), Reach::Tree)?;
        mounts::set_attributes_of(&tree, attributes, Reach::Tree)?;
        mounts::attach_at(&tree, &place)
    }

    fn own(&self, path: &Path, source: &Path, attributes: u64, checked: (u64, u64)) -> io::Result<()> {
        let place = self.place(path);
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&place)?;
        self.bind(path, source, attributes)?;
        let found = fs::metadata(&place)?;
        if (found.dev(), found.ino()) == checked {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESTALE)) // replaced after it was checked
        }
    }
}
