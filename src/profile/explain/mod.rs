//! Answers what a profile lets a program do, by which rule and why, before anything runs.
//!
//! It looks at the rules only. Where the answer depends on the machine, the workspace or a call's arguments it says so
//! instead of guessing: the kernel decides, by the file that a path leads to.

mod syscall;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::paths::{GENERATED, MADE_ANEW};
use super::profile::{
    Filesystem, Home, HostPath, Network, PathRule, Presence, Profile, WorkspaceAccess, WriteAndExecute,
};
use super::show::word;

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A file or directory of the host, absolute.
    File(Act, PathBuf),
    /// A connection.
    Connect {
        /// A name or an address.
        host: String,
    },
    /// A system call by name.
    Syscall(String),
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Reading or listing it.
    Read,
    /// Changing, creating or removing it.
    Write,
    /// Running it as a program.
    Execute,
}

/// Where the sandbox would run, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The home directory of the server's user.
    pub home: Option<PathBuf>,
    /// The workspace.
    pub workspace: Option<PathBuf>,
}

/// What the profile says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Yes, no, or not from the profile alone.
    pub verdict: Verdict,
    /// The rule that decides.
    pub rule: String,
    /// Why the rule is there.
    pub reason: String,
    /// What else matters, above all what is decided only when it happens.
    pub notes: Vec<String>,
}

/// Yes, no, or not from the profile alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works, if the notes' conditions hold.
    Allowed,
    /// It fails.
    Denied,
    /// Known only when it happens.
    AtRunTime,
}

/// Answers a question; a system call that no table knows is a problem.
pub fn explain(profile: &Profile, question: &Question, at: &Surroundings) -> Result<Answer, Problem> {
    match question {
        Question::File(act, path) => Ok(file(&profile.filesystem, *act, path, at)),
        Question::Connect { host } => Ok(connect(profile.network, host)),
        Question::Syscall(name) => syscall::answer(profile, name),
    }
}

fn file(filesystem: &Filesystem, act: Act, path: &Path, at: &Surroundings) -> Answer {
    if let Some(relative) = at.workspace.as_deref().and_then(|root| path.strip_prefix(root).ok()) {
        return in_workspace(filesystem, act, relative);
    }
    let answer = anew(filesystem, act, path).unwrap_or_else(|| by_rules(filesystem, act, path, at));
    match at.workspace {
        Some(_) => answer,
        None => answer.note(format!(
            "inside the workspace, which the caller chooses, it would be {} instead; hint: give --workspace DIR",
            word(filesystem.workspace)
        )),
    }
}

fn in_workspace(filesystem: &Filesystem, act: Act, relative: &Path) -> Answer {
    let access = filesystem.workspace;
    let rule = format!("filesystem.workspace: {}", word(access));
    let protected = filesystem.protect.iter().find(|path| relative.starts_with(path));
    if let (Act::Write, Some(path)) = (act, protected) {
        let rule = format!("filesystem.protect: {}", path.display());
        let note = "only if it is there when the sandbox starts: otherwise it may be made, and is reported at the end";
        return Answer::new(Verdict::Denied, rule, "the host may run it later").note(note);
    }
    let allowed = match act {
        Act::Read => true,
        Act::Write => access != WorkspaceAccess::Read,
        Act::Execute => access == WorkspaceAccess::ReadWriteExecute,
    };
    if act == Act::Execute && filesystem.write_and_execute == WriteAndExecute::Denied {
        return Answer::new(
            Verdict::Denied,
            "filesystem.write_and_execute: denied",
            "what was written does not run",
        );
    }
    let verdict = if allowed { Verdict::Allowed } else { Verdict::Denied };
    Answer::new(verdict, rule, "it lies in the workspace").note(LINKS)
}

