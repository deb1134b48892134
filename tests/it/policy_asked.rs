//! `terrarium policy`: what becomes of calls that nobody makes.

use serde_json::{Value, json};

use crate::command::text;
use crate::policy::{Home, LIST, policy};

#[test]
fn the_policy_explains_itself_and_tries_a_table() {
    let home = Home::new(&policy(&[
        LIST,
        "id: run, effect: confirm, tools: [terminal_run], profiles: [default], confirm: {by: [operator, user], within: 2min}",
    ]));
    let explain = |tool: &str, arguments: &str, json: bool| {
        let mut command = vec!["policy", "explain", "--tool", tool, "--arguments", arguments];
        command.extend(json.then_some("--json"));
        home.run(&command)
    };
    let output = explain("terminal_list", "{}", false);
    assert_eq!(
        (output.status.code(), text(&output).as_str()),
        (Some(0), "allow, by rule \"list\"\n")
    );
    let output = explain("terminal_run", r#"{"command":"x"}"#, true);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &said["rule"], &said["within_s"]),
        (Some(2), &json!("run"), &json!(120))
    );
    let output = explain("terminal_run", r#"{"command":"x","profile":"network"}"#, false);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        text(&output).contains("deny, by rule \"run\"\nrule \"run\" does not allow the profile"),
        "{}",
        text(&output)
    );
    let output = explain("terminal_rum", "{}", false);
    assert!(
        text(&output).contains("no tool is called \"terminal_rum\""),
        "{}",
        text(&output)
    );

    let cases = home.0.join("cases.yaml");
    let right = "- {caller: local, tool: terminal_list, decision: allow, rule: list}\n\
                 - {caller: local, tool: terminal_run, arguments: {command: x}, decision: confirm}\n\
                 - {caller: \"token:a\", tool: terminal_list, decision: deny, rule: none}\n";
    std::fs::write(&cases, right).unwrap();
    let output = home.run(&["policy", "test", cases.to_str().unwrap()]);
    assert!(
        output.status.success() && text(&output).ends_with("3 of 3 as expected\n"),
        "{}",
        text(&output)
    );
    std::fs::write(&cases, right.replace("decision: deny", "decision: allow")).unwrap();
    let output = home.run(&["policy", "test", cases.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("cases.yaml:3: token:a terminal_list: deny by \"none\", not allow by \"none\""),
        "{}",
        text(&output)
    );
    std::fs::write(&cases, right.replace("decision: deny", "decison: deny")).unwrap();
    let output = home.run(&["policy", "test", cases.to_str().unwrap()]);
    assert!(text(&output).contains("unknown key \"decison\""), "{}", text(&output));
}

#[test]
fn a_case_with_a_slip_in_a_name_is_no_case() {
    let home = Home::new(&policy(&[LIST]));
    let cases = home.0.join("cases.yaml");
    let tried = |text: &str| {
        std::fs::write(&cases, text).unwrap();
        home.run(&["policy", "test", cases.to_str().unwrap()])
    };
    let table = [
        ("caller: lokal, tool: terminal_list", "no caller is called \"lokal\""),
        (
            "caller: local, tool: terminal_lits",
            "no tool is called \"terminal_lits\"",
        ),
        (
            "caller: local, tool: terminal_run, arguments: {comand: x}",
            "\"comand\": is unknown",
        ),
        (
            "caller: local, tool: terminal_run, arguments: {command: x, profile: netwrok}",
            "hint: did you mean \"network\"?",
        ),
        (
            "caller: local, tool: terminal_close, arguments: {session: s1}, session_profile: netwrok",
            "hint: did you mean \"network\"?",
        ),
    ];
    for (case, expected) in table {
        let output = tried(&format!(
            "- {{caller: local, tool: terminal_list, decision: allow}}\n- {{{case}, decision: deny}}\n"
        ));
        let said = text(&output);
        assert!(!output.status.success(), "{said}");
        assert!(
            said.contains("cases.yaml:2: ") && said.contains(expected),
            "{case}: {said}"
        );
    }
}

#[test]
fn a_list_without_cases_and_a_session_of_no_profile_are_errors() {
    let home = Home::new(&policy(&[LIST]));
    let cases = home.0.join("cases.yaml");
    let tried = |text: &str| {
        std::fs::write(&cases, text).unwrap();
        home.run(&["policy", "test", cases.to_str().unwrap()])
    };
    let right = tried(
        "- {caller: local, tool: terminal_close, arguments: {session: s1}, session_profile: network, decision: deny}\n\
        - {caller: local, tool: terminal_run, arguments: {command: x, yield_ms: -1}, decision: deny}\n",
    );
    assert!(right.status.success(), "{}", text(&right));
    let none = tried("[]");
    assert!(
        !none.status.success() && text(&none).contains("holds no cases"),
        "{}",
        text(&none)
    );
    let output = home.run(&[&EXPLAIN[..], &["--session-profile", "netwrok"]].concat());
    assert!(
        !output.status.success() && text(&output).contains("did you mean \"network\"?"),
        "{}",
        text(&output)
    );
}

/// What becomes of a look at a session.
const EXPLAIN: [&str; 6] = [
    "policy",
    "explain",
    "--tool",
    "terminal_read",
    "--arguments",
    r#"{"session":"s1"}"#,
];

#[test]
fn what_depends_on_the_profile_of_the_session_is_not_told_without_it() {
    let allow = "id: all, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [default, network]";
    let deny = "id: no-network, effect: deny, tools: [\"terminal_*\"], profiles: [network]";
    let home = Home::new(&policy(&[allow, deny]));
    let cases = home.0.join("cases.yaml");
    let tried = |more: &str, decision: &str| {
        let case = format!(
            "- {{caller: local, tool: terminal_read, arguments: {{session: s1}}{more}, decision: {decision}}}\n"
        );
        std::fs::write(&cases, case).unwrap();
        home.run(&["policy", "test", cases.to_str().unwrap()])
    };
    let explained = |more: &[&str]| home.run(&[&EXPLAIN[..], more].concat());
    for output in [tried("", "allow"), tried("", "deny"), explained(&[])] {
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        for part in [
            "allow by \"all\"",
            "network gives deny by \"no-network\"",
            "--session-profile",
            "session_profile",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(tried(", session_profile: network", "deny").status.success());
    assert!(tried(", session_profile: default", "allow").status.success());
    assert_eq!(explained(&["--session-profile", "network"]).status.code(), Some(1));
    // Where it is the same for all nothing needs to be said.
    let home = Home::new(&policy(&[allow]));
    assert_eq!(home.run(&EXPLAIN).status.code(), Some(0));
}
