//! Callers that a policy lets use terminals: none sees, hinders or outlives another. Needs a working sandbox.

use std::time::{Duration, Instant};

use serde_json::json;

use super::bearer;
use super::client::{Caller, Connection, Server};
use crate::harness::program;

const POLICY: &str = r#"
policy:
  revision: "1"
  rules:
    - id: tokens
      effect: allow
      callers: ["token:one", "token:other"]
      tools: ["terminal_*"]
      profiles: [default]
"#;

fn start() -> Server {
    Server::start_with(&[], Some(POLICY))
}

/// A session of a caller that runs until somebody ends it: its handle and its short name.
fn runs_on(caller: &mut Caller) -> (String, String) {
    let reply = caller.call(
        "terminal_run",
        json!({"command": "echo begun; sleep 600", "yield_ms": 0}),
    );
    assert!(!reply.is_error, "{}", reply.text);
    let text = |name: &str| reply.facts[name].as_str().unwrap().to_owned();
    (text("session"), text("alias"))
}

#[test]
fn a_callers_terminals_do_not_exist_for_another() {
    let server = start();
    let (mut one, mut other) = (server.caller("one"), server.caller("other"));
    let (session, alias) = runs_on(&mut one);
    assert_eq!(other.call("terminal_list", json!({})).facts["sessions"], json!([]));
    let invented = "0123456789abcdef0123456789abcdef";
    for tool in ["terminal_read", "terminal_wait", "terminal_snapshot", "terminal_close"] {
        let refusal = |caller: &mut Caller, name: &str| {
            let reply = caller.call(tool, json!({"session": name}));
            assert!(reply.is_error, "{}", reply.text);
            reply.text.replace(name, "NAME")
        };
        assert_eq!(refusal(&mut other, &session), refusal(&mut other, invented), "{tool}");
        assert!(refusal(&mut other, &alias).contains("no such session"), "{tool}");
    }
    // The short name is each caller's own.
    let (own, own_alias) = runs_on(&mut other);
    assert_eq!((own_alias.as_str(), own == session), (alias.as_str(), false));
    for caller in [&mut one, &mut other] {
        assert!(!caller.call("terminal_close", json!({"session": alias})).is_error);
    }
}

#[test]
fn a_revoked_tokens_terminals_end() {
    let server = start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    let mut one = server.caller("one");
    runs_on(&mut one);
    assert_eq!(server.metric(&reader, "terrarium_sessions "), 1.0);
    server.token(&["revoke", "one"]);
    while server.metric(&reader, "terrarium_sessions ") > 0.0 {
        std::thread::yield_now(); // it looks once a second
    }
    let mut again = server.caller("one");
    assert_eq!(again.call("terminal_list", json!({})).facts["sessions"], json!([]));
}

#[test]
fn a_call_whose_client_leaves_is_cancelled_and_its_command_ends() {
    let server = start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    let mut one = server.caller("one");
    one.begin_call("terminal_run", json!({"command": "sleep 600", "yield_ms": 50_000}));
    while server.metric(&reader, "terrarium_sessions ") < 1.0 {
        std::thread::yield_now();
    }
    drop(one);
    while server.metric(&reader, "terrarium_sessions ") > 0.0 {
        std::thread::yield_now();
    }
    assert_eq!(server.metric(&reader, "terrarium_http_calls_in_flight "), 0.0);
}

#[test]
fn a_greedy_caller_leaves_commands_to_another() {
    let server = start();
    let (mut one, mut other) = (server.caller("one"), server.caller("other"));
    for _ in 0..8 {
        runs_on(&mut one);
    }
    let refused = one.call("terminal_run", json!({"command": "true", "yield_ms": 100}));
    assert!(
        refused.is_error && refused.text.contains("8 commands of yours are running"),
        "{}",
        refused.text
    );
    let ran = other.call("terminal_run", json!({"command": "echo mine"}));
    assert_eq!(ran.facts["exit_code"], 0, "{}", ran.text);
}

