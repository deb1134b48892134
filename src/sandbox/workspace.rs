//! Which directories may be a workspace, and whose.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::private::{self, Temporary};
use super::resources;
use crate::kernel::identity;
use crate::model::Workspace;
use crate::model::workspace::{Keep, Owner};

/// Directories of the system: a workspace neither is one, nor contains one.
const SYSTEM: [&str; 23] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/var",
];
/// Directories in which no workspace lies at all.
const CLOSED: [&str; 16] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/libexec",
    "/usr/sbin",
];
/// Directories of HOME in which no workspace lies, and which none contains.
const PRIVATE: [&str; 5] = [".ssh", ".gnupg", ".config", ".local", ".terrarium"];

/// Why a directory cannot be the workspace.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// It cannot be looked at.
    #[error("cannot use {} as the workspace; hint: name a directory that exists, with --workspace", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// None was named, and a private one cannot be made.
    #[error("cannot make a private workspace in {}; hint: make room there, set TMPDIR, or name a directory with --workspace", base.display())]
    Private {
        /// The temporary directory.
        base: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No directory.
    #[error("{} is no directory; hint: name one with --workspace", path.display())]
    NotADirectory {
        /// What it is.
        path: PathBuf,
    },
    /// What is said about it, and to whom, is text.
    #[error(
        "{path:?} cannot be the workspace: its path is not UTF-8 text; hint: rename it, or name another directory with --workspace"
    )]
    NotText {
        /// Which.
        path: PathBuf,
    },
    /// Too much would be in it.
    #[error("{} cannot be the workspace: it is or contains {}, which a sandbox must not change; hint: name a project's own directory with --workspace", path.display(), what.display())]
    Contains {
        /// Which.
        path: PathBuf,
        /// What is in it.
        what: PathBuf,
    },
    /// It lies in the wrong place.
    #[error("{} cannot be the workspace: it lies in {}, which a sandbox must not change; hint: name a project's own directory with --workspace", path.display(), what.display())]
    Inside {
        /// Which.
        path: PathBuf,
        /// Where it lies.
        what: PathBuf,
    },
    /// The user cannot write there.
    #[error("{} belongs to user {owner}, and this is user {user}; hint: name a directory of your own with --workspace", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose.
        owner: u32,
        /// Who asks.
        user: u32,
    },
}

/// Checks a directory that somebody named.
pub fn named(directory: &Path) -> Result<Workspace, WorkspaceError> {
    let open = |source| WorkspaceError::Open {
        path: directory.to_owned(),
        source,
    };
    let path = directory.canonicalize().map_err(open)?;
    let found = path.metadata().map_err(open)?;
    if !found.is_dir() {
        return Err(WorkspaceError::NotADirectory { path });
    }
    if path.to_str().is_none() {
        return Err(WorkspaceError::NotText { path });
    }
    let home = home();
    let mut kept: Vec<PathBuf> = SYSTEM.iter().map(|path| as_it_is(Path::new(path))).collect();
    let mut closed: Vec<PathBuf> = CLOSED.iter().map(|path| as_it_is(Path::new(path))).collect();
    if let Some(home) = &home {
        kept.push(home.clone());
        for name in PRIVATE {
            kept.push(home.join(name));
            closed.push(home.join(name));
        }
    }
    if let Some(state) = private::state_directory() {
        kept.push(state.clone());
        closed.push(state);
    }
    for runtime in runtime_directories() {
        kept.push(runtime.clone());
        closed.push(runtime);
    }
    if let Some(binary) = std::env::current_exe().ok().and_then(|b| b.canonicalize().ok()) {
        kept.push(binary);
    }
    if let Some(what) = kept.into_iter().find(|what| what.starts_with(&path) && what.exists()) {
        return Err(WorkspaceError::Contains { path, what });
    }
    if let Some(what) = closed.into_iter().find(|what| path.starts_with(what)) {
        return Err(WorkspaceError::Inside { path, what });
    }
    let user = rustix::process::geteuid();
    if !user.is_root() && found.uid() != user.as_raw() {
        return Err(WorkspaceError::Foreign {
            path,
            owner: found.uid(),
            user: user.as_raw(),
        });
    }
    let owner = Owner {
        uid: found.uid(),
        gid: found.gid(),
    };
    Ok(Workspace {
        path,
        device: found.dev(),
        inode: found.ino(),
        owner,
        keep: Keep::Always,
    })
}

