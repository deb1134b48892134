//! What becomes of a call when Hack Forums answers wrongly, late or not at all.

use super::*;

/// The class of each fault for a read and for a write; nothing where it is no fault.
fn class(mode: &str, writes: bool) -> Option<&'static str> {
    Some(match mode {
        "ok" | "single" | "nums" | "quot" | "injected" => return None,
        "fail" => "refused: ",
        "scope" | "403" => "scope: ",
        "hourly" | "429" => "rate: ",
        "401" | "401echo" => "auth: ",
        "404" => "not found: ",
        "challenge" => "challenge: ",
        "500" | "502" | "503" if !writes => "server: ",
        "html" if !writes => "challenge: ",
        "empty" | "badjson" | "list" | "deep" | "nonutf8" | "gzip" if !writes => "malformed: ",
        "slow" | "drip" | "headdrip" | "continues" if !writes => "timeout: ",
        "huge" | "many" if !writes => "too large: ",
        "many_refused" => "refused: ",
        "redirect" | "redirect307" if !writes => "redirect: ",
        "close" | "reset_after" | "hugehead" | "length" if !writes => "connection: ",
        _ => "unknown outcome: ",
    })
}

#[tokio::test]
async fn each_fault_of_each_tool_has_its_class_and_is_sent_once() {
    let other = Fake::start();
    for mode in MODES {
        let pair = Pair::new();
        pair.fake.be(mode);
        pair.fake.send_to(&other);
        for (tool, given) in calls() {
            // Those that wait are the same code for all tools.
            let waits = ["slow", "drip", "huge", "headdrip", "continues", "hugehead"].contains(&mode);
            if waits && !["hf_posts_read", "hf_posts_reply"].contains(&tool) {
                continue;
            }
            let writes = operation(tool).unwrap().writes();
            let found = pair.call(tool, given.clone()).await;
            match (class(mode, writes), &found) {
                (None, Ok(_)) => {}
                (Some(class), Err(error)) => assert!(error.starts_with(class), "{tool} {mode}: {error}"),
                (expected, found) => panic!("{tool} {mode}: {expected:?}, {found:?}"),
            }
            let sent = pair.fake.requests().len();
            assert_eq!((sent, other.requests().len()), (1, 0), "{tool} {mode}");
            if let Err(error) = &found {
                assert!(
                    error.len() < 700 && !error.contains('<') && !error.chars().any(char::is_control),
                    "{error}"
                );
            }
            let unknown = found.is_err_and(|error| error.starts_with("unknown"));
            let entries = pair.hf.journal.list().unwrap();
            assert_eq!(entries.len(), usize::from(unknown), "{tool} {mode}");
            for (entry, _) in entries {
                assert!(pair.hf.journal.clear(&entry.id).unwrap(), "{tool} {mode}: under way");
            }
            pair.call_again();
        }
    }
}

