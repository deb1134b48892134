//! What the settings turn on and off.

use super::*;

#[tokio::test]
async fn what_is_off_is_neither_accepted_requested_nor_returned() {
    let off = [
        "fields.posts.body",
        "fields.me.advanced",
        "fields.bytes.amount",
        "selectors.post",
    ];
    let pair = Pair::with(|file| file.disable_families = off.map(str::to_owned).to_vec());
    let asked = pair.asks_of("hf_posts_read", json!({"tid": 7})).await;
    assert!(asked["posts"].get("message").is_none());
    for (tool, given) in [
        ("hf_posts_read", json!({"tid": 7, "include_post_body": true})),
        ("hf_posts_read", json!({"pid": 7})),
        ("hf_me_read", json!({"include_advanced_fields": true})),
        ("hf_bytes_read", json!({"uid": 7, "include_amount": true})),
    ] {
        assert!(
            pair.call(tool, given).await.unwrap_err().ends_with("is unknown"),
            "{tool}"
        );
    }
    pair.fake
        .be(r#"{"posts": [{"pid": 1, "tid": 7, "message": "hidden", "more": {"message": "hidden"}}]}"#);
    for mode in ["readable", "structured", "raw"] {
        let given = json!({"tid": 7, "output_mode": mode, "include_raw_payload": true});
        let reply = pair.call("hf_posts_read", given).await.unwrap();
        assert!(!format!("{reply:?}").contains("hidden"), "{mode}: {reply:?}");
    }
}

#[tokio::test]
async fn a_profile_and_its_overlay_decide_what_is_offered() {
    let fake = Fake::start();
    let scratch = Scratch::new();
    let offered = |change: fn(&mut HfFile)| -> Vec<&str> {
        let hf = hf(&fake, &scratch, |file| {
            file.enable.clear();
            change(file);
        });
        hf.offered().map(|operation| operation.tool).collect()
    };
    let names = |list: Vec<&'static str>| list.join(" ").replace("hf_", "");
    let reader = "me_read users_read forums_index forums_read threads_read posts_read bytes_read disputes_read bratings_read \
                  formatting_preflight drafts_list drafts_read drafts_update drafts_delete";
    assert_eq!(names(offered(|file| file.profile = HfProfile::Reader)), reader);
    let operator = format!("{reader} threads_create posts_reply");
    assert_eq!(names(offered(|file| file.profile = HfProfile::ForumOperator)), operator);
    assert_eq!(
        names(offered(|_| {})),
        operator,
        "full_api spends nothing that is not named"
    );
    assert_eq!(names(offered(|file| file.profile = HfProfile::Custom)), "");
    let one = offered(|file| {
        file.profile = HfProfile::Custom;
        file.enable = vec!["bytes.bump".to_owned(), "hf_posts_read".to_owned()];
    });
    assert_eq!(names(one), "posts_read bytes_bump");
    let none = offered(|file| file.disable_families = vec!["confirm.live".to_owned()]);
    assert_eq!(names(none), reader, "a write without its confirmation is not offered");
    let less = offered(|file| {
        file.profile = HfProfile::Reader;
        file.disable = vec!["posts.read".to_owned(), "hf_me_read".to_owned()];
    });
    assert!(!names(less).contains("posts_read"));
}

#[test]
fn names_that_cannot_be_meant_are_errors() {
    let error = |change: fn(&mut HfFile)| {
        let mut file = HfFile::default();
        change(&mut file);
        Settings::new(&file).unwrap_err().to_string()
    };
    let table = [
        (
            error(|file| file.enable = vec!["posts.repyl".to_owned()]),
            "did you mean \"posts.reply\"?",
        ),
        (
            error(|file| file.disable_families = vec!["confirm.life".to_owned()]),
            "did you mean \"confirm.live\"?",
        ),
        (
            error(|file| file.enable = vec!["contracts.write".to_owned()]),
            "known by name only",
        ),
        (
            error(|file| file.unfiltered = vec!["hf_posts_read".to_owned()]),
            "hf_contracts_read",
        ),
        (
            error(|file| file.api_base = Some("http://hackforums.net/api/v2".to_owned())),
            "https",
        ),
        (
            error(|file| file.api_base = Some("https://user@hackforums.net/api".to_owned())),
            "without user",
        ),
        (
            error(|file| file.oauth.redirect_uri = Some("http://0.0.0.0:8765/c".to_owned())),
            "loopback",
        ),
        (
            error(|file| file.oauth.external_redirect_uri = Some("http://example.org/".to_owned())),
            "https",
        ),
        (
            error(|file| file.oauth.timeout = Some("0s".parse().unwrap())),
            "hf.oauth.timeout: must be more than nothing and at most 3600 s",
        ),
        (
            error(|file| file.oauth.timeout = Some("3601s".parse().unwrap())),
            "hf.oauth.timeout: must be more than nothing and at most 3600 s",
        ),
        (
            error(|file| file.timeouts.total = Some("301s".parse().unwrap())),
            "hf.timeouts.total: must be more than nothing and at most 300 s",
        ),
        (
            error(|file| file.user_agent = Some("a\r\nb".to_owned())),
            "visible ASCII",
        ),
    ];
    for (error, part) in table {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(serde_saphyr::from_str::<HfFile>("disabled_capabilites: []").is_err());
}

#[test]
fn a_profile_on_the_command_line_never_widens() {
    let file = HfFile {
        profile: HfProfile::FullApi,
        disable: vec!["posts.reply".to_owned()],
        enable: vec!["bytes.bump".to_owned()],
        ..HfFile::default()
    };
    let features = Settings::new(&file).unwrap().features;
    let full = features.narrowed_to(HfProfile::FullApi);
    assert!(!full.can("posts.reply") && full.can("bytes.bump") && !full.can("bytes.transfer"));
    let reader = features.narrowed_to(HfProfile::Reader);
    assert!(!reader.can("bytes.bump") && !reader.can("threads.create") && reader.can("posts.read"));
}

#[tokio::test]
async fn orphan_families_are_dropped_with_a_note() {
    let pair = Pair::with(|file| {
        file.enable.clear();
        file.enable_families = vec!["selectors.sigmarket".to_owned()];
    });
    let notes = pair.hf.settings.features.notes().join("\n");
    assert!(notes.contains("selectors.sigmarket is dropped"), "{notes}");
}

#[tokio::test]
async fn defaults_of_the_answer_come_from_the_settings() {
    let pair = Pair::with(|file| {
        file.output = OutputFile {
            mode: OutputMode::Structured,
            ..OutputFile::default()
        };
    });
    let reply = pair.call("hf_posts_read", json!({"tid": 7})).await.unwrap();
    assert_eq!(reply.structured["records"][0]["pid"], "7");
    let reply = pair
        .call("hf_posts_read", json!({"tid": 7, "output_mode": "readable"}))
        .await
        .unwrap();
    assert!(reply.structured.get("records").is_none());
    // What is judged, and what a yes covers, says it either way.
    let judged = |given: Value| {
        let asked = pair
            .hf
            .understand(operation("hf_posts_read").unwrap(), given.as_object().unwrap());
        let asked = asked.unwrap();
        assert_eq!(asked.configured["output_mode"], "structured");
        Value::Object(asked.arguments)
    };
    let left_out = judged(json!({"tid": 7}));
    assert_eq!(left_out["output_mode"], "structured");
    assert_eq!(
        left_out,
        judged(json!({"tid": 7, "output_mode": "structured", "body_format": "markdown"}))
    );
    for other in [
        json!({"output_mode": "raw"}),
        json!({"include_raw_payload": true}),
        json!({"body_format": "raw"}),
    ] {
        let mut given = json!({"tid": 7});
        given
            .as_object_mut()
            .unwrap()
            .extend(other.as_object().unwrap().clone());
        assert_ne!(left_out, judged(given), "{other}");
    }
}
