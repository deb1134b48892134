//! Drafts through their tools: what is kept can be sent, read and deleted, and keeping it delays nobody.

use std::fs;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Waker};

use super::*;

impl Pair {
    fn draft_file(&self, name: &str) -> PathBuf {
        self.scratch.path().join("state/drafts").join(name)
    }

    /// Keeps a draft and says its name.
    async fn keep(&self, message: &str) -> String {
        let given = json!({"message": message, "message_format": "mycode"});
        let reply = self.call("hf_formatting_preflight", given).await.unwrap();
        reply.structured["draft"]["draft_id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn drafts_are_kept_while_others_go_on() {
    let pair = Pair::new();
    let id = pair.keep("abc").await;
    let lock = fs::File::open(pair.draft_file(".lock")).unwrap();
    lock.lock().unwrap();
    let given = json!({"draft_id": id, "title": "x"});
    let mut call = pin!(pair.call("hf_drafts_update", given));
    // It waits for a lock, and this thread does not.
    let mut context = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    lock.unlock().unwrap();
    call.await.unwrap();
}

#[tokio::test]
async fn what_is_kept_can_be_sent() {
    let pair = Pair::new();
    for (message, code) in [
        ("hi", "short_message"),
        ("   ", "blank_message"),
        ("\u{200b}\u{200b}\u{200b}", "blank_message"),
        ("abc\u{7}", "control_character"),
    ] {
        for format in ["mycode", "markdown"] {
            let given = json!({"message": message, "message_format": format});
            let reply = pair.call("hf_formatting_preflight", given).await.unwrap();
            let issues = reply.structured["issues"].as_array().unwrap();
            let found = issues
                .iter()
                .any(|issue| issue["code"] == code && issue["severity"] == "error");
            assert!(found, "{message:?} {format}: {}", reply.text);
            assert!(reply.structured.get("draft").is_none(), "{message:?}: {}", reply.text);
            assert!(!reply.text.contains("nothing is wrong"), "{}", reply.text);
        }
    }
    let list = pair.call("hf_drafts_list", json!({})).await.unwrap();
    assert_eq!(list.structured["rows"], 0);
}

#[tokio::test]
async fn what_is_kept_can_be_read_and_what_cannot_be_read_deleted() {
    let pair = Pair::new();
    let id = pair.keep("abc").await;
    // Words for a picture are not sent, but kept with the source: six times as long in the file.
    let source = format!("abc ![{}](http://a)", "\u{1}".repeat(262_144 - 40));
    fs::write(pair.draft_file("large.md"), source).unwrap();
    private(&pair.draft_file("large.md"));
    let given = json!({"source_path": "large.md"});
    let error = pair.call("hf_formatting_preflight", given).await.unwrap_err();
    assert!(error.contains("the draft would be larger than"), "{error}");
    let list = pair.call("hf_drafts_list", json!({})).await.unwrap();
    assert!(
        list.structured["rows"] == 1 && !list.text.contains("note:"),
        "{}",
        list.text
    );
    let broken = pair.draft_file(&format!("{id}.json"));
    for spoilt in ["", "{}", &"x".repeat(2_000_000)] {
        fs::write(&broken, spoilt).unwrap();
        private(&broken);
        let given = json!({"draft_id": id, "confirm_delete": true});
        pair.call("hf_drafts_delete", given).await.unwrap();
        assert!(!broken.exists());
    }
    for path in ["../state/token.json", ".lock", "large.md", "x.json"] {
        let given = json!({"draft_path": path, "confirm_delete": true});
        pair.call("hf_drafts_delete", given).await.unwrap_err();
    }
    assert!(pair.draft_file("large.md").exists());
}

fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_that_are_made_at_once_are_all_kept() {
    let pair = Pair::new();
    let id = pair.keep("abc").await;
    for round in 0..50 {
        let value = round.to_string();
        let (title, category) = tokio::join!(
            pair.call("hf_drafts_update", json!({"draft_id": id, "title": value})),
            pair.call("hf_drafts_update", json!({"draft_id": id, "category": value})),
        );
        title.and(category).unwrap();
        let reply = pair.call("hf_drafts_read", json!({"draft_id": id})).await.unwrap();
        let notes = &reply.structured["draft"]["metadata"];
        assert_eq!(notes, &json!({"title": value, "category": value}), "{round}");
    }
}
