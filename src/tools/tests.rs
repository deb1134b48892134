use serde_json::json;

use super::*;
use crate::model::workspace::{Keep, Owner};
use crate::policy::{EMBEDDED, Policy};

const LOCAL: Caller = Caller::Local { uid: 1 };

fn policy() -> Current {
    Current::new(Policy::parse(EMBEDDED, &known(&Profiles::embedded())).unwrap())
}

pub(crate) fn services() -> Services {
    Services {
        policy: policy(),
        limits: Limits::default(),
        budget: Budget::in_directory(None),
        alerts: Alerts::default(),
        audit: Audit::to_log(crate::model::InstanceId::default()),
        confirm: Confirm::default(),
        lockdown: Lockdown::default(),
        sessions: Sessions::default(),
        profiles: Profiles::embedded(),
        launchers: crate::sandbox::Launchers::new(crate::sandbox::LaunchOptions::default()),
        workspace: Workspace {
            path: "/w".into(),
            device: 0,
            inode: 0,
            owner: Owner { uid: 0, gid: 0 },
            keep: Keep::Always,
        },
        compat: None,
        hf: None,
    }
}

async fn refused(name: &str, arguments: Value) -> String {
    let call = ToolCall {
        name: name.to_owned(),
        arguments: arguments.as_object().unwrap().clone(),
    };
    let reply = run(&services(), &LOCAL, call, None, CancellationToken::new()).await;
    reply.unwrap_err().to_string()
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
