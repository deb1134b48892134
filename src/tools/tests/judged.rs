//! What rules see of a call: the arguments that take effect, under one name each.

use super::*;

/// A tool, what a rule says of an argument, and what is wrong with that.
const NAMES: &[(&str, &str, &str)] = &[
    (
        "hf_bytes_read",
        "target_uid: {const: 5}",
        "never see the argument \"target_uid\"; hint: write \"uid\"",
    ),
    (
        "hf_posts_reply",
        "message_format: {const: markdown}",
        "hint: write \"message\"",
    ),
    ("hf_posts_reply", "draft_id: {minLength: 1}", "hint: write \"message\""),
    ("hf_threads_create", "draft_path: {}", "hint: write \"message\""),
    ("hf_threads_create", "draft_digest: {}", "hint: write \"message\""),
    (
        "hf_drafts_delete",
        "draft_path: {const: x.json}",
        "hint: write \"draft_id\"",
    ),
    (
        "hf_posts_reply",
        "dry_run: {const: false}",
        "argument \"dry_run\": the tool never takes false",
    ),
    (
        "hf_bytes_transfer",
        "amount: {minimum: 10000000000}",
        "argument \"amount\": the tool never takes a value",
    ),
    (
        "hf_bytes_transfer",
        "amount: {maximum: 0}",
        "argument \"amount\": the tool never takes a value",
    ),
    (
        "hf_posts_read",
        "output_mod: {const: raw}",
        "hint: did you mean \"output_mode\"?",
    ),
    (
        "terminal_wait",
        "until: {properties: {txet: {}}}",
        "takes no entry \"txet\" in it; hint: did you mean \"text\"?",
    ),
    (
        "terminal_wait",
        "until: {required: [txet]}",
        "takes no entry \"txet\" in it",
    ),
    (
        "terminal_open",
        "shell: {const: bash}",
        "leaving it out would get around the rule; hint: say in the rules that allow what may be given",
    ),
    (
        "terminal_run",
        "cwd: {pattern: \"/.*\"}",
        "leaving it out would get around the rule",
    ),
    (
        "terminal_run",
        "profile: {const: netwrok}",
        "hint: did you mean \"network\"?",
    ),
];

/// What becomes of a call by the local caller, and by which rule.
fn found(policy: &Policy, tool: &str, given: &Value) -> String {
    let around = Around {
        profiles: &Profiles::embedded(),
        settings: None,
        drafts: crate::hf::drafts::Drafts::new("/nonexistent".into()),
    };
    let arguments = canonical(tool, given.as_object().unwrap().clone(), &around).unwrap();
    let found = policy.explain(&LOCAL, tool, &arguments, None);
    format!("{} by {}", found.effect.name(), found.rule)
}

#[test]
fn a_list_is_judged_by_each_of_its_numbers() {
    let rules = "{id: some, effect: allow, callers: [local], tools: [hf_posts_read], arguments: {tid: {maximum: 100}}}, \
        {id: user, effect: allow, callers: [local], tools: [hf_users_read], arguments: {uid: {not: {const: 7}}}}, \
        {id: forum, effect: allow, callers: [local], tools: [hf_threads_read]}, \
        {id: not-this, effect: deny, tools: [hf_threads_read], arguments: {tid: {const: 5}}}, \
        {id: ask, effect: confirm, tools: [hf_threads_read], arguments: {fid: {const: 25}}, confirm: {by: [operator], within: 1min}}";
    let policy = written("one", rules);
    let table = [
        ("hf_posts_read", json!({"tid": 100}), "allow by some"),
        ("hf_posts_read", json!({"tid": [99, 100]}), "allow by some"),
        ("hf_posts_read", json!({"tid": 6_083_735}), "deny by some"),
        ("hf_posts_read", json!({"tid": [6_083_735]}), "deny by some"),
        ("hf_posts_read", json!({"tid": [99, 6_083_735]}), "deny by some"),
        ("hf_users_read", json!({"uid": [8]}), "allow by user"),
        ("hf_users_read", json!({"uid": [7]}), "deny by user"),
        ("hf_threads_read", json!({"tid": [6]}), "allow by forum"),
        ("hf_threads_read", json!({"tid": [5]}), "deny by not-this"),
        ("hf_threads_read", json!({"tid": [6, 5]}), "deny by not-this"),
        ("hf_threads_read", json!({"fid": [25, 26]}), "confirm by ask"),
    ];
    for (tool, given, expected) in table {
        assert_eq!(found(&policy, tool, &given), expected, "{tool} {given}");
    }
}

#[test]
fn a_rule_names_arguments_as_they_are_judged() {
    for (tool, argument, expected) in NAMES {
        let text = format!("revision: a\nrules: [{{id: r, effect: deny, tools: [{tool}], arguments: {{{argument}}}}}]");
        match Policy::parse(&text, &known(&Profiles::embedded())) {
            Ok(_) => panic!("taken: {tool} {argument}"),
            Err(fault) => assert!(
                fault.problem.to_string().contains(expected),
                "{tool} {argument}: {}",
                fault.problem
            ),
        }
    }
}

