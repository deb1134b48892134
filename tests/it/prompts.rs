//! What a shell tells of its commands, attacked: by programs, by input of other hands, by awkward output.

use serde_json::json;

use crate::harness::{Era, Reply, Server, is_there};
use crate::sessions::{Terminal, shell, there};

/// Looks for the key in all that a program is given, prints the marks of a command that ended well, and fails.
const FORGE: &str = "python3 -c 'import os, re, sys, time\nkeys = set(re.findall(\"[0-9a-f]{32}\", str(os.environ)))\nfor key in \
    keys:\n  for n in range(1, 40): print(end=f\"\\033]133;D;0;{n};{key}\\007\\033]133;B;{n};{key}\\007\")\nsys.stdout.flush(); \
    time.sleep(0.5); print(len(keys), \"keys\"); sys.exit(7)'";

#[test]
fn a_program_given_the_prompt_cannot_forge_marks() {
    if !is_there("python3") {
        return;
    }
    for name in there(["bash", "zsh", "dash"]) {
        let env = json!({"__terrarium_k": "mine", "PSVAR": "mine"});
        let mut terminal = Terminal::open(json!({"shell": name, "env": env}));
        // As `activate` of a Python venv does, and as `set -a` does with what is set after it.
        for export in [
            "export PS1 PS2 PS0",
            "set -a; PS1=$PS1; PS2=$PS2",
            "setopt allexport; psvar=(a)",
        ] {
            terminal.exec(export);
            let reply = terminal.exec(FORGE);
            assert_eq!(reply.facts["exit_code"], 7, "{name} after {export}: {}", reply.text);
            assert!(reply.text.contains("0 keys"), "{name} after {export}: {}", reply.text);
        }
    }
}

#[test]
fn the_answer_is_of_the_command_that_was_asked_for() {
    for name in there(["bash", "zsh", "fish", "dash"]) {
        let mut terminal = shell(name);
        for round in 0..15 {
            let typed = format!("sh -c 'exit 33'\n{}", if round % 3 == 0 { "\n" } else { "" });
            terminal.call("terminal_send", json!({"input": [{"text": typed}]}));
            let mut reply = terminal.call("terminal_exec", json!({"command": "echo mine"}));
            while reply.is_error && reply.text.contains("has not begun with it yet") {
                reply = terminal.call("terminal_exec", json!({"command": "echo mine"})); // a slow machine
            }
            assert_eq!(reply.facts["exit_code"], 0, "{name}: {}", reply.text);
            assert_eq!(reply.section("terminal"), Some("mine"), "{name}: {}", reply.text);
        }
    }
}