#[tokio::test]
async fn a_write_of_unknown_outcome_blocks_its_like_until_somebody_looked() {
    let pair = Pair::new();
    for (tool, given) in calls()
        .into_iter()
        .filter(|(tool, _)| operation(tool).unwrap().writes())
    {
        pair.fake.be("close");
        let error = pair.call(tool, given.clone()).await.unwrap_err();
        assert!(error.starts_with("unknown outcome: connection: "), "{error}");
        pair.fake.be("ok");
        pair.fake.requests();
        for _ in 0..2 {
            let error = pair.call(tool, given.clone()).await.unwrap_err();
            assert!(
                error.contains("may or may not have happened, so no other is sent"),
                "{error}"
            );
        }
        assert!(pair.fake.requests().is_empty(), "{tool}");
        let (entry, under_way) = pair.hf.journal.list().unwrap().pop().unwrap();
        assert!(entry.operation == tool && !under_way && error.contains(&entry.id));
        assert!(pair.hf.journal.clear(&entry.id).unwrap());
        pair.call(tool, given).await.unwrap();
        assert_eq!(pair.fake.requests().len(), 1);
    }
    // Another target is another write.
    pair.fake.be("close");
    pair.call(
        "hf_posts_reply",
        json!({"tid": 7, "message": "abc", "confirm_live": true}),
    )
    .await
    .unwrap_err();
    pair.fake.be("ok");
    pair.call(
        "hf_posts_reply",
        json!({"tid": 8, "message": "abc", "confirm_live": true}),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_write_that_nobody_waited_for_stays_in_the_journal() {
    let pair = Pair::new();
    pair.fake.be("slow");
    let given = json!({"tid": 7, "message": "abc", "confirm_live": true});
    tokio::select! {
        reply = pair.call("hf_posts_reply", given.clone()) => panic!("{reply:?}"),
        () = came(&pair.fake) => {}
    }
    left(&pair.fake).await;
    pair.fake.be("ok");
    let error = pair.call("hf_posts_reply", given).await.unwrap_err();
    assert!(error.starts_with("unknown outcome: an earlier"), "{error}");
    assert_eq!(pair.fake.requests().len(), 1);
}

#[tokio::test]
async fn a_slow_answer_delays_no_other_call_and_ends_with_its_own() {
    let pair = Pair::with(|file| file.timeouts = TimeoutsFile::default());
    pair.fake.be("slow");
    let other = async {
        came(&pair.fake).await;
        pair.fake.be("ok");
        pair.call("hf_me_read", json!({})).await.unwrap()
    };
    tokio::select! {
        biased;
        reply = pair.call("hf_posts_read", json!({"tid": 7})) => panic!("{reply:?}"),
        reply = other => assert!(reply.text.contains("uid 7")),
    }
    left(&pair.fake).await;
}

/// Waits until a request came.
async fn came(fake: &Arc<Fake>) {
    let fake = Arc::clone(fake);
    tokio::task::spawn_blocking(move || fake.wait_for_requests(1))
        .await
        .unwrap();
}

/// Waits until a client left before its answer.
async fn left(fake: &Arc<Fake>) {
    let fake = Arc::clone(fake);
    tokio::task::spawn_blocking(move || fake.wait_for_hang_up())
        .await
        .unwrap();
}

#[tokio::test]
async fn after_the_hourly_limit_nothing_is_sent_for_a_while() {
    for (mode, least) in [("hourly", 590), ("429", 20)] {
        let pair = Pair::new();
        pair.fake.be(mode);
        pair.call("hf_me_read", json!({})).await.unwrap_err();
        pair.fake.be("ok");
        let again = hf(&pair.fake, &pair.scratch, |_| {});
        assert!(again.rate.back_off().unwrap() > Duration::from_secs(least), "{mode}");
        for (tool, given) in calls() {
            let error = pair.call(tool, given).await.unwrap_err();
            assert!(
                error.starts_with("rate: ") && error.contains("nothing was sent"),
                "{error}"
            );
        }
        assert_eq!(pair.fake.requests().len(), 1);
        assert!(pair.hf.journal.list().unwrap().is_empty());
    }
}

#[tokio::test]
async fn odd_words_about_limits_are_taken_with_care() {
    let table = [
        ("Retry-After: 30", 30),
        ("Retry-After: 0", 1),
        ("Retry-After: 99999999999999999999", 600),
        ("Retry-After: 18446744073709551615", 3600),
        ("Retry-After: -5", 600),
        ("Retry-After: 1e9", 600),
        ("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", 600),
        ("Retry-After: \u{e9}", 600),
        ("X-Nothing: 1", 600),
    ];
    for (header, seconds) in table {
        let pair = Pair::new();
        pair.fake.be(&format!("header 429 {header}"));
        let error = pair.call("hf_me_read", json!({})).await.unwrap_err();
        assert!(
            error.starts_with("rate: ") && error.contains(&format!("none is sent for {seconds} s")),
            "{header}: {error}"
        );
    }
    for header in ["-1", "none", "1e3", "99999999999999999999", ""] {
        let pair = Pair::new();
        pair.fake.be(&format!("header 200 x-rate-limit-remaining: {header}"));
        let reply = pair.call("hf_me_read", json!({})).await.unwrap();
        assert_eq!(reply.structured.get("rate_limit_remaining"), None, "{header}");
        assert_eq!(pair.hf.rate.back_off(), None, "{header}");
    }
    let pair = Pair::new();
    pair.fake.be("header 200 x-rate-limit-remaining: 0");
    pair.call("hf_me_read", json!({})).await.unwrap();
    assert!(pair.hf.rate.back_off().is_some());
}

#[tokio::test]
async fn what_is_left_on_a_connection_is_no_answer_to_a_write() {
    let pair = Pair::new();
    pair.fake.be("twice");
    for tid in 1..6 {
        let given = json!({"tid": tid, "message": "A message", "confirm_live": true});
        let reply = pair.call("hf_posts_reply", given).await.unwrap();
        assert!(!reply.text.contains("pid 666"), "{}", reply.text);
    }
}

#[tokio::test]
async fn the_kind_of_an_answer_is_that_of_its_bytes() {
    let pair = Pair::new();
    for kind in ["text/plain", "image/png", "application/x-msdownload; charset=utf-7"] {
        pair.fake.be(&format!("header 200 Content-Type: {kind}"));
        pair.call("hf_posts_read", json!({"tid": 7})).await.unwrap();
    }
    pair.fake.be("header 200 Content-Type: text/html");
    let error = pair.call("hf_posts_read", json!({"tid": 7})).await.unwrap_err();
    assert!(error.starts_with("challenge: "), "{error}");
}

#[tokio::test]
async fn a_write_is_accepted_only_where_that_was_said() {
    let pair = Pair::new();
    let given = json!({"tid": 7, "message": "A message", "confirm_live": true});
    let table = [
        (r#"{"posts": {"success": false, "message": "NO"}}"#, "refused: "),
        (r#"{"posts": [{"success": "0", "message": "NO"}]}"#, "refused: "),
        (r#"{"posts": {"0": {"success": 0, "message": "KEY_SCOPE"}}}"#, "scope: "),
        (
            r#"{"posts": {"success": false, "message": "MAX_HOURLY_CALLS_EXCEEDED"}}"#,
            "rate: ",
        ),
        (r#"{"posts": null}"#, "unknown outcome: malformed: "),
        (r#"{"posts": false}"#, "unknown outcome: malformed: "),
        (r#"{"posts": "0"}"#, "unknown outcome: malformed: "),
        (r#"{"posts": [null]}"#, "unknown outcome: malformed: "),
        (r#"{"posts": []}"#, "unknown outcome: malformed: "),
        (r#"{"posts": {}}"#, "unknown outcome: malformed: "),
        (r#"{"posts": [{}]}"#, "unknown outcome: malformed: "),
        (r#"{"posts": "tx-9"}"#, "unknown outcome: malformed: "),
        (r#"{"posts": 9}"#, "unknown outcome: malformed: "),
        (r#"{"posts": ["x"]}"#, "unknown outcome: malformed: "),
        (r#"{"posts": {"pid": 9, "tid": 8}}"#, "unknown outcome: malformed: "),
        (
            r#"{"success": true, "posts": [{"tid": "8"}]}"#,
            "unknown outcome: malformed: ",
        ),
        (
            r#"{"posts": [{"success": false}, {"pid": 1}]}"#,
            "unknown outcome: malformed: ",
        ),
        (
            r#"{"posts": {"success": false}, "success": true}"#,
            "unknown outcome: malformed: ",
        ),
    ];
    for (body, class) in table {
        pair.fake.be(body);
        let error = pair.call("hf_posts_reply", given.clone()).await.unwrap_err();
        assert!(error.starts_with(class), "{body}: {error}");
        let entries = pair.hf.journal.list().unwrap();
        assert_eq!(entries.len(), usize::from(class.starts_with("unknown")), "{body}");
        for (entry, _) in entries {
            pair.hf.journal.clear(&entry.id).unwrap();
        }
        pair.call_again();
    }
    for body in [
        r#"{"posts": {"pid": 9}}"#,
        r#"{"posts": {"success": true}}"#,
        r#"{"success": true, "posts": null}"#,
        r#"{"success": 1}"#,
        r#"{"posts": true}"#,
        r#"{"posts": {"pid": 9, "tid": "7"}}"#,
        r#"{"success": true, "posts": []}"#,
    ] {
        pair.fake.be(body);
        let reply = pair.call("hf_posts_reply", given.clone()).await.unwrap();
        assert!(reply.text.contains("sent and accepted"), "{body}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_read_that_holds_a_no_is_no_row() {
    let pair = Pair::new();
    pair.fake.be(r#"{"posts": {"success": false, "message": "NO"}}"#);
    let error = pair.call("hf_posts_read", json!({"tid": 7})).await.unwrap_err();
    assert!(error.starts_with("refused: "), "{error}");
}

#[tokio::test]
async fn the_hourly_limit_is_known_under_any_status() {
    let body = r#"{"success": false, "message": "MAX_HOURLY_CALLS_EXCEEDED"}"#;
    for status in ["400 Bad", "403 Forbidden", "500 Error", "503 Unavailable"] {
        for body in [body, "MAX_HOURLY_CALLS_EXCEEDED"] {
            for (tool, given) in [&calls()[4], &calls()[13]] {
                let pair = Pair::new();
                pair.fake.be(&format!("status {status}\n{body}"));
                let error = pair.call(tool, given.clone()).await.unwrap_err();
                assert!(error.starts_with("rate: "), "{tool} {status}: {error}");
                assert!(pair.hf.rate.back_off().is_some() && pair.hf.journal.list().unwrap().is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_status_that_is_no_refusal_leaves_a_write_open() {
    for status in ["408 Timeout", "409 Conflict", "600 Odd", "999 Odd"] {
        let pair = Pair::new();
        pair.fake.be(&format!("status {status}\n{{}}"));
        let (tool, given) = calls().swap_remove(13);
        let error = pair.call(tool, given).await.unwrap_err();
        assert!(error.starts_with("unknown outcome: "), "{status}: {error}");
        assert_eq!(pair.hf.journal.list().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn nobody_is_told_to_send_a_write_of_unknown_outcome_again() {
    for mode in ["slow", "500", "many", "redirect", "html", "badjson", "close"] {
        let pair = Pair::new();
        pair.fake.be(mode);
        let (tool, given) = calls().swap_remove(13);
        let error = pair.call(tool, given).await.unwrap_err();
        assert!(error.starts_with("unknown outcome: "), "{mode}: {error}");
        assert_eq!(error.matches("hint:").count(), 1, "{mode}: {error}");
        assert!(error.contains("; hint: look at Hack Forums whether it did"), "{error}");
    }
}
