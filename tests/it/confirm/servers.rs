//! Several servers of one operator: each has its own questions, and one that does not work hides no other.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::confirm::{LINE, Place, id, runs};
use crate::harness::Era;
use crate::processes::signal;

#[test]
fn another_server_knows_nothing_of_a_question() {
    let place = Place::new("operator", "5min");
    let (mut one, mut two) = (place.server(Era::Modern), place.server(Era::Modern));
    let (first, second) = (
        one.send_call("terminal_run", json!({"command": LINE})),
        two.send_call("terminal_run", json!({"command": LINE})),
    );
    let questions = place.questions(2);
    assert_ne!(questions[0]["server"]["instance"], questions[1]["server"]["instance"]);
    let of_one = questions.iter().find(|q| q["server"]["pid"] == one.pid()).unwrap();
    place.approvals(&["approve", id(of_one)]);
    assert!(!one.reply(first).is_error);
    assert_eq!((runs(one.workspace()), runs(two.workspace())), (1, 0));
    assert_eq!(place.questions(1).len(), 1);
    two.notify("notifications/cancelled", json!({"requestId": second}));
}

#[test]
fn a_list_of_nothing_says_so_and_where_there_is_no_server_what_to_do() {
    let place = Place::new("operator", "5min");
    let mut servers = [place.server(Era::Modern), place.server(Era::Modern)];
    for server in &mut servers {
        server.request("tools/list", json!({})); // it is up
    }
    for (list, nothing) in [
        (&["sessions"][..], "no sessions in 2 servers of yours\n"),
        (&["approvals", "list"], "no questions in 2 servers of yours\n"),
        (&["sessions", "--json"], ""),
        (&["approvals", "list", "--json"], ""),
    ] {
        let output = place.terrarium(list).output().unwrap();
        let (out, said) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && out.is_empty(), "{list:?}: {said}");
        assert_eq!(said, nothing, "{list:?}");
    }
    drop(servers);
    let said = place.terrarium(&["sessions"]).output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("hint: a client starts one, or terrarium serve"), "{said}");
}

#[test]
fn a_server_that_is_stopped_keeps_nobody_from_the_others() {
    struct Stopped(u32);
    impl Drop for Stopped {
        fn drop(&mut self) {
            signal(self.0, "CONT");
        }
    }
    let place = Place::new("operator", "5min");
    let (mut one, two) = (place.server(Era::Modern), place.server(Era::Modern));
    let call = one.send_call("terminal_run", json!({"command": LINE}));
    place.questions(1);
    let stopped = Stopped(two.pid());
    signal(two.pid(), "STOP");
    let list = place.approvals(&["list", "--json"]);
    let said = String::from_utf8_lossy(&list.stderr).into_owned();
    assert!(said.contains("does not answer within 2 s"), "{said}");
    assert!(place.approve().status.success());
    assert!(!one.reply(call).is_error);
    let sessions = place.terrarium(&["sessions"]).output().unwrap();
    assert!(sessions.status.success(), "{sessions:?}");
    drop(stopped);
}

#[test]
fn a_server_that_breaks_off_keeps_the_operator_from_no_other() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    let question = place.questions(1).remove(0);
    // Another one, first by name, which welcomes whoever comes and is gone: what it says is the real one's.
    let sockets = place.state.join("terrarium");
    let mut ours = fs::read_dir(&sockets).unwrap().map(|entry| entry.unwrap().path());
    let real = ours
        .find(|path| path.extension().is_some_and(|it| it == "key"))
        .unwrap();
    let (key, socket) = (sockets.join("0.key"), sockets.join("0.sock"));
    fs::copy(&real, &key).unwrap();
    let held = fs::File::open(&key).unwrap();
    held.lock().unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (
                client.unwrap(),
                UnixStream::connect(real.with_extension("sock")).unwrap(),
            );
            pass_on(&mut client, &mut server);
            pass_on(&mut server, &mut client);
        }
    });
    let list = place.approvals(&["list"]);
    let said = String::from_utf8_lossy(&list.stdout).into_owned() + &String::from_utf8_lossy(&list.stderr);
    assert!(list.status.success() && said.contains(id(&question)), "{said}");
    assert!(said.contains("cannot talk with the server"), "{said}");
    let approved = place.approvals(&["approve", id(&question)]);
    assert!(approved.status.success(), "{approved:?}");
    assert!(!server.reply(call).is_error);
}

/// One message: its length and so many bytes.
fn pass_on(from: &mut UnixStream, to: &mut UnixStream) {
    let mut length = [0; 4];
    from.read_exact(&mut length).unwrap();
    let mut message = vec![0; u32::from_le_bytes(length).try_into().unwrap()];
    from.read_exact(&mut message).unwrap();
    to.write_all(&length).unwrap();
    to.write_all(&message).unwrap();
}

#[test]
fn whoever_watches_is_shown_each_question_when_it_comes_of_servers_that_start_later_too() {
    let place = Place::new("operator", "5min");
    let mut command = place.terrarium(&["approvals", "watch", "--json"]);
    let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for command in ["echo one", "echo two"] {
        let mut server = place.server(Era::Modern);
        let call = server.send_call("terminal_run", json!({"command": command}));
        let shown: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(shown["server"]["pid"], server.pid());
        assert!(
            shown["question"]["preview"].as_str().unwrap().contains(command),
            "{shown}"
        );
        place.approvals(&["approve", id(&shown)]);
        assert_eq!(server.reply(call).section("stdout"), Some(&command[5..]));
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
}
