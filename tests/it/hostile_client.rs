//! A client that means ill or is broken: the server stays, its memory stays bounded, and what can be answered is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Era, Server, fresh_directory, patience, program};
use crate::processes::peak;

pub(crate) const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
/// What the server may take in kB at the most, whatever is sent: two of the longest lines and room for itself.
const MOST_MEMORY: u64 = 150_000;
/// The longest line that is read, in bytes; a longer one is dropped.
const LONGEST_LINE: usize = 16 << 20;

/// The server answers a request, and has taken no more memory than it may.
pub(crate) fn still_serves(server: &mut Server, after: &str) {
    let answer = server.request("tools/list", json!({}));
    assert!(answer["result"]["tools"].is_array(), "after {after}: {answer}");
    let peak = peak(server.pid());
    assert!(peak < MOST_MEMORY, "after {after} the server has taken {peak} kB");
}

/// What is said about a line besides the answers to our own requests.
fn said_about(server: &mut Server, line: &[u8]) -> Vec<Value> {
    server.write_line(line);
    // Lines are read in order: what is said about the first comes before the answer to the second, unless it is a call.
    let shown = String::from_utf8_lossy(&line[..line.len().min(120)]).into_owned();
    still_serves(server, &shown);
    server.unclaimed()
}

fn nested(open: &str, close: &str, depth: usize) -> Vec<u8> {
    let arguments = format!("{}1{}", open.repeat(depth), close.repeat(depth));
    format!(r#"{{"jsonrpc":"2.0","id":"x","method":"ping","params":{{"x":{arguments}}}}}"#).into_bytes()
}

fn padded(length: usize) -> Vec<u8> {
    let mut line = br#"{"jsonrpc":"2.0","id":"x","method":"ping","params":{"x":""#.to_vec();
    line.resize(length - 3, b'y');
    line.extend_from_slice(b"\"}}");
    line
}

#[test]
fn what_is_no_json_is_dropped() {
    let lines: [Vec<u8>; 9] = [
        b"{".to_vec(),
        b"   ".to_vec(),
        b"}{".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe\xfd".to_vec(),
        br#"{"jsonrpc":"2.0","id":"x","method":"ping"} trailing"#.to_vec(),
        b"Content-Length: 40\r".to_vec(),
        b"[".repeat(100_000),
        [padded(LONGEST_LINE + 1_000_000), b"[".repeat(LONGEST_LINE)].concat(),
    ];
    for era in ERAS {
        let mut server = Server::start(era);
        for line in &lines {
            let said = said_about(&mut server, line);
            let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
            assert!(said.is_empty(), "{shown}: {said:?}");
        }
    }
}

#[test]
fn whoever_sent_what_is_no_message_hears_of_it_by_its_id() {
    // The code, and what is no message.
    let lines: [(i64, Vec<u8>); 8] = [
        (
            -32700,
            b"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"pi\xffng\"}".to_vec(),
        ),
        (
            -32700,
            br#"{"jsonrpc":"2.0","id":"x","method":"ping","params":{"x":"\ud800"}}"#.to_vec(),
        ),
        (-32700, nested("[", "]", 100_000)),
        (-32700, nested("{\"a\":", "}", 50_000)),
        (
            -32600,
            br#"{"jsonrpc":"2.0","id":"x","method":"tools/list","params":[]}"#.to_vec(),
        ),
        (
            -32600,
            br#"{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{"_meta":5}}"#.to_vec(),
        ),
        (-32600, br#"{"jsonrpc":"2.0","id":"x","method":5}"#.to_vec()),
        (-32600, br#"{"jsonrpc":"1.0","id":"x","method":"ping"}"#.to_vec()),
    ];
    for era in ERAS {
        let mut server = Server::start(era);
        for (code, line) in &lines {
            let said = said_about(&mut server, line);
            let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
            assert_eq!(said.len(), 1, "{shown}: {said:?}");
            assert_eq!(
                (&said[0]["id"], &said[0]["error"]["code"]),
                (&json!("x"), &json!(code)),
                "{shown}"
            );
        }
        for notification in [
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}"#,
            r#"{"jsonrpc":"2.0","method":7}"#,
        ] {
            assert!(
                said_about(&mut server, notification.as_bytes()).is_empty(),
                "{notification}"
            );
        }
    }
}

#[test]
fn what_is_json_and_no_message_is_called_an_invalid_request() {
    let lines = [
        "1",
        "null",
        "\"x\"",
        "[]",
        "{}",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":[],"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"x"}"#,
    ];
    for era in ERAS {
        let mut server = Server::start(era);
        for line in lines {
            let said = said_about(&mut server, line.as_bytes());
            assert_eq!(said.len(), 1, "{line}: {said:?}");
            assert_eq!(said[0]["error"]["code"], -32600, "{line}: {said:?}");
        }
    }
}

/// Two bytes on the line, two hundred in memory.
#[test]
fn values_without_number_are_not_read() {
    let line = nested(&"[".repeat(2), &format!("{}]]", ",[]".repeat(5_000_000)), 1);
    for era in ERAS {
        let said = said_about(&mut Server::start(era), &line);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0]["error"]["code"], -32600, "{said:?}");
    }
}

