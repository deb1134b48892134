//! What a configuration says, and what it must not say.

mod examples;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::profile::Profiles;
use crate::tools;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Source::File("/etc/t/terrarium.yaml".into()), text)
}

fn fault(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("taken:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// A private directory that goes at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let path = std::env::temp_dir().join(format!("terrarium-config-{:x}", u64::from_le_bytes(random)));
        std::fs::create_dir(&path).unwrap();
        set(&path, 0o755);
        Self(path)
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.0.join("terrarium.yaml");
        std::fs::write(&path, text).unwrap();
        set(&path, 0o644);
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn set(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_left_out_is_the_default() {
    let config = parse("limits: {sessions: 8}").unwrap();
    assert_eq!(config.caps.sessions, 8);
    assert_eq!((config.caps.sessions_per_caller, config.caps.commands), (7, 32));
    assert_eq!((&config.workspace, &config.profiles), (&None, &None));
    let policy = config.policy(&tools::known(&Profiles::embedded())).unwrap();
    assert_eq!(policy.revision(), "embedded");
    let embedded = Config::embedded().unwrap();
    let same = embedded.policy(&tools::known(&Profiles::embedded())).unwrap();
    assert_eq!(policy.digest(), same.digest());
}

#[test]
fn paths_start_at_the_root_at_home_or_where_the_file_is() {
    let config = parse("workspace: w\nprofiles: /srv/profiles").unwrap();
    assert_eq!(config.workspace.unwrap(), Path::new("/etc/t/w"));
    assert_eq!(config.profiles.unwrap(), Path::new("/srv/profiles"));
    let home = std::env::home_dir().unwrap();
    assert_eq!(parse("workspace: ~/w").unwrap().workspace.unwrap(), home.join("w"));
}

#[test]
fn what_means_nothing_is_refused_at_its_place() {
    let file = "/etc/t/terrarium.yaml";
    let table = [
        (
            "limit: {}",
            "1:1: unknown key \"limit\"; hint: did you mean \"limits\"?",
        ),
        (
            "limits: {session: 5}",
            "1:10: unknown key \"session\"; hint: did you mean \"sessions\"?",
        ),
        (
            "limits:\n  sessions: 0",
            "2:13: limits.sessions is 0; hint: it must be between 1 and 4096",
        ),
        ("limits:\n  sessions: -1", "2:13: "),
        ("limits:\n  sessions: many", "2:13: "),
        ("limits:\n  sessions: 99999", "2:13: limits.sessions is 99999"),
        (
            "limits: {sessions: 5, sessions_per_caller: 6}",
            "1:44: limits.sessions_per_caller is 6; hint: it must be between 1 and 5",
        ),
        (
            "server: {memory: 1MiB}",
            "1:18: server.memory is \"1MiB\"; hint: write a size between 16MiB and 64GiB",
        ),
        ("server: {memory: 1GB}", "1:18: server.memory is \"1GB\""),
        ("workspace: \"\"", "1:12: workspace is no path"),
        ("workspace: 5", "1:12: "),
        ("workspace:", "1:"),
        ("workspace: &x /a\nprofiles: *x", "anchors, aliases and merge keys"),
        (
            "workspace: /a\nworkspace: /b",
            "2:1: the key \"workspace\" is written twice",
        ),
        ("secret: hunter2", "1:1: unknown key \"secret\""),
        (
            "policy:\n  revision: a\n  rules: []\n  default: allow",
            "4:3: unknown key \"default\"",
        ),
    ];
    for (text, expected) in table {
        let found = fault(text);
        assert!(found.starts_with(file) && found.contains(expected), "{text}\n{found}");
    }
}

#[test]
fn a_wrong_rule_is_named_with_the_place_in_the_whole_file() {
    let text = "limits: {}\npolicy:\n  revision: a\n  rules:\n    - {id: a, effect: deny, tools: [terminal_rnu]}\n";
    let error = parse(text)
        .unwrap()
        .policy(&tools::known(&Profiles::embedded()))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "/etc/t/terrarium.yaml:5:37: no tool is called \"terminal_rnu\"; hint: did you mean \"terminal_run\"?"
    );
}

#[test]
fn what_init_writes_is_a_configuration_and_what_show_prints_is_the_same() {
    let known = tools::known(&Profiles::embedded());
    let config = parse(INIT).unwrap();
    let policy = config.policy(&known).unwrap();
    let shown = parse(&config.show()).unwrap();
    assert_eq!(shown.policy(&known).unwrap().digest(), policy.digest());
    assert_eq!((shown.caps, shown.workspace), (config.caps, config.workspace));
    let hf = "hf: {profile: custom, enable: [posts.reply], timeouts: {total: 9s}}";
    let hf = parse(hf).unwrap();
    let shown = hf.show();
    for expected in [
        "profile: custom",
        "posts.reply",
        "total: 9s",
        "connect: 5s",
        "mode: readable",
    ] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    let (again, hf) = (parse(&shown).unwrap().hf.unwrap(), hf.hf.unwrap());
    assert_eq!((again.features, again.timeouts), (hf.features, hf.timeouts));
    // What is commented out must be right too, or it misleads whoever uses it.
    let uncommented: String = INIT
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# - {") {
            _ if line.trim_start().starts_with("# - id:") || line.trim_start().starts_with("#   ") => {
                line.replacen("# ", "", 1) + "\n"
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(uncommented, INIT);
    let more = parse(&uncommented).unwrap().policy(&known).unwrap();
    assert_ne!(more.digest(), policy.digest());
}

#[test]
fn a_file_that_others_could_have_written_is_not_used() {
    let at = Directory::new();
    let file = at.file("limits: {}");
    assert_eq!(Config::find(Some(&file)).unwrap().source(), &Source::File(file.clone()));
    let refused = |why: &str| {
        let error = Config::find(Some(&file)).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(why), "{cause}");
    };
    set(&file, 0o664);
    refused("others than its owner may write");
    set(&file, 0o646);
    refused("others than its owner may write");
    set(&file, 0o644);
    set(&at.0, 0o777);
    refused("others than its owner may write");
    set(&at.0, 0o755);
    assert!(Config::find(Some(&file)).is_ok());
    // A link is as good as the directory that it leads to.
    let other = Directory::new();
    let link = other.0.join("link.yaml");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(Config::find(Some(&link)).is_ok());
    set(&at.0, 0o777);
    assert!(Config::find(Some(&link)).is_err());
    set(&at.0, 0o755);
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_one() {
    let at = Directory::new();
    assert!(Config::find(Some(&at.0.join("none.yaml"))).is_err());
    assert!(Config::find(Some(&at.0)).is_err(), "a directory");
    let empty = at.file("");
    assert!(
        Config::find(Some(&empty))
            .unwrap_err()
            .to_string()
            .ends_with("1:1: the file is empty")
    );
}
