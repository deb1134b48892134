//! Mounts: what rustix lacks, and the user namespace that an idmapped mount wants.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The mount at `path` becomes read-only (mount_setattr(2)).
pub(crate) const READ_ONLY: u64 = 0x1;
/// Set-user-id bits have no effect there.
pub(crate) const NO_SUID: u64 = 0x2;
/// Device files have no effect there.
pub(crate) const NO_DEV: u64 = 0x4;
/// Nothing there can be executed.
pub(crate) const NO_EXEC: u64 = 0x8;
const IDMAP: u64 = 0x0010_0000;
/// What is mounted on it is mounted nowhere else (MS_PRIVATE).
const PRIVATE: u64 = 0x0004_0000;

/// How far an attribute reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This mount.
    Mount,
    /// This mount and all below it.
    Tree,
}

/// Sets attributes on the mount at `path`.
pub(crate) fn set_attributes(path: &Path, set: u64, reach: Reach) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
    setattr(rustix::fs::CWD, &path, recursive(reach), &change(set, 0))
}

/// Sets attributes on a mount that is attached nowhere yet.
pub(crate) fn set_attributes_of(tree: &OwnedFd, set: u64, reach: Reach) -> io::Result<()> {
    setattr(
        tree.as_fd(),
        c"",
        libc::AT_EMPTY_PATH | recursive(reach),
        &change(set, 0),
    )
}

/// Clears attributes of the mount at `path` alone.
pub(crate) fn clear_attributes(path: &Path, clear: u64) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
    setattr(rustix::fs::CWD, &path, 0, &change(0, clear))
}

/// Gives the detached mount `tree` the id mapping of the user namespace `namespace`.
pub(crate) fn set_idmap(tree: BorrowedFd<'_>, namespace: BorrowedFd<'_>, reach: Reach) -> io::Result<()> {
    let namespace = u64::try_from(namespace.as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let attributes = libc::mount_attr {
        userns_fd: namespace,
        ..change(IDMAP, 0)
    };
    setattr(tree, c"", libc::AT_EMPTY_PATH | recursive(reach), &attributes)
}

fn change(set: u64, clear: u64) -> libc::mount_attr {
    libc::mount_attr {
        attr_set: set,
        attr_clr: clear,
        propagation: 0,
        userns_fd: 0,
    }
}

fn setattr(at: BorrowedFd<'_>, path: &std::ffi::CStr, flags: i32, attributes: &libc::mount_attr) -> io::Result<()> {
    // JUSTIFICATION: neither rustix 1.1 nor nix 0.31 wraps mount_setattr.
    // SAFETY: `path` is a C string and `attributes` has the size passed with it; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A copy of the mount at `path` that is attached nowhere yet. Needs CAP_SYS_ADMIN.
///
/// A copy of a shared mount would be shared too, as most of a host's are (mount_namespaces(7)): what is mounted on either would be on both.
pub(crate) fn detached(at: impl AsFd, path: &Path, reach: Reach) -> io::Result<OwnedFd> {
    use rustix::mount::OpenTreeFlags;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if reach == Reach::Tree {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    if path.as_os_str().is_empty() {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    let tree = rustix::mount::open_tree(at, path, flags)?;
    let private = libc::mount_attr {
        propagation: PRIVATE,
        ..change(0, 0)
    };
    setattr(tree.as_fd(), c"", libc::AT_EMPTY_PATH | recursive(reach), &private)?;
    Ok(tree)
}

fn recursive(reach: Reach) -> i32 {
    if reach == Reach::Tree { libc::AT_RECURSIVE } else { 0 }
}

/// Attaches a detached mount.
pub(crate) fn attach(tree: &OwnedFd, to: &Path) -> io::Result<()> {
    use rustix::mount::MoveMountFlags;
    rustix::mount::move_mount(tree, c"", rustix::fs::CWD, to, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// Attaches a detached mount on exactly this file or directory, whatever it is called by now.
pub(crate) fn attach_at(tree: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    use rustix::mount::MoveMountFlags;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, c"", to, c"", flags)?)
}
