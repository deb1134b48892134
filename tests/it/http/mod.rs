//! The HTTP front end: who gets in, what is refused and counted, and that the server stays up. Needs no sandbox.

mod callers;
pub(crate) mod client;
mod hostile;
mod tls;

use serde_json::json;

use client::{Answer, Server};

const EVIL: &str = "evil.example";

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A request that would be good but for these headers.
fn knock(server: &Server, host: &str, headers: &[(&str, &str)]) -> Answer {
    server.connect().request("GET", "/metrics", host, headers, "")
}

#[test]
fn both_eras_are_served_and_a_token_without_a_rule_can_do_nothing() {
    let server = Server::start();
    let mut modern = server.caller("modern");
    let found = modern.request("server/discover", json!({}));
    assert_eq!(found.status, 200, "{found:?}");
    let instructions = found.message()["result"]["instructions"].as_str().unwrap().to_owned();
    assert!(
        instructions.contains("no rule of the policy speaks of token:modern"),
        "{instructions}"
    );
    let modern_tools = modern.request("tools/list", json!({})).message()["result"]["tools"].clone();

    let mut legacy = server.caller("legacy");
    legacy.shake_hands();
    let legacy_tools = legacy.request("tools/list", json!({})).message()["result"]["tools"].clone();
    assert_eq!((&legacy_tools, &modern_tools), (&json!([]), &json!([])));
    for caller in [&mut modern, &mut legacy] {
        let refused = caller.call("terminal_run", json!({"command": "true"}));
        assert!(refused.is_error && refused.text.contains("no rule"), "{}", refused.text);
    }
}

