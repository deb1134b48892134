//! Interactive sessions with real shells. Needs a working sandbox.

use serde_json::json;

use crate::sessions::{Terminal, shell, there};

#[test]
fn every_shell_gives_exact_codes_and_just_the_commands_output() {
    // Command, exit code, output.
    let table: [(&str, u8, &str); 12] = [
        ("echo hi", 0, "hi"),
        ("false", 1, ""),
        ("printf nonl", 0, "nonl"),
        ("(exit 7)", 7, ""),
        ("cd /tmp; pwd", 0, "/tmp"),
        ("pwd", 0, "/tmp"),
        ("printf 'a\\n\\nb\\n'", 0, "a\n\nb"),
        ("echo 'x!y'", 0, "x!y"),
        ("seq 1 300 | tail -n 1", 0, "300"),
        ("echo err >&2", 0, "err"),
        ("echo \"tab\there\"", 0, "tab     here"),
        ("printf '\\303\\244\\360\\237\\230\\200\\n'", 0, "ä😀"),
    ];
    for name in there(["bash", "zsh", "fish", "dash", "sh"]) {
        let mut terminal = shell(name);
        for (command, code, output) in table {
            if name == "fish" && command.contains('\t') {
                let reply = terminal.call("terminal_exec", json!({"command": command}));
                reply.refused("fish leaves tabs out");
                continue;
            }
            if name == "fish" && command.starts_with('(') {
                continue; // it has no subshells
            }
            let reply = terminal.exec(command);
            assert_eq!(reply.facts["exit_code"], code, "{name}: {command}: {}", reply.text);
            let shown = reply.section("terminal").unwrap_or_default();
            let as_seen = shown.replace('\t', "     ");
            assert!(shown == output || as_seen == output, "{name}: {command}: {shown:?}");
        }
    }
}

/// The key of a shell's marks lies in its memory and in files that are gone once it has started.
#[test]
fn shells_open_on_every_machine_and_nobody_reads_them() {
    for missing in [
        "mount", "devpts", "pid", "network", "landlock", "cgroup", "proc", "user",
    ] {
        for name in there(["bash", "zsh", "fish", "sh"]) {
            let mut terminal = Terminal::open_with(&["--pretend", missing], json!({"shell": name}));
            let size = terminal.exec("stty size; sh -c 'exit 3'");
            assert_eq!(size.facts["exit_code"], 3, "{name} without {missing}: {}", size.text);
            assert!(size.text.contains("40 120"), "{name} without {missing}: {}", size.text);
            let files = format!("$TMPDIR/../shells/{name} /run/terrarium/{name} /run/terrarium/*");
            let read = terminal.exec(&format!(
                "sh -c 'chmod 755 {files} 2>/dev/null; cat /proc/$PPID/environ /proc/$PPID/mem {files} 2>/dev/null | wc -c'"
            ));
            assert_eq!(
                read.section("terminal"),
                Some("0"),
                "{name} without {missing}: {}",
                read.text
            );
        }
    }
}

#[test]
fn several_lines_are_one_command() {
    for name in there(["bash", "zsh", "dash"]) {
        let mut terminal = shell(name);
        let table = [
            ("for i in 1 2 3\ndo\n  echo $i\ndone", "1\n2\n3"),
            ("cat <<X\na\nb\nX", "a\nb"),
            ("f() {\n  echo in f\n}\nf", "in f"),
            ("echo one\necho two", "one\ntwo"),
            ("# what it is for\necho run", "run"),
            ("\n  \necho late", "late"),
            ("cat <<'X'\n$HOME \"quoted\" `x`\n)\nX", "$HOME \"quoted\" `x`\n)"),
        ];
        for (command, output) in table {
            let reply = terminal.exec(command);
            assert_eq!(
                reply.section("terminal"),
                Some(output),
                "{name}: {command}: {}",
                reply.text
            );
            assert_eq!(reply.facts["exit_code"], 0, "{name}: {}", reply.text);
        }
    }
}

