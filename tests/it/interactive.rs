//! More real programs on a terminal, and what is awkward about them. Needs a working sandbox.

use serde_json::{Value, json};

use crate::command::until;
use crate::harness::is_there;
use crate::sessions::{Terminal, shell};

#[test]
fn git_asks_for_each_hunk() {
    if !is_there("git") {
        return;
    }
    let mut terminal = shell("bash");
    let prepare = "git init -q . && git config user.email a@b && git config user.name n && seq 20 > f && git add f && \
                   git commit -qm one && sed -i -e 1s/.*/first/ -e 20s/.*/last/ f";
    let reply = terminal.exec(prepare);
    assert_eq!(reply.facts["exit_code"], 0, "{}", reply.text);
    let asked = json!({"text": "Stage this hunk"});
    terminal.send(json!([{"text": "git add -p\n"}]), asked.clone());
    terminal.send(json!([{"text": "y\n"}]), asked);
    let reply = terminal.send(json!([{"text": "n\n"}]), json!({"command": true}));
    assert_eq!(reply.facts["exit_code"], 0, "{}", reply.text);
    let staged = terminal.exec("git diff --cached --stat && git diff --cached | grep -c '^+first\\|^+last'");
    assert!(staged.section("terminal").unwrap().ends_with("\n1"), "{}", staged.text);
}

#[test]
fn node_evaluates_and_ends() {
    if !is_there("node") {
        return;
    }
    let mut terminal = Terminal::open(json!({"argv": ["node"], "profile": "build", "cols": 80, "rows": 24}));
    terminal.wait(json!({"text": "> ", "scope": "screen"}));
    terminal.send(
        json!([{"text": "[1, 2, 3].reduce((a, b) => a + b)\n"}]),
        json!({"regex": "^6$"}),
    );
    terminal.send(json!([{"text": ".exit\n"}]), json!({"exit": true}));
}

#[test]
fn top_draws_and_quits() {
    if !is_there("top") {
        return;
    }
    let mut terminal = Terminal::open(json!({"argv": ["top", "-d", "0.5"], "cols": 100, "rows": 20}));
    let reply = terminal.wait(json!({"regex": "PID.*COMMAND", "scope": "screen"}));
    assert!(reply.text.contains("top"), "{}", reply.text);
    terminal.call("terminal_resize", json!({"cols": 60, "rows": 10}));
    terminal.wait(json!({"regex": "PID", "scope": "screen"}));
    let reply = terminal.send(json!([{"text": "q"}]), json!({"exit": true}));
    assert_eq!(reply.facts["fired"], "exit", "{}", reply.text);
}

#[test]
fn a_spinner_is_one_line_and_a_password_is_not_shown() {
    let mut terminal = shell("bash");
    let spin = "for i in $(seq 1 60); do printf '\\r%s %d%%' \"${i: -1}\" \"$i\"; done; printf '\\rdone   \\n'";
    let reply = terminal.exec(spin);
    assert_eq!(
        reply.section("terminal").map(str::trim_end),
        Some("done"),
        "{}",
        reply.text
    );
    terminal.send(
        json!([{"text": "read -rsp 'Password: ' p; echo; echo ${#p} characters\n"}]),
        json!({"regex": "^Password: ", "scope": "screen"}),
    );
    let reply = terminal.send(json!([{"text": "hunter2\n"}]), json!({"command": true}));
    assert!(
        reply.text.contains("7 characters") && !reply.text.contains("hunter2"),
        "{}",
        reply.text
    );
    let all = terminal.call("terminal_read", json!({}));
    assert!(!all.text.contains("hunter2"), "{}", all.text);
}

#[test]
fn binary_output_breaks_nothing() {
    let mut terminal = shell("bash");
    let reply = terminal.exec("head -c 200000 /dev/urandom | tr -d '\\033\\005'; printf '\\033c\\n'; (exit 4)");
    assert_eq!(reply.facts["exit_code"], 4, "{}", reply.text.len());
    let reply = terminal.exec("stty sane; printf '\\033c\\033(B\\017'; echo fine");
    assert!(reply.text.contains("fine"), "{}", reply.text);
    assert!(terminal.screen().contains("fine"));
}

/// Asks what terminal it is on before it does anything, waits for the answers, and goes on.
const QUERIES: &str = "import os, sys, termios, tty\nold = termios.tcgetattr(0)\ntty.setraw(0)\n\
    os.write(1, b'\\x1b[c\\x1b[>c\\x1b[6n\\x1b[?2026$p\\x1b]11;?\\x07\\x1b[>q\\x1b[5n')\nseen = b''\n\
    while not seen.endswith(b'\\x1b[0n'): seen += os.read(0, 100)\ntermios.tcsetattr(0, 0, old)\n\
    print(seen.count(b'\\x1b'), 'answers begin,', 'first', seen[:3])\n";