#[test]
fn a_running_call_is_answered_when_the_server_ends() {
    for legacy in [false, true] {
        let mut server = start();
        let reader = server.token(&["create", "reader", "--metrics"]);
        let mut one = server.caller("one");
        if legacy {
            one.shake_hands();
        }
        one.begin_call("terminal_run", json!({"command": "sleep 600", "yield_ms": 50_000}));
        while server.metric(&reader, "terrarium_sessions ") < 1.0 {
            std::thread::yield_now();
        }
        let since = Instant::now();
        server.terminate();
        let answer = one.connection().answer().expect("an answer, and not only an end");
        assert_eq!(answer.status, 200, "{answer:?}");
        let said = super::client::reply(&answer);
        assert!(!said.text.is_empty(), "{said:?}");
        let (status, _) = server.ended();
        assert!(
            status.success() && since.elapsed() < Duration::from_secs(9),
            "{:?}",
            since.elapsed()
        );
    }
}

#[test]
fn a_token_of_another_name_has_none_of_the_rules() {
    let server = start();
    let mut stranger = server.caller("stranger");
    let refused = stranger.call("terminal_run", json!({"command": "true"}));
    assert!(
        refused.is_error && refused.text.contains("token:stranger"),
        "{}",
        refused.text
    );
    let token = bearer(&stranger.token);
    assert_eq!(server.get("/metrics", &[("Authorization", &token)]).status, 403);
}

