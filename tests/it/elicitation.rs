//! The person at the client, asked through it in either era of the protocol: a tick is a yes to one action, all else is none.

use serde_json::{Value, json};

use crate::confirm::{LINE, Place, runs};
use crate::harness::{Era, Server};

/// What a person may do with the form.
fn answer(tick: &Value) -> Value {
    json!({"action": "accept", "content": {"approve": tick}})
}

/// A call in the modern era, as it is first, or with what the client brings back.
fn call(server: &mut Server, command: &str, brought: Option<(&Value, Value)>) -> Value {
    let mut params = json!({"name": "terminal_run", "arguments": {"command": command}});
    if let Some((state, answer)) = brought {
        params["requestState"] = state.clone();
        params["inputResponses"] = json!({"approval": answer});
    }
    let answer = server.request("tools/call", params);
    answer.get("result").unwrap_or_else(|| panic!("{answer}")).clone()
}

/// The state that goes with the question that this result asks.
fn state(result: &Value) -> Value {
    assert_eq!(result["resultType"], "input_required", "{result}");
    let form = &result["inputRequests"]["approval"];
    assert_eq!(form["method"], "elicitation/create", "{result}");
    let message = form["params"]["message"].as_str().unwrap();
    assert!(message.contains("| \"command\": \"echo "), "{message}");
    let schema = &form["params"]["requestedSchema"];
    assert_eq!(schema["required"], json!(["approve"]), "{schema}");
    assert_eq!(schema["properties"]["approve"]["default"], false, "{schema}");
    result["requestState"].clone()
}

#[test]
fn a_client_of_before_asks_while_the_call_waits() {
    let place = Place::new("user", "5min");
    let mut server = place.server_for_a_person(Era::Legacy);
    let workspace = server.workspace().to_owned();
    let ask = |server: &mut Server, answer: Value| {
        let call = server.send_call("terminal_run", json!({"command": LINE}));
        let form = server.wait_for(|message| message["method"] == "elicitation/create");
        assert!(form["params"]["message"].as_str().unwrap().contains(LINE), "{form}");
        server.respond(&form, answer);
        server.reply(call)
    };
    assert!(!ask(&mut server, answer(&json!(true))).is_error);
    assert_eq!(runs(&workspace), 1);
    // Closing the form is no answer: the same may be asked again. What is not a tick is a no, which stands.
    let closed = ask(&mut server, json!({"action": "cancel"}));
    assert!(
        closed.is_error && closed.text.contains("closed the question"),
        "{}",
        closed.text
    );
    let denied = ask(&mut server, answer(&json!("true")));
    assert!(
        denied.is_error && denied.text.contains("declined by the user"),
        "{}",
        denied.text
    );
    let again = server.call("terminal_run", json!({"command": LINE}));
    assert!(
        again.is_error && again.text.contains("declined by the user"),
        "{}",
        again.text
    );
    assert_eq!(runs(&workspace), 1);
}

#[test]
fn a_client_of_now_calls_again_with_the_answer_and_it_counts_once() {
    let place = Place::new("user", "5min");
    let mut server = place.server_for_a_person(Era::Modern);
    let workspace = server.workspace().to_owned();
    let sealed = state(&call(&mut server, LINE, None));
    // Without an answer it is asked again, and is the same question.
    assert_eq!(state(&call(&mut server, LINE, None)), sealed);
    let done = call(&mut server, LINE, Some((&sealed, answer(&json!(true)))));
    assert_eq!((&done["isError"], runs(&workspace)), (&json!(false), 1), "{done}");
    // Brought again it is worth nothing: another question is asked.
    let other = state(&call(&mut server, LINE, Some((&sealed, answer(&json!(true))))));
    assert_ne!(other, sealed);
    let denied = call(&mut server, LINE, Some((&other, json!({"action": "decline"}))));
    assert_eq!(denied["isError"], true, "{denied}");
    assert_eq!(runs(&workspace), 1);
    let events: Vec<_> = place.record().iter().map(|line| line["event"].clone()).collect();
    assert_eq!(
        events.iter().filter(|event| **event == "approved").count(),
        1,
        "{events:?}"
    );
    // So is the no, once, as the user's.
    let no = |line: &&Value| line["event"] == "declined" && line.to_string().contains("the user");
    assert_eq!(place.record().iter().filter(no).count(), 1);
}

