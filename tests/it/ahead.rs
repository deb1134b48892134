//! A sandbox that was built before it was asked for is as good as a fresh one, or is not used.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::command::until;
use crate::harness::{Era, Server};
use crate::processes::children;

/// The launcher and pid 1 of the sandbox that waits for the next call.
fn waiting(server: &Server) -> [u32; 2] {
    let mut found = [0, 0];
    until("a sandbox waits", || {
        let launchers = children(server.pid()).first().map(|zygote| children(*zygote));
        let [launcher] = launchers.unwrap_or_default()[..] else {
            return false;
        };
        let [init] = children(launcher)[..] else { return false };
        if !children(init).is_empty() || has_reaped(init) {
            return false; // that of the last call, which is cleared away behind the answer
        }
        let status = fs::read_to_string(format!("/proc/{init}/status")).unwrap_or_default();
        let inside = |line: &str| line.starts_with("NSpid:") && line.ends_with("\t1");
        if !status.lines().any(inside) {
            return false; // a helper of the launcher's
        }
        found = [launcher, init];
        true
    });
    found
}

/// Whether children of its own have ended: then their page faults are counted, proc_pid_stat(5) "cminflt".
fn has_reaped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let behind_its_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    behind_its_name.split(' ').nth(8) != Some("0")
}

#[test]
fn each_is_used_for_one_call() {
    let mut server = Server::start(Era::Modern);
    let mut used = Vec::new();
    for _ in 0..4 {
        let reply = server.call("terminal_run", json!({"command": "ls ~; touch ~/left; ls ~"}));
        used.push(reply.section("stdout").unwrap().to_owned());
        waiting(&server);
    }
    assert!(used.iter().all(|lines| lines == "left"), "{used:?}"); // none finds what an earlier one left
    let [_, init] = waiting(&server);
    let reply = server.call("terminal_run", json!({"command": "sleep 60", "yield_ms": 0}));
    // It is the one that waited: nothing else runs a command.
    until("it runs the command", || children(init).len() == 1);
    server.call("terminal_close", json!({"session": reply.facts["session"]}));
}

#[test]
fn what_appeared_meanwhile_is_protected() {
    let mut server = Server::start(Era::Modern);
    server.call("terminal_run", json!({"command": "true"}));
    let [_, init] = waiting(&server);
    let hooks = server.workspace().join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    let reply = server.call("terminal_run", json!({"command": "echo hook > .git/hooks/pre-commit"}));
    assert_eq!(reply.facts["exit_code"], 1, "{}", reply.text);
    assert!(reply.text.contains("Read-only file system"), "{}", reply.text);
    until("the one that was built before is gone", || {
        !fs::exists(format!("/proc/{init}")).unwrap()
    });
    // The same path, and another directory.
    waiting(&server);
    fs::rename(&hooks, server.workspace().join("moved")).unwrap();
    fs::create_dir(&hooks).unwrap();
    let reply = server.call("terminal_run", json!({"command": "echo hook > .git/hooks/pre-commit"}));
    assert!(reply.text.contains("Read-only file system"), "{}", reply.text);
    assert!(!hooks.join("pre-commit").exists());
}

#[test]
fn one_that_was_lost_is_replaced() {
    let mut server = Server::start(Era::Modern);
    for lost in 0..2 {
        server.call("terminal_run", json!({"command": "true"}));
        let pid = waiting(&server)[lost];
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
        until("it is gone", || {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.is_empty() || status.contains(") Z")
        });
        let reply = server.call("terminal_run", json!({"command": "echo here"}));
        assert_eq!(reply.section("stdout"), Some("here"), "{}", reply.text);
    }
}