/// Places that are made for every sandbox and have nothing to do with the host's.
fn anew(filesystem: &Filesystem, act: Act, path: &Path) -> Option<Answer> {
    if GENERATED.iter().any(|file| path == Path::new(file)) {
        let verdict = if act == Act::Read {
            Verdict::Allowed
        } else {
            Verdict::Denied
        };
        let reason = "written anew for every sandbox; the host's is not there";
        return Some(Answer::new(verdict, "generated files", reason));
    }
    let top = MADE_ANEW.iter().find(|top| path.starts_with(top))?;
    let reason = format!("{top} is made anew for every sandbox; the host's is not there");
    let written = filesystem.write_and_execute;
    let (verdict, rule) = match (*top, act) {
        ("/tmp", Act::Execute) if written == WriteAndExecute::Denied => {
            (Verdict::Denied, "filesystem.write_and_execute: denied")
        }
        ("/tmp", _) => (Verdict::Allowed, "filesystem.tmp: private"),
        (_, Act::Execute) => (Verdict::Denied, "private file systems"),
        _ => (Verdict::AtRunTime, "private file systems"),
    };
    let answer = Answer::new(verdict, rule, reason);
    Some(match verdict {
        Verdict::AtRunTime => answer.note("a few devices and what is told about the sandbox's own processes are there"),
        _ => answer,
    })
}

fn by_rules(filesystem: &Filesystem, act: Act, path: &Path, at: &Surroundings) -> Answer {
    let home = at.home.as_deref();
    let covers = |rule: &&PathRule| rule.path.under(home).is_some_and(|top| path.starts_with(top));
    let execute = filesystem
        .execute
        .iter()
        .find(covers)
        .map(|rule| ("filesystem.execute", rule));
    let read = filesystem
        .read
        .iter()
        .find(covers)
        .map(|rule| ("filesystem.read", rule));
    let found = match act {
        Act::Execute => execute,
        Act::Read | Act::Write => execute.or(read),
    };
    let Some((list, rule)) = found else {
        let missing = match (act, read) {
            (Act::Execute, Some(_)) => "it may be read, but filesystem.execute does not list it",
            (Act::Execute, None) => "filesystem.execute does not list it",
            _ => "neither filesystem.read nor filesystem.execute lists it: it is not there",
        };
        let answer = Answer::new(Verdict::Denied, "no rule", missing);
        return match home.is_some_and(|home| path.starts_with(home)) {
            true => answer.note(home_note(filesystem.home)),
            false => answer,
        };
    };
    let said = format!("{list}: {}", rule.path);
    if act == Act::Write {
        return Answer::new(Verdict::Denied, said, "what lies outside the workspace is read-only");
    }
    let reason = rule.reason.as_deref().unwrap_or("the profile gives no reason");
    let answer = Answer::new(Verdict::Allowed, said, reason).note(LINKS);
    match (rule.presence, &rule.path) {
        (Presence::IfThere, _) => answer.note("the rule is optional: on a machine without the path it has no effect"),
        (Presence::Required, HostPath::Absolute(_) | HostPath::Home(_)) => answer,
    }
}

fn connect(network: Network, host: &str) -> Answer {
    let rule = format!("network: {}", word(network));
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let loopback = address.is_ok_and(|address| address.is_loopback()) || host == "localhost";
    match network {
        Network::Host => Answer::new(Verdict::Allowed, rule, "the sandbox shares the host's network")
            .note("whether something answers is the network's affair; every address that the host reaches is allowed"),
        Network::None if loopback => Answer::new(Verdict::AtRunTime, rule, "the sandbox has a loopback of its own")
            .note("it reaches what listens in the same sandbox, never what listens on the host")
            .note("on a machine without network namespaces there is no network at all"),
        Network::None => Answer::new(Verdict::Denied, rule, "there is no network but a loopback of its own"),
    }
}

impl Answer {
    fn new(verdict: Verdict, rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            rule: rule.into(),
            reason: reason.into(),
            notes: Vec::new(),
        }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

fn home_note(home: Home) -> &'static str {
    match home {
        Home::Private => "inside, HOME is another directory: empty at start and gone at the end",
        Home::Kept => "inside, HOME is another directory, kept for each caller and workspace",
    }
}

const LINKS: &str = "a link counts as the file that it leads to; permissions of the file system hold as well";

#[cfg(test)]
mod tests;
