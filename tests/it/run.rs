//! `terminal_run` and what follows from it. Needs a working sandbox.

use std::time::Duration;

use serde_json::json;

use crate::command::until;
use crate::harness::{Era, Reply, Server, patience};

pub(crate) fn run(arguments: serde_json::Value) -> Reply {
    let reply = Server::start(Era::Modern).call("terminal_run", arguments);
    assert!(!reply.is_error, "{}", reply.text);
    reply
}

#[test]
fn a_command_gives_its_output_and_exit_code_in_both_eras() {
    for era in [Era::Legacy, Era::Modern] {
        let reply = Server::start(era).call("terminal_run", json!({"command": "echo hi"}));
        assert!(
            !reply.is_error && reply.text.starts_with("exit 0 in "),
            "{}",
            reply.text
        );
        assert_eq!(reply.section("stdout"), Some("hi"));
        assert_eq!(reply.section("stderr"), None);
        assert_eq!(
            (&reply.facts["state"], &reply.facts["exit_code"]),
            (&json!("exited"), &json!(0))
        );
        assert_eq!(reply.facts["stdout_bytes"], 3);
        assert!(reply.facts.get("session").is_none(), "{}", reply.facts);
    }
}

#[test]
fn a_failure_is_an_answer_and_not_an_error() {
    let reply = run(json!({"command": "exit 7"}));
    assert!(
        reply.text.starts_with("exit 7 in ") && reply.text.contains("(no output)"),
        "{}",
        reply.text
    );
    let reply = run(json!({"command": "kill -9 $$"}));
    assert!(reply.text.starts_with("signal 9 (SIGKILL)"), "{}", reply.text);
    assert_eq!(
        (&reply.facts["state"], &reply.facts["signal"]),
        (&json!("signaled"), &json!(9))
    );
}

#[test]
fn standard_output_and_error_come_apart() {
    let reply = run(json!({"command": "echo out; echo err >&2"}));
    assert_eq!(
        (reply.section("stdout"), reply.section("stderr")),
        (Some("out"), Some("err"))
    );
}

#[test]
fn standard_input_is_what_was_given_and_then_ends() {
    assert_eq!(run(json!({"argv": ["cat"]})).text.lines().nth(1), Some("(no output)"));
    assert_eq!(
        run(json!({"argv": ["cat"], "stdin": "a\nb"})).section("stdout"),
        Some("a\nb")
    );
    let reply = run(json!({"argv": ["od", "-An", "-tx1"], "stdin_base64": "AP8K"}));
    assert_eq!(reply.section("stdout"), Some(" 00 ff 0a"));
    let reply = run(json!({"command": "wc -c", "stdin": "x".repeat(1_000_000)}));
    assert_eq!(reply.section("stdout"), Some("1000000"));
    // Nobody reads it: the command ends all the same.
    assert_eq!(
        run(json!({"command": "true", "stdin": "x".repeat(1_000_000)})).facts["exit_code"],
        0
    );
}

#[test]
fn bytes_that_are_no_text_are_counted_and_can_be_had() {
    let mut server = Server::start(Era::Modern);
    let reply = server.call("terminal_run", json!({"command": "printf 'a\\377\\0b'"}));
    assert_eq!(reply.section("stdout").unwrap().lines().next(), Some("a\u{FFFD}b"));
    assert!(reply.text.contains("1 bytes that are not UTF-8"), "{}", reply.text);
    let session = &reply.facts["session"];
    let exact = server.call("terminal_read", json!({"session": session, "encoding": "base64"}));
    assert!(exact.text.ends_with("\nYf8AYg=="), "{}", exact.text);
}

#[test]
fn arguments_reach_the_program_as_they_are() {
    let strange = "a\nb $HOME 'q' \"d\" \\ ; *";
    let reply = run(json!({"argv": ["printf", "%s|", strange, ""]}));
    assert_eq!(reply.section("stdout"), Some(format!("{strange}||").as_str()));
}

