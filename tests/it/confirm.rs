//! A person's yes, through the real server: exactly one execution of exactly what was shown.

mod changes;
mod plain;
mod seen;
mod servers;

pub(crate) use seen::unfolded;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::command::{until, with_state};
use crate::harness::{Era, Server, fresh_directory};
use crate::processes::signal;
use crate::tty::{Tty, set_passphrase};

/// A place for state with a policy that asks for everything but lists.
pub(crate) struct Place {
    state: PathBuf,
    config: PathBuf,
}

impl Place {
    pub(crate) fn new(by: &str, within: &str) -> Self {
        let state = fresh_directory();
        let config = state.join("terrarium.yaml");
        let place = Self { state, config };
        place.write(by, within, "1");
        place
    }

    fn write(&self, by: &str, within: &str, revision: &str) {
        self.write_all(&format!(
            "policy:\n  revision: \"{revision}\"\n  rules:\n    - {{id: looks, effect: allow, callers: [local], tools: [terminal_list]}}\n    \
             - {{id: asks, effect: confirm, callers: [local], tools: [terminal_run], profiles: [default], \
             confirm: {{by: [{by}], within: {within}}}}}\n"
        ));
    }

    /// Another configuration.
    pub(crate) fn write_all(&self, text: &str) {
        fs::write(&self.config, text).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&self.config, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn server(&self, era: Era) -> Server {
        Server::start_in(era, &["--config", self.config.to_str().unwrap()], &self.environment())
    }

    /// A server whose client can ask the person before it.
    pub(crate) fn server_for_a_person(&self, era: Era) -> Server {
        Server::start_for_a_person(era, &["--config", self.config.to_str().unwrap()], &self.environment())
    }

    fn environment(&self) -> [(&str, &Path); 2] {
        [("XDG_STATE_HOME", &self.state), ("XDG_RUNTIME_DIR", &self.state)]
    }

    fn set_passphrase(&self) {
        set_passphrase(&self.terrarium(&["passphrase", "set"]), "correct horse");
    }

    pub(crate) fn terrarium(&self, arguments: &[&str]) -> Command {
        with_state(&self.state, arguments)
    }

    pub(crate) fn approvals(&self, arguments: &[&str]) -> Output {
        self.terrarium(&[&["approvals"], arguments].concat()).output().unwrap()
    }

    /// What is on record.
    pub(crate) fn lockdown(&self, arguments: &[&str]) {
        let output = self.terrarium(&[&["lockdown"], arguments].concat()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn record(&self) -> Vec<Value> {
        let output = self.terrarium(&["audit", "export", "--json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The questions that wait, once there are so many.
    pub(crate) fn questions(&self, count: usize) -> Vec<Value> {
        let mut open = Vec::new();
        until("so many questions", || {
            let output = self.approvals(&["list", "--json"]);
            let text = String::from_utf8(output.stdout).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            open = lines.filter(|line| line["question"]["answered"].is_null()).collect();
            open.len() == count
        });
        open
    }

    pub(crate) fn approve(&self) -> Output {
        let question = self.questions(1).remove(0);
        self.approvals(&["approve", id(&question)])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.state).ok(); // what is left is in target/tmp
    }
}

pub(crate) fn id(question: &Value) -> &str {
    question["question"]["id"].as_str().unwrap()
}

/// How often [`LINE`] ran.
pub(crate) fn runs(workspace: &Path) -> usize {
    fs::read_to_string(workspace.join("runs")).map_or(0, |text| text.lines().count())
}

/// Leaves a trace of each time that it runs.
pub(crate) const LINE: &str = "echo a >> runs";

#[test]
fn a_yes_runs_it_once_and_a_no_never() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let workspace = server.workspace().to_owned();
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    let approved = place.approve();
    let shown = String::from_utf8_lossy(&approved.stdout);
    assert!(
        shown.contains("| \"command\": \"echo a >> runs\"") && shown.ends_with("approved, once\n"),
        "{shown}"
    );
    assert!(!server.reply(call).is_error);
    assert_eq!(runs(&workspace), 1);
    // The same again is asked again.
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    let question = place.questions(1).remove(0);
    let denied = place.approvals(&["deny", id(&question)]);
    assert!(denied.status.success());
    let reply = server.reply(call);
    reply.refused("declined by operator:");
    assert_eq!(runs(&workspace), 1);
    let late = place.approvals(&["approve", id(&question)]);
    assert!(!late.status.success());
}

#[test]
fn of_a_hundred_identical_calls_one_runs() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let workspace = server.workspace().to_owned();
    let calls: Vec<u64> = (0..100)
        .map(|_| server.send_call("terminal_run", json!({"command": LINE})))
        .collect();
    let other = server.send_call("terminal_run", json!({"command": "echo b >> runs"}));
    // One that came after the yes would be a question of its own.
    until("all of them wait", || {
        let record = place.record();
        record.iter().filter(|line| line["event"] == "question").count() == 101
    });
    let questions = place.questions(2);
    let same = questions
        .iter()
        .find(|q| q["question"]["preview"].as_str().unwrap().contains(LINE))
        .unwrap();
    let approved = place.approvals(&["approve", id(same)]);
    assert!(approved.status.success(), "{approved:?}");
    let done = calls.into_iter().filter(|call| !server.reply(*call).is_error).count();
    assert_eq!((done, runs(&workspace)), (1, 1));
    // On record, too, one call has the yes, and the others have none.
    let record = place.record();
    let on_record = |event: &str| record.iter().filter(|line| line["event"] == event).count();
    assert_eq!((on_record("approved"), on_record("declined")), (1, 99));
    // One byte more is another question, which nobody answered.
    assert_eq!(place.questions(1).len(), 1);
    server.notify("notifications/cancelled", json!({"requestId": other}));
}

#[test]
fn a_question_that_nobody_answers_in_time_runs_nothing() {
    let place = Place::new("operator", "10s");
    let mut server = place.server(Era::Legacy);
    let reply = server.call("terminal_run", json!({"command": LINE}));
    reply.refused("nobody answered");
    assert_eq!(runs(server.workspace()), 0);
}

#[test]
fn a_client_without_elicitation_is_told_how_to_make_a_channel() {
    for era in [Era::Legacy, Era::Modern] {
        let place = Place::new("user", "5min");
        let mut server = place.server(era);
        let reply = server.call("terminal_run", json!({"command": LINE}));
        reply.refused("a client that supports elicitation");
    }
}

#[test]
fn a_caller_that_asks_too_much_is_told_to_wait_and_the_queue_stays_bounded() {
    const MOST: usize = 16;
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    for n in 0..MOST {
        server.send_call("terminal_run", json!({"command": format!("{LINE} {n}")}));
    }
    place.questions(MOST);
    let refused = server.call("terminal_run", json!({"command": LINE}));
    assert!(
        refused.is_error && refused.text.contains("16 questions wait for a person"),
        "{}",
        refused.text
    );
    // An answer makes no room before it has expired, so that nobody can ask until one is given by mistake; an
    // identical call still joins the question that waits.
    let joined = server.send_call("terminal_run", json!({"command": format!("{LINE} 0")}));
    let questions = place.questions(MOST);
    let first = questions
        .iter()
        .find(|q| q["question"]["preview"].as_str().unwrap().contains("runs 0\""));
    assert!(place.approvals(&["deny", id(first.unwrap())]).status.success());
    assert!(server.reply(joined).text.contains("declined by operator:"));
    assert!(server.call("terminal_run", json!({"command": LINE})).is_error);
    assert_eq!(runs(server.workspace()), 0);
}

#[test]
fn a_policy_that_changed_makes_a_yes_worth_nothing() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    place.questions(1);
    place.write("operator", "5min", "2");
    signal(server.pid(), "HUP");
    until("the new policy is in force", || {
        let revision = json!("2");
        server.call("terminal_list", json!({}));
        place.record().iter().any(|line| line["policy"] == revision)
    });
    place.approve();
    let reply = server.reply(call);
    reply.refused("approval");
    assert_eq!(runs(server.workspace()), 0);
}

#[test]
fn a_yes_while_everything_is_locked_down_runs_nothing() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    place.questions(1);
    place.lockdown(&["on", "--reason", "a test"]);
    place.approve();
    let reply = server.reply(call);
    reply.refused("locked this down (\"a test\")");
    assert_eq!(runs(server.workspace()), 0);
    // Nor when it is lifted: a yes is used up, and the same is asked anew.
    place.lockdown(&["off"]);
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    place.questions(1);
    assert_eq!(runs(server.workspace()), 0);
    server.notify("notifications/cancelled", json!({"requestId": call}));
}

#[test]
fn a_yes_waits_for_the_passphrase_and_a_wrong_one_is_none() {
    let place = Place::new("operator", "5min");
    place.set_passphrase();
    let mut server = place.server(Era::Modern);
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    let question = place.questions(1).remove(0);
    let approve = |passphrase: &str| {
        let mut tty = Tty::start(&place.terrarium(&["approvals", "approve", id(&question)]));
        tty.type_secret("Operator's passphrase: ", passphrase);
        tty.end()
    };
    let (status, shown) = approve("wrong horse");
    assert!(
        status != Some(0) && shown.contains("the passphrase is another"),
        "{shown}"
    );
    assert_eq!((place.questions(1).len(), runs(server.workspace())), (1, 0));
    // The empty one is no way around it.
    assert_ne!(approve("").0, Some(0));
    let (status, shown) = approve("correct horse");
    assert!(status == Some(0) && shown.contains("approved, once"), "{shown}");
    assert!(!server.reply(call).is_error);
    assert_eq!(runs(server.workspace()), 1);
    let alerts = place.record().into_iter().filter(|line| line["event"] == "alert");
    let wrong = alerts
        .filter(|line| line["why"] == "a wrong passphrase was given")
        .count();
    assert!(wrong >= 1, "{wrong}");
}

#[test]
fn an_answer_that_no_call_waits_for_is_on_record() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    for (before, act, event) in [(0, "approve", "approved"), (1, "deny", "declined")] {
        let call = server.send_call("terminal_run", json!({"command": format!("echo {act}")}));
        let question = place.questions(1).remove(0);
        server.notify("notifications/cancelled", json!({"requestId": call}));
        let cancelled = |line: &&Value| line["event"] == "refused" && line["why"] == "cancelled";
        until("the call is gone", || {
            place.record().iter().filter(cancelled).count() > before
        });
        assert!(place.approvals(&[act, id(&question)]).status.success());
        let named = |line: &Value| line["why"].as_str().is_some_and(|why| why.contains(id(&question)));
        let record = place.record();
        let found = record
            .iter()
            .filter(|line| line["event"] == event && named(line))
            .count();
        assert_eq!(found, 1, "{record:?}");
    }
}

