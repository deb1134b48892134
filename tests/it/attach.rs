//! The operator looks at what runs, through the real server and a terminal of their own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::command::{until, with_state};
use crate::harness::{Era, Reply, Server, fresh_directory};
use crate::tty::{Tty, set_passphrase};

/// A place for state, and what is started there.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        Self(fresh_directory())
    }

    fn server(&self) -> Server {
        Server::start_in(Era::Modern, &[], &self.environment())
    }

    fn environment(&self) -> [(&str, &std::path::Path); 2] {
        [("XDG_STATE_HOME", &self.0), ("XDG_RUNTIME_DIR", &self.0)]
    }

    fn terrarium(&self, arguments: &[&str]) -> Command {
        with_state(&self.0, arguments)
    }

    fn attach(&self, arguments: &[&str]) -> Tty {
        Tty::start(&self.terrarium(&[&["attach"], arguments].concat()))
    }

    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.terrarium(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // what is left is in target/tmp
    }
}

fn open(server: &mut Server, arguments: Value) -> String {
    let reply = server.call("terminal_open", arguments);
    assert!(!reply.is_error, "{}", reply.text);
    reply.facts["session"].as_str().unwrap().to_owned()
}

fn exec(server: &mut Server, session: &str, command: &str) -> Reply {
    server.call("terminal_exec", json!({"session": session, "command": command}))
}

/// A shell of 80 columns and 24 rows.
fn shell(server: &mut Server) -> String {
    open(server, json!({"shell": "bash", "cols": 80, "rows": 24}))
}

#[test]
fn the_sessions_of_all_servers_are_listed_with_whose_they_are() {
    let place = Place::new();
    let (mut one, mut two) = (place.server(), place.server());
    let first = shell(&mut one);
    let second = open(&mut two, json!({"argv": ["sleep", "600"]}));
    two.call("terminal_run", json!({"argv": ["sh", "-c", "exit 7"]}));
    let listed = place.lines(&["sessions", "--json"]);
    let of = |pid: u32, session: &str| {
        let same = |line: &&Value| line["server"]["pid"] == pid && line["session"]["session"] == *session;
        listed.iter().find(same).unwrap()["session"].clone()
    };
    assert_eq!(of(one.pid(), &first)["size"], json!([80, 24]));
    assert_eq!(of(two.pid(), &second)["program"], "sleep");
    let text = String::from_utf8(place.terrarium(&["sessions"]).output().unwrap().stdout).unwrap();
    assert!(text.contains(&first[..8]) && text.contains("\"sleep 600\""), "{text}");
    assert!(text.contains(&format!("[server {} in ", two.pid())), "{text}");
    // Both have an s1.
    let (status, shown) = place.attach(&["s1"]).end();
    assert_eq!(status, Some(125), "{shown}");
    assert!(shown.contains("2 sessions are called \"s1\""), "{shown}");
    let (status, shown) = place.attach(&["nosuch"]).end();
    assert!(status == Some(125) && shown.contains("terrarium sessions"), "{shown}");
}

