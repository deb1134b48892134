//! What sends nothing.

use super::*;

fn writes() -> impl Iterator<Item = (&'static str, Value)> {
    calls()
        .into_iter()
        .filter(|(tool, _)| operation(tool).unwrap().writes())
}

#[tokio::test]
async fn nothing_but_the_literal_true_is_meant_live() {
    let pair = Pair::new();
    let nearly = r#"["true", "yes", "1", 1, 1.0, null, [], {}, false]"#;
    let nearly: Vec<Value> = serde_json::from_str(nearly).unwrap();
    for (tool, given) in writes() {
        for confirm in &nearly {
            let mut given = given.clone();
            given["confirm_live"] = confirm.clone();
            let error = pair.call(tool, given).await.unwrap_err();
            assert!(error.starts_with("argument confirm_live"), "{tool} {confirm}: {error}");
        }
        let mut without = given.clone();
        without.as_object_mut().unwrap().remove("confirm_live");
        pair.call(tool, without).await.unwrap_err();
    }
    assert!(pair.fake.requests().is_empty());
}

#[tokio::test]
async fn amounts_are_whole_and_within_bounds() {
    let pair = Pair::new();
    let wrong = r#"[-1, 0, 1.5, 1e30, true, "10", null, 1000000001, [5]]"#;
    let wrong: Vec<Value> = serde_json::from_str(wrong).unwrap();
    for (tool, given) in writes().filter(|(_, given)| given.get("amount").is_some()) {
        for amount in &wrong {
            let mut given = given.clone();
            given["amount"] = amount.clone();
            let error = pair.call(tool, given).await.unwrap_err();
            assert!(error.starts_with("argument amount"), "{tool} {amount}: {error}");
        }
    }
    assert!(pair.fake.requests().is_empty());
}

/// Calls that cannot be meant.
const WRONG: [(&str, &str); 24] = [
    ("hf_users_read", "{}"),
    ("hf_users_read", r#"{"uid":-1}"#),
    ("hf_users_read", r#"{"uid":[]}"#),
    (
        "hf_users_read",
        r#"{"uid":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"#,
    ),
    ("hf_users_read", r#"{"uid":1,"page":0}"#),
    ("hf_users_read", r#"{"uid":1,"per_page":31}"#),
    ("hf_threads_read", "{}"),
    ("hf_bytes_read", "{}"),
    ("hf_bytes_read", r#"{"uid":1,"target_uid":2}"#),
    ("hf_contracts_read", r#"{"page":1}"#),
    ("hf_sigmarket_order_read", r#"{"oid":1,"smid":1}"#),
    ("hf_posts_reply", r#"{"tid":7,"message":"   ","confirm_live":true}"#),
    ("hf_posts_reply", r#"{"tid":7,"message":"ab","confirm_live":true}"#),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"abc\u001b","confirm_live":true}"#,
    ),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"[code]abc","confirm_live":true}"#,
    ),
    ("hf_posts_reply", r#"{"tid":7,"confirm_live":true}"#),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"abc","draft_path":"x.json","confirm_live":true}"#,
    ),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"abc","draft_digest":"0000000000000000000000000000000000000000000000000000000000000000","confirm_live":true}"#,
    ),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"\u200b\u200b\u200b","confirm_live":true}"#,
    ),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"ab\u200d\u200c","confirm_live":true}"#,
    ),
    (
        "hf_threads_create",
        r#"{"fid":7,"subject":"one\ntwo","message":"abc","confirm_live":true}"#,
    ),
    (
        "hf_threads_create",
        r#"{"fid":7,"subject":"one\ttwo","message":"abc","confirm_live":true}"#,
    ),
    (
        "hf_bytes_transfer",
        r#"{"target_uid":0,"amount":1,"confirm_live":true}"#,
    ),
    (
        "hf_bytes_transfer",
        r#"{"target_uid":1,"amount":1,"reason":"\n\u0007","confirm_live":true}"#,
    ),
];

#[tokio::test]
async fn what_is_not_meant_sends_nothing() {
    let pair = Pair::new();
    for (tool, mut given) in calls() {
        given["note"] = 1.into();
        let error = pair.call(tool, given).await.unwrap_err();
        assert_eq!(error, "argument note: is unknown", "{tool}");
    }
    for (tool, given) in WRONG {
        let error = pair.call(tool, serde_json::from_str(given).unwrap()).await.unwrap_err();
        assert!(error.starts_with("argument "), "{tool} {given}: {error}");
    }
    let long = json!({"tid": 7, "message": "x".repeat(60_001), "confirm_live": true});
    pair.call("hf_posts_reply", long).await.unwrap_err();
    let none = json!({"tid": 7, "draft_id": "0".repeat(32), "confirm_live": true});
    pair.call("hf_posts_reply", none).await.unwrap_err();
    assert!(pair.fake.requests().is_empty());
}

#[tokio::test]
async fn without_a_token_or_its_permission_nothing_is_sent() {
    let pair = Pair::new();
    let mut token = Token::bare(TOKEN.into(), Source::File).unwrap();
    token.scopes = [operations::Scope::Bytes].into();
    pair.hf.tokens.keep(&token).unwrap();
    let error = pair.call("hf_posts_read", json!({"tid": 7})).await.unwrap_err();
    assert!(
        error.starts_with("scope: the token lacks the permission Posts; nothing was sent"),
        "{error}"
    );
    pair.call("hf_bytes_read", json!({"uid": 7})).await.unwrap();
    token.expires_at = Some(1000);
    pair.hf.tokens.keep(&token).unwrap();
    let error = pair.call("hf_bytes_read", json!({"uid": 7})).await.unwrap_err();
    assert!(
        error.starts_with("auth: the token expired at 1970-01-01T00:16:40Z"),
        "{error}"
    );
    pair.hf.tokens.forget().unwrap();
    let error = pair.call("hf_bytes_read", json!({"uid": 7})).await.unwrap_err();
    assert!(error.contains("terrarium hf login"), "{error}");
    assert_eq!(pair.fake.requests().len(), 1);
}

#[tokio::test]
async fn a_grant_for_other_bytes_sends_nothing() {
    let pair = Pair::new();
    let operation = operation("hf_posts_reply").unwrap();
    let asked = |message: &str| {
        let given = json!({"tid": 7, "message": message, "confirm_live": true});
        pair.hf.understand(operation, given.as_object().unwrap()).unwrap()
    };
    let (one, other) = (asked("one"), asked("other"));
    assert!(matches!(
        pair.hf.apply(&grant(&one), &other).await,
        Err(HfError::WrongGrant)
    ));
    assert!(pair.fake.requests().is_empty());
}
