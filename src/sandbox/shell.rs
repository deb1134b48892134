//! An interactive shell that tells where its commands begin and end.
//!
//! How it does that is the business of [`crate::session`], which writes the files that it starts with. Here it
//! gets them, and a copy of its program that can be executed and not read, so that no child can take the
//! session's key out of its memory.

use std::fmt;
use std::path::{Path, PathBuf};

use super::environment::PATH;
use super::file_id::FileId;
use super::places::Places;
use super::refusal::Refusal;
use super::spec::{Bytes, StartupSpec, Text};
use crate::model::Program;
use crate::policy::LaunchRequest;
use crate::profile::HostPath;

/// What a shell is started with.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Startup {
    /// Arguments after its name.
    pub arguments: Vec<String>,
    /// Variables.
    pub variables: Vec<(String, String)>,
    /// Files of its directory: name and text.
    pub files: Vec<(String, String)>,
}

/// The files hold the session's secret.
impl fmt::Debug for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.files.iter().map(|(name, _)| name).collect();
        f.debug_struct("Startup")
            .field("arguments", &self.arguments)
            .field("files", &names)
            .finish_non_exhaustive()
    }
}

/// Makes a startup whose files will be in this directory of the sandbox.
pub type MakeStartup = Box<dyn FnOnce(&Path) -> Startup + Send>;

/// A shell that was found.
#[derive(Debug)]
pub(super) struct Shell {
    name: &'static str,
    pub(super) startup: Startup,
    /// The host's program.
    pub(super) source: PathBuf,
    /// Which file that was.
    pub(super) seen: FileId,
    /// Its copy, as the sandbox sees it.
    pub(super) program: PathBuf,
}

impl Shell {
    pub(super) fn find(request: &LaunchRequest, places: &Places) -> Result<Option<Self>, Refusal> {
        let Program::Interactive(wanted) = request.program else {
            return Ok(None);
        };
        let name = wanted.name();
        let found = std::env::split_paths(PATH)
            .filter_map(|directory| directory.join(name).canonicalize().ok())
            .filter(|program| may_run(request, program))
            .filter_map(|program| Some((program.metadata().ok()?, program)))
            .find(|(found, _)| found.is_file());
        let (found, source) = found.ok_or_else(|| Refusal::NoShell {
            name,
            profile: request.profile.name.clone(),
        })?;
        Ok(Some(Self {
            name,
            startup: Startup::default(),
            source,
            seen: FileId::of_content(&found),
            program: places.shells.join(name),
        }))
    }

    pub(super) fn argv(&self) -> Vec<Bytes> {
        let arguments = self.startup.arguments.iter().map(|text| Bytes(text.into()));
        std::iter::once(Bytes(self.name.into())).chain(arguments).collect()
    }

    pub(super) fn into_spec(self, places: &Places) -> StartupSpec {
        StartupSpec {
            directory: places.startup(),
            files: self
                .startup
                .files
                .into_iter()
                .map(|(name, text)| (name, Text(text)))
                .collect(),
        }
    }
}

/// Whether the profile lets this program of the host be executed.
fn may_run(request: &LaunchRequest, program: &Path) -> bool {
    let mut rules = request.profile.filesystem.execute.iter();
    rules.any(|rule| match &rule.path {
        HostPath::Absolute(path) => program.starts_with(path),
        HostPath::Home(_) => false,
    })
}
