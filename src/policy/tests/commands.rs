//! Rules about commands that another rule empties: each is refused, and those that hold something back are not.

use super::loading::fault;
use super::*;

/// Two or three rules, in braces as in a file, under a policy.
pub(super) fn rules(written: &[&str]) -> String {
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
