//! What wants to bring the server down, or in front of others: none of it does.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;

use super::bearer;
use super::client::Server;
use crate::harness::{fresh_directory, program};

#[test]
fn two_lengths_are_never_two_requests() {
    let mut server = Server::start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    let token = bearer(&server.token(&["create", "a"]));
    let address = server.address.clone();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    );
    let smuggled = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    for (shape, rest) in two_lengths(&smuggled) {
        let said = server.raw(format!("{head}{rest}").as_bytes());
        assert!(
            !said.contains("\nok\n") && said.matches("HTTP/1.1 ").count() <= 1,
            "{shape}: {said}"
        );
    }
    let old = format!("POST /mcp HTTP/1.0\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}");
    assert!(!server.raw(old.as_bytes()).contains("\nok\n"));
    assert!(server.metric(&reader, "terrarium_http_refused_total{reason=\"protocol\"}") >= 9.0);
    assert!(server.is_up());
}

/// Ends of a request's head that some server somewhere reads as one request and another as two.
fn two_lengths(smuggled: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "CL.TE",
            format!(
                "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
                5 + smuggled.len()
            ),
        ),
        (
            "TE.CL",
            format!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "two lengths",
            format!("Content-Length: 0\r\nContent-Length: 2\r\n\r\n{{}}{smuggled}"),
        ),
        ("list of lengths", format!("Content-Length: 0, 2\r\n\r\n{{}}{smuggled}")),
        ("signed length", format!("Content-Length: +2\r\n\r\n{{}}{smuggled}")),
        (
            "hexadecimal length",
            format!("Content-Length: 0x2\r\n\r\n{{}}{smuggled}"),
        ),
        (
            "folded header",
            format!("Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "space before the colon",
            format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "hidden encoding",
            format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "encoding twice",
            format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "chunk size too large",
            format!("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{smuggled}"),
        ),
        (
            "no chunk size",
            format!("Transfer-Encoding: chunked\r\n\r\n;\r\n\r\n{smuggled}"),
        ),
        ("nul in a header", format!("X: \0\r\n\r\n{smuggled}")),
    ]
}

#[test]
fn what_is_too_large_is_cut_off_and_counted() {
    let mut server = Server::start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    let token = bearer(&server.token(&["create", "a"]));
    let address = server.address.clone();
    let headers = format!(
        "GET /mcp HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n",
        "a".repeat(10 << 20)
    );
    let said = server.raw(headers.as_bytes());
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    let many = format!("GET /mcp HTTP/1.1\r\nHost: {address}\r\n{}\r\n", "X: 1\r\n".repeat(200));
    assert!(server.raw(many.as_bytes()).starts_with("HTTP/1.1 431"));
    let long = format!("GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "a".repeat(100_000));
    let said = server.raw(long.as_bytes());
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    crate::command::until("all three are counted", || {
        server.metric(&reader, "terrarium_http_refused_total{reason=\"protocol\"}") >= 3.0
    });

    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    );
    for length in ["99999999999", "4194305"] {
        let said = server.raw(format!("{head}Content-Length: {length}\r\n\r\n{}", " ".repeat(5 << 20)).as_bytes());
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    }
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    let said = server.raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(5)).as_bytes());
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 413"), "{said}");
    assert_eq!(
        server.metric(&reader, "terrarium_http_refused_total{reason=\"body_size\"}"),
        3.0
    );
    assert!(server.is_up());
}

