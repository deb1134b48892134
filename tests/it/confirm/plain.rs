//! What a caller wrote acts on no terminal, also where it is printed as JSON.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::confirm::Place;
use crate::harness::{Era, fresh_directory, program};

#[test]
fn a_name_that_a_caller_chose_acts_on_no_terminal_as_json_either() {
    // U+009B is `ESC [` to a terminal in one character, and JSON lets it stand; U+202E turns the direction of writing.
    let name = "x\u{9b}2J\u{202e}y";
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    server.request("tools/call", json!({"name": name, "arguments": {}}));
    for action in [&["tail", "--json"][..], &["export", "--json"], &["tail"]] {
        let output = place.terrarium(&[&["audit"], action].concat()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("2J") && !text.contains(['\u{9b}', '\u{202e}']),
            "{action:?}: {text:?}"
        );
    }
    // It says the same, and its chain is whole.
    assert!(place.record().iter().any(|line| line["tool"] == name));
    let verified = place.terrarium(&["audit", "verify", "--json"]).output().unwrap();
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["intact"], true, "{verified}");
}

#[test]
fn a_file_of_tokens_may_be_named_by_its_name_alone() {
    let directory = fresh_directory();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).unwrap();
    for action in [&["create", "ci"][..], &["list"], &["revoke", "ci"]] {
        let mut command = program();
        command.args(["token", "--tokens", "tok.json"]).args(action);
        let output = command.current_dir(&directory).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{action:?}: {output:?}");
    }
    assert!(directory.join("tok.json").is_file());
    std::fs::remove_dir_all(&directory).unwrap();
}
