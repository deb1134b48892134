//! What is shown of sessions: as the agent sees them, and as text whatever it says.

use serde_json::json;

use super::browser::{Place, rows};

pub(super) const TERMINALS: &str = "policy:\n  revision: \"1\"\n  rules:\n    - {id: all, effect: allow, callers: [local], \
                                    tools: [\"terminal_*\"], profiles: [default]}\n";

#[test]
fn a_screen_is_shown_with_its_colours_cursor_and_size() {
    let (place, mut server) = Place::start(TERMINALS);
    let browser = place.login();
    let mut feed = browser.watch();
    let line = "printf '\\033]0;<b>title</b>\\007\\033[31;1mred\\033[0m <script>x</script>\\n'; sleep 600";
    let opened = server.call(
        "terminal_open",
        json!({"argv": ["sh", "-c", line], "cols": 60, "rows": 10}),
    );
    assert!(!opened.is_error, "{}", opened.text);
    let session = feed.session();
    assert_eq!(
        (session["state"].as_str(), session["can_type"].as_bool()),
        (Some("running"), Some(true))
    );
    let shown = feed.shows("red");
    assert_eq!((shown["cols"].as_u64(), shown["rows"].as_u64()), (Some(60), Some(10)));
    assert_eq!(shown["cursor"], json!([1, 0]));
    let first = &shown["lines"][0][1][0];
    assert_eq!(
        (first["text"].as_str(), first["fg"].as_u64(), first["bold"].as_bool()),
        (Some("red"), Some(1), Some(true))
    );
    // What looks like markup is text, here and in the page.
    assert!(rows(&shown).contains("<script>x</script>"), "{shown}");
    let titled = feed
        .told
        .iter()
        .chain([&shown])
        .any(|event| event["title"] == "<b>title</b>");
    assert!(titled, "{:?}", feed.told);

    let resized = server.call("terminal_resize", json!({"session": "s1", "cols": 90, "rows": 20}));
    assert!(!resized.is_error, "{}", resized.text);
    let shown = feed.until("screen", |event| event["cols"] == 90);
    assert_eq!((shown["rows"].as_u64(), shown["all"].as_bool()), (Some(20), Some(true)));
}

#[test]
fn the_page_is_told_limits_usage_and_protections() {
    let (place, mut server) = Place::start(TERMINALS);
    let mut feed = place.login().watch();
    server.call("terminal_open", json!({"argv": ["sh", "-c", "while :; do :; done"]}));
    let about = feed.until("about", |_| true);
    let names: Vec<_> = about["protections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.contains("seccomp") || name.contains("system call")),
        "{names:?}"
    );
    assert!(
        about["limits"]
            .as_array()
            .unwrap()
            .iter()
            .any(|limit| limit["name"] == "memory" && limit["value"] != "")
    );
    let of = |list: &serde_json::Value, name: &str| {
        let usage = list["sessions"][0]["usage"].as_array().unwrap().clone();
        usage.into_iter().find(|entry| entry["name"] == name).unwrap()
    };
    // It works all the time, and every list knows more of it.
    let busy = feed.until("sessions", |list| {
        list["sessions"].as_array().is_some_and(|all| !all.is_empty())
            && of(list, "processor time")["value"].as_f64().unwrap() > 0.1
    });
    assert!(of(&busy, "memory")["limit"].as_u64().unwrap() > 0);
    assert!(of(&busy, "processes")["value"].as_u64().unwrap() >= 1, "{busy}");
    server.call("terminal_close", json!({"session": "s1"}));
    feed.until("sessions", |list| list["sessions"] == json!([]));
}

#[test]
fn a_screen_that_changes_all_the_time_is_sent_twenty_times_a_second_at_most() {
    let (place, mut server) = Place::start(TERMINALS);
    let mut feed = place.login().watch();
    server.call(
        "terminal_open",
        json!({"argv": ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; done"]}),
    );
    // Between two lists, which come every twenty looks or when a session comes or goes, there are twenty looks.
    feed.shows("line");
    feed.until("sessions", |_| true);
    let mut all = 0;
    for _ in 0..3 {
        let before = feed.told.len();
        feed.until("sessions", |_| true);
        let screens = feed.told[before..]
            .iter()
            .filter(|event| event["kind"] == "screen")
            .count();
        assert!(screens <= 20, "{screens} in a second");
        all += screens;
    }
    assert!(all > 0); // none in a second is a busy machine
}

#[test]
fn a_session_without_a_terminal_shows_the_end_of_its_output() {
    let (place, mut server) = Place::start(TERMINALS);
    let mut feed = place.login().watch();
    let command = "echo out; echo '\u{1b}[31mwrong' >&2; sleep 600";
    server.call("terminal_run", json!({"command": command, "yield_ms": 100}));
    let shown = feed.shows("wrong");
    assert!(
        rows(&shown).contains("out\n") && !rows(&shown).contains('\u{1b}'),
        "{shown}"
    );
    assert_eq!(feed.session()["can_type"], false);
}
