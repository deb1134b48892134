use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::file::RuleEffect;
use super::fuzz::{TOOLS, known};
use super::*;
use crate::model::workspace::{Keep, Owner};
use crate::model::{InstanceId, Program, QuestionId, SessionId, ShellLine, Workspace};
use crate::yaml;

const LOCAL: Caller = Caller::Local { uid: 1000 };

fn load(text: &str) -> Policy {
    match Policy::parse(text, &known()) {
        Ok(policy) => policy,
        Err(fault) => panic!("{}:{}: {}\n{text}", fault.place.line, fault.place.column, fault.problem),
    }
}

fn fault(text: &str) -> String {
    match Policy::parse(text, &known()) {
        Ok(_) => panic!("taken:\n{text}"),
        Err(fault) => format!("{}:{}: {}", fault.place.line, fault.place.column, fault.problem),
    }
}

/// The arguments with the defaults of the tool, as a call has them.
fn filled(tool: &str, given: &Map<String, Value>) -> Map<String, Value> {
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
    arguments
}

#[test]
fn the_table_of_decisions_holds() {
    let written: BTreeMap<String, Value> = yaml::parse(include_str!("table/policies.yaml")).unwrap();
    let policies: BTreeMap<String, Policy> = written
        .iter()
        .map(|(name, policy)| (name.clone(), load(&yaml::write(policy))))
        .collect();
    let (mut policy, mut rows, mut wrong) = ("", 0, Vec::new());
    for (at, line) in include_str!("table/rows.tsv").lines().enumerate() {
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

/// A policy of one rule, with these lines.
fn rule(lines: &str) -> String {
    let lines: String = lines
        .lines()
        .map(|line| format!("    {}\n", line.trim_start_matches("  ")))
        .collect();
    format!("revision: a\nrules:\n  - id: r\n{lines}")
}

/// The lines of a rule, where `ALLOW`, `SHAPE` and `ASK` stand for three of them, and what is wrong with it.
const WRONG: &[(&str, &str)] = &[
    (
        "effect: allow\ntools: [hf_me_read]",
        "3:9: callers is missing: what is allowed without a question",
    ),
    (
        "effect: alow\ntools: [hf_me_read]",
        "4:13: unknown value \"alow\"; hint: did you mean \"allow\"?",
    ),
    (
        "efect: allow\ntools: [hf_me_read]",
        "4:5: unknown key \"efect\"; hint: did you mean \"effect\"?",
    ),
    (
        "effect: allow\neffect: deny\ntools: [hf_me_read]",
        "5:5: the key \"effect\" is written twice",
    ),
    ("effect: allow\ncallers: [local]\ntools: []", "6:12: tools is empty"),
    (
        "effect: allow\ncallers: []\ntools: [hf_me_read]",
        "5:14: callers is empty",
    ),
    (
        "effect: deny\ntools: [hf_me_raed]",
        "5:13: no tool is called \"hf_me_raed\"; hint: did you mean \"hf_me_read\"?",
    ),
    (
        "effect: deny\ntools: [\"hfx_*\"]",
        "5:13: no tool is called \"hfx_*\"; hint: there are",
    ),
    (
        "effect: deny\ntools: [hf_me_read, hf_me_read]",
        "5:25: tools lists \"hf_me_read\" twice",
    ),
    (
        "effect: deny\ncallers: [lokal]\ntools: [hf_me_read]",
        "5:15: no caller is called \"lokal\"; hint: did you mean \"local\"?",
    ),
    (
        "effect: deny\ncallers: [operator]\ntools: [hf_me_read]",
        "5:15: no caller is called \"operator\"",
    ),
    (
        "effect: deny\ncallers: [\"token:A b\"]\ntools: [hf_me_read]",
        "5:15: no caller is called \"token:A b\"",
    ),
    (
        "effect: allow\ncallers: [local]\ntools: [terminal_run]",
        "3:9: profiles is missing: the rule lets sandboxes be started",
    ),
    (
        "effect: allow\ncallers: [local]\ntools: [terminal_run]\nprofiles: []",
        "7:15: profiles is empty",
    ),
    (
        "effect: allow\ncallers: [local]\ntools: [terminal_run]\nprofiles: [defualt]",
        "did you mean \"default\"?",
    ),
    (
        "ALLOW profiles: [default]",
        "7:15: profiles has no meaning here: none of the tools starts",
    ),
    (
        "ALLOW others: allow",
        "7:13: others has no meaning here: there are no `arguments`",
    ),
    (
        "ALLOW arguments: {a: {}}",
        "7:20: no argument of the tool is called \"a\"",
    ),
    (
        "SHAPE arguments: {number: {maxx: 5}}",
        "argument \"number\": unknown keyword \"maxx\"",
    ),
    (
        "SHAPE arguments: {number: {maxLength: 5}}",
        "maxLength is for a text, and the argument is a integer",
    ),
    (
        "SHAPE arguments: {text: {pattern: \"(\"}}",
        "the pattern \"(\" is none that is read here",
    ),
    ("SHAPE arguments: {choice: {const: d}}", "the tool never takes \"d\""),
    ("SHAPE arguments: {choice: {enum: []}}", "enum is empty"),
    (
        "SHAPE arguments: {text: {$ref: \"http://127.0.0.1/\"}}",
        "unknown keyword \"$ref\"",
    ),
    (
        "SHAPE arguments: {text: {}}\noptional: [txet]",
        "no listed argument is called \"txet\"",
    ),
    (
        "effect: deny\ntools: [hf_shape]\narguments: {text: {}}\nothers: refuse",
        "7:13: others has no meaning here",
    ),
    (
        "effect: deny\ntools: [hf_shape]\narguments: {text: {}}\noptional: [text]",
        "7:15: optional has no meaning here",
    ),
    (
        "effect: deny\ntools: [hf_shape]\narguments: {}",
        "6:16: arguments is empty",
    ),
    (
        "effect: deny\ntools: [hf_shape]\nat_most: {times: 1, per: day}",
        "6:14: at_most has no meaning here",
    ),
    (
        "effect: deny\ntools: [hf_shape]\nspend: {field: number, at_most: 1, per: day}",
        "6:12: spend has no meaning here",
    ),
    (
        "SHAPE at_most: {times: 0, per: day}",
        "at_most.times is 0; hint: it must be between 1 and 10000",
    ),
    (
        "SHAPE at_most: {times: 1, per: week}",
        "unknown value \"week\"; hint: there are minute, hour, day",
    ),
    (
        "SHAPE spend: {field: text, at_most: 1, per: day}",
        "no argument with a whole number is called \"text\"",
    ),
    (
        "SHAPE spend: {field: real, at_most: 1, per: day}",
        "no argument with a whole number is called \"real\"",
    ),
    (
        "SHAPE confirm: {by: [user], within: 1min}",
        "confirm has no meaning here: only the effect",
    ),
    ("ASK ", "3:9: confirm is missing: say whose yes is needed"),
    ("ASK confirm: {by: [], within: 1min}", "confirm.by is empty"),
    (
        "ASK confirm: {by: [user, user], within: 1min}",
        "confirm.by lists \"user\" twice",
    ),
    ("ASK confirm: {by: [model], within: 1min}", "unknown value \"model\""),
    (
        "ASK confirm: {by: [user], within: 1s}",
        "confirm.within is 1s; hint: it must be between 10s and 24h",
    ),
    (
        "ASK confirm: {by: [user], within: forever}",
        "confirm.within: \"forever\" is no time",
    ),
    ("ASK confirm: {by: [user]}", "\"within\" is missing"),
];

#[test]
fn a_rule_that_could_not_mean_what_it_seems_to_is_refused_at_its_place() {
    for (lines, expected) in WRONG {
        let lines = lines
            .replace("ALLOW ", "effect: allow\ncallers: [local]\ntools: [hf_me_read]\n")
            .replace("SHAPE ", "effect: allow\ncallers: [local]\ntools: [hf_shape]\n")
            .replace("ASK ", "effect: confirm\ntools: [hf_me_read]\n");
        let found = fault(&rule(&lines));
        assert!(found.contains(expected), "{lines}\n{found}");
    }
}

#[test]
fn a_policy_with_a_wrong_head_or_two_rules_of_a_name_is_refused() {
    let table = [
        ("", "the file is empty"),
        ("revision: a", "\"rules\" is missing"),
        ("rules: []", "\"revision\" is missing"),
        ("revision: \"\"\nrules: []", "1:11: revision must be one line"),
        ("revision: 1\nrules: []", "1:11: "),
        (
            "revision: a\nrules: []\ndeny_rule: []",
            "3:1: unknown key \"deny_rule\"",
        ),
        ("revision: a\nrules: []\ndefault: allow", "3:1: unknown key \"default\""),
        (
            "revision: a\nrules: [&x {id: a, effect: deny, tools: [\"*\"]}, *x]",
            "anchors, aliases and merge keys",
        ),
        (
            "revision: a\nrules: [{id: A, effect: deny, tools: [\"*\"]}]",
            "\"A\" is no name of a rule",
        ),
        (
            "revision: a\nrules: [{id: a, effect: deny, tools: [\"*\"]}, {id: a, effect: deny, tools: [\"*\"]}]",
            "two rules are called \"a\"",
        ),
        (
            "revision: a\nrules: []\nrates: [{tools: [x], limit: 1/s}]",
            "no tool is called \"x\"",
        ),
        (
            "revision: a\nrules: []\nrates: [{tools: [\"*\"], limit: 0/s}]",
            "\"0/s\" is no rate",
        ),
        (
            "revision: a\nrules: []\nrates: [{tools: [\"*\"], limit: 1/s, at_once: 0}]",
            "at_once is 0; hint: it must be between 1 and 1",
        ),
        (
            "revision: a\nrules: []\nrates: [{tools: [\"*\"], limit: 1/s, burst: 5}]",
            "unknown key \"burst\"",
        ),
    ];
    for (text, expected) in table {
        let found = fault(text);
        assert!(found.contains(expected), "{text}\n{found}");
    }
}

#[test]
fn a_rule_that_another_makes_pointless_is_refused() {
    let policy = |rules: &str| format!("revision: a\nrules:\n{rules}");
    let shadowed = policy(
        "  - {id: no, effect: deny, tools: [\"hf_*\"]}\n  - {id: yes, effect: allow, callers: [local], tools: [hf_me_read]}\n",
    );
    assert_eq!(
        fault(&shadowed),
        "4:10: this rule can never match: rule \"no\" denies all that it speaks of; hint: remove one of them, or narrow \"no\""
    );
    let lines = "  - {id: lines, effect: allow, callers: [local], tools: [terminal_exec], arguments: {session: {}, command: {enum: [make]}}}\n";
    let word = "  - {id: word, effect: deny, tools: [terminal_exec], arguments: {command: {pattern: \".*rm.*\"}}}\n";
    let around = [
        "{id: x, effect: allow, callers: [local], tools: [terminal_send]}",
        "{id: x, effect: confirm, tools: [terminal_send], confirm: {by: [user], within: 1min}}",
        "{id: x, effect: allow, callers: [local], tools: [terminal_run], profiles: [build]}",
        "{id: x, effect: allow, callers: [\"*\"], tools: [terminal_open], profiles: [default]}",
        "{id: x, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [default]}",
        "{id: x, effect: allow, callers: [local], tools: [terminal_exec], arguments: {session: {}}, others: allow}",
    ];
    for other in around {
        for first in [lines, word] {
            let found = fault(&policy(&format!("{first}  - {other}\n")));
            assert!(
                found.contains("the arguments of terminal_exec hold nothing back: rule \"x\""),
                "{other}\n{found}"
            );
        }
    }
    let not_around = [
        "{id: x, effect: allow, callers: [\"token:a\"], tools: [terminal_send]}",
        "{id: x, effect: allow, callers: [local], tools: [terminal_read, terminal_close]}",
        "{id: x, effect: allow, callers: [local], tools: [terminal_open], profiles: [default], arguments: {}}",
        "{id: x, effect: deny, tools: [terminal_send]}",
    ];
    for other in not_around {
        load(&policy(&format!("{lines}  - {other}\n")));
    }
    let run = "  - {id: run, effect: allow, callers: [local], tools: [terminal_run], profiles: [build], arguments: {command: {const: make}}}\n";
    let elsewhere = "  - {id: x, effect: allow, callers: [local], tools: [terminal_run], profiles: [default]}\n";
    load(&policy(&format!("{run}{elsewhere}")));
    let same = elsewhere.replace("default", "default, build");
    assert!(fault(&policy(&format!("{run}{same}"))).contains("hold nothing back"));
}

#[test]
fn what_a_rule_bounds_is_asked_of_every_rule_that_speaks() {
    let policy = load(
        "revision: a\nrules:\n  - {id: a, effect: allow, callers: [local], tools: [\"hf_*\"], at_most: {times: 100, per: day}}\n  \
         - {id: b, effect: confirm, tools: [hf_bytes_transfer], at_most: {times: 2, per: hour}, \
         spend: {field: amount, at_most: 50, per: day}, confirm: {by: [operator], within: 1min}}\n",
    );
    let arguments = json!({"amount": 7, "target_uid": 5});
    let found = policy.explain(&LOCAL, "hf_bytes_transfer", arguments.as_object().unwrap(), None);
    assert_eq!((found.effect, found.rule.as_str()), (RuleEffect::Confirm, "b"));
    let takes: Vec<String> = found
        .takes
        .iter()
        .map(|q| format!("{} {} {q}", q.rule, q.takes))
        .collect();
    assert_eq!(
        takes,
        [
            "b 1 2 times in a hour",
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
        opened_with: None,
    }
}

const ASKING: &str = "revision: a\nrules:\n  - {id: ask, effect: confirm, tools: [terminal_run], profiles: [default, build], \
                      confirm: {by: [operator], within: 1min}}\n";

fn question(policy: &Policy, caller: &Caller, asked: &Asked) -> Question {
    match policy.judge(caller, asked, None) {
        Judgement::Confirm(question) => *question,
        other => panic!("{other:?}"),
    }
}

fn binding() -> Binding {
    Binding {
        instance: InstanceId::random().unwrap(),
        question: QuestionId::random().unwrap(),
        expires_unix_ms: 1_000,
    }
}

fn changed(run: &Asked, change: &dyn Fn(&mut LaunchRequest)) -> Asked {
    let Request::Launch(request) = &run.request else {
        panic!()
    };
    let mut request = LaunchRequest::clone(request);
    change(&mut request);
    Asked {
        request: Request::Launch(Arc::new(request)),
        ..run.clone()
    }
}

/// The default profile with one process more.
fn larger() -> Arc<crate::profile::Profile> {
    let mut profile = (*crate::profile::Profiles::embedded().get("default").unwrap()).clone();
    profile.limits.processes += 1;
    Arc::new(profile)
}

/// Whether the operator's yes to the launch of `run` by the local caller under [`ASKING`] is good for this.
fn good_for(policy: &Policy, caller: &Caller, asked: &Asked) -> bool {
    let (asking, run, bound) = (load(ASKING), launch("terminal_run", "default"), binding());
    let action = question(&asking, &LOCAL, &run).action(&bound);
    taken(policy, caller, asked, Approval::given(action, bound, Channel::Operator))
}

fn taken(policy: &Policy, caller: &Caller, asked: &Asked, approval: Approval) -> bool {
    match policy.judge(caller, asked, Some(approval)) {
        Judgement::Allowed(grant) => {
            assert_eq!(grant.rule().as_str(), "ask");
            true
        }
        Judgement::Denied(Reason::Approval { .. } | Reason::NoRule { .. }) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_approval_is_for_one_action_by_one_caller_under_one_policy() {
    let (policy, run) = (load(ASKING), launch("terminal_run", "default"));
    assert_eq!(question(&policy, &LOCAL, &run).within(), Duration::from_secs(60));
    assert!(good_for(&policy, &LOCAL, &run));
    assert!(!good_for(&policy, &Caller::Local { uid: 1 }, &run), "another caller");
    let with = |value: Value, schema: &[u8]| Asked {
        arguments: Arguments::new(value.as_object().unwrap().clone(), Digest::of(schema)),
        ..run.clone()
    };
    assert!(good_for(&policy, &LOCAL, &with(json!({"profile": "default"}), b"1")));
    let one_more = json!({"profile": "default", "command": " "});
    let others = [
        ("path", changed(&run, &|request| request.workspace.path = "/v".into())),
        ("device", changed(&run, &|request| request.workspace.device = 9)),
        ("inode", changed(&run, &|request| request.workspace.inode = 9)),
        ("profile", changed(&run, &|request| request.profile = larger())),
        ("another profile", launch("terminal_run", "build")),
        ("another tool", launch("terminal_open", "default")),
        ("schema", with(json!({"profile": "default"}), b"2")),
        ("one byte more", with(one_more, b"1")),
    ];
    for (what, other) in &others {
        assert!(!good_for(&policy, &LOCAL, other), "{what}");
    }
    let revised = load(&ASKING.replace("revision: a", "revision: b"));
    assert!(!good_for(&revised, &LOCAL, &run), "another policy");
}

#[test]
fn an_approval_is_by_one_channel_for_one_asking_in_one_server_until_one_time() {
    let (policy, bound, run) = (load(ASKING), binding(), launch("terminal_run", "default"));
    let action = |binding: &Binding| question(&policy, &LOCAL, &run).action(binding);
    let given = |action, bound, by| taken(&policy, &LOCAL, &run, Approval::given(action, bound, by));
    assert!(given(action(&bound), bound, Channel::Operator));
    assert!(!given(action(&bound), bound, Channel::User), "another channel");
    assert!(!given(action(&binding()), bound, Channel::Operator), "another question");
    let later = Binding {
        expires_unix_ms: bound.expires_unix_ms + 1,
        ..bound
    };
    assert!(!given(action(&bound), later, Channel::Operator), "another expiry");
    let elsewhere = Binding {
        instance: InstanceId::random().unwrap(),
        ..bound
    };
    assert!(!given(action(&elsewhere), bound, Channel::Operator), "another server");
}

#[test]
fn a_question_about_a_session_is_about_that_session_only() {
    let policy = load(
        "revision: a\nrules:\n  - {id: ask, effect: confirm, tools: [terminal_exec], confirm: {by: [operator], within: 1min}}\n",
    );
    let exec = |session| Asked {
        request: Request::Act {
            tool: "terminal_exec",
            session,
        },
        arguments: Arguments::none(),
        opened_with: None,
    };
    let (one, bound) = (exec(SessionId::random().unwrap()), binding());
    let yes = || Approval::given(question(&policy, &LOCAL, &one).action(&bound), bound, Channel::Operator);
    assert!(matches!(
        policy.judge(&LOCAL, &one, Some(yes())),
        Judgement::Allowed(Grant::Session(_))
    ));
    let other = exec(SessionId::random().unwrap());
    assert!(matches!(
        policy.judge(&LOCAL, &other, Some(yes())),
        Judgement::Denied(Reason::Approval { .. })
    ));
}

#[test]
fn a_reload_changes_what_is_judged_from_then_on() {
    let (run, current) = (launch("terminal_run", "default"), Current::new(load(ASKING)));
    let (old, bound) = (current.get(), binding());
    let yes = Approval::given(question(&old, &LOCAL, &run).action(&bound), bound, Channel::Operator);
    current.replace(load(
        &ASKING
            .replace("effect: confirm", "effect: deny")
            .replace(", confirm: {by: [operator], within: 1min}", ""),
    ));
    let judged = current.get().judge(&LOCAL, &run, Some(yes));
    assert!(matches!(judged, Judgement::Denied(Reason::Rule { .. })), "{judged:?}");
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

mod plain_reading {
    //! Schemas and values from few words, so that they often have to do with one another.

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            (-3_i64..4).prop_map(Value::from),
            prop_oneof![Just(0.5), Just(1.0), Just(-2.5)].prop_map(Value::from),
            "[ab\n]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let types = prop_oneof![
            Just("string"),
            Just("integer"),
            Just("number"),
            Just("boolean"),
            Just("array"),
            Just("object"),
        ];
        let leaf = prop_oneof![
            types.prop_map(|name| json!({"type": name})),
            values().prop_map(|value| json!({"const": value})),
            proptest::collection::vec(values(), 1..3).prop_map(|list| json!({"enum": list})),
            (-3_i64..4).prop_map(|n| json!({"minimum": n})),
            (-3_i64..4).prop_map(|n| json!({"exclusiveMaximum": n})),
            (0_u64..3).prop_map(|n| json!({"maxLength": n, "minLength": 0})),
            "[ab.*|+]{0,3}".prop_map(|pattern| json!({"pattern": pattern})),
            (0_u64..3, any::<bool>()).prop_map(|(n, unique)| json!({"maxItems": n, "uniqueItems": unique})),
        ];
        leaf.prop_recursive(3, 16, 3, |inner| {
            let list = || proptest::collection::vec(inner.clone(), 1..3);
            prop_oneof![
                inner.clone().prop_map(|schema| json!({"not": schema})),
                list().prop_map(|all| json!({"anyOf": all})),
                list().prop_map(|all| json!({"oneOf": all})),
                list().prop_map(|all| json!({"allOf": all})),
                inner.clone().prop_map(|schema| json!({"items": schema})),
                inner.clone().prop_map(|schema| json!({"contains": schema})),
                inner
                    .clone()
                    .prop_map(|schema| json!({"properties": {"a": schema}, "required": ["a"]})),
                (inner.clone(), inner.clone())
                    .prop_map(|(a, others)| json!({"properties": {"a": a}, "additionalProperties": others})),
                inner.clone().prop_map(|schema| json!({"propertyNames": schema})),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_schema_means_what_a_plain_reading_says(schema in schemas(), value in values()) {
            super::super::fuzz::matching(json!({"schema": schema, "value": value}).to_string().as_bytes());
        }
    }
}
