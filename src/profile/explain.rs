//! Answers what a profile lets a program do, by which rule and why, before anything runs.
//!
//! It looks at the rules only. Where the answer depends on the machine, the workspace or a call's arguments it says so
//! instead of guessing: the kernel decides, by the file that a path leads to.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::paths::{GENERATED, MADE_ANEW};
use super::profile::{
    Filesystem, Home, HostPath, Network, PathRule, Presence, Profile, SyscallAction, WorkspaceAccess, WriteAndExecute,
};
use super::show::word;
use super::syscalls;

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
        Question::Syscall(name) => syscall(profile, name),
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

fn syscall(profile: &Profile, text: &str) -> Result<Answer, Problem> {
    let name = syscalls::name(text)?;
    let Some(rule) = profile.syscalls.rules.get(name) else {
        return Ok(Answer::new(
            Verdict::Denied,
            "unknown number",
            "what no list names gets ENOSYS",
        ));
    };
    let said = |gets: &str| format!("syscalls {name}: {} ({gets})", word(rule.action));
    Ok(match rule.action {
        SyscallAction::Allow => {
            let answer = Answer::new(Verdict::Allowed, said("it runs"), rule.reason.as_str());
            match CONDITIONAL.contains(&name) {
                true => answer
                    .note("with some arguments, or where the machine lacks a protection, it is refused all the same"),
                false => answer,
            }
        }
        SyscallAction::Deny => Answer::new(Verdict::Denied, said("EPERM"), rule.reason.as_str()),
        SyscallAction::Missing => Answer::new(Verdict::Denied, said("ENOSYS"), rule.reason.as_str()),
        SyscallAction::Unsupported => Answer::new(Verdict::Denied, said("EOPNOTSUPP"), rule.reason.as_str()),
    })
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

/// Allowed calls that the sandbox refuses all the same with some arguments, or where the machine lacks a protection.
const CONDITIONAL: [&str; 55] = [
    "chmod",
    "chown",
    "clone",
    "creat",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "fremovexattr",
    "fsetxattr",
    "futimesat",
    "ioctl",
    "ioprio_set",
    "lchown",
    "lremovexattr",
    "lsetxattr",
    "memfd_create",
    "mknod",
    "mknodat",
    "mmap",
    "mprotect",
    "msgget",
    "open",
    "openat",
    "personality",
    "pkey_mprotect",
    "prlimit64",
    "ptrace",
    "removexattr",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "seccomp",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setfsgid",
    "setfsuid",
    "setgid",
    "setpriority",
    "setregid",
    "setresgid",
    "setresuid",
    "setreuid",
    "setuid",
    "setxattr",
    "shmat",
    "shmget",
    "socket",
    "socketpair",
    "utime",
    "utimensat",
    "utimes",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;

    fn ask(profile: &str, question: Question) -> Answer {
        let at = Surroundings {
            home: Some("/home/u".into()),
            workspace: Some("/work/p".into()),
        };
        let profile = Profiles::embedded().get(profile).unwrap();
        explain(&profile, &question, &at).unwrap()
    }

    fn verdict(profile: &str, act: Act, path: &str) -> (Verdict, String) {
        let answer = ask(profile, Question::File(act, path.into()));
        (answer.verdict, answer.rule)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn files_are_answered_by_the_rule_that_covers_them() {
        use Verdict::{Allowed, AtRunTime, Denied};
        let cases = [
            (
                "default",
                Act::Read,
                "/usr/bin/git",
                Allowed,
                "filesystem.execute: /usr",
            ),
            (
                "default",
                Act::Execute,
                "/usr/bin/git",
                Allowed,
                "filesystem.execute: /usr",
            ),
            (
                "default",
                Act::Write,
                "/usr/bin/git",
                Denied,
                "filesystem.execute: /usr",
            ),
            ("default", Act::Read, "/usrlocal", Denied, "no rule"),
            ("default", Act::Read, "/etc/shadow", Denied, "no rule"),
            (
                "default",
                Act::Read,
                "/etc/ssl/certs",
                Allowed,
                "filesystem.read: /etc/ssl",
            ),
            ("default", Act::Execute, "/etc/ssl/certs", Denied, "no rule"),
            ("default", Act::Read, "/etc/passwd", Allowed, "generated files"),
            ("default", Act::Write, "/tmp/x", Allowed, "filesystem.tmp: private"),
            (
                "strict",
                Act::Execute,
                "/tmp/x",
                Denied,
                "filesystem.write_and_execute: denied",
            ),
            ("default", Act::Read, "/dev/sda", AtRunTime, "private file systems"),
            ("default", Act::Read, "/home/u/.ssh/id", Denied, "no rule"),
            (
                "build",
                Act::Execute,
                "/home/u/.cargo/bin/cargo",
                Allowed,
                "filesystem.execute: ~/.cargo/bin",
            ),
            (
                "default",
                Act::Write,
                "/work/p/a",
                Allowed,
                "filesystem.workspace: read-write-execute",
            ),
            (
                "read-only",
                Act::Write,
                "/work/p/a",
                Denied,
                "filesystem.workspace: read",
            ),
            (
                "strict",
                Act::Execute,
                "/work/p/a",
                Denied,
                "filesystem.write_and_execute: denied",
            ),
            (
                "default",
                Act::Write,
                "/work/p/.git/hooks/x",
                Denied,
                "filesystem.protect: .git/hooks",
            ),
            (
                "default",
                Act::Write,
                "/work/p/.git/hooksy",
                Allowed,
                "filesystem.workspace: read-write-execute",
            ),
        ];
        for (profile, act, path, expected, rule) in cases {
            assert_eq!(
                verdict(profile, act, path),
                (expected, rule.to_owned()),
                "{profile} {act:?} {path}"
            );
        }
    }

    #[test]
    fn without_a_workspace_the_answer_says_so() {
        let profile = Profiles::embedded().get("default").unwrap();
        let question = Question::File(Act::Read, "/srv/x".into());
        let answer = explain(&profile, &question, &Surroundings::default()).unwrap();
        assert_eq!(answer.verdict, Verdict::Denied);
        assert!(answer.notes[0].starts_with("inside the workspace, which the caller chooses"));
    }

    #[test]
    fn connections_are_answered_by_the_network() {
        let to = |host: &str| Question::Connect { host: host.to_owned() };
        assert_eq!(ask("default", to("example.org")).verdict, Verdict::Denied);
        assert_eq!(ask("default", to("127.0.0.2")).verdict, Verdict::AtRunTime);
        assert_eq!(ask("default", to("[::1]")).verdict, Verdict::AtRunTime);
        assert_eq!(ask("network", to("example.org")).verdict, Verdict::Allowed);
    }

    #[test]
    fn system_calls_are_answered_with_what_they_get() {
        let of = |name: &str| Question::Syscall(name.to_owned());
        assert_eq!(ask("default", of("ptrace")).rule, "syscalls ptrace: deny (EPERM)");
        assert_eq!(ask("build", of("ptrace")).verdict, Verdict::Allowed);
        assert_eq!(ask("default", of("clone3")).rule, "syscalls clone3: missing (ENOSYS)");
        assert_eq!(
            ask("default", of("fallocate")).rule,
            "syscalls fallocate: unsupported (EOPNOTSUPP)"
        );
        assert_eq!(ask("default", of("socket")).notes.len(), 1);
        let profile = Profiles::embedded().get("default").unwrap();
        let problem = explain(&profile, &of("ptraec"), &Surroundings::default()).unwrap_err();
        assert!(problem.to_string().ends_with("did you mean \"ptrace\"?"), "{problem}");
        let profile = Profiles::embedded().get("build").unwrap();
        for name in CONDITIONAL {
            assert_eq!(profile.syscalls.rules[name].action, SyscallAction::Allow, "{name}");
        }
    }
}
