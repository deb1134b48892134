use super::Verdict::{Allowed, AtRunTime, Denied};
use super::syscall::CONDITIONAL;
use super::*;
use crate::profile::{Profiles, SyscallAction};

fn ask(profile: &str, question: Question) -> Answer {
    let at = Surroundings {
        home: Some("/home/u".into()),
        workspace: Some("/srv/p".into()),
    };
    let profile = Profiles::embedded().get(profile).unwrap();
    explain(&profile, &question, &at).unwrap()
}

fn verdict(profile: &str, act: Act, path: &str) -> (Verdict, String) {
    let answer = ask(profile, Question::File(act, path.into()));
    (answer.verdict, answer.rule)
}

/// Profile, act, path; what comes out, and by which rule.
const FILES: [(&str, Act, &str, Verdict, &str); 18] = [
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
        "/srv/p/a",
        Allowed,
        "filesystem.workspace: read-write-execute",
    ),
    (
        "read-only",
        Act::Write,
        "/srv/p/a",
        Denied,
        "filesystem.workspace: read",
    ),
    (
        "strict",
        Act::Execute,
        "/srv/p/a",
        Denied,
        "filesystem.write_and_execute: denied",
    ),
    (
        "default",
        Act::Write,
        "/srv/p/.git/hooks/x",
        Denied,
        "filesystem.protect: .git/hooks",
    ),
    (
        "default",
        Act::Write,
        "/srv/p/.git/hooksy",
        Allowed,
        "filesystem.workspace: read-write-execute",
    ),
];

#[test]
fn files_are_answered_by_the_rule_that_covers_them() {
    for (profile, act, path, expected, rule) in FILES {
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
