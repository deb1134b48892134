//! Where a sandbox's home and temporary directory are, as the command sees them.

use std::path::{Path, PathBuf};

use super::plan::Modes;
use super::private;
use super::refusal::Refusal;
use crate::model::Workspace;
use crate::policy::{Caller, LaunchRequest};
use crate::profile::Home;

/// `HOME` in every sandbox with a view of its own.
pub(super) const HOME: &str = "/home/user";
const TMP: &str = "/tmp";
/// Where an interactive shell's program is, in a view.
const SHELLS: &str = "/run/terrarium";

/// The sandbox's own directories besides its workspace.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) home: PathBuf,
    pub(super) tmp: PathBuf,
    /// A directory that the launcher makes, where there is no view to mount private ones in.
    pub(super) private: Option<PathBuf>,
    /// Where an interactive shell's program is copied to.
    pub(super) shells: PathBuf,
    /// The directory of the host that is the home, if it is kept.
    pub(super) kept: Option<KeptHome>,
}

/// A home that outlives the sandbox.
#[derive(Clone, Debug)]
pub(super) struct KeptHome {
    pub(super) source: PathBuf,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Places {
    pub(super) fn find(caller: &Caller, request: &LaunchRequest, modes: &Modes, name: &str) -> Result<Self, Refusal> {
        let kept = match request.profile.filesystem.home {
            Home::Private => None,
            Home::Kept => Some(kept(caller, &request.workspace, modes)?),
        };
        if modes.namespaces.mount {
            return Ok(Self {
                home: HOME.into(),
                tmp: TMP.into(),
                private: None,
                shells: SHELLS.into(),
                kept,
            });
        }
        let private = private::Temporary::sandbox(name);
        Ok(Self {
            home: kept
                .as_ref()
                .map_or_else(|| private.join("home"), |kept| kept.source.clone()),
            tmp: private.join("tmp"),
            shells: private.join("shells"),
            private: Some(private),
            kept,
        })
    }

    /// The home, where it is a directory of the host.
    pub(super) fn home_on_host(&self) -> Option<&Path> {
        match (&self.kept, &self.private) {
            (Some(kept), _) => Some(&kept.source),
            (None, Some(_)) => Some(&self.home),
            (None, None) => None,
        }
    }

    /// Where an interactive shell finds the files that it starts with.
    pub(super) fn startup(&self) -> PathBuf {
        self.tmp.join(".terrarium")
    }

    /// Directories in which a command may start besides the workspace.
    pub(super) fn all(&self) -> [&Path; 2] {
        [&self.home, &self.tmp]
    }
}

fn kept(caller: &Caller, workspace: &Workspace, modes: &Modes) -> Result<KeptHome, Refusal> {
    use std::os::unix::fs::MetadataExt as _;
    if modes.identity.change && !modes.namespaces.mount {
        return Err(Refusal::ForeignHome);
    }
    let source = private::kept_home(caller, workspace).map_err(|source| Refusal::KeptHome { source })?;
    let found = source.metadata().map_err(|source| Refusal::KeptHome { source })?;
    Ok(KeptHome {
        device: found.dev(),
        inode: found.ino(),
        source,
    })
}
