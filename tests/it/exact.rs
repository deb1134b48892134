//! What made answers about a shell's commands inexact once. Needs a working sandbox.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Era, Server, patience};
use crate::sessions::{Terminal, shell, there};

#[test]
fn several_lines_are_one_command_whatever_is_in_them() {
    for name in there(["bash", "zsh", "dash", "sh"]) {
        let mut terminal = shell(name);
        terminal.exec("echo one\n}\necho two"); // how far that goes is the shell's business
        terminal.exec("# nothing but\n# comments");
        for code in [6, 7] {
            let reply = terminal.exec(&format!("# first\necho {code}\n(exit {code})"));
            assert_eq!(reply.facts["exit_code"], code, "{name}: {}", reply.text);
            assert_eq!(reply.section("terminal"), Some(code.to_string().as_str()), "{name}");
        }
        let reply = terminal.exec("echo status $?\necho __terrarium_end\n__terrarium_end() { :; }");
        assert_eq!(reply.section("terminal"), Some("status 7\n__terrarium_end"), "{name}");
        let reply = terminal.call(
            "terminal_exec",
            json!({"command": "# a comment\nsleep 60", "yield_ms": 1000}),
        );
        assert_eq!(reply.facts["outcome"], "running", "{name}: {}", reply.text);
        terminal.send(json!([{"key": "C-c"}]), json!({"command": true}));
        assert_eq!(terminal.exec("echo again").section("terminal"), Some("again"), "{name}");
    }
}

#[test]
fn images_and_progress_leave_no_traces_in_an_answer() {
    let mut terminal = shell("bash");
    let image = "printf '\\033Pq'; head -c 20000 /dev/zero | tr '\\0' '~'; printf '\\033\\\\'; echo AFTER";
    let reply = terminal.exec(image);
    assert_eq!(reply.section("terminal"), Some("AFTER"), "{}", reply.text);
    let part = json!({"command": image, "max_output_bytes": 2000});
    let reply = terminal.call("terminal_exec", part);
    assert!(
        reply.text.contains("AFTER") && !reply.text.contains('~'),
        "{}",
        reply.text
    );
    let start = reply.facts["start"].as_u64().unwrap();
    let within = terminal.call("terminal_read", json!({"cursor": start + 10_000, "max_bytes": 2000}));
    assert!(!within.text.contains("~~"), "{}", within.text);
    let reply = terminal.exec(
        "for i in 1 2 3; do printf '\\033[2K\\033[1G| loading %d' $i; done; printf '\\033[2K\\033[1G'; echo done",
    );
    assert_eq!(reply.section("terminal"), Some("done"), "{}", reply.text);
}

#[test]
fn what_stands_before_the_prompt_is_no_output() {
    for name in there(["bash", "zsh", "dash"]) {
        let mut terminal = shell(name);
        terminal.exec("PS1=\"(venv) $PS1\"; export PS1");
        for _ in 0..2 {
            assert_eq!(terminal.exec("printf nonl").section("terminal"), Some("nonl"), "{name}");
        }
        let shown = terminal.call("terminal_snapshot", json!({}));
        assert!(shown.text.contains("(venv) "), "{name}: {}", shown.text);
    }
}

#[test]
fn an_answer_of_the_terminal_that_nobody_waits_for_is_not_typed() {
    for name in there(["bash", "zsh", "fish", "dash"]) {
        let mut terminal = shell(name);
        for _ in 0..5 {
            terminal.exec("printf '\\033[c\\033[6n'");
            let reply = terminal.exec("echo made");
            assert_eq!(reply.section("terminal"), Some("made"), "{name}: {}", reply.text);
            assert_eq!(reply.facts["exit_code"], 0, "{name}: {}", reply.text);
        }
    }
}

