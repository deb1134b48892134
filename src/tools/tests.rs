mod judged;

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use serde_json::json;

use super::*;
use crate::policy::{EMBEDDED, Policy};

const LOCAL: Caller = Caller::Local { uid: 1 };

fn policy() -> Current {
    Current::new(Policy::parse(EMBEDDED, &known(&Profiles::embedded())).unwrap())
}

pub(crate) fn services() -> Services {
    Services {
        policy: policy(),
        ..super::fuzz::services()
    }
}

/// A directory of its own, with a record in it, that goes at the end.
struct Kept(std::path::PathBuf);

impl Kept {
    fn new() -> Self {
        let name = format!("terrarium-test-tools-{}", crate::model::InstanceId::random().unwrap());
        Self(std::env::temp_dir().join(name))
    }

    fn services(&self, rules: &str) -> Services {
        let settings = crate::audit::Settings::new(self.0.join("audit"));
        let instance = crate::model::InstanceId::random().unwrap();
        Services {
            policy: Current::new(written("one", rules)),
            budget: Budget::in_directory(Some(self.0.clone())),
            audit: Audit::to_files(instance, settings, crate::audit::Redactor::default(), None),
            ..services()
        }
    }

    /// All lines of the record.
    fn lines(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(self.0.join("audit")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|is| is == "jsonl") {
                let text = std::fs::read_to_string(path).unwrap();
                lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
        lines
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok(); // it may not have been made
    }
}

fn written(revision: &str, rules: &str) -> Policy {
    let text = format!("revision: {revision}\nrules: [{rules}]");
    Policy::parse(&text, &known(&Profiles::embedded())).unwrap()
}

async fn ask(services: &Services, caller: &Caller, name: &str, arguments: &Value) -> ReplyResult {
    let call = ToolCall {
        name: name.to_owned(),
        arguments: arguments.as_object().unwrap().clone(),
    };
    run(services, caller, call, None, CancellationToken::new()).await
}

#[tokio::test]
async fn the_record_names_the_policy_that_decided_and_not_the_one_of_the_moment() {
    let kept = Kept::new();
    let rule = "{id: list, effect: allow, callers: [local], tools: [terminal_list], at_most: {times: 5, per: day}}";
    let services = kept.services(rule);
    std::fs::DirBuilder::new().mode(0o700).create(&kept.0).unwrap();
    let mut lock = std::fs::File::options();
    let locked = lock
        .mode(0o600)
        .write(true)
        .create_new(true)
        .open(kept.0.join("counted.lock"));
    let locked = locked.unwrap();
    locked.lock().unwrap();
    let arguments = json!({});
    let call = ask(&services, &LOCAL, "terminal_list", &arguments);
    tokio::pin!(call);
    tokio::select! {
        biased;
        _ = &mut call => panic!("it was counted without the lock"),
        () = async {} => {}
    }
    services
        .policy
        .replace(written("two", "{id: no, effect: deny, tools: [\"*\"]}"));
    drop(locked);
    call.await.unwrap();
    ask(&services, &LOCAL, "terminal_list", &arguments).await.unwrap_err();
    let decided = |line: &Value| ["allowed", "denied"].contains(&line["event"].as_str().unwrap());
    let decided: Vec<Value> = kept.lines().into_iter().filter(decided).collect();
    let found: Vec<&str> = decided.iter().map(|line| line["policy"].as_str().unwrap()).collect();
    assert_eq!(found, ["one", "two"]);
}

#[tokio::test]
async fn calls_that_come_to_nothing_do_not_push_the_record_out() {
    let kept = Kept::new();
    let services = kept.services("{id: list, effect: allow, callers: [local], tools: [terminal_list]}");
    let guest = Caller::Token {
        name: crate::model::Name::new("guest").unwrap(),
    };
    let mut last = String::new();
    for n in 0..3000 {
        let (tool, arguments) = match n % 3 {
            0 => ("nonsense", json!({"n": n})),
            1 => ("terminal_run", json!({"nonsense": n})),
            _ => ("terminal_list", json!({})),
        };
        last = ask(&services, &guest, tool, &arguments).await.unwrap_err().to_string();
    }
    assert!(last.contains("600 calls of yours came to nothing in 60 s"), "{last}");
    let lines = kept.lines();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!(of("asked"), 600);
    // One for the run of denials, one for what is not on record.
    assert_eq!(of("alert"), 2);
    let text = lines
        .iter()
        .filter_map(|line| line["why"].as_str())
        .collect::<Vec<_>>()
        .join("\n");
    assert!(text.contains("without records of their own"), "{text}");
    // The others are not touched by it, and the end tells how many it were.
    ask(&services, &LOCAL, "terminal_list", &json!({})).await.unwrap();
    services.end(std::time::Duration::ZERO, std::time::Duration::ZERO).await;
    let last = kept.lines().pop().unwrap();
    assert_eq!(
        (last["event"].as_str(), last["by"].as_str()),
        (Some("alert"), Some("token:guest"))
    );
    assert!(last["why"].as_str().unwrap().starts_with("2399 calls "), "{last}");
}

#[tokio::test]
async fn the_tools_of_another_server_are_counted_like_ours() {
    let kept = Kept::new();
    let services = kept.services("{id: list, effect: allow, callers: [local], tools: [terminal_list]}");
    for _ in 0..1000 {
        let call = ToolCall {
            name: "ht_send_keys".to_owned(),
            arguments: Map::new(),
        };
        let reply = compat_ht::run_as_ht(&services, &LOCAL, call, CancellationToken::new()).await;
        reply.unwrap_err();
    }
    let lines = kept.lines();
    let asked = lines.iter().filter(|line| line["event"] == "asked").count();
    assert_eq!(asked, 600);
}

async fn refused(name: &str, arguments: Value) -> String {
    ask(&services(), &LOCAL, name, &arguments)
        .await
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_published_suits_every_client() {
    let names: Vec<&str> = definitions().iter().map(|d| d.name).collect();
    let order = [
        "terminal_run",
        "terminal_open",
        "terminal_exec",
        "terminal_send",
        "terminal_snapshot",
        "terminal_wait",
        "terminal_read",
        "terminal_resize",
        "terminal_signal",
        "terminal_list",
        "terminal_close",
    ];
    assert_eq!(names, order);
    for tool in definitions() {
        let legal = |b: u8| b.is_ascii_lowercase() || b == b'_';
        assert!(tool.name.len() <= 64 && tool.name.bytes().all(legal), "{}", tool.name);
        assert!(!tool.title.is_empty() && tool.description.len() > 50, "{}", tool.name);
        let (arguments, result) = ((tool.arguments)(), (tool.result)());
        assert_eq!(arguments["type"], "object", "{}", tool.name);
        assert_eq!(arguments["additionalProperties"], false, "{}", tool.name);
        // A root that is no object makes legacy clients throw away the whole list.
        assert_eq!(result["type"], "object", "{}", tool.name);
        for schema in [json!(arguments), json!(result)] {
            let text = schema.to_string();
            for word in ["null", "uint", "int64", "$ref", "\"oneOf\":[{\"type\":\"object\""] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
}

#[test]
fn the_published_list_changes_only_on_purpose() {
    let list: Vec<Value> = definitions()
        .iter()
        .map(|d| json!({"name": d.name, "arguments": (d.arguments)(), "result": (d.result)()}))
        .collect();
    insta::assert_snapshot!("tools", serde_json::to_string_pretty(&list).unwrap());
}

#[tokio::test]
async fn refusals_say_what_was_wrong_and_what_to_do() {
    let table = [
        (
            "terminal_wait",
            json!({"session": "s1"}),
            "no such session: \"s1\"; hint: terminal_list",
        ),
        ("terminal_close", json!({}), "bad argument \"session\": is missing"),
        (
            "terminal_list",
            json!({"all": true}),
            "bad argument \"all\": is unknown: this takes no arguments",
        ),
        ("terminal_fly", json!({}), "no tool is called \"terminal_fly\""),
    ];
    for (name, arguments, expected) in table {
        let found = refused(name, arguments.clone()).await;
        assert!(found.contains(expected), "{name} {arguments}: {found}");
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_meant_is_refused_by_the_name_of_the_argument() {
    let table = [
        (
            json!({}),
            "bad argument \"command\": and \"argv\" are both missing; hint: give exactly one",
        ),
        (json!({"command": "x", "argv": ["x"]}), "are both given"),
        (
            json!({"command": " "}),
            "bad argument \"command\": the command is empty; hint:",
        ),
        (
            json!({"argv": ["a\0b"]}),
            "bad argument \"argv\": an argument holds a NUL byte",
        ),
        (
            json!({"command": "x", "profile": "nosuch"}),
            "bad argument \"profile\": no profile is called",
        ),
        (
            json!({"command": "x", "profile": "network"}),
            "denied: rule \"terminals\" does not allow",
        ),
        (
            json!({"command": "x", "env": {"A-B": ""}}),
            "bad argument \"env\": \"A-B\" is no name",
        ),
        (
            json!({"command": "x", "env": {"A": "\0"}}),
            "bad argument \"env.A\": a value holds a NUL",
        ),
        (
            json!({"command": "x", "stdin_base64": "?"}),
            "bad argument \"stdin_base64\": ",
        ),
        (
            json!({"command": "x", "cwd": "a\0"}),
            "bad argument \"cwd\": holds a NUL byte",
        ),
    ];
    for (arguments, expected) in table {
        let found = refused("terminal_run", arguments.clone()).await;
        assert!(found.contains(expected), "{arguments}: {found}");
    }
}
