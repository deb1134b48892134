//! What the operator does: terminals taken over, questions answered, lockdown. Each is on record.

use serde_json::{Value, json};

use super::browser::{Feed, Place};
use super::screens::TERMINALS;
use crate::command::until;
use crate::ends::mark;
use crate::processes::{alive, signal};
use crate::tty::{Tty, set_passphrase};

const ASKS: &str = "policy:\n  revision: \"1\"\n  rules:\n    - {id: asks, effect: confirm, callers: [local], tools: [terminal_run], \
                    profiles: [default], confirm: {by: [operator], within: 5min}}\n";

fn question(feed: &mut Feed) -> Value {
    let event = feed.until("questions", |event| event["questions"].as_array().unwrap().len() == 1);
    event["questions"][0].clone()
}

fn decision(question: &Value, approve: bool, reason: &str) -> Value {
    json!({"id": question["id"], "action": question["action"], "approve": approve, "reason": reason})
}

#[test]
fn a_terminal_is_read_only_until_it_is_taken_over_and_that_is_on_record() {
    let (place, mut server) = Place::start(TERMINALS);
    let browser = place.login();
    let opened = server.call("terminal_open", json!({"argv": ["cat"], "cols": 80, "rows": 10}));
    assert!(!opened.is_error, "{}", opened.text);
    let mut feed = browser.watch();
    let session = feed.session();
    let id = session["id"].as_str().unwrap();
    let typed = |text: &str| json!({"id": id, "input": [{"text": text}, {"key": "Enter"}]});
    let refused = browser.ask("/api/type", &typed("too early"));
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (403, "take the terminal over first\n")
    );
    let nobody = json!({"id": "0".repeat(32), "reason": ""});
    assert_eq!(browser.ask("/api/take", &nobody).status, 404);

    let take = json!({"id": id, "reason": "it is <b>stuck</b>"});
    assert_eq!(browser.ask("/api/take", &take).status, 200);
    assert_eq!(browser.ask("/api/type", &typed("hello from the operator")).status, 200);
    feed.shows("hello from the operator");
    // Another browser sees it, and neither types nor takes nor gives it back.
    let other = place.login();
    let mut second = other.watch();
    second.shows("hello from the operator");
    assert_eq!(other.ask("/api/type", &typed("not mine")).status, 403);
    assert_eq!(other.ask("/api/take", &take).status, 409);
    assert_eq!(other.ask("/api/release", &json!({"id": id})).status, 200);
    let unknown = json!({"id": id, "input": [{"key": "NoSuchKey"}]});
    assert_eq!(browser.ask("/api/type", &unknown).status, 400);
    assert_eq!(browser.ask("/api/type", &typed("still mine")).status, 200);
    feed.shows("still mine");

    assert_eq!(browser.ask("/api/release", &json!({"id": id})).status, 200);
    assert_eq!(browser.ask("/api/type", &typed("too late")).status, 403);
    let taken = place.record("attached");
    assert_eq!(
        (taken.len(), &taken[0]["session"], &taken[0]["why"]),
        (1, &session["id"], &take["reason"])
    );
    assert!(taken[0]["by"].as_str().unwrap().contains("at the console"), "{taken:?}");
    let returned = place.record("detached");
    assert_eq!(
        (returned.len(), returned[0]["why"].as_str()),
        (1, Some("43 bytes typed")),
        "{returned:?}"
    );
}

#[test]
fn whoever_has_logged_out_is_told_nothing_more() {
    let (place, mut server) = Place::start(TERMINALS);
    let browser = place.login();
    let mut feed = browser.watch();
    let mut other = place.login().watch();
    feed.until("hello", |_| true);
    assert_eq!(browser.ask("/api/leave", &json!({})).status, 200);
    server.call("terminal_run", json!({"command": "true"}));
    let tells = |event: &Value| event["lines"].to_string().contains("terminal_run");
    other.until("audit", tells);
    // What was on its way, and then the end.
    while let Some(event) = feed.next() {
        assert!(!tells(&event), "{event}");
    }
}

#[test]
fn whoever_does_not_watch_any_more_has_nothing_taken() {
    let (place, mut server) = Place::start(TERMINALS);
    let browser = place.login();
    server.call("terminal_open", json!({"argv": ["cat"]}));
    let mut feed = browser.watch();
    let id = feed.session()["id"].clone();
    let take = json!({"id": id, "reason": ""});
    assert_eq!(browser.ask("/api/take", &take).status, 200);
    drop(feed);
    until("it is given back", || place.record("detached").len() == 1);
    let typed = json!({"id": id, "input": [{"text": "x"}]});
    assert_eq!(browser.ask("/api/type", &typed).status, 403);
    assert_eq!(
        browser.ask("/api/take", &take).status,
        409,
        "who does not watch takes nothing"
    );
}

