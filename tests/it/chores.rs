//! Twelve chores of an agent, done as an agent would: how many calls each takes, and how many bytes go both ways.
//! `docs/terminals.md` has the table. Needs a working sandbox.

use serde_json::{Value, json};

use crate::harness::is_there;
use crate::harness::{Era, Reply, Server};

/// Does chores and counts.
struct Agent {
    server: Server,
    calls: usize,
    bytes: usize,
    done: Vec<(&'static str, usize, usize)>,
}

impl Agent {
    fn call(&mut self, tool: &str, arguments: Value) -> Reply {
        let sent = tool.len() + arguments.to_string().len();
        let reply = self.server.call(tool, arguments);
        assert!(!reply.is_error, "{tool}: {}", reply.text);
        self.calls += 1;
        self.bytes += sent + reply.text.len();
        reply
    }

    fn exec(&mut self, command: &str) -> Reply {
        self.call("terminal_exec", json!({"session": "shell", "command": command}))
    }

    fn send(&mut self, input: Value, wait: Value) -> Reply {
        let reply = self.call(
            "terminal_send",
            json!({"session": "shell", "input": input, "wait": wait}),
        );
        assert_ne!(reply.facts["fired"], "timeout", "{}", reply.text);
        reply
    }

    fn done(&mut self, chore: &'static str) {
        self.done
            .push((chore, std::mem::take(&mut self.calls), std::mem::take(&mut self.bytes)));
    }
}

#[test]
fn twelve_chores_take_as_few_calls_and_bytes_as_the_documentation_says() {
    if !["gcc", "git", "vim", "top", "curl"].into_iter().all(is_there) {
        return;
    }
    let server = Server::start(Era::Modern);
    let write = |name: &str, text: &str| std::fs::write(server.workspace().join(name), text).unwrap();
    write(
        "hello.c",
        "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n",
    );
    let test =
        "import unittest\nclass T(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1 + 1, 3)\n";
    write("test_sum.py", test);
    write("names.txt", "alpha\nbeta\ngamma\n");
    let mut agent = Agent {
        server,
        calls: 0,
        bytes: 0,
        done: Vec::new(),
    };
    in_fresh_sandboxes(&mut agent);
    with_programs(&mut agent);
    in_a_shell(&mut agent);
    let docs = include_str!("../../docs/terminals.md");
    let rows: Vec<String> = agent
        .done
        .iter()
        .map(|(chore, calls, bytes)| format!("| {chore} | {calls} | {bytes} |"))
        .collect();
    let fits = |(chore, calls, bytes): &(&str, usize, usize)| {
        let row = docs.lines().find(|line| line.starts_with(&format!("| {chore} | ")))?;
        let mut numbers = row
            .split('|')
            .skip(2)
            .map_while(|number| number.trim().parse::<usize>().ok());
        // Times, versions and what top shows vary.
        Some(numbers.next()? == *calls && *bytes <= numbers.next()? * 2)
    };
    assert!(
        agent.done.iter().all(|chore| fits(chore) == Some(true)),
        "seen:\n{}",
        rows.join("\n")
    );
}

fn in_fresh_sandboxes(agent: &mut Agent) {
    let reply = agent.call(
        "terminal_run",
        json!({"command": "gcc -Wall -o hello hello.c && ./hello"}),
    );
    assert_eq!(
        (reply.section("stdout"), &reply.facts["exit_code"]),
        (Some("hello"), &json!(0))
    );
    agent.done("build");
    let reply = agent.call("terminal_run", json!({"command": "python3 -m unittest -q"}));
    assert!(
        reply.text.contains("2 != 3") && reply.facts["exit_code"] == 1,
        "{}",
        reply.text
    );
    agent.done("failing test");
    let reply = agent.call(
        "terminal_run",
        json!({"command": "sleep 1.2; echo built", "yield_ms": 200}),
    );
    let session = reply.facts["session"].clone();
    let reply = agent.call("terminal_wait", json!({"session": session}));
    assert!(reply.text.contains("built"), "{}", reply.text);
    agent.done("long job");
    let reply = agent.call("terminal_run", json!({"command": "sleep 1000", "timeout_s": 1}));
    assert!(reply.text.contains("ended by"), "{}", reply.text);
    agent.done("hung job");
}

fn with_programs(agent: &mut Agent) {
    agent.call(
        "terminal_open",
        json!({"name": "p", "argv": ["python3", "-q"], "cols": 80, "rows": 24}),
    );
    let typed =
        json!({"session": "p", "input": [{"text": "sum(range(101))\n"}], "wait": {"regex": "^5050$"}, "show": false});
    let reply = agent.call("terminal_send", typed);
    assert!(reply.text.contains("5050"), "{}", reply.text);
    agent.call("terminal_close", json!({"session": "p"}));
    agent.done("REPL sum");
    agent.call(
        "terminal_open",
        json!({"name": "v", "argv": ["vim", "names.txt"], "cols": 80, "rows": 24}),
    );
    let typed =
        json!({"session": "v", "input": [{"text": ":2s/beta/BETA/\n:wq\n"}], "wait": {"exit": true}, "show": false});
    let reply = agent.call("terminal_send", typed);
    assert_eq!(reply.facts["fired"], "exit", "{}", reply.text);
    let file = std::fs::read_to_string(agent.server.workspace().join("names.txt")).unwrap();
    assert_eq!(file, "alpha\nBETA\ngamma\n");
    agent.done("vim edit");
}

fn in_a_shell(agent: &mut Agent) {
    agent.call("terminal_open", json!({"name": "shell", "cols": 80, "rows": 24}));
    agent.done("(opening the shell)");
    agent.exec("python3 -m http.server -b 127.0.0.1 8080 &>log &");
    let reply = agent.exec("curl -s --retry 30 --retry-connrefused --retry-delay 1 localhost:8080/names.txt");
    assert!(reply.text.contains("BETA"), "{}", reply.text);
    agent.done("server and request");
    agent.send(
        json!([{"text": "read -rsp 'Pass''word: ' p; echo; echo ${#p}\n"}]),
        json!({"text": "Password: ", "scope": "screen"}),
    );
    let reply = agent.send(json!([{"text": "hunter2\n"}]), json!({"command": true}));
    assert!(reply.text.contains("\n7\n"), "{}", reply.text);
    agent.done("password prompt");
    let commit = "git init -q . && git config user.email a@b && git config user.name n && git add names.txt && git commit -q -F - <<'X'\n\
                  names: Shout the second\n\nIt's louder \"now\".\nX\ngit log -1 --format=%B";
    let reply = agent.exec(commit);
    assert!(reply.text.contains("It's louder \"now\"."), "{}", reply.text);
    agent.done("commit of several lines");
    let reply = agent.send(
        json!([{"text": "top\n"}]),
        json!({"regex": "PID.*COMMAND", "scope": "screen"}),
    );
    assert!(reply.text.contains("COMMAND"), "{}", reply.text);
    agent.send(json!([{"text": "q"}]), json!({"command": true}));
    agent.done("top");
    let reply = agent.call("terminal_resize", json!({"session": "shell", "cols": 100, "rows": 30}));
    assert_eq!(reply.facts["cols"], 100, "{}", reply.text);
    agent.done("resize");
    let log = "for i in {1..10000}; do [ $i = 7777 ] && echo \"$i ERROR disk on fire\" || echo \"$i ok\"; done";
    let reply = agent.call(
        "terminal_exec",
        json!({"session": "shell", "command": log, "max_output_bytes": 1000}),
    );
    assert_eq!(reply.facts["exit_code"], 0, "{}", reply.text);
    let start = reply.facts["start"].clone();
    let reply = agent.call(
        "terminal_read",
        json!({"session": "shell", "cursor": start, "grep": "ERROR"}),
    );
    assert!(reply.text.contains("7777 ERROR disk on fire"), "{}", reply.text);
    agent.done("10 000 lines and the one that matters");
}
