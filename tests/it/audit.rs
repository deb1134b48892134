//! The record, through the real program: kept before every act, complete after every end, and in nobody's way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::command::until;
use crate::harness::{Era, Server, fresh_directory, not_tested, program};

/// A place for state that goes with it.
struct State(PathBuf);

impl State {
    fn new() -> Self {
        Self(fresh_directory())
    }

    fn audit(&self) -> PathBuf {
        self.0.join("terrarium/audit")
    }

    fn server(&self) -> Server {
        Server::start_in(Era::Modern, &[], &[("XDG_STATE_HOME", &self.0)])
    }

    fn terrarium(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        command.args(arguments).env("XDG_STATE_HOME", &self.0);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What `terrarium audit verify` says.
    fn verified(&self) -> Value {
        let output = self.terrarium(&["audit", "verify", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    fn lines(&self) -> Vec<Value> {
        let output = self.terrarium(&["audit", "export", "--json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // some are mounts, which their tests take away
    }
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn every_call_is_on_record_with_who_what_and_how_it_ended_and_no_argument() {
    let state = State::new();
    let mut server = state.server();
    assert!(
        !server
            .call("terminal_run", json!({"command": "exit 7 # a-word-of-mine"}))
            .is_error
    );
    assert!(
        server
            .call("terminal_run", json!({"command": "true", "profile": "network"}))
            .is_error
    );
    assert!(server.call("terminal_run", json!({"comand": "true"})).is_error);
    server.end_input();
    server.ended();
    let lines = state.lines();
    let expected = [
        "opened", "asked", "allowed", "done", "asked", "denied", "asked", "refused", "ended",
    ];
    assert_eq!(events(&lines), expected);
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(lines[1]["caller"], format!("local:{uid}"));
    assert_eq!(
        (&lines[2]["rule"], &lines[2]["profile"]),
        (&json!("terminals"), &json!("default"))
    );
    assert_eq!(
        (&lines[3]["outcome"], &lines[3]["exit_code"]),
        (&json!("done"), &json!(7))
    );
    assert_eq!(
        (&lines[5]["rule"], &lines[5]["profile"]),
        (&json!("terminals"), &json!("network"))
    );
    assert_eq!(lines[7]["why"], "arguments");
    let text = serde_json::to_string(&lines).unwrap();
    assert!(!text.contains("a-word-of-mine"), "{text}");
    let call = lines[1]["call"].as_str().unwrap();
    let shown = state.terminal_text(&["audit", "show", call]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.contains("outcome=\"done\" exit=\"7\""), "{shown}");
    assert_eq!(state.verified()["intact"], true);
}

impl State {
    fn terminal_text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.terrarium(arguments).stdout).unwrap()
    }
}

#[test]
fn run_and_call_are_on_record_as_their_callers() {
    let state = State::new();
    let workspace = fresh_directory();
    let place = workspace.to_str().unwrap();
    state.terrarium(&["run", "--workspace", place, "--", "false"]);
    state.terrarium(&["call", "--workspace", place, "terminal_list"]);
    let uid = rustix::process::geteuid().as_raw();
    let lines = state.lines();
    let of = |who: &str| -> Vec<&Value> {
        lines
            .iter()
            .filter(|line| line["caller"] == format!("{who}:{uid}"))
            .collect()
    };
    let (run, call) = (of("operator"), of("local"));
    assert_eq!((run.len(), &run[2]["exit_code"]), (3, &json!(1)), "{run:?}");
    assert_eq!((call.len(), &call[2]["tool"]), (3, &json!("terminal_list")), "{call:?}");
    // One went on where the other had stopped.
    assert_eq!(fs::read_dir(state.audit()).unwrap().count(), 2, "one file, and the key");
    fs::remove_dir_all(workspace).unwrap();
}

#[test]
fn an_edited_line_is_found_by_its_place() {
    let state = State::new();
    let mut server = state.server();
    server.call("terminal_list", json!({}));
    server.end_input();
    server.ended();
    let file = audit_files(&state.audit()).pop().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("terminal_list", "terminal_lost", 1)).unwrap();
    let output = state.terrarium(&["audit", "verify"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the line was changed: its hash is another"), "{said}");
    assert!(said.contains("NOT intact: ") && said.contains(" in 1 file\n"), "{said}");
}

/// The server does one call after the other and is killed somewhere among them: its files stay whole.
#[test]
fn a_server_that_is_killed_anywhere_leaves_a_record_that_verifies() {
    const KILLS: usize = 200;
    let state = State::new();
    let mut executed = 0;
    for kill in 0..KILLS {
        let mut server = state.server();
        server.call("terminal_list", json!({}));
        // A flood of calls, so that the server writes records all the time; then the end, at another point each time.
        for _ in 0..(kill % 20) {
            server.send_call("terminal_list", json!({}));
        }
        for _ in 0..(kill * 37 % 1500) {
            std::hint::spin_loop();
        }
        server.kill();
        executed += server.answers();
    }
    let report = state.verified();
    assert_eq!(report["wrong"], json!([]), "{report}");
    let lines = state.lines();
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    // Whatever was answered was asked, allowed and done before.
    assert!(
        count("done") >= executed + KILLS,
        "{} of {executed} answers",
        count("done")
    );
    assert!(count("asked") >= count("allowed") && count("allowed") >= count("done"));
    assert_eq!(count("opened"), KILLS);
}

#[test]
fn a_full_disk_refuses_calls_until_there_is_room() {
    if !rustix::process::geteuid().is_root() {
        not_tested("only root can mount a small file system");
        return;
    }
    let state = State::new();
    fs::create_dir_all(state.0.join("terrarium")).unwrap();
    let mount = Mount::small(&state.0.join("terrarium"));
    let mut server = state.server();
    assert!(!server.call("terminal_list", json!({})).is_error);
    mount.fill();
    // The last page of the file has room for a few lines.
    let refused = std::iter::repeat_with(|| server.call("terminal_list", json!({})))
        .take(40)
        .find(|reply| reply.is_error)
        .unwrap();
    assert!(
        refused.text.contains("hint: free space on its file system"),
        "{}",
        refused.text
    );
    let refused = server.call("terminal_run", json!({"command": "echo ran > ran"}));
    assert!(refused.is_error && !server.workspace().join("ran").exists());
    assert_eq!(state.verified()["wrong"], json!([]));
    mount.free();
    assert!(!server.call("terminal_list", json!({})).is_error);
    server.end_input();
    server.ended();
    assert_eq!(
        (&state.verified()["wrong"], &state.verified()["torn"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn what_was_done_stays_done_when_its_closing_record_fails() {
    let state = State::new();
    let mut server = state.server();
    let workspace = server.workspace().to_owned();
    let line = "echo up > up; until [ -e go ]; do read -t 0.01 < <(:); done; echo it was done";
    let call = server.send_call("terminal_run", json!({"command": line, "yield_ms": 50_000}));
    until("it runs", || workspace.join("up").exists());
    // From now on the server's files cannot grow.
    let file = audit_files(&state.audit()).pop().unwrap();
    let size = fs::metadata(&file).unwrap().len();
    let limit = |pid: u32, current| {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        let limit = rustix::process::Rlimit { current, maximum: None };
        rustix::process::prlimit(pid, rustix::process::Resource::Fsize, limit).unwrap();
    };
    limit(server.pid(), Some(size));
    fs::write(workspace.join("go"), "").unwrap();
    let reply = server.reply(call);
    assert!(!reply.is_error && reply.text.contains("it was done"), "{}", reply.text);
    let warning = "warning: this was done, but its closing record was not written";
    assert!(reply.text.contains(warning), "{}", reply.text);
    let refused = server.call("terminal_run", json!({"command": "echo ran > ran"}));
    let hint = "raise the limit on file sizes (ulimit -f)";
    assert!(refused.is_error && refused.text.contains(hint), "{}", refused.text);
    assert!(!workspace.join("ran").exists());
    limit(server.pid(), None);
    assert!(!server.call("terminal_list", json!({})).is_error);
    let lines = state.lines();
    let late: Vec<&Value> = lines.iter().filter(|line| line["late"] == true).collect();
    assert_eq!(late.len(), 1, "{late:?}");
    assert_eq!((&late[0]["event"], &late[0]["exit_code"]), (&json!("done"), &json!(0)));
    assert_eq!(state.verified()["wrong"], json!([]));
}

#[test]
fn at_the_limit_on_file_sizes_calls_are_refused_and_the_server_lives() {
    let state = State::new();
    // 8 blocks of 1024 bytes: a few calls.
    let mut server = Server::start_below("ulimit -f 8", &[("XDG_STATE_HOME", &state.0)]);
    let mut refused = None;
    for _ in 0..40 {
        let reply = server.call("terminal_list", json!({}));
        if reply.is_error {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(
        refused.text.contains("raise the limit on file sizes (ulimit -f)"),
        "{}",
        refused.text
    );
    assert!(server.call("terminal_list", json!({})).is_error);
    let file = audit_files(&state.audit()).pop().unwrap();
    assert!(
        fs::read_to_string(&file).unwrap().ends_with("\"}\n"),
        "a part of a line was left"
    );
    assert_eq!(state.verified()["wrong"], json!([]));
    // With the file out of the way it goes on in another.
    fs::rename(&file, state.0.join("aside")).unwrap();
    assert!(server.call("terminal_list", json!({})).is_error);
    assert!(!server.call("terminal_list", json!({})).is_error);
}

#[test]
fn without_its_directory_calls_are_refused_until_it_is_back() {
    use std::os::unix::fs::DirBuilderExt as _;
    let state = State::new();
    let mut server = state.server();
    assert!(!server.call("terminal_list", json!({})).is_error);
    fs::remove_dir_all(state.audit()).unwrap();
    for _ in 0..2 {
        let reply = server.call("terminal_run", json!({"command": "echo ran > ran"}));
        reply.refused("put the directory back");
    }
    assert!(!server.workspace().join("ran").exists());
    fs::DirBuilder::new().mode(0o700).create(state.audit()).unwrap();
    assert!(!server.call("terminal_list", json!({})).is_error);
}

#[test]
fn no_workspace_holds_the_record() {
    let state = State::new();
    let workspace = state.0.join("terrarium");
    fs::create_dir_all(workspace.join("audit")).unwrap();
    for place in [&workspace, &state.0] {
        let output = state.terrarium(&["run", "--workspace", place.to_str().unwrap(), "--", "true"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains("cannot be the workspace"), "{said}");
    }
}

fn audit_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == "jsonl"))
        .collect()
}

/// A file system of a megabyte, until it is dropped.
struct Mount(PathBuf);

impl Mount {
    fn small(path: &Path) -> Self {
        let options = Some(c"size=1m,mode=700");
        rustix::mount::mount("none", path, "tmpfs", rustix::mount::MountFlags::empty(), options).unwrap();
        Self(path.to_owned())
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("fill")).unwrap();
        std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
    }

    fn free(&self) {
        fs::remove_file(self.0.join("fill")).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).ok(); // the test says what failed
    }
}

#[test]
fn what_stands_for_no_call_is_on_record_and_counted_too() {
    let state = State::new();
    let mut server = state.server();
    server.call("terminal_list", json!({})); // which opens the record
    for (method, params) in [
        (
            "resources/read",
            json!({"uri": "terrarium://sessions/00000000000000000000000000000000/screen"}),
        ),
        ("resources/read", json!({"uri": 5})),
        ("tools/call", json!({"name": "terminal_run", "arguments": 5})),
    ] {
        let before = state.lines().len();
        let answer = server.request(method, params);
        assert!(answer["error"].is_object(), "{method}: {answer}");
        let lines = state.lines();
        assert_eq!(events(&lines[before..]), ["asked", "refused"], "{method}");
    }
    let answer = server.request(&"x".repeat(100_000), json!({}));
    assert!(answer.to_string().len() < 1000);
    // As many a minute as any caller may send.
    let tried = (0..700).map(|_| {
        server
            .request("resources/read", json!({"uri": "file:///etc/passwd"}))
            .to_string()
    });
    assert!(tried.filter(|answer| answer.contains("came to nothing")).count() > 0);
    let alerts = state.lines().into_iter().filter(|line| line["event"] == "alert");
    assert!(alerts.count() > 0);
}
