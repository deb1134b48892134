//! What every client sees, without a sandbox: both eras, the list of tools, errors, and the end.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Era, Server, fresh_directory, patience, program};
use crate::processes::signal;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
/// Far more than is promised for the end of the server, which a benchmark measures: a busy machine may keep any of its
/// processes from running for seconds.
const PROMPTLY: Duration = Duration::from_secs(10);

#[test]
fn a_modern_client_discovers_the_server() {
    let mut server = Server::start(Era::Modern);
    let answer = server.request("server/discover", json!({}));
    let found = &answer["result"];
    assert!(found["capabilities"]["tools"].is_object(), "{answer}");
    let instructions = found["instructions"].as_str().unwrap();
    assert!(
        instructions.len() < 2048 && instructions[..500].contains("terminal_run"),
        "{instructions}"
    );
    assert!(
        instructions.contains(server.workspace().to_str().unwrap()),
        "{instructions}"
    );
    assert!(instructions.contains("default, read-only, build"), "{instructions}");
}

#[test]
fn the_list_of_tools_is_the_same_for_all() {
    let lists = ERAS.map(|era| {
        let mut server = Server::start(era);
        let first = server.request("tools/list", json!({}))["result"].clone();
        assert_eq!(server.request("tools/list", json!({}))["result"], first);
        first
    });
    assert_eq!(lists[0]["tools"], lists[1]["tools"]);
    assert_eq!(
        (&lists[1]["ttlMs"], &lists[1]["cacheScope"]),
        (&json!(0), &json!("private"))
    );
    for tool in lists[0]["tools"].as_array().unwrap() {
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        assert!(
            tool["title"].is_string() && tool["annotations"]["readOnlyHint"].is_boolean(),
            "{tool}"
        );
        // What ends nothing is not called destructive: clients ask about what is.
        if tool["name"] == "terminal_resize" {
            let hints = ["readOnlyHint", "destructiveHint", "idempotentHint"].map(|name| &tool["annotations"][name]);
            assert_eq!(hints, [false, false, true], "{tool}");
        }
    }
}

#[test]
fn an_unknown_tool_is_an_error_of_the_protocol() {
    for era in ERAS {
        let answer = Server::start(era).request("tools/call", json!({"name": "nosuch", "arguments": {}}));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

#[test]
fn a_bad_argument_is_a_result_that_says_what_to_write() {
    for era in ERAS {
        let reply = Server::start(era).call("terminal_run", json!({"comand": "x"}));
        assert!(reply.is_error);
        assert!(
            reply.text.starts_with("bad argument \"comand\": is unknown"),
            "{}",
            reply.text
        );
        assert!(reply.text.contains("did you mean \"command\"?"), "{}", reply.text);
    }
}

#[test]
fn a_profile_that_the_policy_does_not_allow_is_denied_by_name() {
    let reply = Server::start(Era::Modern).call("terminal_run", json!({"command": "true", "profile": "network"}));
    reply.refused("rule \"terminals\"");
}

#[test]
fn the_server_ends_with_its_input() {
    for era in ERAS {
        let mut server = Server::start(era);
        server.request("tools/list", json!({}));
        server.end_input();
        let (status, took) = server.ended();
        assert!(status.success() && took < patience(PROMPTLY), "{status} after {took:?}");
    }
}

#[test]
fn a_client_that_says_nothing_ends_the_server_too() {
    let mut server = Server::start(Era::Modern);
    server.end_input();
    let (status, took) = server.ended();
    assert!(status.success() && took < patience(PROMPTLY), "{status} after {took:?}");
}

#[test]
fn the_server_ends_on_sigterm_and_sigint() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(Era::Modern);
        server.request("tools/list", json!({}));
        signal(server.pid(), name);
        let (status, took) = server.ended();
        assert!(
            status.success() && took < patience(PROMPTLY),
            "{name}: {status} after {took:?}"
        );
    }
}

#[test]
fn input_and_output_may_be_files() {
    let directory = fresh_directory();
    let (input, output) = (directory.join("in"), directory.join("out"));
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "it", "version": "1"},
    }}});
    std::fs::write(&input, format!("{hello}\n")).unwrap();
    let status = program()
        .args(["serve", "--workspace"])
        .arg(&directory)
        .stdin(std::fs::File::open(&input).unwrap())
        .stdout(std::fs::File::create(&output).unwrap())
        .status()
        .unwrap();
    let said = std::fs::read_to_string(&output).unwrap();
    assert!(status.success() && said.contains("\"id\":1"), "{status}: {said}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn input_and_output_may_be_a_socket() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    let directory = fresh_directory();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = program()
        .args(["serve", "--workspace"])
        .arg(&directory)
        .stdin(OwnedFd::from(theirs.try_clone().unwrap()))
        .stdout(OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    writeln!(ours, "{hello}").unwrap();
    let mut line = String::new();
    BufReader::new(ours.try_clone().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("\"id\":1"), "{line}");
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn call_prints_the_answer_and_its_status_follows() {
    let run = |arguments: &[&str]| {
        let output = program()
            .arg("call")
            .args(arguments)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["terminal_list"]), (0, "no sessions\n".to_owned()));
    let (status, raw) = run(&["terminal_list", "{}", "--json"]);
    assert!(
        status == 0 && raw.contains("\"structuredContent\":{\"sessions\":[]}"),
        "{raw}"
    );
    let (status, text) = run(&["terminal_run", "{}"]);
    assert!(status == 125 && text.starts_with("bad argument"), "{status} {text}");
    assert_eq!(run(&["terminal_list", "[]"]).0, 125);
    assert_eq!(run(&["nosuch"]).0, 125);
}

#[test]
fn a_cursor_that_was_not_given_out_is_refused() {
    for era in ERAS {
        let mut server = Server::start(era);
        for list in ["tools/list", "resources/list", "resources/templates/list"] {
            let answer = server.request(list, json!({"cursor": "2"}));
            assert_eq!(answer["error"]["code"], -32602, "{list}: {answer}");
            assert!(server.request(list, json!({}))["result"].is_object(), "{list}");
        }
    }
}

#[test]
fn an_id_that_waits_for_its_answer_cannot_be_taken_again() {
    for era in ERAS {
        let mut server = Server::start(era);
        let id = json!("twice");
        let again = server.message("tools/list", json!({}), &id);
        let slow = server.message(
            "tools/call",
            json!({"name": "terminal_run", "arguments": {"command": "sleep 2; echo first"}}),
            &id,
        );
        server.write_line(slow.to_string().as_bytes());
        server.write_line(again.to_string().as_bytes());
        let refused = server.wait_for(|message| message["error"].is_object());
        assert_eq!((refused.get("id"), &refused["error"]["code"]), (None, &json!(-32600)));
        let first = server.answer_to(&id).to_string();
        assert!(first.contains("first"), "{first}");
        // Free again.
        server.write_line(again.to_string().as_bytes());
        assert!(server.answer_to(&id)["result"].is_object());
    }
}