#[test]
fn several_watch_one_session_as_it_is_and_type_nothing() {
    let place = Place::new();
    let mut server = place.server();
    let session = shell(&mut server);
    exec(
        &mut server,
        &session,
        "printf 'before\\n\\033[31mred\\033[m \\033]0;title\\007\\033]52;c;QQ==\\007'",
    );
    let mut watchers: Vec<Tty> = (0..3).map(|_| place.attach(&[&session[..8]])).collect();
    for watcher in &mut watchers {
        watcher.wait_for(r"C-\ detaches; watching");
        watcher.wait_for("before");
        watcher.wait_for("31mred");
        watcher.write(b"echo typed-by-a-watcher\r\x03");
    }
    exec(&mut server, &session, "echo af''ter");
    for watcher in &mut watchers {
        watcher.wait_for("after");
    }
    // A watcher that is smaller sees the part with the cursor.
    watchers[0].resize(40, 10);
    exec(&mut server, &session, "seq 1000 1050; echo the e''nd");
    watchers[0].wait_for("the end");
    let screen = server.call("terminal_snapshot", json!({"session": session})).text;
    assert!(screen.contains("screen 80x24"), "{screen}");
    for mut watcher in watchers {
        watcher.write(b"\x1c");
        let (status, shown) = watcher.end();
        assert_eq!(status, Some(0), "{shown}");
        assert!(shown.ends_with("detached; the session goes on\r\n"), "{shown:?}");
        assert!(!shown.contains("\x1b]"), "{shown:?}");
    }
    let all = server.call("terminal_read", json!({"session": session})).text;
    assert!(!all.contains("typed-by-a-watcher"), "{all}");
    let record = place.lines(&["audit", "export", "--json"]);
    assert!(!record.iter().any(|line| line["event"] == "attached"));
}

#[test]
fn whoever_types_is_on_record_and_the_terminal_has_their_size() {
    let place = Place::new();
    let mut server = place.server();
    let session = shell(&mut server);
    let mut writer = place.attach(&["--write", "--detach-key", "C-]", &session]);
    writer.wait_for("TYPING INTO");
    // The last row is ours.
    until("the size of the writer", || {
        place.lines(&["sessions", "--json"])[0]["session"]["size"] == json!([90, 29])
    });
    writer.resize(100, 40);
    until("its other size", || {
        place.lines(&["sessions", "--json"])[0]["session"]["size"] == json!([100, 39])
    });
    let line = "stty size; echo typed $((20+22)); stty -isig -icanon; echo no''w; head -c 1 | od -An -tx1\r";
    writer.write(line.as_bytes());
    for text in ["typed 42", "39 100", "now"] {
        writer.wait_for(text);
    }
    // With another key that detaches, this one is typed.
    writer.write(b"\x1c");
    writer.wait_for("1c");
    writer.write(b"\x1d");
    let (status, shown) = writer.end();
    assert_eq!(status, Some(0), "{shown}");
    until("the end is on record", || {
        place
            .lines(&["audit", "export", "--json"])
            .iter()
            .any(|line| line["event"] == "detached")
    });
    let record = place.lines(&["audit", "export", "--json"]);
    let attached = record.iter().find(|line| line["event"] == "attached").unwrap();
    assert_eq!(attached["session"], session.as_str());
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(attached["by"], format!("operator:{uid}"));
    assert_eq!(attached["caller"], format!("local:{uid}"));
    let detached = record.iter().find(|line| line["event"] == "detached").unwrap();
    assert_eq!(detached["why"], format!("{} bytes typed", line.len() + 1));
    assert!(!record.iter().any(|line| line.to_string().contains("echo typed")));
    let screen = server.call("terminal_snapshot", json!({"session": session})).text;
    assert!(screen.contains("screen 80x24"), "{screen}");
}

#[test]
fn the_end_of_a_session_ends_watching_and_what_has_no_terminal_is_watched_too() {
    let place = Place::new();
    let mut server = place.server();
    let session = shell(&mut server);
    let mut watcher = place.attach(&[&session]);
    watcher.wait_for("running");
    exec(&mut server, &session, "echo l''ast; exit 5");
    let (status, shown) = watcher.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("last") && shown.ends_with("exit 5\r\n"), "{shown:?}");

    let line = "printf 'one\\ntwo\\n'; echo wrong >&2; sleep 600";
    let run = server.call("terminal_run", json!({"command": line, "yield_ms": 0}));
    let session = run.facts["session"].as_str().unwrap().to_owned();
    let mut watcher = place.attach(&[&session]);
    for text in ["one", "two", "wrong"] {
        watcher.wait_for(text);
    }
    let (status, shown) = place.attach(&["--write", &session]).end();
    assert!(status == Some(125) && shown.contains("it has no terminal"), "{shown}");
    server.call("terminal_close", json!({"session": session}));
    assert_eq!(watcher.end().0, Some(0));

    // Whoever watches does not keep the server, and is told when it goes.
    let session = shell(&mut server);
    let mut watcher = place.attach(&[&session]);
    watcher.wait_for("running");
    server.end_input();
    server.ended();
    let (_, shown) = watcher.end();
    assert!(
        shown.contains("the server is gone") || shown.contains("signal") || shown.contains("ended"),
        "{shown:?}"
    );
    let output = place.terrarium(&["attach", "s1"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("on a terminal only"), "{error}");
}