#[test]
fn a_program_that_asks_at_its_start_is_answered_and_goes_on() {
    let mut terminal = Terminal::open(json!({"argv": ["python3", "-c", QUERIES], "cols": 80, "rows": 24}));
    let reply = terminal.wait(json!({"text": "answers begin"}));
    assert!(reply.text.contains("first b'\\x1b[?'"), "{}", reply.text);
}

/// What ssh does: no echo, no lines, no signals; every byte goes to the other side, which echoes and ends itself.
const RAW: &str = "import os, tty\ntty.setraw(0)\nos.write(1, b'remote$ ')\nwhile True:\n b = os.read(0, 1)\n if b == b'\\x04': break\n \
    os.write(1, b'^%d ' % b[0] if b < b' ' else b)\nos.write(1, b'closed\\r\\n')\n";

#[test]
fn in_raw_mode_every_key_reaches_the_program() {
    let mut terminal = Terminal::open(json!({"argv": ["python3", "-c", RAW], "cols": 80, "rows": 24}));
    terminal.wait(json!({"text": "remote$ ", "scope": "screen"}));
    // None of these is the terminal's own now.
    let keys =
        json!([{"key": "C-c"}, {"key": "C-z"}, {"key": "C-s"}, {"key": "C-q"}, {"text": "ls"}, {"key": "Enter"}]);
    terminal.send(keys, json!({"text": "^3 ^26 ^19 ^17 ls^13", "scope": "screen"}));
    let reply = terminal.send(json!([{"key": "C-d"}]), json!({"exit": true}));
    assert!(reply.text.contains("closed"), "{}", reply.text);
}

#[test]
fn sessions_know_nothing_of_each_other_and_three_descriptors() {
    let mut terminal = shell("bash");
    let reply = terminal.exec("ls /proc/self/fd | head -n 3 | tr '\\n' ' '; ls -l /proc/$$/fd | grep -c ptmx");
    assert!(reply.text.contains("0 1 2"), "{}", reply.text);
    assert!(
        reply.section("terminal").unwrap().ends_with("\n0") || reply.text.contains("0 1 2 0"),
        "{}",
        reply.text
    );
    let fds = "import os; print([fd for fd in range(3, 1024) if os.path.exists(f'/proc/{os.getppid()}/fd/{fd}') and 'pts' in \
               os.readlink(f'/proc/{os.getppid()}/fd/{fd}') and fd != 255])";
    let reply = terminal.exec(&format!("python3 -c \"{fds}\" 2>&1 | tail -n 1"));
    assert!(
        reply.text.contains("[]") || reply.text.contains("denied"),
        "{}",
        reply.text
    );

    terminal.call("terminal_exec", json!({"command": "sleep 987", "yield_ms": 300}));
    let first = terminal.session.clone();
    let second = terminal.server.call("terminal_open", json!({"shell": "bash"}));
    terminal.session = second.facts["session"].as_str().unwrap().to_owned();
    let reply = terminal.exec("ps ax | grep -c '[s]leep 987'; pkill -f 'sleep 987'; kill -9 -1; ls /dev/pts");
    let shown = reply.section("terminal").unwrap_or_default().to_owned();
    assert!(
        reply.facts["outcome"] == "shell_ended" || shown.starts_with("0\n"),
        "{}",
        reply.text
    );
    // What a session may use is its own: the first goes on while the second takes all that it may have.
    let third = terminal.server.call("terminal_open", json!({"shell": "bash"}));
    terminal.session = third.facts["session"].as_str().unwrap().to_owned();
    terminal.call(
        "terminal_exec",
        json!({"command": "f() { f | f & }; f; sleep 2", "yield_ms": 500}),
    );
    let listed = terminal.server.call("terminal_list", json!({}));
    assert!(listed.text.contains("\"sleep\""), "{}", listed.text);
    terminal.call("terminal_close", json!({}));
    terminal.session = first;
    let reply = terminal.send(json!([{"key": "C-c"}]), json!({"command": true}));
    assert_eq!(reply.facts["exit_code"], 130, "{}", reply.text);
}

