//! The examples of docs/policy.md decide as that page says.

use super::*;
use crate::policy::file::RuleEffect::{self, Allow, Confirm, Deny};

/// The examples of docs/policy.md by name.
fn examples() -> Vec<(String, String)> {
    let text = include_str!("../../../docs/policy.md");
    let blocks = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    blocks
        .filter_map(|block| {
            let name = block.lines().next()?.strip_prefix("# example: ")?;
            Some((name.to_owned(), block.to_owned()))
        })
        .collect()
}

const REPLY: &str = r#"{"tid":6083735,"message":"A message","confirm_live":true}"#;
const ELSEWHERE: &str = r#"{"tid":7,"message":"A message","confirm_live":true}"#;
const THREAD: &str = r#"{"fid":375,"subject":"A subject","message":"A message","confirm_live":true}"#;
const BUMP: &str = r#"{"tid":7,"confirm_live":true}"#;
const DELETE: &str = r#"{"draft_id":"0123456789abcdef0123456789abcdef","confirm_delete":true}"#;

/// Example, caller, tool, arguments, and what becomes of it by which rule.
const CALLS: [(&str, &str, &str, &str, RuleEffect, &str); 37] = [
    (
        "read-first",
        "local",
        "terminal_run",
        r#"{"command":"ls","profile":"read-only"}"#,
        Allow,
        "look",
    ),
    (
        "read-first",
        "local",
        "terminal_run",
        r#"{"command":"ls","profile":"default"}"#,
        Confirm,
        "change",
    ),
    (
        "read-first",
        "local",
        "terminal_run",
        r#"{"command":"ls","profile":"network"}"#,
        Deny,
        "change",
    ),
    (
        "read-first",
        "local",
        "hf_posts_read",
        r#"{"tid":7}"#,
        Allow,
        "read-the-forum",
    ),
    ("read-first", "token:a", "hf_posts_read", r#"{"tid":7}"#, Deny, "none"),
    ("read-first", "local", "hf_posts_reply", REPLY, Deny, "write-nothing"),
    ("read-first", "local", "hf_bytes_bump", BUMP, Deny, "write-nothing"),
    ("read-first", "local", "hf_drafts_delete", DELETE, Deny, "none"),
    (
        "live-validation",
        "local",
        "hf_posts_read",
        r#"{"tid":7}"#,
        Allow,
        "reads",
    ),
    (
        "live-validation",
        "local",
        "hf_posts_reply",
        REPLY,
        Confirm,
        "one-reply",
    ),
    (
        "live-validation",
        "local",
        "hf_posts_reply",
        ELSEWHERE,
        Deny,
        "one-reply",
    ),
    (
        "live-validation",
        "local",
        "hf_threads_create",
        THREAD,
        Confirm,
        "one-thread",
    ),
    ("live-validation", "token:a", "hf_threads_create", THREAD, Deny, "none"),
    ("live-validation", "local", "hf_bytes_bump", BUMP, Deny, "no-bytes"),
    ("read-first", "local", "terminal_list", "{}", Allow, "look"),
    ("read-first", "token:a", "terminal_list", "{}", Deny, "none"),
    (
        "workstation",
        "local",
        "terminal_run",
        r#"{"command":"ls"}"#,
        Allow,
        "terminals",
    ),
    (
        "workstation",
        "local",
        "terminal_open",
        r#"{"profile":"network"}"#,
        Confirm,
        "network",
    ),
    (
        "workstation",
        "local",
        "terminal_open",
        r#"{"profile":"strict"}"#,
        Deny,
        "network",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test"],"profile":"build"}"#,
        Allow,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test"],"profile":"build","timeout_s":60}"#,
        Allow,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test"],"profile":"build","timeout_s":7200}"#,
        Deny,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test","X=1"],"profile":"build"}"#,
        Deny,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test"]}"#,
        Deny,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"command":"make test","profile":"build"}"#,
        Deny,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test"],"profile":"build","stdin":"x"}"#,
        Deny,
        "tests",
    ),
    (
        "ci",
        "local",
        "terminal_run",
        r#"{"argv":["make","test"],"profile":"build","env":{"LD_PRELOAD":"x"}}"#,
        Deny,
        "tests",
    ),
    ("ci", "local", "terminal_open", "{}", Deny, "none"),
    (
        "ci",
        "local",
        "terminal_send",
        r#"{"session":"s1","input":[{"text":"x"}]}"#,
        Deny,
        "none",
    ),
    ("ci", "local", "terminal_list", "{}", Allow, "results"),
    (
        "shared-server",
        "token:a",
        "terminal_run",
        r#"{"command":"ls","profile":"read-only"}"#,
        Allow,
        "everybody-looks",
    ),
    (
        "shared-server",
        "token:a",
        "terminal_run",
        r#"{"command":"ls","profile":"build"}"#,
        Deny,
        "everybody-looks",
    ),
    (
        "shared-server",
        "token:build-1",
        "terminal_run",
        r#"{"command":"ls","profile":"build"}"#,
        Allow,
        "builders",
    ),
    (
        "shared-server",
        "token:build-1",
        "terminal_run",
        r#"{"command":"ls","profile":"network"}"#,
        Deny,
        "no-network",
    ),
    (
        "shared-server",
        "token:guest-1",
        "terminal_run",
        r#"{"command":"ls","profile":"read-only"}"#,
        Deny,
        "guests-run-nothing",
    ),
    (
        "shared-server",
        "token:guest-1",
        "terminal_list",
        "{}",
        Allow,
        "everybody-looks",
    ),
    ("shared-server", "local", "terminal_list", "{}", Deny, "none"),
];

#[test]
fn the_examples_of_the_documentation_decide_as_it_says() {
    let profiles = Profiles::embedded();
    let around = tools::Around {
        profiles: &profiles,
        settings: None,
        drafts: crate::hf::drafts::Drafts::new("/nonexistent".into()),
    };
    let known = tools::known(&profiles);
    let examples = examples();
    assert_eq!(examples.len(), 5);
    for (name, text) in &examples {
        let policy = parse(text)
            .unwrap()
            .policy(&known)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let of_this = CALLS.iter().filter(|(example, ..)| example == name);
        for (_, caller, tool, arguments, effect, rule) in of_this {
            let given = tools::canonical(tool, serde_json::from_str(arguments).unwrap(), &around).unwrap();
            let caller = crate::policy::Caller::in_words(caller).unwrap();
            let found = policy.explain(&caller, tool, &given, None);
            assert_eq!(
                (found.effect, found.rule.as_str()),
                (*effect, *rule),
                "{name} {tool} {arguments}"
            );
        }
    }
}
