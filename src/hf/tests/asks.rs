//! What goes over the wire for each call.

use super::*;

/// What its predecessor asked for, for the same calls: tool, arguments, endpoint, selectors, fields.
const ASKS: [(&str, &str, &str, &str, &str); 23] = [
    ("hf_me_read", "{}", "me", "{}", ME),
    (
        "hf_me_read",
        r#"{"include_advanced_fields":true}"#,
        "me",
        "{}",
        ME_ADVANCED,
    ),
    (
        "hf_users_read",
        r#"{"uid":7}"#,
        "users",
        r#"{"_uid":7,"_page":1,"_perpage":30}"#,
        PROFILE,
    ),
    (
        "hf_users_read",
        r#"{"uid":[7,8],"page":2,"per_page":5}"#,
        "users",
        r#"{"_uid":[7,8],"_page":2,"_perpage":5}"#,
        PROFILE,
    ),
    (
        "hf_forums_read",
        r#"{"fid":375}"#,
        "forums",
        r#"{"_fid":375,"_page":1,"_perpage":30}"#,
        "fid name description type",
    ),
    (
        "hf_threads_read",
        r#"{"fid":2,"tid":[3,4],"uid":5}"#,
        "threads",
        r#"{"_fid":2,"_tid":[3,4],"_uid":5,"_page":1,"_perpage":30,
            "firstpost":{"pid":true,"message":true,"author":{"uid":true,"username":true}}}"#,
        "tid fid subject dateline uid username views lastpost sticky",
    ),
    (
        "hf_posts_read",
        r#"{"tid":7}"#,
        "posts",
        r#"{"_tid":7,"_page":1,"_perpage":30}"#,
        "pid tid uid fid dateline subject message edituid edittime editreason",
    ),
    (
        "hf_posts_read",
        r#"{"pid":1,"uid":2,"include_post_body":false}"#,
        "posts",
        r#"{"_pid":1,"_uid":2,"_page":1,"_perpage":30}"#,
        "pid tid uid fid dateline subject edituid edittime editreason",
    ),
    (
        "hf_bytes_read",
        r#"{"target_uid":2}"#,
        "bytes",
        r#"{"_uid":2,"_page":1,"_perpage":30}"#,
        "id dateline type reason amount",
    ),
    (
        "hf_bytes_read",
        r#"{"id":1,"uid":2,"from_uid":3,"to_uid":4,"include_amount":false}"#,
        "bytes",
        r#"{"_id":1,"_uid":2,"_from":3,"_to":4,"_page":1,"_perpage":30}"#,
        "id dateline type reason",
    ),
    (
        "hf_contracts_read",
        r#"{"cid":1,"uid":2}"#,
        "contracts",
        r#"{"_cid":1,"_uid":2,"_page":1,"_perpage":30}"#,
        "cid dateline otherdateline public timeout_days timeout status istatus ostatus cancelstatus type tid inituid \
         otheruid muid iprice icurrency iproduct oprice ocurrency oproduct terms template_id oaddress iaddress idispute \
         odispute",
    ),
    (
        "hf_disputes_read",
        r#"{"cdid":1,"cid":2,"uid":3,"claimantuid":4,"defendantuid":5}"#,
        "disputes",
        r#"{"_cdid":1,"_cid":2,"_uid":3,"_claimantuid":4,"_defendantuid":5,"_page":1,"_perpage":30}"#,
        "cdid contractid claimantuid defendantuid dateline status dispute_tid claimantnotes defendantnotes",
    ),
    (
        "hf_bratings_read",
        r#"{"crid":1,"cid":2,"uid":3,"from_uid":4,"to_uid":5}"#,
        "bratings",
        r#"{"_crid":1,"_cid":2,"_uid":3,"_from":4,"_to":5,"_page":1,"_perpage":30}"#,
        "crid contractid fromid toid dateline amount message contract",
    ),
    (
        "hf_sigmarket_market_read",
        r#"{"uid":1}"#,
        "sigmarket/market",
        r#"{"_uid":1,"_page":1,"_perpage":30}"#,
        "uid user price duration active sig dateadded ppd",
    ),
    (
        "hf_sigmarket_order_read",
        r#"{"oid":31,"uid":1,"seller":2,"buyer":3}"#,
        "sigmarket/order",
        r#"{"_smid":31,"_uid":1,"_seller":2,"_buyer":3,"_page":1,"_perpage":30}"#,
        "smid buyer seller startdate enddate price duration active",
    ),
    (
        "hf_admin_high_risk_read",
        "{}",
        "admin/high-risk/read",
        r#"{"_page":1,"_perpage":30}"#,
        "",
    ),
    (
        "hf_threads_create",
        r#"{"fid":375,"subject":"A \"s\"","message":"<m> &lt;","confirm_live":true}"#,
        "threads",
        r#"{"_fid":375,"_subject":"A \"s\"","_message":"<m> &lt;"}"#,
        "",
    ),
    (
        "hf_posts_reply",
        r#"{"tid":7,"message":"**m** CODE1","message_format":"markdown","confirm_live":true}"#,
        "posts",
        r#"{"_tid":7,"_message":"[b]m[/b] CODE1"}"#,
        "",
    ),
    (
        "hf_bytes_transfer",
        r#"{"target_uid":7,"amount":5,"confirm_live":true}"#,
        "bytes",
        r#"{"_uid":7,"_amount":5}"#,
        "",
    ),
    (
        "hf_bytes_transfer",
        r#"{"target_uid":8,"amount":5,"reason":"why","pid":3,"confirm_live":true}"#,
        "bytes",
        r#"{"_uid":8,"_amount":5,"_reason":"why","_pid":3}"#,
        "",
    ),
    (
        "hf_bytes_deposit",
        r#"{"amount":9,"confirm_live":true}"#,
        "bytes",
        r#"{"_deposit":9}"#,
        "",
    ),
    (
        "hf_bytes_withdraw",
        r#"{"amount":9,"confirm_live":true}"#,
        "bytes",
        r#"{"_withdraw":9}"#,
        "",
    ),
    (
        "hf_bytes_bump",
        r#"{"tid":7,"confirm_live":true}"#,
        "bytes",
        r#"{"_bump":7}"#,
        "",
    ),
];