#[test]
fn an_answer_to_one_call_is_none_to_another() {
    let place = Place::new("user", "5min");
    let mut server = place.server_for_a_person(Era::Modern);
    let workspace = server.workspace().to_owned();
    let sealed = state(&call(&mut server, LINE, None));
    let yes = || answer(&json!(true));
    // The right question and digest with a proof that is not ours.
    let (question, _) = sealed.as_str().unwrap().rsplit_once('.').unwrap();
    let forged = json!(format!("{question}.{}", "0".repeat(64)));
    assert_eq!(state(&call(&mut server, LINE, Some((&forged, yes())))), sealed);
    assert_eq!(runs(&workspace), 0);
    // A yes to one command with another one: that one is asked about.
    let other = state(&call(&mut server, "echo b >> runs", Some((&sealed, yes()))));
    assert_ne!(other, sealed);
    assert_eq!(runs(&workspace), 0);
    // Nor does a no or a yes that another call brought count later, as none was put on record.
    state(&call(
        &mut server,
        "echo b >> runs",
        Some((&sealed, json!({"action": "decline"}))),
    ));
    assert_eq!(state(&call(&mut server, LINE, None)), sealed);
    let decided = |line: &Value| line["event"] == "approved" || line["event"] == "declined";
    assert_eq!(place.record().iter().filter(|line| decided(line)).count(), 0);
    // Each byte of the state counts, and it is no other server's.
    let text = sealed.as_str().unwrap();
    for forged in [
        text.replace(['0', '1'], "2"),
        format!("{text}0"),
        text[..text.len() - 1].to_owned(),
        String::new(),
    ] {
        state(&call(&mut server, "echo b >> runs", Some((&json!(forged), yes()))));
    }
    let mut stranger = place.server_for_a_person(Era::Modern);
    state(&call(&mut stranger, LINE, Some((&sealed, yes()))));
    assert_eq!((runs(&workspace), runs(stranger.workspace())), (0, 0));
}

#[test]
fn with_both_channels_the_first_answer_counts() {
    let place = Place::new("operator, user", "5min");
    let mut server = place.server_for_a_person(Era::Legacy);
    let workspace = server.workspace().to_owned();
    let call = server.send_call("terminal_run", json!({"command": LINE}));
    let form = server.wait_for(|message| message["method"] == "elicitation/create");
    assert!(place.approve().status.success());
    assert!(!server.reply(call).is_error);
    // The user's answer comes too late to be a second yes.
    server.respond(&form, answer(&json!(true)));
    assert_eq!(runs(&workspace), 1);
    assert!(!server.call("terminal_list", json!({})).is_error);
    assert_eq!(runs(&workspace), 1);
}

#[test]
fn a_form_that_nobody_waits_for_any_more_is_taken_back() {
    let place = Place::new("operator, user", "10s");
    let mut server = place.server_for_a_person(Era::Legacy);
    let asked = |server: &mut Server| {
        let call = server.send_call("terminal_run", json!({"command": LINE}));
        (
            call,
            server.wait_for(|message| message["method"] == "elicitation/create"),
        )
    };
    let taken_back = |server: &mut Server, form: &Value| {
        let over = server.wait_for(|message| message["method"] == "notifications/cancelled");
        assert_eq!(over["params"]["requestId"], form["id"], "{over}");
    };
    // It expires.
    let (call, form) = asked(&mut server);
    server.reply(call).refused("nobody answered");
    taken_back(&mut server, &form);
    // The operator was faster.
    let (call, form) = asked(&mut server);
    assert!(place.approve().status.success());
    assert!(!server.reply(call).is_error);
    taken_back(&mut server, &form);
    // The client gives up.
    let (call, form) = asked(&mut server);
    server.notify("notifications/cancelled", json!({"requestId": call}));
    taken_back(&mut server, &form);
    // One that was answered is not.
    let (call, form) = asked(&mut server);
    server.respond(&form, answer(&json!(false)));
    assert!(server.reply(call).is_error);
    let late = server.unclaimed();
    assert!(
        !late
            .iter()
            .any(|message| message["method"] == "notifications/cancelled"),
        "{late:?}"
    );
}

#[test]
fn closing_the_form_is_no_answer_in_either_era() {
    for era in [Era::Legacy, Era::Modern] {
        let place = Place::new("operator, user", "5min");
        let mut server = place.server_for_a_person(era);
        let workspace = server.workspace().to_owned();
        let closed = json!({"action": "cancel"});
        // The operator is asked on, as if the user had not been.
        let waits = match era {
            Era::Legacy => {
                let call = server.send_call("terminal_run", json!({"command": LINE}));
                let form = server.wait_for(|message| message["method"] == "elicitation/create");
                server.respond(&form, closed);
                call
            }
            Era::Modern => {
                let sealed = state(&call(&mut server, LINE, None));
                let mut params = json!({"name": "terminal_run", "arguments": {"command": LINE}});
                params["requestState"] = sealed;
                params["inputResponses"] = json!({"approval": closed});
                server.send("tools/call", params)
            }
        };
        assert!(place.approve().status.success(), "{era:?}");
        let reply = server.reply(waits);
        assert!(!reply.is_error, "{era:?}: {}", reply.text);
        assert_eq!(runs(&workspace), 1, "{era:?}");
    }
}

#[test]
fn a_form_that_was_closed_may_be_asked_again() {
    let place = Place::new("user", "5min");
    let mut server = place.server_for_a_person(Era::Modern);
    let workspace = server.workspace().to_owned();
    let sealed = state(&call(&mut server, LINE, None));
    let closed = call(&mut server, LINE, Some((&sealed, json!({"action": "cancel"}))));
    assert_eq!(closed["isError"], true, "{closed}");
    assert!(closed.to_string().contains("closed the question"), "{closed}");
    let again = state(&call(&mut server, LINE, None));
    let done = call(&mut server, LINE, Some((&again, answer(&json!(true)))));
    assert_eq!((&done["isError"], runs(&workspace)), (&json!(false), 1), "{done}");
}