#[test]
fn ids_come_back_as_they_were() {
    let long = format!("\"{}\"", "x".repeat(1_000_000));
    let ids = [
        "0",
        "-1",
        "9007199254740993",
        "9223372036854775807",
        "\"\"",
        "\"1\"",
        r#""\u0000\ud83d\ude00""#,
        &long,
    ];
    for era in ERAS {
        let mut server = Server::start(era);
        server.request("tools/list", json!({})); // an era is chosen
        for id in ids {
            let id: Value = serde_json::from_str(id).unwrap();
            server.write_line(
                json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
                    .to_string()
                    .as_bytes(),
            );
            let answer = server.answer_to(&id);
            assert!(answer["result"].is_object() || answer["error"].is_object(), "{answer}");
        }
        still_serves(&mut server, "odd ids");
    }
}

#[test]
fn what_comes_before_the_first_request_does_not_end_the_server() {
    let early = [
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "method": "notifications/nosuch", "params": {}}),
        json!({"jsonrpc": "2.0", "id": 7, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 7, "error": {"code": 1, "message": "x"}}),
        json!({"jsonrpc": "2.0", "id": null, "error": {"code": 1, "message": "x"}}),
    ];
    // None of these is a choice of an era.
    let probes = [
        json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": "p", "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": "p", "method": "tools/list", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "1999-01-01", "io.modelcontextprotocol/clientCapabilities": {}}}}),
    ];
    for probe in probes {
        let mut server = Server::start(Era::Modern);
        for message in &early {
            server.write_line(message.to_string().as_bytes());
        }
        server.write_line(probe.to_string().as_bytes());
        server.answer_to(&json!("p"));
        for message in &early {
            server.write_line(message.to_string().as_bytes());
        }
        still_serves(&mut server, "early messages");
    }
}

#[test]
fn calls_with_other_parameters_say_what_to_write() {
    for era in ERAS {
        let mut server = Server::start(era);
        for (method, params, hint) in [
            (
                "tools/call",
                json!({"name": "terminal_run", "arguments": []}),
                "write {\"name\"",
            ),
            ("resources/read", json!({}), "write {\"uri\""),
            ("resources/subscribe", json!({"uri": 5}), "write {\"uri\""),
            ("subscriptions/listen", json!({}), "write {\"notifications\""),
            (
                "subscriptions/listen",
                json!({"notifications": {"resourceSubscriptions": 5}}),
                "write {\"notifications\"",
            ),
        ] {
            let answer = server.request(method, params);
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            let said = answer["error"]["message"].as_str().unwrap();
            assert!(
                said.contains(&format!("{method}: the parameters do not fit; hint: {hint}")),
                "{said}"
            );
        }
        let answer = server.request("no/such", json!({}));
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
    }
}