#[test]
fn a_server_that_is_killed_while_a_terminal_is_taken_leaves_nothing_and_the_next_one_works() {
    let (place, mut server) = Place::start(TERMINALS);
    let mark = mark();
    let opened = server.call("terminal_open", json!({"argv": ["sleep", mark]}));
    assert!(!opened.is_error, "{}", opened.text);
    let browser = place.login();
    let mut feed = browser.watch();
    let take = json!({"id": feed.session()["id"], "reason": ""});
    assert_eq!(browser.ask("/api/take", &take).status, 200);
    assert!(alive(&mark) > 0);
    signal(server.pid(), "KILL");
    while feed.next().is_some() {} // what was on its way, and then the end
    until("no process is left", || alive(&mark) == 0);
    drop(server);
    let (place, mut next) = place.with_server(TERMINALS);
    let opened = next.call("terminal_open", json!({"argv": ["cat"]}));
    assert!(!opened.is_error, "{}", opened.text);
    let browser = place.login();
    let take = json!({"id": browser.watch().session()["id"], "reason": ""});
    let mut feed = browser.watch();
    feed.session();
    assert_eq!(browser.ask("/api/take", &take).status, 200);
}

#[test]
fn questions_are_answered_as_they_are_shown_and_the_reason_is_told() {
    let (place, mut server) = Place::start(ASKS);
    let browser = place.login();
    let mut feed = browser.watch();
    let call = server.send_call(
        "terminal_run",
        json!({"command": "echo '<img src=x onerror=alert(1)>'"}),
    );
    let asked = question(&mut feed);
    assert!(
        asked["preview"]
            .as_str()
            .unwrap()
            .contains("| \"command\": \"echo '<img src=x"),
        "{asked}"
    );
    let left = asked["left_ms"].as_u64().unwrap();
    assert!((1..=300_000).contains(&left) && asked["operator"] == true, "{asked}");
    // Another digest than was shown is another question.
    let mut other = decision(&asked, true, "");
    other["action"] = "0".repeat(64).into();
    assert_eq!(browser.ask("/api/decide", &other).status, 409);
    assert_eq!(
        browser.ask("/api/decide", &decision(&asked, true, "looks fine")).status,
        200
    );
    assert!(!server.reply(call).is_error);
    feed.until("questions", |event| event["questions"] == json!([]));
    assert_eq!(
        browser.ask("/api/decide", &decision(&asked, true, "")).status,
        409,
        "once"
    );
    let approved = place.record("approved");
    assert!(
        approved[0]["by"]
            .as_str()
            .unwrap()
            .ends_with("at the console, saying \"looks fine\""),
        "{approved:?}"
    );

    let call = server.send_call("terminal_run", json!({"command": "rm -r everything"}));
    let asked = question(&mut feed);
    assert_eq!(
        browser
            .ask("/api/decide", &decision(&asked, false, "not on a Friday"))
            .status,
        200
    );
    let reply = server.reply(call);
    reply.refused("not on a Friday");
    // The page shows what is on record, and that the record is whole.
    feed.until("audit", |event| event["lines"].to_string().contains("not on a Friday"));
    let whole = browser.ask("/api/verify", &json!({})).message();
    assert_eq!(whole["whole"], true, "{whole}");
}

#[test]
fn a_long_question_is_there_to_its_last_character() {
    let (place, mut server) = Place::start(ASKS);
    let browser = place.login();
    let mut feed = browser.watch();
    let line = format!("echo {}; echo hidden-payload", "a".repeat(2_500));
    let call = server.send_call("terminal_run", json!({"command": line}));
    let asked = question(&mut feed);
    let brief = asked["preview"].as_str().unwrap();
    assert!(asked["whole"] == false && !brief.contains("hidden-payload"), "{asked}");
    let whole = browser.ask("/api/whole", &json!({"id": asked["id"]}));
    assert_eq!(whole.status, 200, "{whole:?}");
    let whole = crate::confirm::unfolded(whole.message()["preview"].as_str().unwrap());
    assert!(whole.contains(&format!("| \"command\": \"{line}\"\n")), "{whole}");
    let nothing = browser.ask("/api/whole", &json!({"id": "0".repeat(32)}));
    assert_eq!(nothing.status, 409, "{nothing:?}");
    assert_eq!(browser.ask("/api/decide", &decision(&asked, false, "")).status, 200);
    assert!(server.reply(call).is_error);
}

