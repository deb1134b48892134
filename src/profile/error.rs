//! Why a profile cannot be had or used, with the place in its file.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::model::{ByteCount, EnvError, SizeError};
use crate::yaml::{FileError, OutOfRange, Place, Syntax};

/// Why a profile cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No file says so.
    #[error("no profile is called {name:?}; hint: {}", did_you_mean(nearest.as_deref(), names))]
    NoSuchProfile {
        /// What was asked for.
        name: String,
        /// The name it resembles most.
        nearest: Option<String>,
        /// Those that there are.
        names: Vec<String>,
    },
    /// A file cannot be had, or is not trusted.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a file, or the name is no profile's name.
    #[error("{} cannot be a profile; hint: profiles are files called NAME.yaml, NAME in small letters, digits and hyphens", path.display())]
    NotAProfile {
        /// The file.
        path: PathBuf,
    },
    /// More files than anyone has profiles.
    #[error("{} holds more than {limit} profiles", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
        /// What it may hold.
        limit: usize,
    },
    /// The shipped ones mean the same everywhere.
    #[error("{} takes the name of a profile that ships with terrarium; hint: choose another name and `extends: {name}`", path.display())]
    ShippedName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// What the file says is wrong.
    #[error("{file}:{}:{}: {problem}", place.line, place.column)]
    Invalid {
        /// The file.
        file: String,
        /// Where in it.
        place: Place,
        /// What is wrong.
        problem: Box<Problem>,
    },
}

/// What is wrong in a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not the shape of a profile.
    #[error(transparent)]
    Syntax(Syntax),
    /// Left out, and there is nothing to inherit it from.
    #[error("{field:?} is missing; hint: write it{}", match field.as_str() {
        "name" | "summary" => "",
        _ => ", or inherit it with `extends: NAME`",
    })]
    Missing {
        /// Its full name.
        field: String,
    },
    /// A size, time or share that is none.
    #[error("{field}: {error}")]
    Size {
        /// The field.
        field: &'static str,
        /// Why.
        error: SizeError,
    },
    /// Outside the bounds.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The pages of private file systems count as memory.
    #[error(
        "tmp ({tmp}), a private home ({home}) and {other} for /dev/shm and the like are memory too: together they must be below memory ({memory})"
    )]
    FilesOverMemory {
        /// Size of `/tmp`.
        tmp: ByteCount,
        /// Size of a private `HOME`, or zero.
        home: ByteCount,
        /// Size of the others.
        other: ByteCount,
        /// The limit.
        memory: ByteCount,
    },
    /// Not a path that a rule can name.
    #[error("path {path:?} {fault}")]
    Path {
        /// As written.
        path: String,
        /// Why.
        fault: PathFault,
    },
    /// Two rules for one path in one list.
    #[error("path {path:?} is listed twice")]
    PathTwice {
        /// As written.
        path: String,
    },
    /// A list that is too long to be meant.
    #[error("{field} has {count} entries, more than {limit}")]
    TooManyEntries {
        /// The field.
        field: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// No table knows it.
    #[error("no system call is called {name:?}; hint: {}", did_you_mean(nearest.as_deref(), &[]))]
    UnknownSyscall {
        /// The name.
        name: String,
        /// The name it resembles most.
        nearest: Option<String>,
    },
    /// The filter would be blind to what it does.
    #[error(
        "the system call {name} cannot be allowed: it takes its orders from memory, where no filter can look; hint: programs fall back to others by themselves"
    )]
    Unfilterable {
        /// Its name.
        name: &'static str,
    },
    /// Decided twice.
    #[error("the system call {name} is named twice")]
    SyscallTwice {
        /// Its name.
        name: &'static str,
    },
    /// A base must decide all of them.
    #[error("nothing is said about the system call {name}")]
    SyscallLeftOut {
        /// Its name.
        name: &'static str,
    },
    /// A group says one thing.
    #[error("a group has exactly one of allow, deny, missing and unsupported")]
    Group,
    /// No base of that name ships.
    #[error("no system call base is called {name:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    UnknownBase {
        /// The name.
        name: String,
        /// The name it resembles most.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// `extends` names nothing.
    #[error("cannot extend {name:?}: no profile is called that; hint: {}", did_you_mean(nearest.as_deref(), known))]
    UnknownParent {
        /// The name.
        name: String,
        /// The name it resembles most.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// `extends` leads back to where it started.
    #[error("profiles extend one another in a circle: {}", chain.join(" extends "))]
    Cycle {
        /// The names, the first one again at the end.
        chain: Vec<String>,
    },
    /// Nobody could follow it.
    #[error("this would extend {depth} profiles, one through the other: no more than {limit} may")]
    TooDeep {
        /// How many.
        depth: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Not a name.
    #[error("{name:?} is no name of a profile; hint: use small letters, digits and hyphens, at most {limit}")]
    Name {
        /// As written.
        name: String,
        /// How long it may be.
        limit: usize,
    },
    /// The file and what it says differ.
    #[error("the file is called {stem:?} and the profile {name:?}; hint: make them the same")]
    NameDiffers {
        /// The file's name without `.yaml`.
        stem: String,
        /// The profile's.
        name: String,
    },
    /// Text for people that is empty, too long or not one line.
    #[error("{field} must be one line of 1 to {limit} characters")]
    Line {
        /// The field.
        field: &'static str,
        /// How long it may be.
        limit: usize,
    },
    /// Not a variable.
    #[error(transparent)]
    Environment(#[from] EnvError),
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// A path of the host starts somewhere.
    #[error("does not start at the root; hint: write /... or ~/...")]
    NotAbsolute,
    /// A path of the workspace starts there.
    #[error("is not relative to the workspace; hint: write it without a leading / or ~")]
    NotRelative,
    /// It would lead out again.
    #[error("has . or .. or an empty component; hint: write it without")]
    Components,
    /// The kernel ends paths at a NUL byte and at 4096.
    #[error("has a control character or is longer than 4095 bytes")]
    Characters,
    /// Everything, secrets included.
    #[error("is everything; hint: list what is needed")]
    Root,
    /// Never the host's.
    #[error("lies in a directory that every sandbox gets anew (/proc, /dev, /tmp)")]
    MadeAnew,
    /// Never the host's.
    #[error("is a file that is written for every sandbox anew")]
    Generated,
}

impl From<Syntax> for Problem {
    fn from(syntax: Syntax) -> Self {
        match syntax {
            Syntax::Missing { field } => Self::Missing { field },
            other => Self::Syntax(other),
        }
    }
}

/// Something wrong at a place of a profile.
pub(crate) type Fault = crate::yaml::Fault<Problem>;

/// The fault as an error about `file`.
pub(crate) fn invalid(fault: Fault, file: &str) -> ProfileError {
    ProfileError::Invalid {
        file: file.to_owned(),
        place: fault.place,
        problem: Box::new(fault.problem),
    }
}

/// Reads one document.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    crate::yaml::parse(text).map_err(|fault| fault.map(Problem::from))
}

fn did_you_mean(nearest: Option<&str>, known: &[String]) -> String {
    match (nearest, known) {
        (None, []) => "see `terrarium profile show default` for the names".to_owned(),
        _ => crate::yaml::did_you_mean(nearest, known),
    }
}
