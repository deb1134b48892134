//! Whoever decides can see everything that they decide on. Needs a working sandbox.

use serde_json::json;

use crate::confirm::{Place, id, runs};
use crate::harness::{Era, Server};

/// What stands behind more than a list shows.
const HIDDEN: &str = "echo a >> runs # hidden-payload";

/// What is shown, without the ends of lines that keep it below the width of a terminal.
pub(crate) fn unfolded(shown: &str) -> String {
    shown.replace("\n|   ", "").replace("\n           ", "")
}

/// A line of which lists show the beginning, with a control character near its end.
fn long() -> String {
    format!("echo {}; : '\u{9b}2J'; {HIDDEN}", "a".repeat(2_500))
}

/// What a list of all questions, and what one question alone, shows of it.
fn beginning_and_whole(place: &Place, words: &str) -> (String, String) {
    let asked = place.questions(1).remove(0);
    let brief = asked["question"]["preview"].as_str().unwrap().to_owned();
    assert_eq!(asked["question"]["whole"], false, "{words}");
    let shown = place.approvals(&["show", id(&asked)]);
    assert!(shown.status.success(), "{shown:?}");
    (brief, unfolded(&String::from_utf8(shown.stdout).unwrap()))
}

#[test]
fn what_is_approved_is_shown_to_its_last_character() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let call = server.send_call("terminal_run", json!({"command": long()}));
    let (brief, whole) = beginning_and_whole(&place, "a command");
    assert!(!brief.contains("hidden-payload"), "{brief}");
    let (ours, _) = brief.split_once("The caller wrote, quoted:").unwrap();
    assert!(
        ours.contains("NOT ALL of what is asked; `terrarium approvals show"),
        "{ours}"
    );
    assert!(
        whole.contains("hidden-payload\"") && !whole.contains("NOT ALL"),
        "{whole}"
    );
    // As hostile as before.
    assert!(whole.contains("\\u{9b}2J") && !whole.contains('\u{9b}'), "{whole}");
    let list = place.approvals(&["list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("terrarium approvals show NUMBER"), "{list}");
    // And so it is where it is approved.
    let approved = place.approve();
    let approved = unfolded(&String::from_utf8(approved.stdout).unwrap());
    assert!(
        approved.contains("hidden-payload\"") && approved.ends_with("approved, once\n"),
        "{approved}"
    );
    assert!(!server.reply(call).is_error);
    assert_eq!(runs(server.workspace()), 1);
}

#[test]
fn as_much_as_a_tool_takes_is_shown() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let end = "the very end";
    let stdin = format!("{}\u{202e}{end}", "\u{1b}ü".repeat(400_000));
    let call = server.send_call("terminal_run", json!({"command": "wc -c", "stdin": stdin}));
    let (_, whole) = beginning_and_whole(&place, "a long input");
    let expected = format!("{}\\u{{202e}}{end}\"\n", "\\u{1b}ü".repeat(400_000));
    assert!(
        whole.len() > expected.len() && whole.contains(&expected),
        "{} bytes",
        whole.len()
    );
    server.notify("notifications/cancelled", json!({"requestId": call}));
}

#[test]
fn a_question_about_a_session_says_what_runs_in_it_and_where() {
    let place = Place::new("operator", "5min");
    place.write_all(
        "policy:\n  revision: a\n  rules:\n    - {id: opens, effect: allow, callers: [local], tools: [terminal_open], profiles: [default]}\n    \
         - {id: asks, effect: confirm, callers: [local], tools: [terminal_send], confirm: {by: [operator], within: 5min}}\n",
    );
    let mut server = place.server(Era::Modern);
    let program = "cat # \u{202e}\"\nProfile: none";
    let opened = server.call("terminal_open", json!({"command": program, "name": "mine"}));
    let session = opened.facts["session"].as_str().unwrap();
    let call = server.send_call("terminal_send", json!({"session": "mine", "input": [{"text": "x"}]}));
    let asked = place.questions(1).remove(0);
    let preview = asked["question"]["preview"].as_str().unwrap();
    let (ours, _) = preview.split_once("The caller wrote, quoted:").unwrap();
    let ours = unfolded(ours);
    let workspace = server.workspace().canonicalize().unwrap();
    let told = format!(
        "Session:   {session}\nAlias:     \"mine\"\nProfile:   default\nWorkspace: \"{}\"\nProgram:   \"cat # ",
        workspace.display()
    );
    assert!(ours.contains(&told), "{ours}");
    assert!(
        !ours.contains('\u{202e}') && !ours.contains("\nProfile: none"),
        "{ours}"
    );
    server.notify("notifications/cancelled", json!({"requestId": call}));
}

/// The text of the form that the client is to show.
fn form(server: &mut Server, era: Era, command: &str) -> String {
    let message = match era {
        Era::Legacy => {
            server.send_call("terminal_run", json!({"command": command}));
            let form = server.wait_for(|message| message["method"] == "elicitation/create");
            form["params"]["message"].clone()
        }
        Era::Modern => {
            let call = json!({"name": "terminal_run", "arguments": {"command": command}});
            let answer = server.request("tools/call", call);
            answer["result"]["inputRequests"]["approval"]["params"]["message"].clone()
        }
    };
    unfolded(message.as_str().unwrap_or_else(|| panic!("no form: {message}")))
}

#[test]
fn a_client_s_user_sees_all_of_it_or_is_not_asked() {
    for era in [Era::Legacy, Era::Modern] {
        let place = Place::new("user", "5min");
        let mut server = place.server_for_a_person(era);
        let whole = form(&mut server, era, &long());
        assert!(whole.contains("hidden-payload\"") && !whole.contains("cut:"), "{whole}");
        // What no form shows whole is not asked there, and that is said.
        let more = format!("echo {}; {HIDDEN}", "a".repeat(16_000));
        let refused = server.call("terminal_run", json!({"command": more}));
        assert!(
            refused.is_error && refused.text.contains("longer than the 16000 characters that a form"),
            "{}",
            refused.text
        );
        assert_eq!(runs(server.workspace()), 0);
    }
}

#[test]
fn what_no_form_shows_whole_is_left_to_the_operator() {
    let place = Place::new("operator, user", "5min");
    let mut server = place.server_for_a_person(Era::Modern);
    let more = format!("echo {}; {HIDDEN}", "a".repeat(16_000));
    let call = server.send_call("terminal_run", json!({"command": more}));
    assert!(place.approve().status.success());
    assert!(!server.reply(call).is_error);
    assert_eq!(runs(server.workspace()), 1);
}

#[test]
fn no_line_of_a_question_is_broken_by_a_terminal() {
    let place = Place::new("operator", "5min");
    let mut server = place.server(Era::Modern);
    let command = format!(
        "true{}Tool:      terminal_list",
        " ".repeat(80 - "| \"command\": \"true".len())
    );
    let call = server.send_call("terminal_run", json!({"command": command}));
    let asked = place.questions(1).remove(0);
    let shown = asked["question"]["preview"].as_str().unwrap();
    let (_, written) = shown.split_once("The caller wrote, quoted:\n").unwrap();
    for line in written.lines() {
        assert!(line.starts_with('|') && line.len() < 80, "{shown}");
    }
    assert!(unfolded(shown).contains(&command), "{shown}");
    server.notify("notifications/cancelled", json!({"requestId": call}));
}