/// A yes to what one caller asks is none to the same of another.
#[test]
fn what_was_approved_for_one_caller_is_not_for_another() {
    let config = POLICY.replace(
        "effect: allow",
        "effect: confirm\n      confirm: {by: [operator, user], within: 5min}",
    );
    let server = Server::start_with(&[], Some(&config));
    let (mut one, mut other) = (server.caller("one"), server.caller("other"));
    let line = json!({"command": "echo a >> runs"});
    one.begin_call("terminal_run", line.clone());
    other.begin_call("terminal_run", line);
    let mut mine = Vec::new();
    crate::command::until("both are asked about", || {
        let output = program().args(["approvals", "list", "--json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let all = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        mine = all.filter(|asked| asked["server"]["pid"] == server.pid()).collect();
        mine.len() == 2
    });
    let of_one = mine
        .iter()
        .find(|asked| asked["question"]["caller"] == "token:one")
        .unwrap();
    let id = of_one["question"]["id"].as_str().unwrap();
    assert!(
        program()
            .args(["approvals", "approve", id])
            .output()
            .unwrap()
            .status
            .success()
    );
    let answer = one.connection().answer().unwrap();
    assert_eq!(answer.message()["result"]["isError"], false, "{answer:?}");
    let ran = std::fs::read_to_string(server.place.join("workspace/runs")).unwrap();
    assert_eq!(ran, "a\n");
    let waiting = mine
        .iter()
        .find(|asked| asked["question"]["caller"] == "token:other")
        .unwrap();
    let id = waiting["question"]["id"].as_str().unwrap();
    assert!(
        program()
            .args(["approvals", "deny", id])
            .output()
            .unwrap()
            .status
            .success()
    );
    let answer = other.connection().answer().unwrap();
    assert_eq!(answer.message()["result"]["isError"], true, "{answer:?}");
    assert_eq!(
        std::fs::read_to_string(server.place.join("workspace/runs")).unwrap(),
        ran
    );
}

#[test]
fn what_the_gate_and_the_kernel_end_is_counted_and_an_alert_is_on_record() {
    let server = Server::start_with(&[], Some(&format!("audit: {{path: record}}\n{POLICY}")));
    let reader = server.token(&["create", "reader", "--metrics"]);
    let mut one = server.caller("one");
    let count = |name: &str| server.metric(&reader, name);
    let forbidden = "import os; os.kill(os.getpid(), 31)"; // as a call of another architecture does
    let ended = one.call("terminal_run", json!({"argv": ["python3", "-c", forbidden]}));
    assert_eq!(ended.facts["signal"], 31, "{}", ended.text);
    one.call("terminal_run", json!({"command": "sleep 600", "timeout_s": 1}));
    one.call("terminal_run", json!({"argv": ["no-such-program"]}));
    assert_eq!(count("terrarium_syscall_kills_total"), 1.0);
    assert_eq!(count("terrarium_limit_kills_total{limit=\"timeout\"}"), 1.0);
    let refusals = "terrarium_launch_refusals_total{tool=\"terminal_run\",reason=\"program\"}";
    assert_eq!(count(refusals), 1.0);
    let records = || record(&server).matches("\"event\":").count();
    assert!(records() >= 9);
    assert_eq!(
        count("terrarium_audit_records_total"),
        f64::from(u32::try_from(records()).unwrap())
    );
    assert_eq!(count("terrarium_audit_failures_total"), 0.0);
    for _ in 0..25 {
        let denied = one.call("terminal_run", json!({"command": "true", "profile": "network"}));
        assert!(denied.is_error, "{}", denied.text);
    }
    assert_eq!(count("terrarium_alerts_total"), 1.0);
    let all = record(&server);
    let alerts: Vec<&str> = all
        .lines()
        .filter(|line| line.contains("\"event\":\"alert\""))
        .collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(
        alerts[0].contains("\"by\":\"token:one\",\"why\":\"denied 20 times in "),
        "{alerts:?}"
    );
}

/// All lines of its record.
fn record(server: &Server) -> String {
    let files = std::fs::read_dir(server.place.join("own/record")).unwrap();
    let text = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    files.map(|file| text(file.unwrap().path())).collect()
}

/// How a call is sent whose body comes later; gives the body, once the server waits for it.
fn begin_and_hold(server: &Server, caller: &mut Caller, command: &str) -> (Connection, String) {
    let message = caller.message(
        "tools/call",
        json!({"name": "terminal_run", "arguments": {"command": command}}),
    );
    let body = message.to_string();
    let headers = [
        ("Authorization", bearer(&caller.token)),
        ("Accept", "application/json, text/event-stream".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("MCP-Protocol-Version", "2026-07-28".to_owned()),
        ("Mcp-Method", "tools/call".to_owned()),
        ("Mcp-Name", "terminal_run".to_owned()),
        ("Content-Length", body.len().to_string()),
        ("Expect", "100-continue".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut connection = server.connect();
    connection.begin("POST", "/mcp", &server.address, &headers, "");
    assert_eq!(connection.line().unwrap(), "HTTP/1.1 100 Continue");
    assert_eq!(connection.line().unwrap(), "");
    (connection, body)
}

#[test]
fn a_token_that_is_revoked_before_the_body_has_come_runs_nothing() {
    let server = Server::start_with(&[], Some(&format!("audit: {{path: record}}\n{POLICY}")));
    let mut one = server.caller("one");
    let (mut held, body) = begin_and_hold(&server, &mut one, "echo a >> runs");
    server.token(&["revoke", "one"]);
    held.send(body.as_bytes());
    let answer = held.answer().unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!server.place.join("workspace/runs").exists());
    // A new token of the name has nothing of the old one's.
    let (mut held, body) = begin_and_hold(&server, &mut server.caller("one"), "echo b >> runs");
    held.send(body.as_bytes());
    assert_eq!(held.answer().unwrap().message()["result"]["isError"], false);
    let asked = record(&server).matches("\"event\":\"asked\"").count();
    assert_eq!(asked, 1, "the first never came so far");
}

/// The questions of this server that nobody has answered.
fn questions(server: &Server) -> Vec<serde_json::Value> {
    let output = program().args(["approvals", "list", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let all = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    all.filter(|asked| asked["server"]["pid"] == server.pid()).collect()
}

#[test]
fn a_question_ends_with_the_token_of_whoever_asked() {
    let config = POLICY.replace(
        "effect: allow",
        "effect: confirm\n      confirm: {by: [operator], within: 5min}",
    );
    let server = Server::start_with(&[], Some(&config));
    let line = json!({"command": "echo a >> runs"});
    let asked = |caller: &mut Caller| {
        caller.begin_call("terminal_run", line.clone());
        let mut asked = Vec::new();
        crate::command::until("it is asked about", || {
            asked = questions(&server);
            asked.len() == 1
        });
        asked.remove(0)["question"]["id"].as_str().unwrap().to_owned()
    };
    let mut one = server.caller("one");
    let before = asked(&mut one);
    server.token(&["revoke", "one"]);
    crate::command::until("it is forgotten", || questions(&server).is_empty());
    let late = program().args(["approvals", "approve", &before]).output().unwrap();
    assert!(!late.status.success(), "{late:?}");
    // Another token of the name asks anew, also where nobody has looked at the first one's end yet.
    let mut other = server.caller("one");
    let second = asked(&mut other);
    assert_ne!(second, before);
    let approved = program().args(["approvals", "approve", &second]).output().unwrap();
    assert!(approved.status.success(), "{approved:?}");
    let answer = other.connection().answer().unwrap();
    assert_eq!(answer.message()["result"]["isError"], false, "{answer:?}");
    let ran = std::fs::read_to_string(server.place.join("workspace/runs")).unwrap();
    assert_eq!(ran, "a\n");
}