#[test]
fn the_end_that_is_waited_for_is_that_of_all_that_was_typed() {
    for name in there(["bash", "zsh", "dash"]) {
        let mut terminal = shell(name);
        // A shell that has not read the next line for half a second is thought to have none: a busy machine gets some tries.
        let all = (0..5).any(|_| {
            let typed = json!([{"text": "echo a\nsleep 1; echo b; (exit 9)\n"}]);
            let reply = terminal.send(typed, json!({"command": true}));
            terminal.call("terminal_exec", json!({"command": "sleep 2"}));
            reply.facts["exit_code"] == 9
        });
        assert!(all, "{name}");
        // An interrupt at the prompt, whether or not there is a line to drop.
        for typed in [json!([{"text": "half"}, {"key": "C-c"}]), json!([{"key": "C-c"}])] {
            // bash may not act on one that comes in the moment in which it turns to its line editor, before the next key.
            let told = (0..3).any(|_| {
                let input = json!({"input": typed, "wait": {"command": true}, "timeout_ms": 5000});
                terminal.call("terminal_send", input).facts["fired"] == "command"
            });
            assert!(told, "{name}: {typed}");
        }
        assert_eq!(terminal.exec("echo again").section("terminal"), Some("again"), "{name}");
    }
}

#[test]
fn a_shell_that_is_slow_to_begin_is_no_unfinished_command() {
    let mut terminal = shell("bash");
    terminal.exec("PROMPT_COMMAND=\"sleep 2${PROMPT_COMMAND:+;$PROMPT_COMMAND}\"");
    let reply = terminal.exec("# just a comment");
    assert_eq!(reply.facts["outcome"], "nothing_ran", "{}", reply.text);
}

#[test]
fn a_shell_that_ended_says_so() {
    let mut terminal = shell("bash");
    let reply = terminal.exec("exit 7");
    assert_eq!(
        (&reply.facts["outcome"], &reply.facts["exit_code"]),
        (&json!("shell_ended"), &json!(7))
    );
    let reply = terminal.call("terminal_exec", json!({"command": "echo x"}));
    reply.refused("the program has ended");
}

#[test]
fn a_shell_whose_marks_were_taken_says_what_may_be() {
    let mut terminal = shell("sh");
    terminal.call("terminal_exec", json!({"command": "PS1='> '", "yield_ms": 500}));
    let reply = terminal.call("terminal_exec", json!({"command": "echo x"}));
    reply.refused("what tells was taken from the shell (PS1,");
}

#[test]
fn variables_by_which_a_shell_starts_are_refused() {
    let mut server = Server::start(Era::Modern);
    for name in ["ENV", "ZDOTDIR", "POSIXLY_CORRECT", "SHELLOPTS"] {
        server
            .call("terminal_open", json!({"env": {name: "/tmp"}}))
            .refused(&format!("env.{name}"));
        let program = json!({"env": {name: "/tmp"}, "argv": ["cat"]});
        assert!(!server.call("terminal_open", program).is_error);
    }
}

#[test]
fn a_text_is_found_anywhere_in_a_long_line() {
    let mut terminal = shell("bash");
    terminal.exec("line() { head -c \"$1\" /dev/zero | tr '\\0' x; printf NEED''LE; head -c \"$2\" /dev/zero | tr '\\0' y; echo; }");
    for (before, after) in [(9000, 9000), (0, 100_000), (100_000, 100_000), (100_000, 0)] {
        let typed = json!([{"text": format!("line {before} {after}\n")}]);
        let reply = terminal.send(typed, json!({"text": "NEEDLE"}));
        assert_eq!(reply.facts["fired"], "found", "{before} {after}: {}", reply.text);
        assert!(
            reply.facts["matched_line"].as_str().unwrap().contains("NEEDLE"),
            "{}",
            reply.text
        );
        terminal.call("terminal_wait", json!({"until": {"command": true}}));
    }
    let found = terminal.call("terminal_read", json!({"grep": "NEEDLE"}));
    assert_eq!(found.facts["matching_lines"], 4, "{}", found.text);
}

#[test]
fn what_is_no_text_is_told() {
    let reply = shell("bash").exec("printf 'a\\377c\\n'");
    assert!(reply.text.contains("1 bytes that are not UTF-8"), "{}", reply.text);
}