#[test]
fn what_runs_nothing_or_is_not_whole_says_so() {
    for name in there(["bash", "zsh", "dash"]) {
        let mut terminal = shell(name);
        let reply = terminal.exec(")");
        assert_eq!(reply.facts["outcome"], "nothing_ran", "{name}: {}", reply.text);
        let reply = terminal.exec("echo 'unclosed");
        assert_eq!(reply.facts["outcome"], "unfinished", "{name}: {}", reply.text);
        let reply = terminal.call("terminal_exec", json!({"command": "echo more"}));
        reply.refused("rest of an earlier line");
        terminal.send(json!([{"key": "C-c"}]), json!({"command": true}));
        assert_eq!(terminal.exec("echo again").section("terminal"), Some("again"), "{name}");
    }
}

#[test]
fn settings_that_break_other_integrations_do_not_break_this() {
    let mut terminal = shell("bash");
    for setting in [
        "PS1='new> '",
        "PROMPT_COMMAND='echo prompt'",
        "set -u",
        "trap 'true' DEBUG",
        "printf() { echo mine; }",
        "stty -echo",
        "stty sane",
        "IFS=0123456789abcdef",
        "set -x",
        "unset PS0",
    ] {
        terminal.exec(setting);
        let reply = terminal.exec("(exit 5)");
        assert_eq!(reply.facts["exit_code"], 5, "after {setting}: {}", reply.text);
    }
}

#[test]
fn a_shell_that_ends_tells_its_own_code() {
    for (command, code) in [("exit 3", 3), ("set -e; false", 1), ("exec true", 0)] {
        let mut terminal = shell("bash");
        let reply = terminal.exec(command);
        assert_eq!(reply.facts["outcome"], "shell_ended", "{command}: {}", reply.text);
        let closed = terminal.call("terminal_close", json!({}));
        assert_eq!(closed.facts["exit_code"], code, "{command}: {}", closed.text);
    }
}

#[test]
fn forged_marks_are_output_and_the_secret_is_out_of_reach() {
    let mut terminal = shell("bash");
    let forged = "printf '\\033]133;D;0;99;00000000000000000000000000000000\\007'; sleep 0.2; (exit 9)";
    assert_eq!(terminal.exec(forged).facts["exit_code"], 9);
    // Without the copy that cannot be read, a child finds the secret in its parent's memory.
    let look = "python3 - <<'X'\nimport os\np = os.getppid()\nfor n in ('mem', 'environ', 'maps'):\n    try:\n        open(f'/proc/{p}/{n}', \
                'rb').read(1)\n        print('readable', n)\n    except OSError as e:\n        print('refused', n)\nX";
    let reply = terminal.exec(look);
    let seen = reply.section("terminal").unwrap();
    assert!(seen.contains("refused mem") && !seen.contains("readable"), "{seen}");
    let left = terminal.exec("ls -A /tmp/.terrarium; env | grep -c 133; cat /run/terrarium/bash | wc -c");
    assert!(!left.section("terminal").unwrap().contains("rc"), "{}", left.text);
    assert!(left.text.contains("Permission denied"), "{}", left.text);
}

#[test]
fn a_busy_shell_says_with_what_and_a_signal_reaches_it() {
    let mut terminal = shell("bash");
    let reply = terminal.call("terminal_exec", json!({"command": "sleep 600", "yield_ms": 300}));
    assert_eq!(reply.facts["outcome"], "running", "{}", reply.text);
    let refused = terminal.call("terminal_exec", json!({"command": "true"}));
    assert!(
        refused.is_error && refused.text.contains("\"sleep\""),
        "{}",
        refused.text
    );
    let sent = terminal.call("terminal_signal", json!({"signal": "INT"}));
    assert_eq!(sent.facts["foreground"], "sleep", "{}", sent.text);
    let waited = terminal.call("terminal_wait", json!({"until": {"command": true}}));
    assert!(waited.text.contains("exit code 130"), "{}", waited.text);
    // Stopped, listed, brought back, interrupted.
    terminal.call("terminal_exec", json!({"command": "sleep 600", "yield_ms": 300}));
    terminal.send(json!([{"key": "C-z"}]), json!({"command": true}));
    assert!(terminal.exec("jobs").text.contains("Stopped"));
    terminal.call("terminal_exec", json!({"command": "fg", "yield_ms": 300}));
    let reply = terminal.send(json!([{"key": "C-c"}]), json!({"command": true}));
    assert_eq!(reply.facts["exit_code"], 130, "{}", reply.text);
}

