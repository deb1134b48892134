//! What a refused call must not cost: what a rule bounds, a person's yes, Hack Forums' patience, our memory.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::Server;
use crate::hf::{ALL, Setting};
use crate::processes::peak;

/// A rule under which one reply a day is allowed.
const ONE: &str = "{id: one, effect: allow, callers: [local], tools: [hf_posts_reply], at_most: {times: 1, per: day}}";
const READS: &str = "{id: reads, effect: allow, callers: [local], tools: [hf_me_read]}";

fn reply(tid: u32) -> Value {
    json!({"tid": tid, "message": "A message", "confirm_live": true})
}

#[test]
fn a_back_off_is_kept_also_where_nothing_was_kept_before() {
    for mode in ["429", "header 200 x-rate-limit-remaining: 0"] {
        let setting = Setting::new(&[ALL]);
        let mut server = setting.server();
        setting.fake.be(mode);
        server.call("hf_me_read", json!({}));
        setting.fake.be("ok");
        // The same process, and the next.
        let mut next = setting.server();
        for server in [&mut server, &mut next] {
            let reply = server.call("hf_me_read", json!({}));
            assert!(
                reply.is_error && reply.text.starts_with("rate: "),
                "{mode}: {}",
                reply.text
            );
        }
        assert_eq!(setting.fake.requests().len(), 1, "{mode}");
    }
}

#[test]
fn what_is_not_sent_is_not_counted() {
    let setting = Setting::new(&[ONE, READS]);
    let mut server = setting.server_without_token();
    for _ in 0..2 {
        let said = server.call("hf_posts_reply", reply(7)).text;
        assert!(said.starts_with("auth: there is no token"), "{said}");
    }
    drop(server);
    setting.fake.be("429");
    let mut server = setting.server();
    assert!(server.call("hf_me_read", json!({})).text.starts_with("rate: "));
    for _ in 0..2 {
        let said = server.call("hf_posts_reply", reply(7)).text;
        assert!(said.contains("nothing was sent"), "{said}");
    }
    drop(server);
    std::fs::remove_file(setting.directory.join("terrarium/hf/rate.json")).unwrap();
    setting.fake.be("ok");
    let mut server = setting.server();
    let sent = server.call("hf_posts_reply", reply(7));
    assert!(!sent.is_error, "{}", sent.text);
    let said = server.call("hf_posts_reply", reply(7)).text;
    assert!(said.contains("denied") && said.contains("0 are left"), "{said}");
    assert_eq!(setting.fake.requests().len(), 2);
}

#[test]
fn no_more_bytes_are_sent_than_a_rule_lets_be_spent() {
    let rule = "{id: give, effect: allow, callers: [local], tools: [hf_bytes_transfer], \
                spend: {field: amount, at_most: 10, per: day}}";
    let setting = Setting::new(&[rule]);
    let give = |amount: u32, to: u32| json!({"target_uid": to, "amount": amount, "confirm_live": true});
    let mut server = setting.server();
    let refused = |server: &mut Server, amount: u32, left: &str| {
        let said = server.call("hf_bytes_transfer", give(amount, 7)).text;
        assert!(said.contains("denied") && said.contains(left), "{amount}: {said}");
    };
    refused(&mut server, 11, "10 are left");
    // At once: no two of them have the same bytes.
    let asked: Vec<u64> = (1..5)
        .map(|to| server.send_call("hf_bytes_transfer", give(3, to)))
        .collect();
    let sent = asked.iter().filter(|id| !server.reply(**id).is_error).count();
    assert_eq!((sent, setting.fake.requests().len()), (3, 3));
    refused(&mut server, 2, "1 are left");
    drop(server);
    let mut next = setting.server();
    refused(&mut next, 2, "1 are left");
    let last = next.call("hf_bytes_transfer", give(1, 7));
    assert!(!last.is_error, "{}", last.text);
    refused(&mut next, 1, "0 are left");
    assert_eq!(setting.fake.requests().len(), 1);
}

#[test]
fn a_write_that_the_journal_refuses_is_not_counted() {
    let setting = Setting::new(&[&ONE.replace("times: 1", "times: 2")]);
    let mut server = setting.server();
    setting.fake.be("close");
    assert!(
        server
            .call("hf_posts_reply", reply(7))
            .text
            .starts_with("unknown outcome")
    );
    setting.fake.be("ok");
    for _ in 0..2 {
        let said = server.call("hf_posts_reply", reply(7)).text;
        assert!(said.contains("so no other is sent"), "{said}");
    }
    let sent = server.call("hf_posts_reply", reply(8));
    assert!(!sent.is_error, "{}", sent.text);
    let said = server.call("hf_posts_reply", reply(9)).text;
    assert!(said.contains("0 are left"), "{said}");
}

#[test]
fn nobody_is_asked_about_what_would_not_be_sent() {
    let rule = "{id: write, effect: confirm, callers: [local], tools: [hf_posts_reply], confirm: {by: [operator], \
                within: 10s}}";
    let setting = Setting::new(&[rule]);
    let mut server = setting.server_without_token();
    let said = server.call("hf_posts_reply", reply(7)).text;
    assert!(said.starts_with("auth: there is no token"), "{said}");
    assert!(setting.questions().is_empty());
    // The policy comes first: who may not ask learns nothing of the token.
    let said = server.call(
        "hf_threads_create",
        json!({"fid": 7, "subject": "abc", "message": "abc", "confirm_live": true}),
    );
    assert!(said.text.contains("denied"), "{}", said.text);
}

#[test]
fn many_long_drafts_are_listed_without_their_texts() {
    const MANY: usize = 60;
    let setting = Setting::new(&[ALL]);
    let mut server = setting.server();
    let long = json!({"message": "\u{1f600}".repeat(60_000), "message_format": "mycode"});
    let kept = server.call("hf_formatting_preflight", long);
    let id = kept.facts["draft"]["draft_id"].as_str().unwrap().to_owned();
    let path = |id: &str| -> PathBuf { setting.directory.join(format!("terrarium/hf/drafts/{id}.json")) };
    for number in 1..MANY {
        let other = format!("{number:032x}");
        let text = std::fs::read_to_string(path(&id)).unwrap().replace(&id, &other);
        std::fs::copy(path(&id), path(&other)).unwrap();
        std::fs::write(path(&other), text).unwrap();
    }
    let before = peak(server.pid());
    let list = server.call("hf_drafts_list", json!({"limit": 500}));
    assert_eq!((list.is_error, list.facts["rows"].as_u64()), (false, Some(MANY as u64)));
    let grown = peak(server.pid()) - before;
    assert!(grown < 10 * 1024, "{grown} kB");
}