#[test]
fn a_flood_reaches_a_watcher_as_pictures_and_a_stopped_watcher_holds_nobody_up() {
    let place = Place::new();
    let mut server = place.server();
    let session = shell(&mut server);
    let mut watcher = place.attach(&[&session]);
    watcher.wait_for("running");
    // Nobody reads its terminal from here on.
    let reply = exec(&mut server, &session, "seq 1 300000");
    assert_eq!(reply.facts["exit_code"], 0, "{}", reply.text);
    watcher.wait_for("300000");
    watcher.write(b"\x1c");
    let (status, shown) = watcher.end();
    assert_eq!(status, Some(0));
    assert!(shown.len() < 300_000, "{} bytes for 2 MB", shown.len());
}

#[test]
fn the_socket_of_a_server_that_was_killed_is_cleaned_away_and_no_others() {
    let place = Place::new();
    let files = || {
        let names = fs::read_dir(place.0.join("terrarium")).unwrap();
        let paths = names.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|found| found == "key" || found == "sock"))
            .count()
    };
    let mut killed = place.server();
    let mut lives = place.server();
    let session = shell(&mut lives);
    shell(&mut killed);
    assert_eq!(files(), 4);
    killed.kill();
    assert_eq!(files(), 4);
    let cleaned = place.terrarium(&["doctor", "--clean"]).output().unwrap();
    assert!(cleaned.status.success(), "{cleaned:?}");
    assert_eq!(files(), 2);
    assert_eq!(
        place.lines(&["sessions", "--json"])[0]["session"]["session"],
        session.as_str()
    );
}

#[test]
fn an_operator_too_many_is_told_so() {
    let place = Place::new();
    let mut server = place.server();
    shell(&mut server);
    let watch = || {
        let mut command = place.terrarium(&["approvals", "watch"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut watching: Vec<_> = (0..32).map(|_| watch()).collect();
    let mut said = String::new();
    until("all watch", || {
        let output = place.terrarium(&["sessions"]).output().unwrap();
        said = String::from_utf8(output.stderr).unwrap();
        !output.status.success()
    });
    assert!(
        said.contains("32 operators' programs are connected to this server already; hint: end one"),
        "{said}"
    );
    for one in &mut watching {
        one.kill().unwrap();
        one.wait().unwrap();
    }
}

#[test]
fn typing_needs_the_passphrase_and_watching_does_not() {
    let place = Place::new();
    set_passphrase(&place.terrarium(&["passphrase", "set"]), "correct horse");
    let mut server = place.server();
    let session = shell(&mut server);
    let mut wrong = place.attach(&["--write", &session]);
    wrong.type_secret("Operator's passphrase: ", "wrong horse");
    let (status, shown) = wrong.end();
    assert!(
        status == Some(125) && shown.contains("the passphrase is another"),
        "{shown}"
    );
    let mut right = place.attach(&["--write", &session]);
    right.type_secret("Operator's passphrase: ", "correct horse");
    right.write(b"echo typed $((20+22))\r");
    right.wait_for("typed 42");
    right.write(b"\x1c");
    assert_eq!(right.end().0, Some(0));
    let mut watcher = place.attach(&[&session]);
    watcher.wait_for("typed 42");
    watcher.write(b"\x1c");
    assert_eq!(watcher.end().0, Some(0));
}