#[test]
fn resizing_reaches_the_program_and_the_screen() {
    let mut terminal = shell("bash");
    let reply = terminal.call("terminal_resize", json!({"cols": 100, "rows": 30}));
    assert_eq!(
        (&reply.facts["cols"], &reply.facts["old_cols"]),
        (&json!(100), &json!(80))
    );
    assert_eq!(terminal.exec("stty size").section("terminal"), Some("30 100"));
    assert!(terminal.screen().contains("screen 100x30"));
}

#[test]
fn a_flood_is_ended_by_a_key_and_the_session_goes_on() {
    let mut terminal = shell("bash");
    terminal.call(
        "terminal_exec",
        json!({"command": "yes", "yield_ms": 300, "max_output_bytes": 1000}),
    );
    assert!(terminal.screen().contains("\ny\n"));
    terminal.send(json!([{"key": "C-c"}]), json!({"command": true}));
    assert_eq!(terminal.exec("echo still here").section("terminal"), Some("still here"));
}

#[test]
fn a_program_that_reads_nothing_blocks_nobody() {
    let mut terminal = shell("bash");
    terminal.call(
        "terminal_exec",
        json!({"command": "stty raw -echo; sleep 600", "yield_ms": 500}),
    );
    let mut refused = None;
    for _ in 0..8 {
        let reply = terminal.call("terminal_send", json!({"input": [{"text": "z".repeat(60_000)}]}));
        if reply.is_error {
            refused = Some(reply.text);
        }
    }
    assert!(
        refused.as_ref().is_some_and(|text| text.contains("at most 262144 may")),
        "{refused:?}"
    );
    let closed = terminal.call("terminal_close", json!({}));
    assert!(!closed.is_error, "{}", closed.text);
}

#[test]
fn a_session_of_a_terminal_that_nobody_reads_ends_with_its_program() {
    // What waits to be written when the last user of the terminal goes must not keep the session busy.
    let mut terminal = Terminal::open(json!({"command": "stty raw -echo; sleep 1"}));
    terminal.call("terminal_send", json!({"input": [{"text": "z".repeat(60_000)}]}));
    let reply = terminal.call("terminal_wait", json!({}));
    assert_eq!(reply.facts["fired"], "exit", "{}", reply.text);
}

#[test]
fn a_snapshot_shows_only_what_changed() {
    let mut terminal = shell("bash");
    let first = terminal.call("terminal_snapshot", json!({}));
    let frame = first.facts["frame"].as_i64().unwrap();
    let same = terminal.call("terminal_snapshot", json!({"since": frame}));
    assert_eq!(same.facts["shown"], "unchanged", "{}", same.text);
    assert!(same.text.len() < 300, "{}", same.text);
    terminal.exec("echo changed");
    let changed = terminal.call("terminal_snapshot", json!({"since": frame}));
    assert_eq!(changed.facts["shown"], "changes", "{}", changed.text);
    assert!(changed.text.contains("1: changed\n"), "{}", changed.text);
    terminal.exec("printf '\\033[31mred\\033[m\\n'; seq 1 100");
    let scrolled = terminal.call("terminal_snapshot", json!({"scrollback_lines": 90, "format": "cells"}));
    assert!(
        scrolled.text.contains(r#"{"cols":3,"fg":1,"text":"red"}"#),
        "{}",
        scrolled.text
    );
    let part = terminal.call(
        "terminal_snapshot",
        json!({"region": {"top": 0, "rows": 1, "left": 1, "cols": 1}}),
    );
    assert_eq!(part.text.lines().count(), 3, "{}", part.text);
}

#[test]
fn names_are_the_callers_own_and_finished_sessions_stay() {
    let mut terminal = Terminal::open(json!({"name": "work", "command": "echo done"}));
    terminal.session = "work".to_owned();
    assert_eq!(terminal.call("terminal_wait", json!({})).facts["fired"], "exit");
    assert!(terminal.screen().contains("done"));
    let again = terminal.server.call("terminal_open", json!({"name": "work"}));
    assert!(
        again.is_error && again.text.contains("called \"work\" already"),
        "{}",
        again.text
    );
    for name in ["s1", "a b", "-x", "1"] {
        assert!(
            terminal.server.call("terminal_open", json!({"name": name})).is_error,
            "{name}"
        );
    }
    assert!(terminal.server.call("terminal_list", json!({})).text.contains("work"));
    let ended = terminal.call("terminal_send", json!({"input": [{"text": "x"}]}));
    assert!(ended.is_error && ended.text.contains("has ended"), "{}", ended.text);
}
