//! Attacks on what the server keeps for itself, from a sandbox of the same user: the control socket and its secret, the
//! record and its key, the lockdown. Each succeeds without the sandbox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use crate::command::until;
use crate::harness::{Era, Server, fresh_directory, program};

/// Says a word for each thing that it can do.
const ATTACK: &str = r#"
import json, os, socket, struct, sys
state, sock, key, audit, config, session = sys.argv[1:]
def attempt(word, what):
    try:
        what()
        print(word)
    except Exception as error:
        print("-", type(error).__name__, error, file=sys.stderr)
def read(path):
    assert len(open(path, "rb").read()) > 0
def append():
    with open(audit, "ab") as file:
        file.write(b"")
def lock_down():
    open(os.path.join(state, "terrarium", "lockdown.attack"), "w").close()
def talk(secret):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sock)
    hello = json.dumps({"version": 2, "secret": secret}).encode()
    s.sendall(struct.pack("<I", len(hello)) + hello)
    size = s.recv(4)
    assert len(size) == 4
    assert b"welcome" in s.recv(65536)
attempt("read-key", lambda: read(key))
attempt("read-audit", lambda: read(audit))
attempt("read-audit-key", lambda: read(os.path.join(os.path.dirname(audit), "key")))
attempt("append-audit", append)
attempt("write-state", lock_down)
attempt("list-audit", lambda: os.listdir(os.path.dirname(audit)))
attempt("read-config", lambda: read(config))
attempt("read-session", lambda: read(f"/proc/{session}/environ"))
attempt("enter-session", lambda: os.listdir(f"/proc/{session}/cwd/"))
attempt("type-into-session", lambda: os.close(os.open(f"/proc/{session}/fd/0", os.O_RDWR)))
attempt("welcome", lambda: talk(open(key).read()))
attempt("welcome-without", lambda: talk("0" * 64))
print("ran")
"#;

/// What the attack can do where nothing stops it.
const ALL: [&str; 12] = [
    "read-key",
    "read-audit",
    "read-audit-key",
    "append-audit",
    "write-state",
    "list-audit",
    "read-config",
    "read-session",
    "enter-session",
    "type-into-session",
    "welcome",
    "ran",
];

fn only(directory: &Path, extension: &str) -> PathBuf {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths
        .into_iter()
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .unwrap()
}

/// Whether a server that ended took its socket and its secret away.
fn nothing_is_left(control: &Path) -> bool {
    let names = fs::read_dir(control).unwrap().map(|entry| entry.unwrap().path());
    let extension = |path: &PathBuf| path.extension().map(std::ffi::OsStr::to_owned);
    names
        .filter_map(|path| extension(&path))
        .all(|found| found != "sock" && found != "key")
}

/// The process with this command line, seen from outside.
fn pid_of(words: &[&str]) -> u32 {
    let wanted = format!("{}\0", words.join("\0"));
    let mut found = None;
    until("the process runs", || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        found = pids.find(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted.as_bytes()));
        found.is_some()
    });
    found.unwrap()
}