#[test]
fn the_command_starts_where_it_should_with_the_variables_given() {
    let mut server = Server::start(Era::Modern);
    std::fs::create_dir(server.workspace().join("sub")).unwrap();
    let whole = server.workspace().join("sub").display().to_string();
    for cwd in ["sub", whole.as_str()] {
        let command = "pwd; echo $X";
        let reply = server.call(
            "terminal_run",
            json!({"command": command, "cwd": cwd, "env": {"X": "y z"}}),
        );
        assert!(reply.section("stdout").unwrap().ends_with("sub\ny z"), "{}", reply.text);
    }
    let reply = server.call("terminal_run", json!({"command": "true", "cwd": "nosuch"}));
    assert!(reply.is_error, "{}", reply.text);
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_says_so() {
    let reply = Server::start(Era::Modern).call("terminal_run", json!({"argv": ["nosuch-program"]}));
    reply.refused("nosuch-program");
}

#[test]
fn a_long_output_loses_its_middle_which_can_be_read() {
    let mut server = Server::start(Era::Modern);
    let reply = server.call(
        "terminal_run",
        json!({"command": "seq 1 100000", "max_output_bytes": 1000}),
    );
    let output = reply.section("stdout").unwrap();
    assert!(
        output.starts_with("1\n2\n") && output.ends_with("\n100000"),
        "{}",
        reply.text
    );
    assert!(
        output.contains(" lines omitted; terminal_read session=s1 stream=stdout cursor="),
        "{output}"
    );
    let total = 588_895;
    assert_eq!(reply.facts["stdout_bytes"], total);
    let mut cursor = 0;
    let mut all = String::new();
    while cursor < total {
        let piece = json!({"session": "s1", "cursor": cursor, "max_bytes": 200_000});
        let piece = server.call("terminal_read", piece);
        all.push_str(piece.text.splitn(3, '\n').nth(2).unwrap());
        cursor = piece.facts["next_cursor"].as_i64().unwrap();
    }
    let expected: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
    assert!(all == expected, "{} bytes instead of {}", all.len(), expected.len());
}

#[test]
fn a_command_that_takes_long_becomes_a_session() {
    let mut server = Server::start(Era::Modern);
    let reply = server.call(
        "terminal_run",
        json!({"command": "echo a; read x; echo b", "yield_ms": 0, "tty": true}),
    );
    assert_eq!(reply.facts["state"], "running", "{}", reply.text);
    let session = reply.facts["session"].clone();
    let line = server.call("terminal_list", json!({})).text;
    assert!(line.starts_with("1 session\ns1 ") && line.contains("running"), "{line}");
    let waited = server.call("terminal_wait", json!({"session": session, "until": {"text": "a"}}));
    assert_eq!(
        (&waited.facts["fired"], &waited.facts["matched_line"]),
        (&json!("found"), &json!("a"))
    );
    let waited = server.call("terminal_wait", json!({"session": "s1", "timeout_ms": 50}));
    assert_eq!(
        (&waited.facts["fired"], &waited.facts["state"]),
        (&json!("timeout"), &json!("running"))
    );
    let closed = server.call("terminal_close", json!({"session": "s1"}));
    assert!(
        closed.text.starts_with("closed s1: ended by close: "),
        "{}",
        closed.text
    );
    assert_eq!(server.call("terminal_list", json!({})).text, "no sessions\n");
    assert!(server.call("terminal_wait", json!({"session": session})).is_error);
}

#[test]
fn waiting_gives_the_end_of_a_command() {
    let mut server = Server::start(Era::Legacy);
    server.call(
        "terminal_run",
        json!({"command": "sleep 0.3; echo done; exit 3", "yield_ms": 0}),
    );
    let waited = server.call("terminal_wait", json!({"session": "s1"}));
    assert_eq!(
        (&waited.facts["fired"], &waited.facts["exit_code"]),
        (&json!("exit"), &json!(3))
    );
    assert_eq!(waited.section("stdout"), Some("done"));
    let closed = server.call("terminal_close", json!({"session": "s1"}));
    assert!(closed.text.starts_with("closed s1: exit 3 in "), "{}", closed.text);
}

#[test]
fn a_timeout_ends_the_command_and_is_named() {
    let reply = run(json!({"command": "sleep 100", "timeout_s": 1}));
    assert!(
        reply.text.starts_with("ended by limit: timeout_s (1): "),
        "{}",
        reply.text
    );
    assert_eq!(reply.facts["ended_by"], "limit: timeout_s (1)");
    assert_eq!(reply.facts["state"], "killed");
}

#[test]
fn a_cancelled_call_ends_its_command_and_is_not_answered() {
    let mut server = Server::start(Era::Legacy);
    let id = server.send_call(
        "terminal_run",
        json!({"command": "touch started; sleep 100", "yield_ms": 50_000}),
    );
    let started = server.workspace().join("started");
    until("the command starts", || started.exists());
    server.notify("notifications/cancelled", json!({"requestId": id, "reason": "test"}));
    until("the session goes", || {
        server.call("terminal_list", json!({})).text == "no sessions\n"
    });
    assert!(server.unclaimed().iter().all(|message| message["id"] != id));
}

#[test]
fn a_client_that_asks_for_it_hears_of_progress() {
    let mut server = Server::start(Era::Modern);
    let params = json!({
        "name": "terminal_run", "arguments": {"command": "sleep 2.5"}, "_meta": {"progressToken": "p"},
    });
    let id = server.send("tools/call", params);
    server.answer(id);
    let heard = server.unclaimed();
    let steps: Vec<f64> = heard.iter().filter_map(|m| m["params"]["progress"].as_f64()).collect();
    let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(steps.len() >= 2 && rising, "{heard:?}");
}

#[test]
fn many_calls_at_once_all_get_an_answer() {
    let mut server = Server::start(Era::Modern);
    let ids: Vec<u64> = (0..200)
        .map(|n| {
            server.send_call(
                "terminal_run",
                json!({"command": format!("echo {n}"), "yield_ms": 50_000}),
            )
        })
        .collect();
    for (n, id) in ids.into_iter().enumerate() {
        let reply = server.reply(id);
        assert_eq!(reply.section("stdout"), Some(n.to_string().as_str()), "{}", reply.text);
    }
}

#[test]
fn a_command_over_the_limit_is_refused_with_the_numbers() {
    let mut server = Server::start(Era::Modern);
    for _ in 0..32 {
        let reply = server.call("terminal_run", json!({"command": "sleep 100", "yield_ms": 0}));
        assert_eq!(reply.facts["state"], "running", "{}", reply.text);
    }
    let reply = server.call("terminal_run", json!({"command": "true", "yield_ms": 100}));
    assert!(
        reply.is_error && reply.text.starts_with("refused: 32 commands are running"),
        "{}",
        reply.text
    );
    server.call("terminal_close", json!({"session": "s1"}));
    assert!(!server.call("terminal_run", json!({"command": "true"})).is_error);
}

#[test]
fn the_end_of_input_ends_what_runs() {
    let mut server = Server::start(Era::Modern);
    server.send_call("terminal_run", json!({"command": "sleep 100", "yield_ms": 50_000}));
    server.call(
        "terminal_run",
        json!({"command": "trap '' HUP TERM; sleep 100", "yield_ms": 0}),
    );
    server.end_input();
    let (status, took) = server.ended();
    assert!(
        status.success() && took < patience(Duration::from_secs(10)),
        "{status} after {took:?}"
    );
}

#[test]
fn a_flood_is_ended_by_the_output_limit() {
    let reply = run(json!({"command": "yes"}));
    assert!(
        reply.text.starts_with("ended by limit: output ("),
        "{}",
        &reply.text[..200.min(reply.text.len())]
    );
}

#[test]
fn lines_of_the_output_are_found_by_a_pattern() {
    let mut server = Server::start(Era::Modern);
    let run = json!({"command": "seq 1 20000; echo no newline >&2; printf '\\033[31mred\\033[m 7'", "max_output_bytes": 1000});
    assert_eq!(server.call("terminal_run", run).facts["exit_code"], 0);
    let found = server.call("terminal_read", json!({"session": "s1", "grep": "^1999[0-9]$|^red 7$"}));
    assert_eq!(found.facts["matching_lines"], 11, "{}", found.text);
    assert!(
        found.text.contains("19990:") && found.text.ends_with(": red 7\n"),
        "{}",
        found.text
    );
    let line = found.text.lines().find(|line| line.ends_with(": 19995")).unwrap();
    let cursor: i64 = line.split(':').nth(1).unwrap().parse().unwrap();
    let there = server.call(
        "terminal_read",
        json!({"session": "s1", "cursor": cursor, "max_bytes": 16}),
    );
    assert!(there.text.contains("\n19995\n19996\n"), "{}", there.text);
    let few = server.call("terminal_read", json!({"session": "s1", "grep": "0", "max_lines": 4}));
    assert!(
        few.text.contains("matching lines omitted") && few.text.contains("10:18: 10\n"),
        "{}",
        few.text
    );
    let wrong = server.call("terminal_read", json!({"session": "s1", "grep": "("}));
    assert!(
        wrong.is_error && wrong.text.contains("unclosed group"),
        "{}",
        wrong.text
    );
}
