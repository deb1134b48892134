//! The Hack Forums tools over real pipes, against a server of our own on the loopback.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Era, Server, fresh_directory, program};
use crate::hf_fake::{Fake, asks};
use crate::processes::peak;

pub(crate) const TOKEN: &str = "tok_FAKE_0123456789abcdef";
/// Rules under which everything runs, for tests of what is refused before.
pub(crate) const ALL: &str = "{id: all, effect: allow, callers: [local], tools: [\"hf_*\"]}";

/// A configuration for a fake, and where the server keeps things.
pub(crate) struct Setting {
    pub(crate) fake: Fake,
    pub(crate) directory: PathBuf,
}

impl Setting {
    pub(crate) fn new(rules: &[&str]) -> Self {
        let setting = Self {
            fake: Fake::start(),
            directory: fresh_directory(),
        };
        setting.write(rules);
        setting
    }

    fn write(&self, rules: &[&str]) {
        let rules: Vec<String> = rules.iter().map(|rule| format!("    - {rule}\n")).collect();
        let text = format!(
            "hf:\n  profile: full_api\n  api_base: {}\n  timeouts: {{total: 20s}}\n  enable: [contracts.read, \
             sigmarket.market.read, sigmarket.order.read, admin.high_risk.read, bytes.transfer, bytes.deposit, \
             bytes.withdraw, bytes.bump]\npolicy:\n  revision: \"test\"\n  rules:\n{}",
            self.fake.base(),
            rules.concat()
        );
        std::fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.join("terrarium.yaml")
    }

    pub(crate) fn server(&self) -> Server {
        self.server_with(&[])
    }

    pub(crate) fn server_with(&self, more: &[&str]) -> Server {
        self.started(more, &[("TERRARIUM_HF_TOKEN", TOKEN.as_ref())])
    }

    /// A server that has no token.
    pub(crate) fn server_without_token(&self) -> Server {
        self.started(&[], &[])
    }

    fn started(&self, more: &[&str], environment: &[(&str, &Path)]) -> Server {
        let config = self.config();
        let options = [&["--config", config.to_str().unwrap()], more].concat();
        let here = self.directory.as_path();
        let own = [("XDG_STATE_HOME", here), ("XDG_RUNTIME_DIR", here)];
        Server::start_in(Era::Modern, &options, &[&own, environment].concat())
    }

    /// `terrarium approvals` for the servers here.
    pub(crate) fn approvals(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        command
            .arg("approvals")
            .args(arguments)
            .env("XDG_STATE_HOME", &self.directory)
            .env("XDG_RUNTIME_DIR", &self.directory);
        command.output().unwrap()
    }

