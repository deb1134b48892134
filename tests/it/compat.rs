//! What a client that was written for ht-mcp sends and reads. Needs a working sandbox.

use serde_json::json;

use crate::harness::{Era, Server, fresh_directory};

/// The text between the two fences of an answer.
fn fenced(text: &str) -> &str {
    text.split("```").nth(1).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn an_ht_mcp_client_works_unchanged() {
    let mut server = Server::start_with(Era::Legacy, &["--compat", "ht-mcp"]);
    let tools = server.request("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> = tools
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(
        names.iter().filter(|name| name.starts_with("ht_")).count(),
        6,
        "{names:?}"
    );

    let created = server.call("ht_create_session", json!({}));
    let id = created
        .text
        .split("Session ID: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    assert!(
        created
            .text
            .starts_with("HT session created successfully!\n\nSession ID: "),
        "{}",
        created.text
    );

    let ran = server.call(
        "ht_execute_command",
        json!({"sessionId": id, "command": "seq 1 3; false"}),
    );
    assert!(
        ran.text
            .starts_with("Command executed: seq 1 3; false\n\nTerminal Output:\n```\n"),
        "{}",
        ran.text
    );
    assert_eq!((fenced(&ran.text), &ran.facts["exit_code"]), ("\n1\n2\n3\n", &json!(1)));
    // ht-mcp would press the key.
    let ran = server.call("ht_execute_command", json!({"sessionId": id, "command": "echo Left"}));
    assert_eq!(fenced(&ran.text), "\nLeft\n");

    keys_and_screen(&mut server, &id);
    list_and_close(&mut server, &id);
}

fn keys_and_screen(server: &mut Server, id: &str) {
    let keys = json!({"sessionId": id, "keys": ["echo a b", "Enter"]});
    let sent = server.call("ht_send_keys", keys);
    assert_eq!(
        sent.text,
        format!("Keys sent successfully to session {id}\n\nKeys: [\"echo a b\",\"Enter\"]")
    );
    server.call(
        "terminal_wait",
        json!({"session": id, "until": {"regex": "^a b$", "scope": "screen"}}),
    );
    let shown = server.call("ht_take_snapshot", json!({"sessionId": id}));
    assert!(
        shown
            .text
            .starts_with(&format!("Terminal Snapshot (Session: {id})\n\n```\n")),
        "{}",
        shown.text
    );
    assert!(fenced(&shown.text).contains("\na b\n"), "{}", shown.text);
}

fn list_and_close(server: &mut Server, id: &str) {
    let listed = server.call("ht_list_sessions", json!({}));
    assert!(
        listed
            .text
            .starts_with(&format!("Active HT Sessions (1):\n\n- {id} (alive) - Created: ")),
        "{}",
        listed.text
    );
    let closed = server.call("ht_close_session", json!({"sessionId": id}));
    assert_eq!(closed.text, format!("Session {id} closed successfully."));
    let again = server.call("ht_close_session", json!({"sessionId": id}));
    assert!(
        again.is_error && again.text.contains("no such session"),
        "{}",
        again.text
    );
    assert_eq!(
        server.call("ht_list_sessions", json!({})).text,
        "Active HT Sessions (0):\n\nNo active sessions"
    );
}

#[test]
fn a_program_that_is_no_shell_is_typed_into_and_answers() {
    let mut server = Server::start_with(Era::Modern, &["--compat", "ht-mcp"]);
    let created = server.call(
        "ht_create_session",
        json!({"command": ["python3", "-q"], "enableWebServer": true}),
    );
    assert!(created.text.contains("no web server"), "{}", created.text);
    let id = created.facts["session"].as_str().unwrap().to_owned();
    let ran = server.call("ht_execute_command", json!({"sessionId": id, "command": "6*7"}));
    assert!(fenced(&ran.text).contains("\n42\n"), "{}", ran.text);
    // What ht-mcp joins with spaces stays apart.
    let created = server.call(
        "ht_create_session",
        json!({"command": ["echo", "a;", "echo", "INJECTED"]}),
    );
    let id = created.facts["session"].as_str().unwrap().to_owned();
    server.call("terminal_wait", json!({"session": id}));
    let shown = server.call("ht_take_snapshot", json!({"sessionId": id}));
    assert!(fenced(&shown.text).contains("a; echo INJECTED"), "{}", shown.text);
}

#[test]
fn what_is_wrong_is_refused_and_on_record() {
    let state = fresh_directory();
    let environment = [("XDG_STATE_HOME", state.as_path())];
    let mut server = Server::start_in(Era::Modern, &["--compat", "ht-mcp"], &environment);
    let nowhere = server.call("ht_send_keys", json!({"sessionId": "nonsense", "keys": []}));
    assert!(
        nowhere.is_error && nowhere.text.contains("no such session"),
        "{}",
        nowhere.text
    );
    let wrong = server.call("ht_take_snapshot", json!({"session": 7}));
    assert!(wrong.is_error, "{}", wrong.text);
    let audit = std::fs::read_dir(state.join("terrarium/audit")).unwrap();
    let records: String = audit
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    for tool in ["terminal_send", "ht_take_snapshot"] {
        let of = |line: &&str| line.contains(&format!("\"{tool}\""));
        assert!(records.lines().any(|line| of(&line)), "{tool}: {records}");
    }
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn without_the_option_there_are_no_such_tools() {
    let mut server = Server::start(Era::Modern);
    let answer = server.request("tools/call", json!({"name": "ht_list_sessions", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}