#[test]
fn one_id_for_many_calls_is_answered_and_costs_nothing() {
    for era in ERAS {
        let mut server = Server::start(era);
        server.request("tools/list", json!({}));
        let call = server.message(
            "tools/call",
            json!({"name": "terminal_list", "arguments": {}}),
            &json!("twice"),
        );
        for _ in 0..50 {
            server.write_line(call.to_string().as_bytes());
        }
        server.answer_to(&json!("twice")); // at least one: the protocol forbids what was sent
        still_serves(&mut server, "fifty calls with one id");
    }
}

#[test]
fn a_storm_of_cancellations_ends_what_it_names_and_nothing_else() {
    for era in ERAS {
        let mut server = Server::start(era);
        let kept = server.call("terminal_run", json!({"command": "sleep 300", "yield_ms": 0}));
        for id in 1000..3000 {
            server.notify("notifications/cancelled", json!({"requestId": id}));
        }
        for params in [
            json!({}),
            json!({"requestId": {}}),
            json!({"requestId": null}),
            json!([1]),
        ] {
            server.notify("notifications/cancelled", params);
        }
        for _ in 0..30 {
            let call = server.send_call("terminal_run", json!({"command": "sleep 300", "yield_ms": 50_000}));
            for _ in 0..20 {
                server.notify("notifications/cancelled", json!({"requestId": call, "reason": "storm"}));
            }
        }
        crate::command::until("only one runs", || {
            server.call("terminal_list", json!({})).text.matches(" running").count() == 1
        });
        still_serves(&mut server, "a storm of cancellations");
        let closed = server.call("terminal_close", json!({"session": kept.facts["session"]}));
        assert!(!closed.is_error, "{}", closed.text);
    }
}

#[test]
fn ten_thousand_calls_at_once_are_all_answered() {
    let mut server = Server::start(Era::Modern);
    let calls: Vec<u64> = (0..10_000)
        .map(|number| match number % 40 {
            0 => server.send_call("terminal_run", json!({"comand": "x"})),
            1 => server.send_call("terminal_close", json!({"session": "s9999"})),
            _ => server.send_call("terminal_list", json!({})),
        })
        .collect();
    for call in calls {
        server.reply(call);
    }
    still_serves(&mut server, "ten thousand calls");
}

#[test]
fn a_client_that_reads_no_answers_is_read_no_further() {
    let workspace = fresh_directory();
    let mut child = program()
        .args(["serve", "--workspace"])
        .arg(&workspace)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let request = |id: u32| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let method = if id == 0 { "tools/list" } else { "ping" };
        format!(
            "{}\n",
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": meta}})
        )
    };
    let count = 50_000;
    let (written, progress) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        for id in 0..count {
            input.write_all(request(id).as_bytes()).unwrap();
            written.send(id).ok(); // the test is over
        }
    });
    // The writer gets on until the pipe is full and nobody reads from it.
    let mut last = 0;
    while let Ok(id) = progress.recv_timeout(patience(Duration::from_secs(2))) {
        last = id;
    }
    assert!(last < count - 1, "all of {count} requests were read");
    let peak = peak(child.id());
    assert!(peak < MOST_MEMORY, "the server has taken {peak} kB");
    // When its answers are read at last, all of them come.
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(
        answers.take(count as usize).filter(Result::is_ok).count(),
        count as usize
    );
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::remove_dir_all(workspace).unwrap();
}

#[test]
fn the_end_in_the_middle_of_a_line_is_an_end() {
    for rest in [
        &br#"{"jsonrpc":"2.0","id":"x","method":"tools/li"#[..],
        br#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#,
        b"\xff",
    ] {
        let mut server = Server::start(Era::Modern);
        server.send_call("terminal_run", json!({"command": "sleep 300", "yield_ms": 50_000}));
        server.write_bytes(rest);
        server.end_input();
        let (status, _) = server.ended();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let state = fresh_directory();
    let mut server = Server::start_below("exec 2>/dev/full", &[("XDG_STATE_HOME", &state)]);
    server.write_line(&b"[".repeat(LONGEST_LINE + 1)); // is dropped, which is logged
    still_serves(&mut server, "a line in the log");
    assert!(!server.call("terminal_run", json!({"command": "true"})).is_error);
    drop(server);
    std::fs::remove_dir_all(state).unwrap();
}