#[test]
fn a_shell_whose_streams_go_elsewhere_still_tells() {
    for name in there(["bash", "zsh", "dash"]) {
        for away in [
            "exec 2>err.log",
            "exec >out.log",
            "exec 3>&1 >out.log",
            "exec >/dev/null 2>&1",
            "exec 1>&-",
        ] {
            if name == "zsh" && away.ends_with('-') {
                continue; // its own start file writes to standard output
            }
            let mut terminal = shell(name);
            let reply = terminal.exec(away);
            assert_eq!(reply.facts["outcome"], "ended", "{name} {away}: {}", reply.text);
            for code in [4, 0] {
                let reply = terminal.exec(&format!("touch ran-{code}; (exit {code})"));
                assert_eq!(
                    (&reply.facts["outcome"], &reply.facts["exit_code"]),
                    (&json!("ended"), &json!(code)),
                    "{name} {away}: {}",
                    reply.text
                );
            }
            if away == "exec 2>err.log" {
                let long = json!({"command": "sleep 3; (exit 5)", "yield_ms": 2000});
                let reply = terminal.call("terminal_exec", long);
                assert_eq!(reply.facts["outcome"], "running", "{name} {away}: {}", reply.text);
                let reply = terminal.wait(json!({"command": true}));
                assert!(reply.text.contains("exit code 5"), "{name} {away}: {}", reply.text);
            }
            terminal.exec("exec >/dev/tty 2>&1");
            let reply = terminal.exec("echo again; (exit 6)");
            assert_eq!(
                reply.section("terminal"),
                Some("again"),
                "{name} {away}: {}",
                reply.text
            );
            assert_eq!(reply.facts["exit_code"], 6, "{name} {away}: {}", reply.text);
        }
    }
}

#[test]
fn a_shell_tells_without_its_own_terminals_and_processes() {
    for lacks in ["devpts", "proc", "pid", "mount"] {
        for name in there(["bash", "zsh", "dash"]) {
            let mut terminal = Terminal::open_with(&["--pretend", lacks], json!({"shell": name}));
            for (command, code) in [("(exit 3)", 3), ("exec >out.log 2>&1", 0), ("touch ran; (exit 4)", 4)] {
                let reply = terminal.exec(command);
                let expected = (&json!("ended"), &json!(code));
                let found = (&reply.facts["outcome"], &reply.facts["exit_code"]);
                assert_eq!(found, expected, "{name} without {lacks}: {}", reply.text);
            }
            let kept = std::fs::read(terminal.server.workspace().join("out.log")).unwrap();
            assert!(!kept.windows(4).any(|four| four == b"133;"), "{name} without {lacks}");
        }
    }
}

#[test]
fn what_a_program_passes_on_ends_too() {
    for name in there(["bash", "zsh"]) {
        let mut terminal = shell(name);
        let reply = terminal.exec("exec > >(tee all.log) 2>&1");
        assert_eq!(reply.facts["outcome"], "ended", "{name}: {}", reply.text);
        for code in [3, 4] {
            let reply = terminal.exec(&format!("echo one-{code}\nsleep 0.3; echo two-{code}\n(exit {code})"));
            assert_eq!(reply.facts["exit_code"], code, "{name}: {}", reply.text);
            terminal.wait(json!({"text": format!("two-{code}")}));
        }
    }
}

#[test]
fn lines_of_a_paste_that_turns_standard_error_away_end_together() {
    let mut terminal = shell("bash");
    let reply = terminal.exec("exec 2>err.log\nsleep 1\n(exit 7)");
    assert_eq!(reply.facts["exit_code"], 7, "{}", reply.text);
    let mut terminal = shell("bash");
    terminal.exec("unset PROMPT_COMMAND");
    let reply = terminal.exec("echo a\necho b\n(exit 8)");
    assert_eq!(
        (reply.section("terminal"), &reply.facts["exit_code"]),
        (Some("a\nb"), &json!(8))
    );
}

