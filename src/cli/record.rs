//! Where the record of a process is kept: out of reach of every sandbox that it may start.

use std::path::{Path, PathBuf};

use crate::audit::{Audit, Redactor, Settings};
use crate::config::AuditSettings;
use crate::model::{InstanceId, Workspace};
use crate::profile::{HostPath, Profiles};
use crate::sandbox::private;
use crate::sandbox::workspace::{self, as_it_is};

/// Why no record is kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "there is no place for the audit{}; hint: set HOME or XDG_STATE_HOME",
        workspace::homeless()
    )]
    Nowhere,
    #[error("the audit {} lies in the workspace {}; hint: choose another workspace, or another XDG_STATE_HOME", audit.display(), workspace.display())]
    InWorkspace { audit: PathBuf, workspace: PathBuf },
    #[error(
        "the {what} {} lies in {} or holds it, which the profile {profile} lets sandboxes read; hint: take that out of the \
         profile, or choose another {place}", ours.display(), path.display()
    )]
    Readable {
        what: &'static str,
        ours: PathBuf,
        path: PathBuf,
        profile: String,
        place: &'static str,
    },
    #[error("cannot get random numbers")]
    Random(#[from] getrandom::Error),
}

/// The record of this process, out of reach of the sandboxes that it starts. It is written to from the first call on.
pub(super) fn keep(
    kept: &AuditSettings,
    workspace: &Workspace,
    profiles: &Profiles,
    redactor: Redactor,
    more: &[PathBuf],
) -> Result<Audit, Error> {
    let settings = kept.settings(usual()).ok_or(Error::Nowhere)?;
    apart(&settings, workspace)?;
    unread(kept, profiles, more)?;
    to_files(kept, settings, redactor)
}

/// Whether what sandboxes may do is such that a server would keep a record out of their reach.
pub(super) fn could_be_kept(
    kept: &AuditSettings,
    workspace: Option<&Workspace>,
    profiles: &Profiles,
) -> Result<(), Error> {
    let settings = kept.settings(usual()).ok_or(Error::Nowhere)?;
    workspace.map_or(Ok(()), |workspace| apart(&settings, workspace))?;
    unread(kept, profiles, &[])
}

fn apart(settings: &Settings, workspace: &Workspace) -> Result<(), Error> {
    let audit = as_it_is(&settings.directory);
    if overlap(&audit, &workspace.path) {
        let workspace = workspace.path.clone();
        return Err(Error::InWorkspace { audit, workspace });
    }
    Ok(())
}

/// No profile lets sandboxes read the record, what is kept for later servers, the way in for the operator, or any of `more`.
fn unread(kept: &AuditSettings, profiles: &Profiles, more: &[PathBuf]) -> Result<(), Error> {
    let audit = kept.settings(usual()).map(|settings| settings.directory);
    let state = private::state_directory();
    let sockets = workspace::runtime_directories();
    let ours: Vec<(&str, PathBuf, &str)> = audit
        .into_iter()
        .map(|path| ("audit", path, "audit.path or XDG_STATE_HOME"))
        .chain(state.map(|path| ("state directory", path, "XDG_STATE_HOME")))
        .chain(
            sockets
                .into_iter()
                .map(|path| ("directory of control sockets", path, "XDG_RUNTIME_DIR")),
        )
        .chain(more.iter().map(|path| ("file", path.clone(), "file")))
        .map(|(what, path, place)| (what, as_it_is(&path), place))
        .collect();
    let clash = |path: &HostPath| {
        let found = as_it_is(&on_host(path));
        ours.iter().find(|(_, ours, _)| overlap(ours, &found))
    };
    for name in profiles.that_may_name(|path| clash(path).is_some()) {
        let Ok(profile) = profiles.get(name) else { continue }; // nothing runs with it
        let files = &profile.filesystem;
        for rule in files.read.iter().chain(&files.execute) {
            if let Some((what, ours, place)) = clash(&rule.path) {
                return Err(Error::Readable {
                    what,
                    ours: ours.clone(),
                    path: on_host(&rule.path),
                    profile: name.to_owned(),
                    place,
                });
            }
        }
    }
    Ok(())
}

fn on_host(path: &HostPath) -> PathBuf {
    match path {
        HostPath::Absolute(path) => path.clone(),
        HostPath::Home(path) => std::env::home_dir().unwrap_or_default().join(path),
    }
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The record of what this process does itself, which starts no sandbox.
pub(super) fn keep_own(kept: &AuditSettings) -> Result<Audit, Error> {
    let settings = kept.settings(usual()).ok_or(Error::Nowhere)?;
    to_files(kept, settings, Redactor::default())
}

fn to_files(kept: &AuditSettings, settings: Settings, redactor: Redactor) -> Result<Audit, Error> {
    let anchor = kept.anchor.clone();
    Ok(Audit::to_files(InstanceId::random()?, settings, redactor, anchor))
}

/// Where the record is unless somebody says something else.
pub(super) fn usual() -> Option<PathBuf> {
    Some(private::state_directory()?.join("audit"))
}
