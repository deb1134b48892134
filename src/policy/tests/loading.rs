//! Policies that could not mean what they seem to: each is refused, at its place.

use super::*;

fn fault(text: &str) -> String {
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

/// Two or three rules, in braces as in a file, under a policy.
fn rules(written: &[&str]) -> String {
    let lines: String = written
        .iter()
        .enumerate()
        .map(|(at, rule)| {
            let name = ["r", "x", "y"][at];
            let callers = if rule.contains("callers") {
                ""
            } else {
                "callers: [local], "
            };
            let effect = if rule.contains("effect") { "" } else { "effect: allow, " };
            format!("  - {{id: {name}, {effect}{callers}{rule}}}\n")
        })
        .collect();
    format!("revision: a\nrules:\n{lines}")
}

const MAKE: &str = "tools: [terminal_exec], arguments: {session: {}, command: {enum: [make]}}";
const NO_RM: &str = "effect: deny, tools: [terminal_exec], arguments: {command: {pattern: \".*rm.*\"}}";
const RUN_TEST: &str =
    "tools: [terminal_run], profiles: [build], arguments: {command: {const: make test}, profile: {const: build}}";
const OPEN: &str = "tools: [terminal_open], profiles: [build], arguments: {profile: {const: build}}";

#[test]
fn commands_are_not_held_back_by_a_rule_whose_neighbour_lists_them_and_takes_more() {
    let around = [
        "tools: [terminal_send], arguments: {session: {}, input: {}}",
        "tools: [terminal_send], arguments: {session: {}, input: {minItems: 1}}",
        "tools: [terminal_send], arguments: {session: {}, input: {items: {properties: {text: {}}}}}",
        "tools: [terminal_exec], arguments: {session: {}, command: {}}",
        "tools: [terminal_exec], arguments: {session: {}, command: {pattern: \".*\"}}",
        "tools: [terminal_exec], arguments: {session: {}, command: {maxLength: 500}}",
        "tools: [terminal_exec], arguments: {session: {}, command: {not: {const: x}}}",
        "tools: [terminal_exec], arguments: {session: {}, command: {anyOf: [{const: x}, {minLength: 1}]}}",
        "tools: [terminal_run], profiles: [build], arguments: {argv: {contains: {const: make}}, profile: {}}",
        "tools: [terminal_run], profiles: [build], arguments: {command: {const: sh}, stdin: {}, profile: {}}",
    ];
    for other in around {
        for first in [MAKE, NO_RM] {
            let found = fault(&rules(&[first, other]));
            let expected = "the arguments of terminal_exec hold nothing back: rule \"x\"";
            assert!(found.contains(expected), "{first}\n{other}\n{found}");
        }
    }
    let exact = [
        "tools: [terminal_exec], arguments: {session: {}, command: {const: ls}}",
        "tools: [terminal_exec], arguments: {session: {}, command: {anyOf: [{const: ls}, {enum: [id, w]}]}}",
        "tools: [terminal_send], arguments: {session: {}, input: {items: {properties: {key: {enum: [C-c, q]}}}}}",
        "tools: [terminal_run], profiles: [build], arguments: {argv: {enum: [[make, test]]}, profile: {}}",
    ];
    for other in exact {
        for first in [MAKE, NO_RM] {
            load(&rules(&[first, other]));
        }
    }
    // The same pattern with two tools is no way around it; what restricts nothing promises nothing.
    let same = "tools: [terminal_exec], arguments: {session: {}, command: {pattern: \"make [a-z]+\"}}";
    let same_run =
        "tools: [terminal_run], profiles: [build], arguments: {command: {pattern: \"make [a-z]+\"}, profile: {}}";
    load(&rules(&[same, same_run]));
    load(&rules(&[around[3], around[0]]));
}

#[test]
fn an_optional_command_beside_anything_else_holds_nothing_back() {
    let free = "tools: [terminal_run], profiles: [build], arguments: {command: {const: make}}, optional: [command], others: allow";
    assert!(fault(&rules(&[free])).contains("the arguments of terminal_run hold nothing back: rule \"r\""));
    load(&rules(&[&free.replace("optional: [command], ", "")]));
}

#[test]
fn a_command_that_may_run_is_not_held_back_where_a_session_takes_any() {
    let no_rm = "effect: deny, tools: [terminal_run], arguments: {command: {pattern: \".*rm.*\"}}";
    let typing = [
        "tools: [terminal_exec]",
        "tools: [terminal_send]",
        "tools: [terminal_send], arguments: {session: {}, input: {}}",
    ];
    for exec in typing {
        for first in [RUN_TEST, no_rm] {
            for all in [[first, OPEN, exec], [first, exec, OPEN]] {
                let found = fault(&rules(&all));
                let expected = "the arguments of terminal_run hold nothing back: rule";
                assert!(found.contains(expected), "{all:?}\n{found}");
            }
        }
    }
    let repl = OPEN.replace("{profile:", "{command: {const: python3}, profile:");
    assert!(fault(&rules(&[RUN_TEST, &repl, typing[1]])).contains("hold nothing back"));
    let only_repl = "tools: [terminal_open], profiles: [build], arguments: {command: {const: python3}, profile: {}}";
    assert!(fault(&rules(&[only_repl, OPEN, typing[1]])).contains("the arguments of terminal_open hold nothing back"));
    // Without a session in reach, or with a list of what is typed, it holds.
    load(&rules(&[only_repl, typing[1]]));
    load(&rules(&[RUN_TEST, typing[0]]));
    load(&rules(&[RUN_TEST, OPEN]));
    load(&rules(&[RUN_TEST, OPEN, MAKE]));
    load(&rules(&[RUN_TEST, &OPEN.replace("build", "default"), typing[0]]));
    load(&rules(&[
        RUN_TEST,
        OPEN,
        "callers: [\"token:a\"], tools: [terminal_exec]",
    ]));
}