#[test]
fn how_an_answer_looks_is_judged_like_what_it_holds() {
    let rules = "{id: five, effect: allow, callers: [local], tools: [hf_posts_read], arguments: {tid: {const: 5}}}, \
        {id: me, effect: allow, callers: [local], tools: [hf_me_read]}, \
        {id: not-raw, effect: deny, tools: [hf_me_read], arguments: {include_raw_payload: {const: true}}}, \
        {id: mode, effect: deny, tools: [hf_me_read], arguments: {output_mode: {enum: [raw, readable]}}}";
    let policy = written("one", rules);
    let table = [
        ("hf_posts_read", json!({"tid": 5}), "allow by five"),
        (
            "hf_posts_read",
            json!({"tid": 5, "output_mode": "readable", "include_raw_payload": false}),
            "allow by five",
        ),
        (
            "hf_posts_read",
            json!({"tid": 5, "body_format": "markdown"}),
            "allow by five",
        ),
        ("hf_posts_read", json!({"tid": 5, "body_format": "raw"}), "deny by five"),
        ("hf_posts_read", json!({"tid": 5, "output_mode": "raw"}), "deny by five"),
        (
            "hf_posts_read",
            json!({"tid": 5, "include_raw_payload": true}),
            "deny by five",
        ),
        (
            "hf_me_read",
            json!({"output_mode": "structured", "include_raw_payload": true}),
            "deny by not-raw",
        ),
        ("hf_me_read", json!({"output_mode": "structured"}), "allow by me"),
        ("hf_me_read", json!({}), "deny by mode"),
    ];
    for (tool, given, expected) in table {
        assert_eq!(found(&policy, tool, &given), expected, "{tool} {given}");
    }
}

#[test]
fn a_draft_is_judged_by_one_name() {
    let (kept, other) = ("0123456789abcdef0123456789abcdef", "f".repeat(32));
    let rules = format!(
        "{{id: drafts, effect: allow, callers: [local], tools: [hf_drafts_read]}}, \
         {{id: not-this, effect: deny, tools: [hf_drafts_read], arguments: {{draft_id: {{const: \"{kept}\"}}}}}}"
    );
    let policy = written("one", &rules);
    let table = [
        (json!({"draft_id": kept}), "deny by not-this"),
        (json!({"draft_path": format!("{kept}.json")}), "deny by not-this"),
        (json!({"draft_path": format!("{other}.json")}), "allow by drafts"),
    ];
    for (given, expected) in table {
        assert_eq!(found(&policy, "hf_drafts_read", &given), expected, "{given}");
    }
}

#[test]
fn what_is_meant_by_an_argument_that_was_left_out_is_judged() {
    let rules = "{id: all, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [default]}, \
        {id: not-stdout, effect: deny, tools: [terminal_read], arguments: {stream: {const: stdout}}}, \
        {id: look, effect: confirm, tools: [terminal_send], arguments: {show: {const: true}, input: {}, session: {}}, \
         others: allow, confirm: {by: [operator], within: 1min}}, \
        {id: long, effect: deny, tools: [terminal_run], arguments: {timeout_s: {minimum: 60}}}";
    let policy = written("one", rules);
    let input = json!([{"text": "x"}]);
    let table = [
        ("terminal_read", json!({"session": "s1"}), "deny by not-stdout"),
        (
            "terminal_read",
            json!({"session": "s1", "stream": "stdout"}),
            "deny by not-stdout",
        ),
        (
            "terminal_read",
            json!({"session": "s1", "stream": "stderr"}),
            "allow by all",
        ),
        (
            "terminal_send",
            json!({"session": "s1", "input": input}),
            "allow by all",
        ),
        (
            "terminal_send",
            json!({"session": "s1", "input": input, "wait": {"text": "x"}}),
            "confirm by look",
        ),
        (
            "terminal_send",
            json!({"session": "s1", "input": input, "wait": {"text": "x"}, "show": false}),
            "allow by all",
        ),
        ("terminal_run", json!({"command": "x", "timeout_s": 59}), "allow by all"),
        ("terminal_run", json!({"command": "x"}), "deny by long"),
    ];
    for (tool, given, expected) in table {
        assert_eq!(found(&policy, tool, &given), expected, "{tool} {given}");
    }
}

#[test]
fn what_is_meant_by_an_argument_that_was_left_out_need_not_be_listed() {
    let rules = "{id: read, effect: allow, callers: [local], tools: [terminal_read], arguments: {session: {}}}, \
        {id: run, effect: allow, callers: [local], tools: [terminal_run], profiles: [default], \
         arguments: {command: {const: make}, profile: {}, timeout_s: {maximum: 5}}, optional: [timeout_s]}";
    let policy = written("one", rules);
    let table = [
        ("terminal_read", json!({"session": "s1"}), "allow by read"),
        (
            "terminal_read",
            json!({"session": "s1", "stream": "stdout"}),
            "allow by read",
        ),
        (
            "terminal_read",
            json!({"session": "s1", "stream": "stderr"}),
            "deny by read",
        ),
        ("terminal_run", json!({"command": "make"}), "allow by run"),
        (
            "terminal_run",
            json!({"command": "make", "timeout_s": 5}),
            "allow by run",
        ),
        (
            "terminal_run",
            json!({"command": "make", "timeout_s": 6}),
            "deny by run",
        ),
    ];
    for (tool, given, expected) in table {
        assert_eq!(found(&policy, tool, &given), expected, "{tool} {given}");
    }
}