#[test]
fn what_is_no_http_and_no_json_is_refused_and_the_server_stays_up() {
    let mut server = Server::start();
    let mut caller = server.caller("a");
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\r\nfoo\r\n\r\n",
    ] {
        let said = server.raw(bytes);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{bytes:?}: {said}");
    }
    for message in [
        json!(null),
        json!([]),
        json!({"jsonrpc": "2.0"}),
        json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}),
        json!([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]),
        json!({"jsonrpc": "2.0", "id": {}, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
    ] {
        let answer = caller.post(&message);
        assert!((400..500).contains(&answer.status), "{message}: {answer:?}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let token = bearer(&caller.token);
    let headers = [
        ("Authorization", token.as_str()),
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
    ];
    let answer = server
        .connect()
        .request("POST", "/mcp", &server.address, &headers, &deep);
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(server.is_up());
    assert_eq!(caller.request("tools/list", json!({})).status, 200);
}

#[test]
fn a_flood_of_half_open_connections_keeps_nobody_out() {
    let mut server = Server::start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    let mut caller = server.caller("a");
    assert_eq!(caller.request("tools/list", json!({})).status, 200);
    let mut flood = Vec::new();
    for at in 0..600 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        if at % 2 == 0 {
            stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: ").ok(); // cut off already
        }
        flood.push(stream);
    }
    // Whoever was in stays in, and whoever comes gets in.
    assert_eq!(caller.request("tools/list", json!({})).status, 200);
    assert_eq!(server.caller("late").request("tools/list", json!({})).status, 200);
    assert!(server.metric(&reader, "terrarium_http_refused_total{reason=\"crowd\"}") >= 400.0);
    assert!(server.metric(&reader, "terrarium_http_strangers ") <= 128.0);
    assert!(server.is_up());
}

#[test]
fn connections_of_one_caller_are_bounded() {
    let server = Server::start();
    let token = bearer(&server.token(&["create", "a"]));
    let other = bearer(&server.token(&["create", "b"]));
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut connection = server.connect();
        let answer = connection.request("GET", "/nowhere", &server.address, &[("Authorization", &token)], "");
        assert_eq!(answer.status, 404);
        held.push(connection);
    }
    let refused = server.get("/nowhere", &[("Authorization", &token)]);
    assert_eq!(
        (refused.status, refused.header("connection")),
        (503, Some("close")),
        "{refused:?}"
    );
    assert_eq!(server.get("/nowhere", &[("Authorization", &other)]).status, 404);
}

#[test]
fn somebody_who_never_says_who_they_are_is_shown_out() {
    let server = Server::start();
    let mut silent = server.connect();
    assert!(silent.line().is_none(), "the server ends it");
    let reader = server.token(&["create", "reader", "--metrics"]);
    assert!(server.metric(&reader, "terrarium_http_refused_total{reason=\"slow\"}") >= 1.0);
}

#[test]
fn other_machines_are_served_only_with_tls_or_behind_a_proxy() {
    let (place, workspace) = (fresh_directory(), fresh_directory());
    let serve = |options: &[&str]| {
        let mut command = program();
        command
            .args(["serve", "--http", "0.0.0.0:0", "--tokens"])
            .arg(place.join("tokens.json"));
        let output = command
            .arg("--workspace")
            .arg(&workspace)
            .args(options)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = serve(&[]);
    assert!(
        said.contains("can be reached from other machines") && said.contains("--behind-proxy"),
        "{said}"
    );
    let said = serve(&["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"]);
    assert!(
        said.contains("'/nonexistent' for '--tls-cert <FILE>': No such file"),
        "{said}"
    );
    let empty = place.join("empty");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    let said = serve(&["--tls-cert", empty, "--tls-key", empty]);
    assert!(said.contains(empty), "{said}");
    std::fs::remove_dir_all(workspace).unwrap();
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_signal_ends_the_server_within_its_bound() {
    let mut server = Server::start();
    let mut caller = server.caller("a");
    caller.shake_hands();
    server.terminate();
    let (status, took) = server.ended();
    assert_eq!(status.code(), Some(0));
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}

#[test]
fn what_is_no_message_is_answered_as_one() {
    let mut server = Server::start();
    let token = bearer(&server.token(&["create", "a"]));
    let headers = [
        ("Authorization", token.as_str()),
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
    ];
    let crowded = "[],".repeat(300_000);
    let crowded = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"ping","params":{{"x":[{crowded}1]}}}}"#);
    for (body, code, id) in [
        (crowded.as_str(), -32600, None),
        ("{", -32700, None),
        (r#"{"id":7,"jsonrpc":"2.0"#, -32700, None),
        (r#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#, -32600, None),
        (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600, Some(json!(7))),
    ] {
        let answer = server
            .connect()
            .request("POST", "/mcp", &server.address, &headers, body);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, Some("application/json")),
            "{body}"
        );
        let said = answer.message();
        assert_eq!(
            (&said["error"]["code"], said.get("id")),
            (&json!(code), id.as_ref()),
            "{body}"
        );
    }
    assert!(server.is_up());
}

#[test]
fn an_address_that_cannot_be_had_or_is_none_is_refused_with_what_to_write() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (option, address, hint) in [
        ("--http", taken.as_str(), "with a port that is free, or port 0 for any"),
        (
            "--console",
            taken.as_str(),
            "leave the address out for a port that is free",
        ),
        ("--http", "localhost:7717", "as in 127.0.0.1:7717"),
        ("--console", "7717", "as in 127.0.0.1:7717"),
    ] {
        let mut command = crate::harness::program();
        let output = command
            .args(["serve", option, address])
            .stdin(std::process::Stdio::null());
        let output = output.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(
            said.contains("hint: ") && said.contains(hint),
            "{option} {address}: {said}"
        );
    }
}