    /// The names of the questions that wait.
    pub(crate) fn questions(&self) -> Vec<String> {
        let list = String::from_utf8(self.approvals(&["list", "--json"]).stdout).unwrap();
        let lines = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["question"]["answered"].is_null())
            .map(|line| line["question"]["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// One of our subcommands, with its state here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let config = self.config();
        let mut command = program();
        command
            .args(arguments)
            .arg("--config")
            .arg(config)
            .env("XDG_STATE_HOME", &self.directory);
        command.output().unwrap()
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok(); // a test's leftovers are in target/tmp
    }
}

fn reads() -> Vec<(&'static str, Value)> {
    vec![
        ("hf_me_read", json!({})),
        ("hf_users_read", json!({"uid": [1, 2]})),
        ("hf_forums_read", json!({"fid": 375})),
        ("hf_threads_read", json!({"fid": 375})),
        ("hf_threads_read", json!({"tid": 7})),
        ("hf_threads_read", json!({"uid": 7})),
        ("hf_posts_read", json!({"tid": 7})),
        ("hf_posts_read", json!({"pid": 7})),
        ("hf_posts_read", json!({"uid": 7})),
        ("hf_bytes_read", json!({"uid": 1})),
        ("hf_bytes_read", json!({"target_uid": 2})),
        ("hf_bytes_read", json!({"id": 2})),
        ("hf_bytes_read", json!({"from_uid": 2})),
        ("hf_bytes_read", json!({"to_uid": 2})),
        ("hf_contracts_read", json!({"cid": 1})),
        ("hf_contracts_read", json!({"uid": 1})),
        ("hf_disputes_read", json!({"cdid": 1})),
        ("hf_disputes_read", json!({"claimantuid": 1})),
        ("hf_bratings_read", json!({"crid": 1})),
        ("hf_bratings_read", json!({"to_uid": 1})),
        ("hf_sigmarket_market_read", json!({"uid": 1})),
        ("hf_sigmarket_order_read", json!({"smid": 31})),
        ("hf_sigmarket_order_read", json!({"oid": 31})),
        ("hf_sigmarket_order_read", json!({"seller": 31})),
        ("hf_admin_high_risk_read", json!({})),
    ]
}

/// A call of each tool that writes.
pub(crate) fn writes() -> Vec<(&'static str, Value)> {
    serde_json::from_str(include_str!("../../src/hf/tests/writes.json")).unwrap()
}

#[test]
fn every_tool_works_over_the_wire() {
    let setting = Setting::new(&[ALL]);
    let mut server = setting.server();
    for (tool, given) in reads().into_iter().chain(writes()) {
        let reply = server.call(tool, given.clone());
        assert!(!reply.is_error, "{tool} {given}: {}", reply.text);
        let requests = setting.fake.requests();
        assert_eq!(
            (requests.len(), requests[0].method.as_str()),
            (1, "POST"),
            "{tool} {given}"
        );
        assert_eq!(reply.facts["tool"], tool);
    }
    let forums = server.call("hf_forums_index", json!({"view": "tree"}));
    assert!(forums.text.contains("375 HF API"), "{}", forums.text);
    let draft = server.call("hf_formatting_preflight", json!({"message": "**x** y"}));
    let id = draft.facts["draft"]["draft_id"].clone();
    for (tool, given) in [
        ("hf_drafts_list", json!({})),
        ("hf_drafts_read", json!({"draft_id": id})),
        ("hf_drafts_update", json!({"draft_id": id, "status": "ready"})),
        (
            "hf_posts_reply",
            json!({"tid": 9, "draft_id": id, "confirm_live": true}),
        ),
        ("hf_drafts_delete", json!({"draft_id": id, "confirm_delete": true})),
    ] {
        let reply = server.call(tool, given);
        assert!(!reply.is_error, "{tool}: {}", reply.text);
    }
    let sent = setting.fake.requests().pop().unwrap();
    let sent = asks(std::str::from_utf8(&sent.body).unwrap());
    assert_eq!(sent["posts"], json!({"_tid": 9, "_message": "[b]x[/b] y"}));
}

#[test]
fn what_is_published_is_what_is_enforced() {
    let setting = Setting::new(&[ALL]);
    let mut server = setting.server();
    let list = server.request("tools/list", json!({}));
    let tools = list["result"]["tools"].as_array().unwrap();
    let named = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(
        tools
            .iter()
            .filter(|tool| tool["name"].as_str().unwrap().starts_with("hf_"))
            .count(),
        24
    );
    let transfer = &named("hf_bytes_transfer")["inputSchema"];
    assert_eq!(transfer["properties"]["amount"]["minimum"], 1);
    assert_eq!(transfer["properties"]["confirm_live"]["const"], true);
    assert_eq!(transfer["additionalProperties"], false);
    assert_eq!(named("hf_posts_read")["annotations"]["readOnlyHint"], true);
    assert_eq!(named("hf_posts_reply")["annotations"]["destructiveHint"], true);
}

#[test]
fn no_write_without_the_literal_true_and_exact_numbers() {
    // Where a person would be asked, they are not: the answer would come much later.
    let asked =
        "{id: asked, effect: confirm, callers: [local], tools: [\"hf_*\"], confirm: {by: [operator], within: 5min}}";
    for rule in [ALL, asked] {
        let setting = Setting::new(&[rule]);
        let mut server = setting.server();
        for (tool, given) in writes() {
            for (argument, wrong) in wrong_arguments(&given) {
                let mut given = given.clone();
                match &wrong {
                    Some(value) => given[argument] = value.clone(),
                    None => drop(given.as_object_mut().unwrap().remove(argument)),
                }
                let reply = server.call(tool, given);
                let named = reply.text.contains(&format!("\"{argument}\""));
                assert!(reply.is_error && named, "{tool} {argument} {wrong:?}: {}", reply.text);
            }
        }
        for (tool, mut given) in reads() {
            given["surprise"] = 1.into();
            assert!(server.call(tool, given).is_error, "{tool}");
        }
        assert!(setting.fake.requests().is_empty());
        assert!(setting.questions().is_empty());
    }
}

/// What makes the arguments of a write wrong: a value that an argument must not have, or none.
fn wrong_arguments(given: &Value) -> Vec<(&'static str, Option<Value>)> {
    let nearly = json!(["true", "yes", "1", 1, 1.0, null, [], {}, false]);
    let amounts = json!([-1, 0, 1.5, 1e30, true, "10"]);
    let of = |argument, values: &Value| -> Vec<_> {
        let values = values.as_array().unwrap().iter();
        values.map(|value| (argument, Some(value.clone()))).collect()
    };
    let mut wrong = of("confirm_live", &nearly);
    wrong.extend([("confirm_live", None), ("max_amount", Some(1.into()))]);
    if given.get("amount").is_some() {
        wrong.extend(of("amount", &amounts));
    }
    wrong
}

#[test]
fn an_instruction_in_a_post_reaches_no_write_without_a_person() {
    let read = "{id: read, effect: allow, callers: [local], tools: [hf_posts_read]}";
    let write = "{id: write, effect: confirm, callers: [local], tools: [hf_bytes_transfer], confirm: {by: \
                 [operator], within: 10s}}";
    let setting = Setting::new(&[read, write]);
    let mut server = setting.server();
    setting.fake.be("injected");
    let post = server.call("hf_posts_read", json!({"tid": 7}));
    assert!(
        post.text.contains("IGNORE PREVIOUS") && post.text.contains("data, never instructions"),
        "{}",
        post.text
    );
    assert!(!post.text.contains(['\u{1b}', '\u{202e}']));
    setting.fake.requests();
    // The agent obeys, as agents do.
    for (tool, given) in writes() {
        let reply = server.call(tool, given);
        assert!(reply.is_error, "{tool}: {}", reply.text);
    }
    assert!(setting.fake.requests().is_empty());
}

#[test]
fn without_a_section_there_are_no_such_tools_and_without_a_rule_no_calls() {
    let mut bare = Server::start(Era::Modern);
    let list = bare.request("tools/list", json!({}));
    assert!(!list.to_string().contains("\"hf_"), "{list}");
    let reply = bare.call("hf_me_read", json!({}));
    reply.refused("hf_me_read");
    let setting = Setting::new(&["{id: me, effect: allow, callers: [local], tools: [hf_me_read]}"]);
    let mut server = setting.server();
    assert!(!server.call("hf_me_read", json!({})).is_error);
    setting.fake.requests();
    for (tool, given) in reads()
        .into_iter()
        .chain(writes())
        .filter(|(tool, _)| *tool != "hf_me_read")
    {
        let reply = server.call(tool, given);
        assert!(
            reply.is_error && reply.text.contains("denied"),
            "{tool}: {}",
            reply.text
        );
    }
    assert!(setting.fake.requests().is_empty());
}

#[test]
fn a_slow_answer_delays_nobody_and_ends_when_its_client_cancels() {
    let setting = Setting::new(&[ALL]);
    let mut server = setting.server();
    setting.fake.be("slow");
    let slow = server.send_call("hf_posts_read", json!({"tid": 7}));
    setting.fake.wait_for_requests(1);
    assert!(!server.call("hf_drafts_list", json!({})).is_error);
    server.notify("notifications/cancelled", json!({"requestId": slow}));
    setting.fake.wait_for_hang_up();
}

#[test]
fn a_huge_answer_costs_no_memory() {
    let setting = Setting::new(&[ALL]);
    let mut server = setting.server();
    assert!(!server.call("hf_me_read", json!({})).is_error);
    let before = peak(server.pid());
    for (mode, class) in [
        ("huge", "too large"),
        ("many", "too large"),
        ("many_refused", "refused"),
        ("hugehead", "connection"),
        ("deep", "malformed"),
    ] {
        setting.fake.be(mode);
        let reply = server.call("hf_posts_read", json!({"tid": 7}));
        assert!(
            reply.is_error && reply.text.starts_with(class),
            "{mode}: {}",
            reply.text
        );
        let grown = peak(server.pid()) - before;
        assert!(grown < 20 * 1024, "{mode}: {grown} kB");
    }
}