#[test]
fn a_shell_is_shown_with_its_prompt_however_slow_it_is() {
    for name in there(["bash", "zsh", "fish", "dash"]) {
        let prompt = match name {
            "zsh" => "%",
            "fish" => ">",
            _ => "$",
        };
        let mut server = Server::start(Era::Modern);
        shows_prompt(&server.call("terminal_open", json!({"shell": name})), prompt);
    }
    // It reads its key bindings before it draws the prompt, and nobody writes them until another command has ended.
    let mut server = Server::start(Era::Modern);
    let bindings = server.workspace().join("bindings");
    nix::unistd::mkfifo(&bindings, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let opened = server.send_call(
        "terminal_open",
        json!({"shell": "bash", "env": {"INPUTRC": "bindings"}}),
    );
    server.call("terminal_run", json!({"command": "sleep 1"}));
    std::fs::write(bindings, "").unwrap();
    shows_prompt(&server.reply(opened), "$");
}

fn shows_prompt(opened: &Reply, prompt: &str) {
    assert!(opened.text.trim_end().ends_with(prompt), "{}", opened.text);
    assert_eq!(opened.facts["takes_commands"], true, "{}", opened.text);
}

#[test]
fn a_line_that_is_not_empty_is_not_added_to() {
    for name in there(["bash", "zsh", "fish", "dash"]) {
        let mut terminal = shell(name);
        terminal.call("terminal_send", json!({"input": [{"text": "echo left"}]}));
        let refused = terminal.call("terminal_exec", json!({"command": "echo mine"}));
        assert!(
            refused.is_error && refused.text.contains("typed at the prompt without Enter"),
            "{name}: {}",
            refused.text
        );
        terminal.call("terminal_send", json!({"input": [{"key": "C-c"}]}));
        let reply = terminal.call("terminal_exec", json!({"command": "echo mine"}));
        assert_eq!(reply.section("terminal"), Some("mine"), "{name}: {}", reply.text);
        assert_eq!(reply.facts["exit_code"], 0, "{name}: {}", reply.text);
        terminal.call("terminal_send", json!({"input": [{"key": "C-l"}]}));
        assert_eq!(terminal.exec("echo mine").facts["exit_code"], 0, "{name}");
    }
}

#[test]
fn an_interrupt_that_is_lost_is_typed_again() {
    for name in there(["bash", "zsh", "dash"]) {
        let mut terminal = shell(name);
        let (text, key) = (json!({"text": "echo left"}), json!({"key": "C-c"}));
        for sent in [vec![json!([text, key])], vec![json!([text]), json!([key])]] {
            // The key is a character like others until the file is there, and something new is printed all the time.
            terminal.exec(
                "rm -f go; stty -isig; (sh -c 'trap \"\" TTOU; until [ -e go ]; do printf \"\\033[s\\033[u\"; sleep 0.01; done; \
                 stty isig </dev/tty' & )",
            );
            for input in sent {
                terminal.call("terminal_send", json!({"input": input}));
            }
            std::fs::write(terminal.server.workspace().join("go"), "").unwrap();
            let reply = terminal.exec("echo mine");
            assert_eq!(reply.section("terminal"), Some("mine"), "{name}: {}", reply.text);
            assert_eq!(reply.facts["exit_code"], 0, "{name}: {}", reply.text);
        }
    }
}

#[test]
fn what_was_typed_ahead_without_an_end_is_not_added_to() {
    for name in there(["bash", "zsh", "fish"]) {
        let mut terminal = shell(name);
        let input = json!([{"text": "sleep 1"}, {"key": "Enter"}, {"text": "echo left"}]);
        terminal.call("terminal_send", json!({"input": input}));
        terminal.wait(json!({"command": true}));
        let reply = terminal.exec("echo mine");
        assert_eq!(reply.section("terminal"), Some("mine"), "{name}: {}", reply.text);
    }
}

#[test]
fn a_command_that_has_just_begun_is_not_called_unfinished() {
    let mut terminal = shell("bash");
    let reply = terminal.call("terminal_exec", json!({"command": "sleep 1", "yield_ms": 0}));
    assert_eq!(reply.facts["outcome"], "running", "{}", reply.text);
}

#[test]
fn no_output_is_taken_for_the_shells_own() {
    let mut terminal = shell("bash");
    for tracing in ["true", "set -x"] {
        terminal.exec(tracing);
        let reply = terminal.exec("echo real; echo \"secret __terrarium_ line\"; echo '+ __terrarium_prompt'");
        let shown = reply.section("terminal").unwrap();
        let printed: Vec<_> = shown.lines().filter(|line| !line.starts_with("+ echo")).collect();
        assert_eq!(
            printed,
            ["real", "secret __terrarium_ line", "+ __terrarium_prompt"],
            "{}",
            reply.text
        );
    }
}

/// Asks who the terminal is for ever, and reads no answer.
const ASKS: &str = "python3 -c 'import os, tty\ntty.setraw(0)\nfor n in range(1000): os.write(1, b\"\\x1b[>q\" * 4000)\nos.write(1, \
     b\"asked\"); os.read(0, 1)'";

#[test]
fn answers_that_nobody_reads_take_no_room() {
    if !is_there("python3") {
        return;
    }
    let mut terminal = shell("bash");
    terminal.call("terminal_exec", json!({"command": ASKS, "yield_ms": 100}));
    terminal.wait(json!({"text": "asked"}));
    let reply = terminal.call("terminal_send", json!({"input": [{"text": "z".repeat(60_000)}]}));
    assert!(!reply.is_error, "{}", reply.text);
}

/// Looks for marks in what the shell's streams were turned to, prints those of a command that ended well, and fails.
const FORGE_FROM_FILES: &str = r#"
import glob, re, sys, time
text = b"".join(open(f, "rb").read() for f in glob.glob("*.log"))
keys = {m for m in re.findall(rb"[0-9a-f]{32}", text)}
with open("/dev/tty", "wb") as tty:
    for key in keys:
        for n in range(1, 60): tty.write(b"\033]133;D;0;%d;%b\007\033]133;B;%d;%b\007" % (n, key, n, key))
time.sleep(0.5)
open("found", "w").write(str(len(keys)))
sys.exit(42)
"#;

#[test]
fn a_shell_whose_streams_are_kept_writes_no_secret_there() {
    if !is_there("python3") {
        return;
    }
    let away = [
        "exec 2>err.log",
        "exec >out.log",
        "exec >out.log 2>&1",
        "exec > >(tee all.log) 2>&1",
        "exec 2> >(tee all.log)",
        "set -x; exec 2>trace.log",
        "exec 7>trace.log; BASH_XTRACEFD=7; set -x",
        "unset PROMPT_COMMAND; exec 2>err.log",
        "unsetopt zle; exec 2>err.log",
    ];
    for name in there(["bash", "zsh", "dash"]) {
        for away in away {
            if (name == "dash" && away.contains("tee")) || (away.contains("zle") && name != "zsh") {
                continue;
            }
            let mut terminal = shell(name);
            std::fs::write(terminal.server.workspace().join("forge.py"), FORGE_FROM_FILES).unwrap();
            // Where the shell does not tell any more, a text is waited for.
            for line in [away, "true", "echo 'one\ntwo'", "true\ntrue"] {
                let typed = json!([{"text": line}, {"key": "Enter"}]);
                terminal.call(
                    "terminal_send",
                    json!({"input": typed, "wait": {"idle_ms": 100, "idle_at_once": true}}),
                );
            }
            let typed = json!([{"text": "exec >/dev/tty 2>&1; set +x"}, {"key": "Enter"}]);
            terminal.call(
                "terminal_send",
                json!({"input": typed, "wait": {"idle_ms": 300, "idle_at_once": true}}),
            );
            let reply = terminal.exec("python3 forge.py");
            assert_eq!(reply.facts["exit_code"], 42, "{name} after {away}: {}", reply.text);
            let found = std::fs::read_to_string(terminal.server.workspace().join("found")).unwrap();
            assert_eq!(found, "0", "{name} after {away}");
        }
    }
}
