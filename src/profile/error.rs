//! Why a profile cannot be had or used, with the place in its file.

use std::io;
use std::path::PathBuf;

use serde_saphyr::{DefaultMessageFormatter, MessageFormatter};

use super::setting::Place;
use crate::model::{ByteCount, EnvError, SizeError};

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
    /// The file system says no.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Longer than a profile ever is.
    #[error("{} holds more than {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may hold.
        limit: ByteCount,
    },
    /// YAML is UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// Not a file, or the name is no profile's name.
    #[error("{} cannot be a profile; hint: profiles are files called NAME.yaml, NAME in small letters, digits and hyphens", path.display())]
    NotAProfile {
        /// The file.
        path: PathBuf,
    },
    /// Others could write the rules.
    #[error("{} belongs to user {owner}; hint: it must belong to the user of the server or to root", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others could write the rules.
    #[error("others than its owner may write {} (mode {mode:o}); hint: chmod go-w", path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
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
    /// A key that means nothing here.
    #[error("unknown key {key:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The key it resembles most.
        nearest: Option<String>,
        /// Those that mean something.
        known: Vec<String>,
    },
    /// A word that is not among the choices.
    #[error("unknown value {word:?}; hint: {}", did_you_mean(nearest.as_deref(), known))]
    UnknownWord {
        /// The word.
        word: String,
        /// The choice it resembles most.
        nearest: Option<String>,
        /// The choices.
        known: Vec<String>,
    },
    /// Written twice in one object.
    #[error("the key {key:?} is written twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Left out, and there is nothing to inherit it from.
    #[error("{field:?} is missing; hint: write it{}", match field.as_str() {
        "name" | "summary" => "",
        _ => ", or inherit it with `extends: NAME`",
    })]
    Missing {
        /// Its full name.
        field: String,
    },
    /// Not the YAML that is read here.
    #[error("{}", DefaultMessageFormatter.format_message(.0))]
    Yaml(Box<serde_saphyr::Error>),
    /// What is read twice is misread once.
    #[error("anchors, aliases and merge keys are not read here; hint: write the value out")]
    Anchors,
    /// A file is a profile.
    #[error("the file holds more than one YAML document")]
    Documents,
    /// A number or a word of YAML's own where text is wanted.
    #[error("{value:?} is read as text only in quotes")]
    Quotes {
        /// As written.
        value: String,
    },
    /// An empty file, or one of comments.
    #[error("the file is empty")]
    Empty,
    /// A size, time or share that is none.
    #[error("{field}: {error}")]
    Size {
        /// The field.
        field: &'static str,
        /// Why.
        error: SizeError,
    },
    /// Outside the bounds.
    #[error("{field} is {value}; hint: it must be between {least} and {most}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was written.
        value: String,
        /// The lower bound.
        least: String,
        /// The upper bound.
        most: String,
    },
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

/// The name that the text resembles most, if it is likely to be a slip of the fingers.
pub(crate) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Long text is not compared: the effort grows with its length, and nobody mistypes that much.
    let text: String = text.chars().take(64).collect();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&text, name), name))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

/// From here on two names are taken for one with a slip; found by trying: `procesess` is 0.96, `memory` to `home` 0.75.
const LIKELY: f64 = 0.8;

fn did_you_mean(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None if known.is_empty() => "see `terrarium profile show default` for the names".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}
