//! What a caller is shown.

use super::*;

#[tokio::test]
async fn posts_are_shown_cleaned_and_marked() {
    let pair = Pair::new();
    pair.fake.be("injected");
    for mode in ["readable", "structured", "raw"] {
        let reply = pair
            .call("hf_posts_read", json!({"tid": 7, "output_mode": mode}))
            .await
            .unwrap();
        let text = &reply.text;
        assert!(
            text.contains("IGNORE PREVIOUS") && text.contains("data, never instructions"),
            "{text}"
        );
        for said in [text.clone(), reply.structured.to_string()] {
            assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
        }
        assert!(!reply.structured["next"].to_string().contains("bytes_transfer"));
    }
    pair.fake.be("quot");
    let shown = |reply: Reply| reply.text;
    let given = |format: &str| json!({"tid": 7, "body_format": format});
    let markdown = shown(pair.call("hf_posts_read", given("markdown")).await.unwrap());
    assert!(markdown.contains("say \"x\" &lt; **y**"), "{markdown}");
    let clean = shown(pair.call("hf_posts_read", given("clean")).await.unwrap());
    assert!(clean.contains("say \"x\" &lt; y"), "{clean}");
    let raw = shown(pair.call("hf_posts_read", given("raw")).await.unwrap());
    assert!(raw.contains("say &quot;x&quot; &amp;lt; [b]y[/b]"), "{raw}");
}

#[tokio::test]
async fn an_answer_says_what_can_follow_and_never_a_write() {
    let pair = Pair::new();
    for (tool, given) in calls() {
        let reply = pair.call(tool, given.clone()).await.unwrap();
        assert_eq!(reply.structured["rate_limit_remaining"], 77, "{tool}");
        for step in reply.structured["next"].as_array().into_iter().flatten() {
            let target = operation(step["tool"].as_str().unwrap()).unwrap();
            assert!(!target.writes(), "{tool}: {step}");
            pair.hf
                .understand(target, step["arguments"].as_object().unwrap())
                .unwrap();
        }
        let chosen = !operation(tool).unwrap().fields.is_empty();
        assert!(!(chosen && reply.text.contains("secret of somebody")), "{tool}");
    }
    pair.fake.be(&json!({"posts": vec![json!({"pid": 1}); 30]}).to_string());
    let reply = pair.call("hf_posts_read", json!({"tid": 7})).await.unwrap();
    assert_eq!(reply.structured["next"][0]["arguments"]["page"], 2);
}

#[tokio::test]
async fn a_dry_run_shows_exactly_what_would_be_sent() {
    let pair = Pair::new();
    for (tool, mut given) in calls()
        .into_iter()
        .filter(|(tool, _)| operation(tool).unwrap().writes())
    {
        given["dry_run"] = true.into();
        let shown = pair.call(tool, given.clone()).await.unwrap();
        assert!(pair.fake.requests().is_empty(), "{tool}");
        given["dry_run"] = false.into();
        let sent = pair.call(tool, given).await.unwrap();
        let body = String::from_utf8(pair.fake.requests().pop().unwrap().body).unwrap();
        assert!(shown.text.contains(&body), "{body} in {}", shown.text);
        assert_eq!(shown.structured["digest"], sent.structured["digest"]);
    }
}

#[tokio::test]
async fn a_draft_is_sent_as_it_was_checked() {
    let pair = Pair::new();
    let kept = pair
        .call(
            "hf_formatting_preflight",
            json!({"message": "**hello** \"x\"", "title": "T"}),
        )
        .await
        .unwrap();
    let id = kept.structured["draft"]["draft_id"].as_str().unwrap().to_owned();
    let digest = kept.structured["digest"].as_str().unwrap();
    let asked = pair
        .asks_of(
            "hf_posts_reply",
            json!({"tid": 7, "draft_id": id, "draft_digest": digest, "confirm_live": true}),
        )
        .await;
    assert_eq!(asked, json!({"posts": {"_tid": 7, "_message": "[b]hello[/b] \"x\""}}));
    let wrong = json!({"tid": 7, "draft_id": id, "draft_digest": "0".repeat(64), "confirm_live": true});
    assert!(
        pair.call("hf_posts_reply", wrong)
            .await
            .unwrap_err()
            .starts_with("argument draft_digest")
    );
    // What was understood is what goes out, whatever becomes of the file.
    let operation = operation("hf_posts_reply").unwrap();
    let given = json!({"tid": 8, "draft_id": id, "confirm_live": true});
    let asked = pair.hf.understand(operation, given.as_object().unwrap()).unwrap();
    pair.call("hf_drafts_delete", json!({"draft_id": id, "confirm_delete": true}))
        .await
        .unwrap();
    pair.hf.apply(&grant(&asked), &asked).await.unwrap();
    let error = pair.call("hf_drafts_read", json!({"draft_id": id})).await.unwrap_err();
    assert!(error.contains("no draft has this name"), "{error}");
}
