//! What changes while a call waits for its turn: it is decided by what holds when it may begin. Needs a working sandbox.

use serde_json::{Value, json};

use crate::command::until;
use crate::confirm::{LINE, Place, runs};
use crate::harness::{Era, Server};
use crate::processes::signal;

/// One command at a time, by a policy that lets everything else than this be.
fn policy(revision: &str, run: &str) -> String {
    format!(
        "limits: {{commands: 1}}\npolicy:\n  revision: \"{revision}\"\n  rules:\n    - {{id: looks, effect: allow, \
         callers: [local], tools: [terminal_list, terminal_close]}}\n    - {{id: runs, callers: [local], tools: \
         [terminal_run], profiles: [default], {run}}}\n"
    )
}

const ALLOW: &str = "effect: allow";
const ASK: &str = "effect: confirm, confirm: {by: [operator], within: 5min}";

/// A server of which a command runs; its session.
fn busy(place: &Place) -> (Server, String) {
    place.write_all(&policy("1", ALLOW));
    let mut server = place.server(Era::Modern);
    let running = server.call("terminal_run", json!({"command": "sleep 600", "yield_ms": 0}));
    assert!(!running.is_error, "{}", running.text);
    let session = running.facts["session"].as_str().unwrap().to_owned();
    (server, session)
}

/// Puts this policy in force.
fn reload(place: &Place, server: &mut Server, revision: &str, run: &str) {
    place.write_all(&policy(revision, run));
    signal(server.pid(), "HUP");
    until("the new policy is in force", || {
        server.call("terminal_list", json!({}));
        place.record().iter().any(|line| line["policy"] == revision)
    });
}

/// A call of [`LINE`], once it waits for the command that runs.
fn waits(server: &mut Server) -> u64 {
    let call = server.send_call("terminal_run", json!({"command": LINE, "yield_ms": 50_000}));
    in_line(server);
    call
}

/// Until one call waits for its turn.
fn in_line(server: &mut Server) {
    until("it waits", || {
        let probe = server.call("terminal_run", json!({"command": "true", "yield_ms": 0}));
        probe.text.contains("(1 more are waiting)")
    });
}

/// The words on record about each call of `terminal_run`.
fn words(place: &Place) -> Vec<Vec<String>> {
    let all = place.record();
    let runs = all
        .iter()
        .filter(|line| line["event"] == "asked" && line["tool"] == "terminal_run");
    let of_call = |asked: &Value| {
        let lines = all.iter().filter(|line| line["call"] == asked["call"]);
        lines.map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    };
    runs.map(of_call).collect()
}

/// How many calls of `terminal_run` have this word on record.
fn count(place: &Place, word: &str) -> usize {
    let has = |words: &&Vec<String>| words.iter().any(|known| known == word);
    words(place).iter().filter(has).count()
}

#[test]
fn a_command_whose_turn_comes_in_a_lockdown_does_not_start() {
    let place = Place::new("operator", "5min");
    let (mut server, session) = busy(&place);
    let call = waits(&mut server);
    place.lockdown(&["on", "--reason", "a test"]);
    assert!(!server.call("terminal_close", json!({"session": session})).is_error);
    let reply = server.reply(call);
    reply.refused("locked this down (\"a test\")");
    assert_eq!(runs(server.workspace()), 0);
    assert_eq!(count(&place, "allowed"), 1, "only what ran before");
}

#[test]
fn a_command_whose_turn_comes_under_a_policy_that_denies_it_does_not_start() {
    let place = Place::new("operator", "5min");
    let (mut server, session) = busy(&place);
    let call = waits(&mut server);
    reload(&place, &mut server, "2", "effect: deny");
    assert!(!server.call("terminal_close", json!({"session": session})).is_error);
    let reply = server.reply(call);
    reply.refused("denied: rule \"runs\" denies it");
    assert_eq!(runs(server.workspace()), 0);
    assert_eq!(count(&place, "allowed"), 1, "only what ran before");
    assert!(words(&place).contains(&vec!["asked".to_owned(), "denied".to_owned()]));
}

#[test]
fn a_command_whose_turn_comes_when_a_person_must_agree_to_it_is_asked_about() {
    let place = Place::new("operator", "5min");
    let (mut server, session) = busy(&place);
    let call = waits(&mut server);
    reload(&place, &mut server, "2", ASK);
    assert!(!server.call("terminal_close", json!({"session": session})).is_error);
    assert_eq!(runs(server.workspace()), 0);
    place.approve();
    let reply = server.reply(call);
    assert!(!reply.is_error, "{}", reply.text);
    assert_eq!(runs(server.workspace()), 1);
    let words = words(&place);
    let asked = words.iter().find(|words| words.iter().any(|word| word == "question"));
    assert_eq!(asked.unwrap(), &["asked", "question", "approved", "allowed", "done"]);
}

#[test]
fn a_yes_to_a_command_that_then_waits_is_worth_nothing_in_a_lockdown() {
    let place = Place::new("operator", "5min");
    let (mut server, session) = busy(&place);
    reload(&place, &mut server, "2", ASK);
    let call = server.send_call("terminal_run", json!({"command": LINE, "yield_ms": 50_000}));
    place.approve();
    until("the yes is on record", || {
        place.record().iter().any(|line| line["event"] == "approved")
    });
    place.lockdown(&["on"]);
    assert!(!server.call("terminal_close", json!({"session": session})).is_error);
    let reply = server.reply(call);
    reply.refused("locked this down");
    assert_eq!(runs(server.workspace()), 0);
}
