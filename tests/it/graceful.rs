//! What is asked to end gets the time that it was promised, and its end is told as it was. Needs a working sandbox.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::command::{Run, until};
use crate::ends::mark;
use crate::harness::{Era, Server};
use crate::processes::{alive, children};
use crate::sessions::Terminal;

/// Times that something is tried which a busy machine may keep from being done in time.
const TRIES: usize = 10;

/// Is done with its work some time after it was asked to end.
const TIDY: &str = "trap 'sleep 0.03; echo > $0.clean; exit' HUP TERM; echo > $0.up; while :; do sleep 0.01; done";

#[test]
fn whatever_runs_in_a_session_that_is_closed_has_time_to_end() {
    for pretend in [&[][..], &["--pretend", "pid"]] {
        let in_time = (0..TRIES).any(|_| {
            let mut terminal = Terminal::open_with(pretend, json!({"shell": "bash"}));
            let workspace = terminal.server.workspace().to_owned();
            fs::write(workspace.join("tidy.sh"), TIDY).unwrap();
            terminal.exec("bash tidy.sh x & cp tidy.sh other.sh; setsid bash other.sh & sleep 0.1");
            terminal.call(
                "terminal_exec",
                json!({"command": "cp tidy.sh third.sh; bash third.sh", "yield_ms": 200}),
            );
            until("all of them run", || {
                ["tidy", "other", "third"]
                    .iter()
                    .all(|name| workspace.join(format!("{name}.sh.up")).exists())
            });
            terminal.call("terminal_close", json!({}));
            ["tidy", "other", "third"]
                .iter()
                .all(|name| workspace.join(format!("{name}.sh.clean")).exists())
        });
        assert!(
            in_time,
            "{pretend:?}: something was killed each time before it had tidied up"
        );
    }
}

#[test]
fn what_had_to_be_killed_is_counted() {
    let mut server = Server::start(Era::Modern);
    let opened = server.call(
        "terminal_open",
        json!({"argv": ["bash", "-c", "trap '' HUP TERM; echo up; while :; do sleep 1; done"]}),
    );
    let session = &opened.facts["session"];
    server.call("terminal_wait", json!({"session": session, "until": {"text": "up"}}));
    let reply = server.call("terminal_close", json!({"session": session}));
    assert_eq!(&reply.facts["state"], "killed", "{}", reply.text);
    assert!(
        reply.facts["killed"].as_i64() >= Some(1) && !reply.text.contains("hint"),
        "{}",
        reply.text
    );
}

#[test]
fn a_command_gets_the_signal_that_terrarium_got() {
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGQUIT, "QUIT"),
    ] {
        for (line, status) in [
            (
                format!("trap 'echo got; exit 5' {name}; echo up; while :; do sleep 0.01; done"),
                5,
            ),
            ("echo up; exec sleep 300".to_owned(), 128 + signal as i32),
        ] {
            let run = Run::profile("default");
            let mut child = run
                .command(&["bash", "-c", &line])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut output = child.stdout.take().unwrap();
            let mut up = [0; 3];
            output.read_exact(&mut up).unwrap();
            kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
            let mut rest = String::new();
            output.read_to_string(&mut rest).unwrap();
            let ended = child.wait().unwrap().code();
            // Killed where a busy machine did not let it end in time.
            if ended != Some(137) {
                assert_eq!((ended, rest == "got\n"), (Some(status), status == 5), "{name}: {rest}");
            }
        }
    }
}

#[test]
fn a_launcher_that_is_stopped_keeps_nothing_alive() {
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let mut server = Server::start(Era::Modern);
        let mark = mark();
        let loops = format!("while :; do sleep 0.01; done # {mark}");
        server.send_call("terminal_run", json!({"command": loops, "yield_ms": 50_000}));
        until("it runs", || alive(&mark) > 0);
        let zygote = children(server.pid())[0];
        let launchers = children(zygote);
        for launcher in &launchers {
            kill(Pid::from_raw(launcher.cast_signed()), Signal::SIGSTOP).unwrap();
        }
        match signal {
            Some(signal) => kill(Pid::from_raw(server.pid().cast_signed()), signal).unwrap(),
            None => server.end_input(),
        }
        until("nothing is left", || alive(&mark) == 0);
        server.ended();
    }
}