/// Checks that none of our own files lies or would lie in a workspace, and that it lies in none of our directories.
pub fn apart_from(workspace: &Workspace, ours: &[PathBuf]) -> Result<(), WorkspaceError> {
    let path = workspace.path().to_owned();
    for what in ours.iter().map(|ours| as_it_is(ours)) {
        if what.starts_with(&path) {
            return Err(WorkspaceError::Contains { path, what });
        }
        if path.starts_with(&what) {
            return Err(WorkspaceError::Inside { path, what });
        }
    }
    Ok(())
}

/// A path from the root without symbolic links, also where its end is not there yet.
pub(crate) fn as_it_is(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = whole.ancestors().find_map(|above| {
        let rest = whole.strip_prefix(above).ok()?;
        let mut found = above.canonicalize().ok()?;
        found.extend(rest); // joining nothing would leave a slash at the end
        Some(found)
    });
    found.unwrap_or(whole)
}

/// A private directory that is the workspace because the current one cannot be. Whoever takes it says so: what is
/// written there is lost when this is dropped.
#[derive(Debug, thiserror::Error)]
#[error("commands work in {}, which is removed at the end with all that is in it", held.path().display())]
pub struct Instead {
    held: Temporary,
    #[source]
    why: WorkspaceError,
}

/// The current directory where that may be one, else a private one for as long as the second is held.
pub fn default() -> Result<(Workspace, Option<Instead>), WorkspaceError> {
    let here = std::env::current_dir().map_err(|source| WorkspaceError::Open {
        path: ".".into(),
        source,
    })?;
    match named(&here) {
        Ok(workspace) => Ok((workspace, None)),
        Err(why) => scratch().map(|(workspace, held)| (workspace, Some(Instead { held, why }))),
    }
}

/// A private directory below the temporary one; it goes when the second is dropped.
pub fn scratch() -> Result<(Workspace, Temporary), WorkspaceError> {
    let base = private::temporary();
    let failed = |source| WorkspaceError::Private {
        base: base.clone(),
        source,
    };
    let held = Temporary::create(&base, private::WORKSPACE, 0o700).map_err(failed)?;
    if rustix::process::geteuid().is_root() && identity::can_change_user() {
        // Root's files need a map of ids, which not every file system can do; another user's need none.
        let id = Some(resources::session_uid().map_err(|error| failed(error.into()))?);
        std::os::unix::fs::chown(held.path(), id, id).map_err(failed)?;
    }
    let mut workspace = named(held.path())?;
    workspace.keep = Keep::Scratch;
    Ok((workspace, held))
}

/// Where control sockets are, the preferred place first; servers of one user may see different surroundings.
pub(crate) fn runtime_directories() -> Vec<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let mut found: Vec<PathBuf> = given
        .into_iter()
        .chain([usual])
        .filter(|path| path.is_absolute() && path.is_dir())
        .map(|path| path.join("terrarium"))
        .collect();
    found.extend(private::state_directory().map(|state| state.join("run")));
    found.dedup();
    found
}

/// What is behind it where there is no directory for state: a home that is not there.
pub(crate) fn homeless() -> String {
    match std::env::home_dir() {
        Some(home) if !home.is_absolute() => format!(": the home {home:?} is no absolute path"),
        Some(home) if home.canonicalize().is_err() => format!(": the home {} is not there", home.display()),
        _ => String::new(),
    }
}

/// The home directory of the user who runs the server.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::home_dir()
        .filter(|home| home.is_absolute())
        .and_then(|home| home.canonicalize().ok())
}

/// Whether it is still the directory that was checked. Whoever mounts it looks again.
pub(super) fn is_there(workspace: &Workspace) -> bool {
    let found = workspace.path().symlink_metadata();
    found.is_ok_and(|found| (found.dev(), found.ino()) == (workspace.device, workspace.inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_directories_and_home_are_refused_with_the_reason() {
        for path in ["/", "/usr", "/etc", "/home"] {
            let error = named(Path::new(path)).unwrap_err();
            assert!(matches!(error, WorkspaceError::Contains { .. }), "{path}: {error}");
        }
        let error = named(Path::new("/etc/ssl")).unwrap_err();
        assert!(
            matches!(&error, WorkspaceError::Inside { what, .. } if what == Path::new("/etc")),
            "{error}"
        );
        if let Some(home) = home() {
            assert!(matches!(named(&home), Err(WorkspaceError::Contains { .. })));
        }
    }
}