#[test]
fn a_shell_that_did_not_tell_that_it_began_may_have_run_something() {
    let mut terminal = shell("dash");
    terminal.exec("stty -icanon");
    let reply = terminal.exec("touch ran; (exit 4)");
    assert!(
        reply.facts["outcome"] != "nothing_ran" || reply.text.contains("may have run"),
        "{}",
        reply.text
    );
    assert!(terminal.server.workspace().join("ran").exists());
    assert_eq!(reply.facts["exit_code"], 4, "{}", reply.text);
}

#[test]
fn what_a_program_has_read_is_not_waited_for() {
    for name in there(["bash", "zsh"]) {
        let mut terminal = shell(name);
        let mut took = Vec::new();
        for round in 0..7 {
            terminal.send(
                json!([{"text": "printf 'Name? '; head -n 1 | sed 's/^/hi /'\n"}]),
                json!({"regex": "^Name\\?"}),
            );
            let answered = Instant::now();
            let typed = format!("bob-{round}\n");
            let reply = terminal.send(json!([{"text": typed}]), json!({"command": true}));
            assert!(
                reply.text.contains(&format!("hi bob-{round}")),
                "{name}: {}",
                reply.text
            );
            assert_eq!(terminal.exec("echo next").section("terminal"), Some("next"), "{name}");
            took.push(answered.elapsed());
        }
        took.sort();
        assert!(took[0] < patience(Duration::from_millis(300)), "{name}: {took:?}");
    }
}

#[test]
fn a_line_that_was_typed_ahead_is_waited_for() {
    for name in there(["bash", "zsh", "dash"]) {
        let mut terminal = shell(name);
        for _ in 0..7 {
            terminal.call("terminal_exec", json!({"command": "sleep 0.3", "yield_ms": 0}));
            let typed = json!([{"text": "sleep 0.2; (exit 9)\n"}]);
            let reply = terminal.send(typed, json!({"command": true}));
            assert_eq!(reply.facts["exit_code"], 9, "{name}: {}", reply.text);
            assert_eq!(terminal.exec("echo mine").section("terminal"), Some("mine"), "{name}");
        }
    }
}

#[test]
fn a_stopped_shell_says_so() {
    let mut terminal = shell("bash");
    terminal.call("terminal_exec", json!({"command": "kill -STOP $$", "yield_ms": 500}));
    let refused = terminal.call("terminal_exec", json!({"command": "echo x"}));
    refused.refused("the shell is stopped");
    terminal.call("terminal_signal", json!({"signal": "CONT"}));
    terminal.wait(json!({"command": true}));
    assert_eq!(terminal.exec("echo x").section("terminal"), Some("x"));
}

#[test]
fn a_line_that_was_emptied_is_empty() {
    for name in there(["bash", "zsh", "fish", "dash"]) {
        let mut terminal = shell(name);
        let keys = |name: &str, times: usize| vec![json!({"key": name}); times];
        for emptied in [keys("C-u", 1), keys("Backspace", 4), keys("Backspace", 6)] {
            let typed = [vec![json!({"text": "l\u{e4}ft"})], emptied].concat();
            terminal.call("terminal_send", json!({"input": typed}));
            assert_eq!(terminal.exec("echo mine").section("terminal"), Some("mine"), "{name}");
        }
        terminal.call("terminal_send", json!({"input": [{"key": "C-s"}, {"key": "C-q"}]}));
        assert_eq!(terminal.exec("echo mine").section("terminal"), Some("mine"), "{name}");
        let typed = json!([{"text": "left"}, {"key": "Left"}, {"key": "C-u"}]);
        terminal.call("terminal_send", json!({"input": typed}));
        let refused = terminal.call("terminal_exec", json!({"command": "echo mine"}));
        refused.refused("typed at the prompt without Enter");
    }
}

#[test]
fn a_wrong_pattern_has_one_hint() {
    let mut terminal = shell("bash");
    let refused = terminal.call("terminal_wait", json!({"until": {"regex": "a(?=b)"}}));
    refused.refused("look-around");
    assert_eq!(refused.text.matches("hint:").count(), 1, "{}", refused.text);
}
