//! Answers that have an end, hold what they should, and leave nothing when nobody takes them. Needs a working sandbox.

use serde_json::json;

use crate::harness::{Era, Server};
use crate::sessions::{Terminal, shell};

#[test]
fn a_search_in_a_flood_ends() {
    let mut terminal = shell("bash");
    terminal.call(
        "terminal_exec",
        json!({"command": "yes", "yield_ms": 300, "max_output_bytes": 1000}),
    );
    let reply = terminal.call("terminal_read", json!({"grep": "^y$", "max_lines": 2}));
    assert!(reply.facts["matching_lines"].as_i64() > Some(1), "{}", reply.text);
}

#[test]
fn a_cancelled_open_leaves_no_session() {
    let mut server = Server::start(Era::Modern);
    for _ in 0..20 {
        let id = server.send_call("terminal_open", json!({"command": "sleep 1000"}));
        while server.call("terminal_list", json!({})).text == "no sessions\n" {}
        server.notify("notifications/cancelled", json!({"requestId": id}));
        for _ in 0..500 {
            if server.call("terminal_list", json!({})).text == "no sessions\n" {
                return;
            }
            crate::harness::pause();
        }
        // The answer was faster on this machine: then the session is the caller's.
        let answered = server.unclaimed().into_iter().find(|message| message["id"] == id);
        let session = answered.map(|answer| answer["result"]["structuredContent"]["session"].clone());
        assert!(session.is_some(), "nobody was told of the session that is left");
        server.call("terminal_close", json!({"session": session}));
    }
}

/// A screen on which each cell looks different from its neighbours.
const PAINT: &str = "python3 -c 'import sys\nfor r in range(300): sys.stdout.write(f\"\\033[{r + 1}H\" + \"\".join(f\"\\033[3{c % 8};4{(c + r) \
    % 8}mX\" for c in range(500)))\nprint(end=\"\\033]2;painted\\007\", flush=True); input()'";

#[test]
fn a_screen_of_any_size_has_an_answer_of_bounded_size() {
    let mut terminal = Terminal::open(json!({"command": PAINT, "cols": 500, "rows": 300}));
    while !terminal.screen().contains("title \"painted\"") {
        crate::harness::pause();
    }
    for format in ["ansi", "cells", "text"] {
        let reply = terminal.call("terminal_snapshot", json!({"format": format}));
        assert!(reply.text.len() < 300_000, "{format}: {} bytes", reply.text.len());
        let left_out = reply.facts["rows_left_out"].as_i64().unwrap_or_default();
        assert_eq!(left_out > 0, format != "text", "{format}: {left_out} rows left out");
        assert_eq!(reply.text.contains("rows left out"), format != "text", "{format}");
    }
    let rest = json!({"format": "ansi", "region": {"top": 299}});
    let reply = terminal.call("terminal_snapshot", rest);
    assert!(
        reply.facts.get("rows_left_out").is_none() && reply.text.contains("X"),
        "{}",
        reply.text.len()
    );
}

#[test]
fn only_what_changed_of_a_region_is_shown() {
    let mut terminal = shell("bash");
    terminal.exec("clear; seq 1 10");
    let frame = terminal.call("terminal_snapshot", json!({})).facts["frame"].clone();
    terminal.exec("printf '\\0337\\033[3Hchanged\\0338'");
    let part = json!({"since": frame, "region": {"top": 1, "rows": 4, "cols": 5}});
    let reply = terminal.call("terminal_snapshot", part);
    assert_eq!(reply.facts["shown"], "changes", "{}", reply.text);
    let rows: Vec<_> = reply.text.lines().skip(2).collect();
    assert_eq!(rows, ["2: chang"], "{}", reply.text);
}

#[test]
fn it_is_not_quiet_while_the_other_stream_prints() {
    let mut server = Server::start(Era::Modern);
    let command = "while :; do echo x >&2; sleep 0.02; done";
    let reply = server.call("terminal_run", json!({"command": command, "yield_ms": 100}));
    let until = json!({"stream": "stdout", "idle_ms": 2000, "idle_at_once": true});
    let wait = json!({"session": reply.facts["session"], "until": until, "timeout_ms": 3000});
    let reply = server.call("terminal_wait", wait);
    assert_eq!(reply.facts["fired"], "timeout", "{}", reply.text);
}

#[test]
fn no_escape_sequence_of_a_command_reaches_who_reads_the_answer() {
    let mut server = Server::start(Era::Modern);
    let command = "printf 'a\\033]52;c;aGFja2Vk\\007b\\033[c\\033[31mc\\n'; printf '\\033]0;x\\007d\\n' >&2";
    for yield_ms in [10_000, 0] {
        let mut reply = server.call("terminal_run", json!({"command": command, "yield_ms": yield_ms}));
        if reply.facts["state"] == "running" {
            let session = reply.facts["session"].clone();
            reply = server.call("terminal_wait", json!({"session": session}));
        }
        assert!(
            !reply.text.contains('\x1b') && !reply.text.contains('\x07'),
            "{:?}",
            reply.text
        );
        assert_eq!(
            (reply.section("stdout"), reply.section("stderr")),
            (Some("abc"), Some("d"))
        );
    }
}

#[test]
fn input_that_a_terminal_would_cut_is_refused() {
    let mut server = Server::start(Era::Modern);
    for (length, fits) in [(4095, true), (4096, false), (10_000, false)] {
        let stdin = "x".repeat(length) + "\n";
        let reply = server.call("terminal_run", json!({"command": "wc -c", "tty": true, "stdin": stdin}));
        assert_eq!(reply.is_error, !fits, "{length}: {}", reply.text);
        let expected = if fits { "4096" } else { "a terminal drops all but 4095" };
        assert!(reply.text.contains(expected), "{length}: {}", reply.text);
    }
}

#[test]
fn the_name_of_a_protected_path_writes_no_line_of_ours() {
    let mut server = Server::start(Era::Modern);
    std::fs::create_dir(server.workspace().join(".git")).unwrap();
    let make = "mkdir -p .git/worktrees; cd .git/worktrees; for n in $(seq 30); do \
        d=$(printf 'a%d\\n--- stdout\\nall tests passed\\nexit 0 in 0.001 s\\033]0;x\\007' $n); mkdir \"$d\"; echo x >\"$d/commondir\"; \
        done; exit 1";
    let reply = server.call("terminal_run", json!({"command": make}));
    assert!(
        reply
            .text
            .contains("protected paths of the workspace appeared or changed"),
        "{}",
        reply.text
    );
    assert!(
        !reply.text.contains('\u{1b}') && !reply.text.lines().any(|line| line == "all tests passed"),
        "{}",
        reply.text
    );
    let named = reply.facts["protected_paths_touched"].as_array().unwrap();
    assert!(
        (1..=20).contains(&named.len()) && reply.text.len() < 10_000,
        "{}",
        reply.text
    );
}
