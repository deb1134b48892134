//! The profiles there are: five in the binary, and those of the operator's directory.
//!
//! The shipped ones are parsed when first asked for. The operator's are all read and checked at once: a mistake is
//! found when the server starts, not when an agent asks. Whose directory may be trusted is [`super::trust`]'s business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::bounds::MAX_DEPTH;
use super::error::{Problem, ProfileError, nearest};
use super::file::ProfileFile;
use super::parse::parse;
use super::profile::Profile;
use super::resolve::{is_name, resolve};
use super::setting::{At, Setting};
use super::trust;

/// The profiles that callers can be given.
#[derive(Debug)]
pub struct Profiles {
    sources: BTreeMap<String, Source>,
}

impl Profiles {
    /// Those in the binary; nothing is parsed yet.
    pub fn embedded() -> Self {
        let shipped = |(name, text): &(&str, &'static str)| {
            let file = format!("sandbox-profiles/{name}.yaml");
            ((*name).to_owned(), Source::new(file, Text::Shipped(text)))
        };
        Self {
            sources: SHIPPED.iter().map(shipped).collect(),
        }
    }

    /// Those in the binary, and every `*.yaml` of a directory that only its owner may write.
    pub fn with_directory(directory: &Path) -> Result<Self, ProfileError> {
        let mut profiles = Self::embedded();
        let files = trust::profiles_in(directory)?;
        let mut names = Vec::new();
        for path in files {
            let stem = stem(&path)?;
            if is_shipped(&stem) {
                return Err(ProfileError::ShippedName { path, name: stem });
            }
            let text = trust::read_own(&path)?;
            let source = Source::new(path.display().to_string(), Text::Operator(text));
            profiles.sources.insert(stem.clone(), source);
            names.push(stem);
        }
        for name in names {
            profiles.get(&name)?;
        }
        Ok(profiles)
    }

    /// The profile of that name.
    pub fn get(&self, name: &str) -> Result<Arc<Profile>, ProfileError> {
        match self.sources.get(name) {
            Some(source) => Ok(self.resolved(name, source, &mut Vec::new())?.profile),
            None => Err(ProfileError::NoSuchProfile {
                name: name.chars().take(64).collect(),
                nearest: nearest(name, self.names()),
                names: self.owned_names(),
            }),
        }
    }

    /// Their names: the shipped ones first, in the order in which they are explained, then the operator's.
    pub fn names(&self) -> Vec<&str> {
        let operator = self.sources.keys().map(String::as_str).filter(|name| !is_shipped(name));
        SHIPPED.iter().map(|(name, _)| *name).chain(operator).collect()
    }

    /// Reads one file as if it were in the operator's directory, wherever it is and whoever owns it.
    pub fn check_file(&self, path: &Path) -> Result<Profile, ProfileError> {
        let stem = stem(path)?;
        let text = trust::read(path)?;
        let source = Source::new(path.display().to_string(), Text::Operator(text));
        // A shipped name is fine for the file that it ships from, and for no other.
        if is_shipped(&stem) && !SHIPPED.iter().any(|(_, text)| *text == source.text()) {
            return Err(ProfileError::ShippedName {
                path: path.to_owned(),
                name: stem,
            });
        }
        let resolved = self.read(&stem, &source, &mut Vec::new())?;
        Ok(Profile::clone(&resolved.profile))
    }

    fn resolved(&self, name: &str, source: &Source, trail: &mut Vec<String>) -> Result<Resolved, ProfileError> {
        if let Some(resolved) = source.resolved.get() {
            return Ok(resolved.clone());
        }
        let resolved = self.read(name, source, trail)?;
        Ok(source.resolved.get_or_init(|| resolved).clone())
    }

    /// `trail` holds the names that extend this one, the first one first.
    fn read(&self, name: &str, source: &Source, trail: &mut Vec<String>) -> Result<Resolved, ProfileError> {
        let file: ProfileFile = parse(source.text()).map_err(|fault| fault.of(&source.file))?;
        if file.name.value != name && is_name(&file.name.value) {
            let fault = file.name.fault(Problem::NameDiffers {
                stem: name.to_owned(),
                name: file.name.value.clone(),
            });
            return Err(fault.of(&source.file));
        }
        trail.push(name.to_owned());
        let parent = match &file.extends {
            Setting::Inherited => None,
            Setting::Given(extends) => Some(self.parent(extends, source, trail)?),
        };
        let profile = resolve(&file, parent.as_ref().map(|parent| &*parent.profile));
        Ok(Resolved {
            depth: parent.map_or(0, |parent| parent.depth + 1),
            profile: Arc::new(profile.map_err(|fault| fault.of(&source.file))?),
        })
    }

    fn parent(&self, extends: &At<String>, source: &Source, trail: &mut Vec<String>) -> Result<Resolved, ProfileError> {
        let name = &extends.value;
        if trail.contains(name) {
            let chain = trail.iter().chain([name]).cloned().collect();
            return Err(extends.fault(Problem::Cycle { chain }).of(&source.file));
        }
        let Some(of) = self.sources.get(name) else {
            let problem = Problem::UnknownParent {
                name: name.chars().take(64).collect(),
                nearest: nearest(name, self.names()),
                known: self.owned_names(),
            };
            return Err(extends.fault(problem).of(&source.file));
        };
        let parent = self.resolved(name, of, trail)?;
        if parent.depth >= MAX_DEPTH {
            let problem = Problem::TooDeep {
                depth: parent.depth + 1,
                limit: MAX_DEPTH,
            };
            return Err(extends.fault(problem).of(&source.file));
        }
        Ok(parent)
    }

    fn owned_names(&self) -> Vec<String> {
        self.names().into_iter().map(str::to_owned).collect()
    }
}

/// One file and, once asked for, what it means.
#[derive(Debug)]
struct Source {
    file: String,
    text: Text,
    resolved: OnceLock<Resolved>,
}

/// A profile and how many it extends, one through the other.
#[derive(Clone, Debug)]
struct Resolved {
    depth: usize,
    profile: Arc<Profile>,
}

#[derive(Debug)]
enum Text {
    Shipped(&'static str),
    Operator(String),
}

impl Source {
    fn new(file: String, text: Text) -> Self {
        let resolved = OnceLock::new();
        Self { file, text, resolved }
    }

    fn text(&self) -> &str {
        match &self.text {
            Text::Shipped(text) => text,
            Text::Operator(text) => text,
        }
    }
}

fn is_shipped(name: &str) -> bool {
    SHIPPED.iter().any(|(shipped, _)| *shipped == name)
}

/// The name that a file gives its profile.
fn stem(path: &Path) -> Result<String, ProfileError> {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml");
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match stem.filter(|stem| yaml && is_name(stem)) {
        Some(stem) => Ok(stem.to_owned()),
        None => Err(ProfileError::NotAProfile {
            path: PathBuf::from(path),
        }),
    }
}

/// In the order in which they are explained.
static SHIPPED: [(&str, &str); 5] = [
    ("default", include_str!("../../sandbox-profiles/default.yaml")),
    ("read-only", include_str!("../../sandbox-profiles/read-only.yaml")),
    ("build", include_str!("../../sandbox-profiles/build.yaml")),
    ("network", include_str!("../../sandbox-profiles/network.yaml")),
    ("strict", include_str!("../../sandbox-profiles/strict.yaml")),
];
