//! Real programs on a terminal, driven to their ends. Needs a working sandbox.

use serde_json::json;

use crate::harness::is_there;
use crate::sessions::{Terminal, shell};

#[test]
fn python_asks_and_is_answered() {
    let mut terminal = Terminal::open(json!({"argv": ["python3", "-q"], "cols": 60, "rows": 12}));
    terminal.send(json!([{"text": "6*7\n"}]), json!({"regex": "^42$"}));
    let line = "import getpass; print(len(getpass.getpass()))\n";
    terminal.send(json!([{"text": line}]), json!({"text": "Password:"}));
    let reply = terminal.send(json!([{"text": "secret\n"}]), json!({"regex": "^6$"}));
    assert!(!reply.text.contains("secret"), "{}", reply.text);
    terminal.send(
        json!([{"text": "name = input('no newline> ')\n"}]),
        json!({"text": "no newline> ", "scope": "screen"}),
    );
    terminal.send(json!([{"text": "x"}, {"key": "Enter"}]), json!({"idle_ms": 100}));
    let reply = terminal.send(json!([{"key": "C-d"}]), json!({"exit": true}));
    assert_eq!(reply.facts["fired"], "exit", "{}", reply.text);
}

#[test]
fn vim_edits_a_file() {
    if !is_there("vim") {
        return;
    }
    let mut terminal = Terminal::open(json!({"argv": ["vim", "-u", "NONE", "new.txt"], "cols": 60, "rows": 12}));
    terminal.send(
        json!([{"text": "ihello"}, {"key": "Enter"}, {"text": "world"}, {"key": "Escape"}]),
        json!({"text": "world", "scope": "screen"}),
    );
    terminal.send(json!([{"text": ":w\n"}]), json!({"text": "written", "scope": "screen"}));
    terminal.send(json!([{"text": ":q\n"}]), json!({"exit": true}));
    let written = std::fs::read_to_string(terminal.server.workspace().join("new.txt")).unwrap();
    assert_eq!(written, "hello\nworld\n");
}

#[test]
fn less_pages_and_tmux_splits() {
    if is_there("less") {
        let mut terminal = Terminal::open(json!({"command": "seq 1 1000 | less", "cols": 40, "rows": 8}));
        terminal.send(json!([{"key": "PageDown"}]), json!({"text": "14", "scope": "screen"}));
        terminal.send(json!([{"text": "/500\n"}]), json!({"text": "506", "scope": "screen"}));
        terminal.send(json!([{"text": "q"}]), json!({"exit": true}));
    }
    if is_there("tmux") {
        let mut terminal = Terminal::open(json!({"argv": ["tmux", "-f", "/dev/null"], "cols": 80, "rows": 20}));
        terminal.send(
            json!([{"key": "C-b"}, {"text": "%"}]),
            json!({"text": "│", "scope": "screen"}),
        );
        terminal.send(
            json!([{"text": "echo in-$((40+2))\n"}]),
            json!({"text": "in-42", "scope": "screen"}),
        );
        terminal.send(json!([{"text": "tmux kill-server\n"}]), json!({"exit": true}));
    }
}

#[test]
fn a_program_that_asks_its_terminal_is_answered() {
    let mut terminal = shell("bash");
    let ask = "old=$(stty -g); stty raw -echo min 0 time 20; printf '\\033[6n'; IFS= read -r -d R answer; stty $old; \
               printf '%q\\n' \"$answer\"";
    let reply = terminal.exec(ask);
    let shown = reply.section("terminal").unwrap_or_default();
    assert!(shown.contains("[") && shown.contains(';'), "{}", reply.text);
}