#[test]
fn tokens_and_the_end_of_a_lockdown_want_the_passphrase() {
    let place = Place::new("operator", "5min");
    place.set_passphrase();
    let tokens = |arguments: &[&str]| place.terrarium(&[&["token"], arguments].concat()).output().unwrap();
    let with = |arguments: &[&str], passphrase: &str| {
        let mut tty = Tty::start(&place.terrarium(arguments));
        tty.type_secret("Operator's passphrase: ", passphrase);
        tty.end()
    };
    place.lockdown(&["on"]);
    for arguments in [&["token", "create", "ci"][..], &["lockdown", "off"]] {
        // Without a terminal nobody can be asked: that is no yes.
        assert!(
            !place.terrarium(arguments).output().unwrap().status.success(),
            "{arguments:?}"
        );
        for wrong in ["wrong horse", ""] {
            let (status, shown) = with(arguments, wrong);
            assert_eq!(status, Some(125), "{arguments:?}: {shown}");
            assert!(shown.contains("the passphrase is another"), "{arguments:?}: {shown}");
        }
    }
    assert_eq!(tokens(&["list"]).stdout, b"");
    let status = place.terrarium(&["lockdown", "status"]).output().unwrap().status;
    assert_eq!(status.code(), Some(1));
    for arguments in [&["token", "create", "ci"][..], &["lockdown", "off"]] {
        let (status, shown) = with(arguments, "correct horse");
        assert_eq!(status, Some(0), "{arguments:?}: {shown}");
    }
    assert!(tokens(&["list"]).stdout.starts_with(b"ci\ttools"));
}

#[test]
fn without_a_terminal_a_yes_says_that_it_needs_one_for_the_passphrase() {
    let place = Place::new("operator", "5min");
    place.set_passphrase();
    let mut server = place.server(Era::Modern);
    server.send_call("terminal_run", json!({"command": LINE}));
    let question = place.questions(1).remove(0);
    let output = place.approvals(&["approve", id(&question)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("it is asked for on a terminal only"),
        "{said}"
    );
    assert_eq!(runs(server.workspace()), 0);
}