#[test]
fn a_lockdown_begins_and_ends_in_the_console() {
    let (place, mut server) = Place::start(TERMINALS);
    let browser = place.login();
    let mut feed = browser.watch();
    feed.until("lockdown", |event| event["reason"].is_null());
    let on = json!({"on": true, "reason": "a look at last night"});
    let off = json!({"on": false, "reason": ""});
    assert_eq!(browser.ask("/api/lockdown", &off).status, 200, "nothing to lift");
    assert_eq!(browser.ask("/api/lockdown", &on).status, 200);
    feed.until("lockdown", |event| {
        event["reason"].to_string().contains("a look at last night")
    });
    let again = browser.ask("/api/lockdown", &json!({"on": true, "reason": "another"}));
    assert!(
        again.status == 409 && again.body.contains("locked already since ") && again.body.contains("last night"),
        "{again:?}"
    );
    let refused = server.call("terminal_run", json!({"command": "true"}));
    assert!(
        refused.is_error && refused.text.contains("a look at last night"),
        "{}",
        refused.text
    );
    assert_eq!(browser.ask("/api/lockdown", &off).status, 200);
    feed.until("lockdown", |event| event["reason"].is_null());
    assert!(!server.call("terminal_run", json!({"command": "true"})).is_error);
    // That somebody locks again is on record, and that nothing was lifted is not.
    assert_eq!((place.record("locked").len(), place.record("unlocked").len()), (2, 1));
}

#[test]
fn a_changed_record_is_told_apart_from_a_whole_one() {
    let (place, mut server) = Place::start(TERMINALS);
    let browser = place.login();
    server.call("terminal_run", json!({"command": "true"}));
    assert_eq!(browser.ask("/api/verify", &json!({})).message()["whole"], true);
    let files = std::fs::read_dir(place.state.join("terrarium/audit")).unwrap();
    let file = files
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let file = file.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("terminal_run", "terminal_ran", 1)).unwrap();
    let found = browser.ask("/api/verify", &json!({})).message();
    assert_eq!(found["whole"], false, "{found}");
}

#[test]
fn where_a_passphrase_is_set_links_and_every_yes_need_it() {
    let mut place = Place::new();
    set_passphrase(&place.terrarium(&["passphrase", "set"]), "correct horse");
    place.passphrase = Some("correct horse");
    let opens = "    - {id: opens, effect: allow, callers: [local], tools: [terminal_open], profiles: [default]}\n";
    let (place, mut server) = place.with_server(&format!("{ASKS}{opens}"));
    let mut wrong = Tty::start(&place.terrarium(&["console"]));
    wrong.type_secret("Operator's passphrase: ", "wrong horse");
    let (status, shown) = wrong.end();
    assert!(status != Some(0) && !shown.contains("#code"), "{shown}");

    let browser = place.login();
    let mut feed = browser.watch();
    feed.until("hello", |event| event["passphrase"] == true);
    let call = server.send_call("terminal_run", json!({"command": "true"}));
    let asked = question(&mut feed);
    server.call("terminal_open", json!({"argv": ["cat"]}));
    let id = feed.session()["id"].clone();
    let on = json!({"on": true, "reason": ""});
    assert_eq!(
        browser.ask("/api/lockdown", &on).status,
        200,
        "to stop everything needs no passphrase"
    );
    let mut wants = [
        ("/api/lockdown", json!({"on": false, "reason": ""})),
        ("/api/take", json!({"id": id, "reason": ""})),
        ("/api/decide", decision(&asked, true, "")),
    ];
    for (path, want) in &mut wants {
        for wrong in [json!(null), json!(""), json!("wrong horse")] {
            want["passphrase"] = wrong;
            assert_eq!(browser.ask(path, want).status, 403, "{path} {want}");
        }
        want["passphrase"] = json!("correct horse");
        assert_eq!(browser.ask(path, want).status, 200, "{path}");
    }
    assert!(!server.reply(call).is_error);
    let call = server.send_call("terminal_run", json!({"command": "false"}));
    let asked = question(&mut feed);
    assert_eq!(
        browser.ask("/api/decide", &decision(&asked, false, "")).status,
        200,
        "a no needs none"
    );
    assert!(server.reply(call).is_error);
}