#[test]
fn a_shell_that_was_replaced_says_that_its_marks_are_lost() {
    let mut terminal = shell("bash");
    terminal.exec("true");
    let reply = terminal.call("terminal_exec", json!({"command": "exec bash --norc"}));
    assert_eq!(reply.facts["outcome"], "marks_lost", "{}", reply.text);
    assert!(reply.text.contains("terminal_send"), "{}", reply.text);
    let refused = terminal.call("terminal_exec", json!({"command": "true"}));
    assert!(
        refused.is_error && refused.text.contains("marks lost") && refused.text.contains("terminal_send"),
        "{}",
        refused.text
    );
    let refused = terminal.call("terminal_wait", json!({"until": {"command": true}}));
    assert!(
        refused.is_error && refused.text.contains("marks lost"),
        "{}",
        refused.text
    );
    let listed = terminal.server.call("terminal_list", json!({}));
    assert_eq!(listed.facts["sessions"][0]["shell"], "marks_lost", "{}", listed.text);
    let reply = terminal.send(json!([{"text": "echo $((40+2))\n"}]), json!({"regex": "^42$"}));
    assert!(reply.text.contains("42"), "{}", reply.text);
    // A shell in the shell is a program like any other.
    let mut terminal = shell("bash");
    let reply = terminal.call("terminal_exec", json!({"command": "bash --norc", "yield_ms": 1000}));
    assert_eq!(reply.facts["outcome"], "running", "{}", reply.text);
    let reply = terminal.send(json!([{"text": "exit 3\n"}]), json!({"command": true}));
    assert_eq!(reply.facts["exit_code"], 3, "{}", reply.text);
}

#[test]
fn the_list_tells_what_runs_what_is_stopped_and_what_protects() {
    let mut terminal = Terminal::open(json!({"argv": ["sleep", "600"]}));
    let line = |terminal: &mut Terminal| -> Value {
        let listed = terminal.server.call("terminal_list", json!({}));
        listed.facts["sessions"][0].clone()
    };
    let running = line(&mut terminal);
    assert_eq!(
        (&running["program"], &running["stopped"]),
        (&json!("sleep"), &Value::Null),
        "{running}"
    );
    assert!(
        running["active"].as_i64().unwrap() > 5 && running["weakened"].is_array(),
        "{running}"
    );
    assert!(running["time_left_s"].as_i64().unwrap() > 600, "{running}");
    terminal.call("terminal_signal", json!({"signal": "STOP"}));
    // The signal passes through the launcher; its effect is an event of the kernel that nobody tells.
    until("it is stopped", || line(&mut terminal)["stopped"] == true);
    terminal.call("terminal_signal", json!({"signal": "CONT"}));
    until("it goes on", || line(&mut terminal)["stopped"] != true);
}

#[test]
fn when_the_client_goes_twenty_busy_sessions_go_with_it() {
    let mut terminal = shell("bash");
    let mut busy = vec![terminal.session.clone()];
    for _ in 1..20 {
        let opened = terminal.server.call("terminal_open", json!({"shell": "bash"}));
        busy.push(opened.facts["session"].as_str().unwrap().to_owned());
    }
    for (n, session) in busy.iter().enumerate() {
        let work = match n % 4 {
            0 => "yes",
            1 => "trap '' HUP INT TERM; sleep 7654",
            2 => "setsid nohup sleep 7654 & disown; while :; do :; done",
            _ => "python3 -c 'while True: pass'",
        };
        let call = json!({"session": session, "command": work, "yield_ms": 0, "max_output_bytes": 1000});
        assert!(!terminal.server.call("terminal_exec", call).is_error);
    }
    let pid = terminal.server.pid();
    let below = descendants(pid);
    assert!(below.len() > 40, "{}", below.len());
    terminal.server.end_input();
    let (status, _) = terminal.server.ended();
    assert!(status.success(), "{status}");
    // The launchers go on for a moment if the machine is busy; all that matters is that nothing stays.
    let left = || below.iter().filter(|process| is_same(process)).count();
    let since = std::time::Instant::now();
    while left() > 0 && since.elapsed() < std::time::Duration::from_secs(10) {
        std::thread::yield_now();
    }
    assert_eq!(left(), 0);
}

/// A process: its number, and when it started, so that another one with its number is not taken for it.
type Process = (u32, String);

fn descendants(of: u32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                parents.push(child);
                found.extend(started(child).map(|at| (child, at)));
            }
        }
    }
    found
}

fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit_once(") ")?.1;
    if rest.starts_with('Z') {
        return None;
    }
    rest.split(' ').nth(19).map(str::to_owned)
}

fn is_same((pid, at): &Process) -> bool {
    started(*pid).as_ref() == Some(at)
}
