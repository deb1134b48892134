//! Output without end, and sequences without end. Needs a working sandbox.

use serde_json::json;

use crate::harness::is_there;
use crate::processes::resident;
use crate::sessions::{Terminal, shell};

/// What a server may grow by, in KiB.
const GROWTH: u64 = 10 << 10;

/// A command that floods, and how much the server has grown when it has ended.
fn growth(terminal: &mut Terminal, command: &str) -> u64 {
    let before = resident(terminal.server.pid());
    let reply = terminal.call(
        "terminal_exec",
        json!({"command": command, "yield_ms": 50_000, "max_output_bytes": 1000}),
    );
    assert_eq!(reply.facts["exit_code"], 0, "{command}: {}", reply.text);
    assert_eq!(
        terminal.exec("echo after").section("terminal"),
        Some("after"),
        "{command}"
    );
    resident(terminal.server.pid()).saturating_sub(before)
}

#[test]
fn floods_do_not_grow_the_server() {
    // The benchmark does it with all of 200 MB of one and 50 MB of the other, in a release build.
    for command in [
        "seq 1000000",
        "printf '\\033]0;'; head -c 20000000 /dev/zero | tr '\\0' x; printf '\\007'",
        "python3 -c \"print('e' + '\\u0301' * 500000)\"",
        "head -c 3000000 /dev/urandom | tr -d '\\033\\005'", // a terminal answers some of the sequences in there
    ] {
        let mut terminal = shell("bash");
        terminal.exec("echo first");
        let grown = growth(&mut terminal, command);
        assert!(grown <= GROWTH, "{command}: {grown} KiB");
    }
}

#[test]
fn a_flood_of_a_gigabyte_is_ended_by_a_key() {
    let mut terminal = shell("bash");
    let before = resident(terminal.server.pid());
    let reply = terminal.call(
        "terminal_exec",
        json!({"command": "yes | head -c 1000000000", "yield_ms": 1000, "max_output_bytes": 1000}),
    );
    assert_eq!(reply.facts["outcome"], "running", "{}", reply.text);
    let ended = terminal.send(json!([{"key": "C-c"}]), json!({"command": true}));
    assert_eq!(ended.facts["exit_code"], 130, "{}", ended.text);
    assert_eq!(terminal.exec("echo still here").section("terminal"), Some("still here"));
    let grown = resident(terminal.server.pid()).saturating_sub(before);
    assert!(grown <= GROWTH, "{grown} KiB");
}

#[test]
fn long_outputs_are_whole_and_what_is_not_kept_is_counted() {
    let mut terminal = shell("bash");
    let reply = terminal.call(
        "terminal_exec",
        json!({"command": "seq 10000", "max_output_bytes": 200_000}),
    );
    let all: String = (1..=10_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(reply.section("terminal"), Some(all.trim_end()), "{}", reply.text.len());
    let reply = terminal.call("terminal_exec", json!({"command": "seq 1000000", "yield_ms": 50_000}));
    assert_eq!(
        (&reply.facts["exit_code"], &reply.facts["output_bytes"]),
        (&json!(0), &json!(7_888_896))
    );
    let shown = reply.section("terminal").unwrap();
    assert!(
        shown.starts_with("1\n2\n") && shown.ends_with("\n999999\n1000000"),
        "{}",
        shown.len()
    );
    // The first 100 kB of a session and its last 4 MB are kept: the middle is counted.
    let start = reply.facts["start"].as_i64().unwrap();
    let read = terminal.call("terminal_read", json!({"cursor": start + 200_000, "max_bytes": 1000}));
    assert!(
        read.facts["dropped_bytes"].as_i64().unwrap() > 1_000_000,
        "{}",
        read.text
    );
}

#[test]
fn another_session_is_drawn_and_served_during_a_flood() {
    let mut terminal = shell("bash");
    let flooding = terminal.session.clone();
    terminal.call(
        "terminal_exec",
        json!({"command": "yes", "yield_ms": 200, "max_output_bytes": 1000}),
    );
    let other = terminal.server.call("terminal_open", json!({"shell": "bash"}));
    terminal.session = other.facts["session"].as_str().unwrap().to_owned();
    for n in 0..20 {
        assert_eq!(
            terminal.exec(&format!("echo {n}")).section("terminal"),
            Some(n.to_string().as_str())
        );
        assert!(terminal.screen().contains(&format!("\n{n}\n")));
    }
    terminal.session = flooding;
    assert!(!terminal.call("terminal_close", json!({})).is_error);
}

#[test]
fn screens_that_are_much_work_to_draw_keep_nobody_waiting() {
    if !is_there("python3") {
        return;
    }
    let mut other = shell("bash");
    for sequence in ["\\n", "\\x1b[L", "\\x1b#8"] {
        let program = format!("import os, tty\ntty.setraw(1)\nwhile 1: os.write(1, b'{sequence}' * 20000)");
        let opened = other.server.call(
            "terminal_open",
            json!({"argv": ["python3", "-c", program], "cols": 500, "rows": 300}),
        );
        assert!(!opened.is_error, "{}", opened.text);
    }
    for _ in 0..20 {
        assert_eq!(other.exec("echo mine").section("terminal"), Some("mine"));
    }
}