#[test]
fn nobody_gets_in_without_a_good_token() {
    let server = Server::start();
    let good = server.token(&["create", "good"]);
    let reader = server.token(&["create", "reader", "--metrics"]);
    let wrong = format!("terrarium_{}", "0".repeat(64));
    for headers in [
        vec![],
        vec![("Authorization", "")],
        vec![("Authorization", good.as_str())],
        vec![("Authorization", "Basic dXNlcjpwYXNz")],
        vec![("Cookie", good.as_str())],
        vec![("X-Api-Key", good.as_str())],
    ] {
        for path in ["/mcp", "/metrics", "/", "/mcp/", "/admin"] {
            let answer = server.get(path, &headers);
            assert_eq!(answer.status, 401, "{path} {headers:?}: {answer:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"terrarium\""));
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
    for token in [wrong.as_str(), "x", "terrarium_", &good[..40]] {
        let answer = server.get("/mcp", &[("Authorization", &bearer(token))]);
        assert_eq!(
            (answer.status, answer.body.contains("is not known")),
            (401, true),
            "{answer:?}"
        );
    }
    let twice = [("Authorization", bearer(&good)), ("Authorization", bearer(&good))];
    let twice: Vec<_> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(server.get("/mcp", &twice).status, 401);

    // Each token is for one thing.
    assert_eq!(server.get("/metrics", &[("Authorization", &bearer(&good))]).status, 403);
    assert_eq!(server.get("/mcp", &[("Authorization", &bearer(&reader))]).status, 403);
    assert_eq!(server.get("/admin", &[("Authorization", &bearer(&good))]).status, 404);
    assert_eq!(
        server.metric(&reader, "terrarium_http_refused_total{reason=\"no_token\"}"),
        31.0
    );
    assert_eq!(
        server.metric(&reader, "terrarium_http_refused_total{reason=\"token\"}"),
        4.0
    );
}

#[test]
fn a_revoked_token_is_refused_at_once_and_its_streams_end() {
    let server = Server::start();
    let mut caller = server.caller("soon-gone");
    caller.shake_hands();
    let (token, session) = (bearer(&caller.token), caller.session().to_owned());
    let mut stream = server.connect();
    let headers = [
        ("Authorization", token.as_str()),
        ("Accept", "text/event-stream"),
        ("Mcp-Session-Id", &session),
        ("MCP-Protocol-Version", "2025-11-25"),
    ];
    stream.begin("GET", "/mcp", &server.address, &headers, "");
    assert!(stream.line().unwrap().contains("200"));

    server.token(&["revoke", "soon-gone"]);
    let refused = caller.request("tools/list", json!({}));
    assert_eq!(refused.status, 401, "{refused:?}");
    while stream.line().is_some_and(|line| line != "0") {} // the end of a chunked body

    // The name again is another token, and the session of the first is gone.
    let mut again = server.caller("soon-gone");
    again.set_session(&session);
    assert_eq!(again.request("tools/list", json!({})).status, 404);
}

#[test]
fn an_expired_token_opens_nothing_and_lists_as_such() {
    let server = Server::start();
    let token = server.token(&["create", "brief", "--expires", "1min"]);
    assert_eq!(
        server.get("/nowhere", &[("Authorization", &bearer(&token))]).status,
        404
    );
    let path = server.place.join("own/tokens.json");
    let mut file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    file["tokens"][0]["expires_unix_s"] = 1.into();
    std::fs::write(&path, file.to_string()).unwrap();
    assert_eq!(
        server.get("/nowhere", &[("Authorization", &bearer(&token))]).status,
        401
    );
    assert!(
        server.token(&["list"]).ends_with("\texpired"),
        "{}",
        server.token(&["list"])
    );
}

#[test]
fn tokens_that_others_can_read_let_nobody_in() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start();
    let token = server.token(&["create", "a"]);
    let set = |mode| {
        std::fs::set_permissions(
            server.place.join("own/tokens.json"),
            std::fs::Permissions::from_mode(mode),
        )
        .unwrap();
    };
    set(0o644);
    assert_eq!(
        server.get("/nowhere", &[("Authorization", &bearer(&token))]).status,
        503
    );
    let refused = server.token_command(&["create", "b"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("hint: chmod 0600"), "{said}");
    set(0o600);
    assert_eq!(
        server.get("/nowhere", &[("Authorization", &bearer(&token))]).status,
        404
    );
}

#[test]
fn a_page_that_made_a_browser_come_is_turned_away() {
    let server = Server::start();
    let reader = bearer(&server.token(&["create", "reader", "--metrics"]));
    let (port, address) = (server.port(), server.address.as_str());
    let token = ("Authorization", reader.as_str());
    for host in [
        address,
        &format!("localhost:{port}"),
        &format!("[::1]:{port}"),
        &format!("LocalHost:{port}"),
    ] {
        assert_eq!(knock(&server, host, &[token]).status, 200, "{host}");
    }
    // DNS rebinding: the browser says the name that it was given.
    for host in [
        EVIL,
        &format!("{EVIL}:{port}"),
        "127.0.0.1",
        "",
        &format!("localhost:{port}.{EVIL}"),
    ] {
        assert_eq!(knock(&server, host, &[token]).status, 403, "{host:?}");
    }
    assert_eq!(knock(&server, address, &[token, ("Host", EVIL)]).status, 403);
    let absolute = format!(
        "GET http://{EVIL}/metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: {reader}\r\nConnection: close\r\n\r\n"
    );
    assert!(server.raw(absolute.as_bytes()).starts_with("HTTP/1.1 403"));
    let none = format!("GET /metrics HTTP/1.1\r\nAuthorization: {reader}\r\nConnection: close\r\n\r\n");
    assert!(server.raw(none.as_bytes()).starts_with("HTTP/1.1 403"));
}

#[test]
fn a_page_of_another_origin_is_turned_away_also_from_another_port() {
    let server = Server::start();
    let reader = bearer(&server.token(&["create", "reader", "--metrics"]));
    let (port, address) = (server.port(), server.address.as_str());
    let token = ("Authorization", reader.as_str());
    let ours = format!("http://localhost:{port}");
    assert_eq!(knock(&server, address, &[token, ("Origin", &ours)]).status, 200);
    for origin in [
        "http://evil.example",
        "null",
        "http://localhost:3000",
        "http://127.0.0.1",
        &format!("https://localhost:{port}"),
    ] {
        assert_eq!(
            knock(&server, address, &[token, ("Origin", origin)]).status,
            403,
            "{origin}"
        );
    }
    for site in ["cross-site", "same-site"] {
        assert_eq!(
            knock(&server, address, &[token, ("Sec-Fetch-Site", site)]).status,
            403,
            "{site}"
        );
    }
    let preflight = [
        ("Origin", "http://evil.example"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let answer = server.connect().request("OPTIONS", "/mcp", address, &preflight, "");
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (403, None),
        "{answer:?}"
    );
    // What a form can send without asking first carries no token.
    let form = [("Content-Type", "text/plain"), ("Origin", ours.as_str())];
    assert_eq!(
        server.connect().request("POST", "/mcp", address, &form, "{}").status,
        401
    );
    assert!(
        server.metric(
            &reader["Bearer ".len()..],
            "terrarium_http_refused_total{reason=\"origin\"}"
        ) >= 8.0
    );
}

#[test]
fn a_token_in_a_url_is_refused_even_if_it_is_good() {
    let server = Server::start();
    let token = server.token(&["create", "a"]);
    let good = bearer(&token);
    for query in [format!("token={token}"), format!("access_token={token}"), String::new()] {
        for headers in [vec![], vec![("Authorization", good.as_str())]] {
            let answer = server.get(&format!("/mcp?{query}"), &headers);
            assert_eq!(
                (answer.status, answer.body.contains(&token)),
                (400, false),
                "{answer:?}"
            );
        }
    }
    assert_eq!(server.get(&format!("/{token}"), &[]).status, 401);
}

#[test]
fn another_callers_mcp_session_does_not_exist() {
    let server = Server::start();
    let (mut one, mut other) = (server.caller("one"), server.caller("other"));
    one.shake_hands();
    let session = one.session().to_owned();
    other.set_session(&session);
    let stolen = other.request("tools/list", json!({}));
    other.set_session("00000000-0000-4000-8000-000000000000");
    let invented = other.request("tools/list", json!({}));
    assert_eq!((stolen.status, &stolen.body), (404, &invented.body), "{stolen:?}");
    for method in ["GET", "DELETE"] {
        let token = bearer(&other.token);
        let headers = [
            ("Authorization", token.as_str()),
            ("Accept", "text/event-stream"),
            ("Mcp-Session-Id", &session),
        ];
        server.connect().request(method, "/mcp", &server.address, &headers, "");
    }
    assert_eq!(one.request("tools/list", json!({})).status, 200);
}

#[test]
fn mcp_sessions_of_a_caller_are_bounded_and_end_by_delete() {
    let server = Server::start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    let token = server.token(&["create", "many"]);
    let mut sessions = Vec::new();
    for _ in 0..64 {
        let mut caller = server.caller_with(&token);
        caller.shake_hands();
        sessions.push(caller.session().to_owned());
    }
    assert_eq!(server.metric(&reader, "terrarium_mcp_sessions "), 64.0);
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "it", "version": "1"}}});
    let mut one_more = server.caller_with(&token);
    let refused = one_more.post(&hello);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("1")),
        "{refused:?}"
    );
    // Others, and the other era, are not concerned.
    server.caller("other").shake_hands();
    assert_eq!(server.caller_with(&token).request("tools/list", json!({})).status, 200);

    let authorization = bearer(&token);
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Mcp-Session-Id", &sessions[0]),
    ];
    let ended = server
        .connect()
        .request("DELETE", "/mcp", &server.address, &headers, "");
    assert_eq!(ended.status, 202, "{ended:?}");
    one_more.shake_hands();
}

#[test]
fn whoever_watches_over_the_server_needs_no_token() {
    let server = Server::start();
    for (path, said) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = server.get(path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (200, said));
        assert_eq!(server.get(&format!("{path}?token=1"), &[]).status, 400);
        assert_eq!(server.connect().request("GET", path, "10.0.0.7:1", &[], "").status, 200);
        let posted = server.connect().request("POST", path, &server.address, &[], "{}");
        assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    }
}

#[test]
fn every_metric_is_documented() {
    let server = Server::start();
    let reader = server.token(&["create", "reader", "--metrics"]);
    server.caller("a").call("terminal_run", json!({"command": "true"}));
    let metrics = server.get("/metrics", &[("Authorization", &bearer(&reader))]).body;
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md"));
    let mut names = 0;
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        names += 1;
        // Where tests run as another user the source is out of reach.
        if let Ok(documented) = &documented {
            assert!(
                documented.contains(&format!("`{name}")),
                "{name} is not in docs/operating.md"
            );
        }
    }
    assert!(names > 8, "{metrics}");
    assert!(
        metrics.contains("terrarium_tool_calls_total{tool=\"terminal_run\",outcome=\"policy\"} 1"),
        "{metrics}"
    );
}
