//! Policies that could not mean what they seem to: each is refused, at its place.

use super::commands::rules;
use super::*;

pub(super) fn fault(text: &str) -> String {
    match Policy::parse(text, &known()) {
        Ok(_) => panic!("taken:\n{text}"),
        Err(fault) => format!("{}:{}: {}", fault.place.line, fault.place.column, fault.problem),
    }
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
        "effect: deny\ncallers: [\"token:Guest-*\"]\ntools: [hf_me_read]",
        "5:15: no caller is called \"token:Guest-*\"",
    ),
    (
        "effect: deny\ncallers: [\"token:*_bot\"]\ntools: [hf_me_read]",
        "5:15: no caller is called \"token:*_bot\"",
    ),
    (
        "effect: deny\ncallers: [\"token:1*\"]\ntools: [hf_me_read]",
        "5:15: no caller is called \"token:1*\"",
    ),
    (
        "effect: deny\ntools: [hf_me_read, terminal_list]\nprofiles: [default]",
        "6:15: profiles has no meaning here: none of the tools starts",
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
    (
        "effect: deny\ntools: [terminal_run]\narguments: {profile: {const: netwrok}}",
        "argument \"profile\": the tool never takes \"netwrok\", so the rule could never match; hint: did you mean \"network\"?",
    ),
    (
        "effect: deny\ntools: [terminal_run]\narguments: {profile: {enum: [network, stirct]}}",
        "hint: did you mean \"strict\"?",
    ),
    (
        "effect: deny\ntools: [terminal_run]\narguments: {profile: {pattern: \"net.*x\"}}",
        "argument \"profile\": the tool never takes {\"pattern\":\"net.*x\"}",
    ),
    (
        "effect: allow\ncallers: [local]\ntools: [terminal_run]\nprofiles: [default]\narguments: {profile: {const: network}}",
        "arguments.profile has no meaning here: it takes none of the rule's `profiles`",
    ),
    (
        "effect: deny\ntools: [terminal_exec]\narguments: {session: {const: s1}}",
        "arguments.session has no meaning here: handles of sessions are drawn at random",
    ),
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
fn a_rule_that_one_deny_rule_covers_is_refused() {
    let covered = [
        (
            "effect: deny, callers: [\"token:*\"], tools: [hf_me_read]",
            "callers: [\"token:ci\"], tools: [hf_me_read]",
        ),
        (
            "effect: deny, callers: [\"*\"], tools: [\"hf_*\"]",
            "effect: confirm, callers: [local], tools: [hf_me_read], confirm: {by: [user], within: 1min}",
        ),
        (
            "effect: deny, callers: [\"*\"], tools: [terminal_run], profiles: [network, strict]",
            "tools: [terminal_run], profiles: [network]",
        ),
    ];
    for (deny, other) in covered {
        let found = fault(&rules(&[deny, other]));
        assert!(
            found.contains("can never match: rule \"r\" denies"),
            "{deny}\n{other}\n{found}"
        );
    }
    let some_left = [
        (
            "effect: deny, callers: [\"token:ci\"], tools: [hf_me_read]",
            "callers: [\"token:*\"], tools: [hf_me_read]",
        ),
        (
            "effect: deny, callers: [\"*\"], tools: [\"terminal_*\"], profiles: [network]",
            "tools: [terminal_run, terminal_exec], profiles: [network]",
        ),
        (
            "effect: deny, callers: [\"*\"], tools: [terminal_run], profiles: [network]",
            "tools: [terminal_run], profiles: [network, default]",
        ),
    ];
    for (deny, other) in some_left {
        load(&rules(&[deny, other]));
    }
}

#[test]
fn patterns_of_callers_and_profiles_that_can_match_are_taken() {
    for caller in ["*", "lo*", "token:*", "token:guest-*", "token:*-2", "token:a*9*-"] {
        load(&rules(&[&format!(
            "effect: deny, callers: [\"{caller}\"], tools: [hf_me_read]"
        )]));
    }
    for tools in ["terminal_exec", "terminal_read, hf_me_read", "\"*\""] {
        load(&rules(&[&format!(
            "effect: deny, tools: [{tools}], profiles: [default]"
        )]));
    }
}
