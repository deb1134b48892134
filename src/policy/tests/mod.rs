//! What the rules decide, what is shown of it, and what the tests of this layer share.

mod approvals;
mod commands;
mod loading;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::file::RuleEffect;
use super::fuzz::{TOOLS, known};
use super::*;
use crate::model::workspace::{Keep, Owner};
use crate::model::{Program, ShellLine, Workspace};
use crate::yaml;

const LOCAL: Caller = Caller::Local { uid: 1000 };

fn load(text: &str) -> Policy {
    match Policy::parse(text, &known()) {
        Ok(policy) => policy,
        Err(fault) => panic!("{}:{}: {}\n{text}", fault.place.line, fault.place.column, fault.problem),
    }
}

fn launch(tool: &'static str, profile: &str) -> Asked {
    let request = Request::Launch(Arc::new(LaunchRequest {
        tool,
        profile: crate::profile::Profiles::embedded().get(profile).unwrap(),
        workspace: Workspace {
            path: "/w".into(),
            device: 1,
            inode: 2,
            owner: Owner { uid: 0, gid: 0 },
            keep: Keep::Always,
        },
        program: Program::Shell(ShellLine::new("true").unwrap()),
        cwd: None,
        env: Vec::new(),
        terminal: Terminal::None,
        timeout: None,
        cpu_time: None,
    }));
    Asked {
        request,
        arguments: Arguments::new(
            json!({"profile": profile}).as_object().unwrap().clone(),
            Digest::of(b"1"),
        ),
        opened: None,
    }
}

/// The arguments with the defaults of the tool, as a call has them.
fn filled(tool: &str, given: &Map<String, Value>) -> Arguments {
    let mut arguments = given.clone();
    let schema = TOOLS
        .iter()
        .find(|(name, _)| *name == tool)
        .map(|(_, schema)| &schema["properties"]);
    for (name, property) in schema.and_then(Value::as_object).into_iter().flatten() {
        if let Some(default) = property.get("default") {
            arguments.entry(name.clone()).or_insert(default.clone());
        }
    }
    Arguments::new(arguments, Digest::of(b"1"))
}

#[test]
fn the_table_of_decisions_holds() {
    let written: BTreeMap<String, Value> = yaml::parse(include_str!("../table/policies.yaml")).unwrap();
    let policies: BTreeMap<String, Policy> = written
        .iter()
        .map(|(name, policy)| (name.clone(), load(&yaml::write(policy))))
        .collect();
    let (mut policy, mut rows, mut wrong) = ("", 0, Vec::new());
    for (at, line) in include_str!("../table/rows.tsv").lines().enumerate() {
        if let Some(comment) = line.strip_prefix("# ") {
            policy = comment.strip_prefix("policy\t").unwrap_or(policy);
            continue;
        }
        let [caller, tool, arguments, session, effect, rule] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("line {}: {line}", at + 1);
        };
        rows += 1;
        let tool = tool.replace("<LF>", "\n");
        let arguments = filled(&tool, &serde_json::from_str(arguments).unwrap());
        let caller = Caller::in_words(caller).unwrap();
        let session = Some(session).filter(|session| *session != "-");
        let found = policies[policy].explain(&caller, &tool, &arguments, session);
        if (found.effect.name(), found.rule.as_str()) != (effect, rule) {
            wrong.push(format!("{}: {line}: {} by {}", at + 1, found.effect.name(), found.rule));
        }
    }
    assert!(rows >= 300, "{rows}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_rule_bounds_is_asked_of_every_rule_that_speaks() {
    let policy = load(
        "revision: a\nrules:\n  - {id: a, effect: allow, callers: [local], tools: [\"hf_*\"], at_most: {times: 100, per: day}}\n  \
         - {id: b, effect: confirm, tools: [hf_bytes_transfer], at_most: {times: 2, per: hour}, \
         spend: {field: amount, at_most: 50, per: day}, confirm: {by: [operator], within: 1min}}\n",
    );
    let arguments = filled(
        "hf_bytes_transfer",
        json!({"amount": 7, "target_uid": 5}).as_object().unwrap(),
    );
    let found = policy.explain(&LOCAL, "hf_bytes_transfer", &arguments, None);
    assert_eq!((found.effect, found.rule.as_str()), (RuleEffect::Confirm, "b"));
    let takes: Vec<String> = found
        .takes
        .iter()
        .map(|q| format!("{} {} {q}", q.rule, q.takes))
        .collect();
    assert_eq!(
        takes,
        [
            "b 1 2 times in an hour",
            "b 7 50 of amount in a day",
            "a 1 100 times in a day"
        ]
    );
}

#[test]
fn a_caller_is_shown_only_what_could_be_allowed() {
    let policy = load(
        "revision: a\nrules:\n  - {id: a, effect: allow, callers: [local], tools: [terminal_run, terminal_list], profiles: [default, build]}\n  \
         - {id: b, effect: confirm, tools: [terminal_run], profiles: [network], confirm: {by: [user], within: 1min}}\n  \
         - {id: c, effect: deny, tools: [terminal_run], profiles: [build]}\n  - {id: d, effect: deny, callers: [\"token:x\"], tools: [\"*\"]}\n",
    );
    let token = |name: &str| Caller::in_words(&format!("token:{name}")).unwrap();
    let names = ["default", "build", "network", "strict"];
    assert_eq!(policy.profiles(&LOCAL, "terminal_run", &names), ["default", "network"]);
    assert_eq!(policy.profiles(&token("y"), "terminal_run", &names), ["network"]);
    let offered = |caller: &Caller| -> Vec<&str> {
        let tools = ["terminal_run", "terminal_list", "terminal_close", "hf_me_read"];
        tools.into_iter().filter(|tool| policy.offers(caller, tool)).collect()
    };
    assert_eq!(offered(&LOCAL), ["terminal_run", "terminal_list"]);
    assert_eq!(offered(&token("y")), ["terminal_run"]);
    assert_eq!(offered(&token("x")), [""; 0]);
}

#[test]
fn the_person_at_the_command_line_needs_no_rule_and_nobody_else_gets_on_without_one() {
    let policy = Policy::without_rules();
    let operator = Caller::Operator { uid: 1000 };
    let run = launch("run", "network");
    assert!(matches!(
        policy.judge(&operator, &run, None),
        Judgement::Allowed(Grant::Launch(_))
    ));
    assert!(matches!(
        policy.judge(&LOCAL, &run, None),
        Judgement::Denied(Reason::NoRule { .. })
    ));
}

#[test]
fn a_denial_names_the_rule_and_what_can_be_done() {
    let policy = load(EMBEDDED);
    let Judgement::Denied(reason) = policy.judge(&LOCAL, &launch("terminal_run", "network"), None) else {
        panic!("allowed");
    };
    let text = reason.to_string();
    for part in ["\"terminals\"", "\"network\"", "default, read-only, build", "operator"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