const ME: &str = "uid username usergroup displaygroup additionalgroups postnum awards bytes vault threadnum avatar \
                  avatardimensions avatartype lastvisit usertitle website timeonline reputation referrals";

const ME_ADVANCED: &str = "uid username usergroup displaygroup additionalgroups postnum awards bytes vault threadnum \
                           avatar avatardimensions avatartype lastvisit usertitle website timeonline reputation \
                           referrals unreadpms invisible totalpms lastactive warningpoints";

const PROFILE: &str = "uid username usergroup displaygroup additionalgroups postnum awards myps threadnum avatar \
                       avatardimensions avatartype usertitle website timeonline reputation referrals";

#[tokio::test]
async fn requests_ask_for_what_they_always_did() {
    let pair = Pair::new();
    for (tool, given, endpoint, selectors, fields) in ASKS {
        let mut inner: Map<String, Value> = serde_json::from_str(selectors).unwrap();
        inner.extend(fields.split_whitespace().map(|name| (name.to_owned(), true.into())));
        let found = pair.asks_of(tool, serde_json::from_str(given).unwrap()).await;
        assert_eq!(found, json!({endpoint: inner}), "{tool} {given}");
    }
}

#[tokio::test]
async fn a_request_goes_to_its_path_with_the_token() {
    let pair = Pair::new();
    for (tool, given) in calls() {
        pair.call(tool, given).await.unwrap();
        let request = pair.fake.requests().pop().unwrap();
        let route = match operation(tool).unwrap().act {
            operations::Act::Read { route, .. } | operations::Act::Write { route, .. } => route,
            operations::Act::Local(_) => unreachable!(),
        };
        assert_eq!(
            (request.method.as_str(), request.path),
            ("POST", format!("/api/v2/{route}")),
            "{tool}"
        );
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(header("authorization"), Some(format!("Bearer {TOKEN}")));
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert!(header("user-agent").unwrap().starts_with("terrarium/"));
        assert_eq!(header("accept-encoding"), None);
    }
}

#[tokio::test]
async fn a_form_is_sent_where_that_is_wanted() {
    let pair = Pair::with(|file| file.encoding = Encoding::Form);
    pair.call(
        "hf_posts_reply",
        json!({"tid": 7, "message": "a & b=\u{202e}", "confirm_live": true}),
    )
    .await
    .unwrap_err();
    let request = pair.fake.requests().pop().unwrap();
    let pairs: Vec<_> = url::form_urlencoded::parse(&request.body).collect();
    assert_eq!(pairs.len(), 1);
    let sent: Value = serde_json::from_str(&pairs[0].1).unwrap();
    assert_eq!(
        (pairs[0].0.as_ref(), sent),
        ("asks", json!({"posts": {"_tid": 7, "_message": "a & b=\u{202e}"}}))
    );
}
