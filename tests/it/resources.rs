//! Screens, outputs and profiles by their address, and being told of changes, in both eras. Needs a working sandbox.

use serde_json::{Value, json};

use crate::confirm::Place;
use crate::harness::{Era, Server};

fn open(server: &mut Server) -> String {
    let reply = server.call("terminal_open", json!({"shell": "sh"}));
    assert!(!reply.is_error, "{}", reply.text);
    reply.facts["session"].as_str().unwrap().to_owned()
}

fn read(server: &mut Server, uri: &str) -> Value {
    server.request("resources/read", json!({"uri": uri}))
}

#[test]
fn what_a_tool_shows_can_be_read_by_its_address() {
    for era in [Era::Legacy, Era::Modern] {
        let mut server = Server::start(era);
        let id = open(&mut server);
        server.call(
            "terminal_exec",
            json!({"session": id, "command": "echo seen-$((40+2))"}),
        );
        let listed = server.request("resources/list", json!({}));
        let uris: Vec<&str> = listed["result"]["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource["uri"].as_str().unwrap())
            .collect();
        let screen = format!("terrarium://sessions/{id}/screen");
        let output = format!("terrarium://sessions/{id}/output");
        for uri in [screen.as_str(), output.as_str(), "terrarium://profiles/default"] {
            assert!(uris.contains(&uri), "{uris:?}");
        }
        assert!(!uris.contains(&"terrarium://profiles/network"), "{uris:?}");
        let templates = server.request("resources/templates/list", json!({}));
        assert_eq!(templates["result"]["resourceTemplates"].as_array().unwrap().len(), 3);
        for uri in [&screen, &output] {
            let answer = read(&mut server, uri);
            let contents = &answer["result"]["contents"][0];
            assert!(contents["text"].as_str().unwrap().contains("seen-42"), "{answer}");
            assert_eq!(&contents["uri"], uri);
        }
        let profile = read(&mut server, "terrarium://profiles/default");
        let text = profile["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(text.contains("read-write-execute"), "{text}");
    }
}

#[test]
fn what_is_not_there_or_not_the_callers_is_no_such_resource() {
    let mut server = Server::start(Era::Legacy);
    let id = open(&mut server);
    for uri in [
        "terrarium://sessions/s1/screen", // an address holds the handle, not the short name
        "terrarium://sessions/00000000000000000000000000000000/screen",
        &format!("terrarium://sessions/{id}/nothing"),
        "terrarium://profiles/network", // not the caller's to use
        "terrarium://profiles/nosuch",
        "file:///etc/passwd",
    ] {
        let answer = read(&mut server, uri);
        assert_eq!(answer["error"]["code"], -32002, "{uri}: {answer}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.starts_with("no such resource"), "{text}");
        let refused = server.request("resources/subscribe", json!({"uri": uri}));
        assert!(refused["error"].is_object(), "{uri}: {refused}");
    }
    let still = server.request("resources/subscribe", json!({"uri": "terrarium://profiles/default"}));
    assert!(
        still["error"]["message"].as_str().unwrap().contains("does not change"),
        "{still}"
    );
}

#[test]
fn a_subscriber_is_told_of_changes_until_the_session_is_gone() {
    let mut server = Server::start(Era::Legacy);
    let id = open(&mut server);
    let uri = format!("terrarium://sessions/{id}/screen");
    let updated = |message: &Value| message["method"] == "notifications/resources/updated";
    assert!(server.request("resources/subscribe", json!({"uri": uri}))["result"].is_object());
    server.call("terminal_exec", json!({"session": id, "command": "echo one"}));
    assert_eq!(server.wait_for(updated)["params"]["uri"], uri);
    // A flood is told about twice a second at most.
    server.call(
        "terminal_exec",
        json!({"session": id, "command": "seq 100000", "max_output_bytes": 1000}),
    );
    server.call("terminal_wait", json!({"session": id, "until": {"idle_ms": 100}}));
    assert!(server.unclaimed().iter().filter(|message| updated(message)).count() < 20);
    server.request("resources/unsubscribe", json!({"uri": uri}));
    server.unclaimed();
    server.call("terminal_exec", json!({"session": id, "command": "echo two"}));
    server.call("terminal_wait", json!({"session": id, "until": {"idle_ms": 700}}));
    assert_eq!(server.unclaimed().iter().filter(|message| updated(message)).count(), 0);
}

#[test]
fn a_modern_client_listens_and_its_request_ends_with_the_session() {
    let mut server = Server::start(Era::Modern);
    let id = open(&mut server);
    let uri = format!("terrarium://sessions/{id}/output");
    let listen = server.send(
        "subscriptions/listen",
        json!({"notifications": {"resourceSubscriptions": [uri, "terrarium://sessions/nosuch/screen"]}}),
    );
    let acknowledged = server.wait_for(|m| m["method"] == "notifications/subscriptions/acknowledged");
    assert!(acknowledged["params"].to_string().contains(&uri), "{acknowledged}");
    server.call("terminal_exec", json!({"session": id, "command": "echo one"}));
    let update = server.wait_for(|m| m["method"] == "notifications/resources/updated");
    assert_eq!(update["params"]["uri"], uri);
    server.call("terminal_close", json!({"session": id}));
    let end = server.answer(listen);
    assert!(end["result"].is_object(), "{end}");
}

#[test]
fn an_address_that_is_repeated_is_one_and_too_many_are_refused_before_they_are_looked_at() {
    let place = Place::new("operator", "5min");
    place.write_all(
        "policy:\n  revision: \"1\"\n  rules:\n    - {id: all, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [default]}\n",
    );
    let mut server = place.server(Era::Modern);
    let id = open(&mut server);
    let uri = format!("terrarium://sessions/{id}/output");
    let asked = |tool: &str| {
        let lines = place.record();
        let asked = |line: &&Value| line["event"] == "asked" && line["tool"] == tool;
        lines.iter().filter(asked).count()
    };
    let many = json!({"notifications": {"resourceSubscriptions": vec![uri.as_str(); 1000]}});
    let refused = server.request("subscriptions/listen", many);
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let text = refused["error"]["message"].as_str().unwrap();
    assert!(
        text.contains("1000 addresses are too many") && text.contains("takes 64"),
        "{text}"
    );
    assert_eq!((asked("terminal_read"), asked("resource")), (0, 1));
    let listen = server.send(
        "subscriptions/listen",
        json!({"notifications": {"resourceSubscriptions": vec![uri.as_str(); 64]}}),
    );
    server.wait_for(|message| message["method"] == "notifications/resources/updated");
    assert_eq!(asked("terminal_read"), 1);
    server.call("terminal_close", json!({"session": id}));
    assert!(server.answer(listen)["result"].is_object());
}

#[test]
fn one_caller_has_so_many_subscriptions_and_no_more() {
    let mut server = Server::start(Era::Legacy);
    let ids: Vec<String> = (0..33)
        .map(|_| {
            let reply = server.call("terminal_open", json!({"argv": ["cat"]}));
            reply.facts["session"]
                .as_str()
                .unwrap_or_else(|| panic!("{}", reply.text))
                .to_owned()
        })
        .collect();
    let mut refused = Vec::new();
    for id in &ids {
        for what in ["screen", "output"] {
            let uri = format!("terrarium://sessions/{id}/{what}");
            let answer = server.request("resources/subscribe", json!({"uri": uri}));
            refused.extend(answer["error"]["message"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].contains("64 subscriptions"), "{refused:?}");
}