fn words(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the attack, without a sandbox around it")]
fn a_sandbox_of_the_same_user_reaches_nothing_that_the_server_keeps() {
    let state = fresh_directory();
    let config = state.join("terrarium.yaml");
    fs::write(&config, "server: {memory: 64MiB}\n").unwrap();
    fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let environment: [(&str, &Path); 3] = [
        ("XDG_STATE_HOME", &state),
        ("XDG_RUNTIME_DIR", &state),
        ("TERRARIUM_CONFIG", &config),
    ];
    let mut server = Server::start_in(Era::Modern, &[], &environment);
    // The session of another caller: a program that nobody else has, so that it can be found.
    let seconds = format!("{}", 70_000_000 + std::process::id());
    let opened = server.call("terminal_open", serde_json::json!({"argv": ["sleep", &seconds]}));
    assert!(!opened.is_error, "{}", opened.text);
    let session = pid_of(&["sleep", &seconds]);
    let control = state.join("terrarium");
    let audit = state.join("terrarium/audit");
    let arguments = [
        state.clone(),
        only(&control, "sock"),
        only(&control, "key"),
        only(&audit, "jsonl"),
        config.clone(),
        session.to_string().into(),
    ];
    let mut free = std::process::Command::new("python3");
    let output = free.args(["-c", ATTACK]).args(&arguments).output().unwrap();
    assert_eq!(words(&output), ALL, "{output:?}");
    let combinations: [&[&str]; 8] = [
        &[],
        &["landlock"],
        &["mount"],
        &["user"],
        &["pid"],
        &["network"],
        &["mount", "proc"],
        &["landlock", "network"],
    ];
    for lacking in combinations {
        let workspace = fresh_directory();
        let mut command = program();
        command.arg("run").arg("--workspace").arg(&workspace);
        for feature in lacking {
            command.args(["--pretend", feature]);
        }
        command.args(["--", "python3", "-c", ATTACK]).args(&arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // Below the floor nothing runs at all, which is as good.
        let refused = output.status.code() == Some(125) && said.contains("hint: ");
        assert!(refused || words(&output) == ["ran"], "without {lacking:?}: {output:?}");
        if !refused && lacking.is_empty() {
            assert_eq!(words(&output), ["ran"]);
        }
        fs::remove_dir_all(&workspace).unwrap();
    }
    assert!(!server.call("terminal_list", serde_json::json!({})).is_error);
    server.end_input();
    server.ended();
    assert!(nothing_is_left(&control));
    fs::remove_dir_all(&state).unwrap();
}

#[test]
fn a_lockdown_holds_for_every_server_and_over_restarts_until_it_is_lifted() {
    let state = fresh_directory();
    let environment: [(&str, &Path); 1] = [("XDG_STATE_HOME", &state)];
    let lockdown = |arguments: &[&str]| {
        let mut command = program();
        command.arg("lockdown").args(arguments).env("XDG_STATE_HOME", &state);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let mut before = Server::start_in(Era::Modern, &[], &environment);
    assert!(
        !before
            .call("terminal_run", serde_json::json!({"command": "true"}))
            .is_error
    );
    assert!(lockdown(&["on", "--reason", "a test"]).status.success());
    let mut after = Server::start_in(Era::Legacy, &[], &environment);
    for server in [&mut before, &mut after] {
        let reply = server.call("terminal_run", serde_json::json!({"command": "echo ran > ran"}));
        reply.refused("locked this down (\"a test\")");
        assert!(!server.workspace().join("ran").exists());
        assert!(!server.call("terminal_list", serde_json::json!({})).is_error);
    }
    // A second one does not take the place of the first.
    let second = lockdown(&["on", "--reason", "another"]);
    let said = String::from_utf8_lossy(&second.stdout);
    assert!(
        second.status.success() && said.starts_with("locked already since ") && said.contains(": \"a test\""),
        "{said}"
    );
    let status = lockdown(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&status.stdout).contains("a test"));
    assert!(lockdown(&["off"]).status.success());
    assert!(
        !before
            .call("terminal_run", serde_json::json!({"command": "true"}))
            .is_error
    );
    assert_eq!(lockdown(&["status"]).status.code(), Some(0));
    drop((before, after));
    fs::remove_dir_all(&state).unwrap();
}

/// A policy that cannot be read, or a file that is none, must not stand between the operator and a lockdown.
#[test]
fn a_lockdown_begins_and_ends_whatever_the_configuration_says() {
    for (text, place) in [
        (
            "audit: {path: record}\npolicy: {rules: [{id: a, effect: perhaps}]}\nnonsense: 1\n",
            "record",
        ),
        ("audit: {path: record\n  - :", "terrarium/audit"),
    ] {
        let state = fresh_directory();
        let config = state.join("terrarium.yaml");
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let run = |arguments: &[&str]| {
            let mut command = program();
            command
                .args(arguments)
                .env("XDG_STATE_HOME", &state)
                .env("TERRARIUM_CONFIG", &config);
            command.stdin(Stdio::null()).output().unwrap()
        };
        for (arguments, on) in [(&["lockdown", "on"][..], true), (&["lockdown", "off"], false)] {
            let output = run(arguments);
            assert!(output.status.success(), "{output:?}");
            assert_eq!(state.join("terrarium/lockdown").exists(), on);
            let said = String::from_utf8_lossy(&output.stderr);
            let elsewhere = said.contains("this is recorded in $XDG_STATE_HOME/terrarium/audit");
            assert_eq!(elsewhere, place != "record", "{said}");
        }
        let directory = state.join(place);
        let exported = run(&["audit", "--path", directory.to_str().unwrap(), "export", "--json"]);
        let record = String::from_utf8(exported.stdout).unwrap();
        assert!(
            record.contains("\"locked\"") && record.contains("\"unlocked\""),
            "{record}"
        );
        fs::remove_dir_all(&state).unwrap();
    }
}

/// A secret that the server is given.
const CANARY: &str = "canary_0123456789abcdefCANARY";

/// Calls whose errors repeat what the caller wrote.
fn echoes() -> [(&'static str, serde_json::Value); 7] {
    [
        (CANARY, serde_json::json!({})),
        ("terminal_run", serde_json::json!({"command": "true", CANARY: 1})),
        (
            "terminal_run",
            serde_json::json!({"command": "true", "profile": CANARY}),
        ),
        ("terminal_run", serde_json::json!({"command": "true", "cwd": CANARY})),
        ("terminal_read", serde_json::json!({"session": CANARY})),
        ("hf_users_read", serde_json::json!({CANARY: CANARY})),
        ("hf_me", serde_json::json!({})),
    ]
}

/// Whoever sends a secret that the server holds, to see where it comes out again, finds it nowhere: not in answers, not in the
/// log of everything, not in the record.
#[test]
fn a_secret_that_the_server_holds_comes_out_nowhere() {
    let state = fresh_directory();
    let (config, log) = (state.join("terrarium.yaml"), state.join("log"));
    let rule = "{id: all, effect: allow, callers: [local], tools: [\"*\"], profiles: [default]}";
    let text = format!(
        "hf: {{profile: reader, api_base: \"http://127.0.0.1:9\"}}\npolicy:\n  revision: \"1\"\n  rules: [{rule}]\n"
    );
    fs::write(&config, text.replace("\"*\"", "\"terminal_*\", \"hf_*\"")).unwrap();
    let environment: [(&str, &Path); 4] = [
        ("XDG_STATE_HOME", &state),
        ("TERRARIUM_CONFIG", &config),
        ("TERRARIUM_LOG", Path::new("trace")),
        ("TERRARIUM_HF_TOKEN", Path::new(CANARY)),
    ];
    let mut server = Server::start_below(&format!("exec 2>{}", log.display()), &environment);
    let mut said = String::new();
    for (tool, arguments) in echoes() {
        let params = serde_json::json!({"name": tool, "arguments": arguments});
        said.push_str(&server.request("tools/call", params).to_string());
    }
    said.push_str(&server.request(CANARY, serde_json::json!({})).to_string());
    let uri = format!("terrarium://sessions/{CANARY}/screen");
    said.push_str(
        &server
            .request("resources/read", serde_json::json!({"uri": uri}))
            .to_string(),
    );
    server.end_input();
    server.ended();
    assert!(
        said.matches("[redacted]").count() >= 4 && !said.contains(CANARY),
        "{said}"
    );
    let logged = fs::read_to_string(&log).unwrap();
    let (found, line) = (
        logged.matches("[redacted]").count(),
        logged.lines().find(|line| line.contains(CANARY)),
    );
    assert!(found >= 8 && line.is_none(), "{found} {line:?}");
    let mut output = program();
    output.args(["audit", "export", "--json"]).envs(environment);
    let record = String::from_utf8(output.output().unwrap().stdout).unwrap();
    assert!(
        record.contains("\"tool\":\"[redacted]\"") && !record.contains(CANARY),
        "{record}"
    );
    for file in fs::read_dir(state.join("terrarium/audit")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY));
    }
    fs::remove_dir_all(&state).unwrap();
}

/// What a command wrote there would be a caller's token, or the policy of a server that starts later or reads it anew.
#[test]
fn no_workspace_holds_what_a_server_would_believe_also_if_it_is_not_there_yet() {
    let (workspace, elsewhere) = (fresh_directory(), fresh_directory());
    std::os::unix::fs::symlink(&workspace, elsewhere.join("link")).unwrap();
    let http = ["--http", "127.0.0.1:0", "--tokens"];
    let tokens = workspace.join("deeper/tokens.json");
    let by_link = elsewhere.join("link/tokens.json");
    let table: [(&Path, &[&str]); 4] = [
        (&workspace.join("conf"), &["serve"]),
        (&elsewhere.join("link/conf"), &["run"]),
        (
            &elsewhere,
            &[&["serve"][..], &http, &[tokens.to_str().unwrap()]].concat(),
        ),
        (
            &elsewhere,
            &[&["serve"][..], &http, &[by_link.to_str().unwrap()]].concat(),
        ),
    ];
    for (config, arguments) in table {
        let mut command = program();
        command.args(arguments).arg("--workspace").arg(&workspace);
        if arguments == ["run"] {
            command.args(["--", "true"]);
        }
        let output = command
            .env("XDG_CONFIG_HOME", config)
            .env_remove("TERRARIUM_CONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {error}");
        assert!(error.contains("contains"), "{arguments:?}: {error}");
    }
    fs::remove_dir_all(&workspace).unwrap();
    fs::remove_dir_all(&elsewhere).unwrap();
}
