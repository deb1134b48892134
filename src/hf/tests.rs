use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::error::HfError;
use super::fake::{Fake, MODES, asks};
use super::features::HfProfile;
use super::oauth::{ClientSecret, LoginError, login};
use super::scratch::Scratch;
use super::settings::{Encoding, OutputFile, OutputMode, TimeoutsFile};
use super::token::Source;
use super::*;
use crate::model::Span;
use crate::policy::{self, Arguments, Caller, Digest, Grant, Judgement, Policy, Request};

const TOKEN: &str = "tok_FAKE_0123456789abcdef";
/// No fault may take longer.
const TOTAL: Duration = Duration::from_secs(4);

/// A Hack Forums of our own, and our side of it.
struct Pair {
    fake: Arc<Fake>,
    hf: Hf,
    scratch: Scratch,
}

impl Pair {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut HfFile)) -> Self {
        let (fake, scratch) = (Fake::start(), Scratch::new());
        let hf = hf(&fake, &scratch, change);
        hf.tokens
            .keep(&Token::bare(TOKEN.into(), Source::File).unwrap())
            .unwrap();
        let fake = Arc::new(fake);
        Self { fake, hf, scratch }
    }

    async fn call(&self, tool: &str, given: Value) -> Result<Reply, String> {
        let operation = operation(tool).unwrap();
        assert!(operation.is_offered(&self.hf.settings.features), "{tool}");
        let asked = self
            .hf
            .understand(operation, given.as_object().unwrap())
            .map_err(|error| format!("argument {}: {error}", error.field()))?;
        let reply = self
            .hf
            .apply(&grant(&asked), &asked)
            .await
            .map_err(|error| with_causes(&error));
        let said = format!("{reply:?}");
        assert!(!said.contains("FAKE"), "the token in {said}");
        reply
    }

    /// Forgets a back-off.
    fn call_again(&self) {
        std::fs::remove_file(self.scratch.path().join("state/rate.json")).ok(); // there is none
    }

    /// What a call asked for.
    async fn asks_of(&self, tool: &str, given: Value) -> Value {
        self.fake.requests();
        self.call(tool, given.clone())
            .await
            .unwrap_or_else(|error| panic!("{tool} {given}: {error}"));
        let requests = self.fake.requests();
        assert_eq!(requests.len(), 1, "{tool} {given}");
        Value::Object(asks(std::str::from_utf8(&requests[0].body).unwrap()))
    }
}

fn hf(fake: &Fake, scratch: &Scratch, change: impl FnOnce(&mut HfFile)) -> Hf {
    let mut file = HfFile {
        profile: HfProfile::FullApi,
        enable: OPERATIONS.iter().map(|operation| operation.tool.to_owned()).collect(),
        api_base: Some(fake.base()),
        timeouts: TimeoutsFile {
            total: Some(Span::new(TOTAL)),
            chunk: Some(Span::new(TOTAL / 2)),
            ..TimeoutsFile::default()
        },
        ..HfFile::default()
    };
    change(&mut file);
    Hf::new(Settings::new(&file).unwrap(), &scratch.path().join("state"), None)
}

fn grant(asked: &Asked) -> HfGrant {
    let judged = policy::Asked {
        request: Request::Hf(asked.to_request().into()),
        arguments: Arguments::new(asked.arguments.clone(), Digest::of(b"schema")),
        opened_with: None,
    };
    match Policy::without_rules().judge(&Caller::Operator { uid: 1 }, &judged, None) {
        Judgement::Allowed(Grant::Hf(grant)) => grant,
        other => panic!("{other:?}"),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A call of each tool that sends something.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("hf_me_read", json!({})),
        ("hf_users_read", json!({"uid": 7})),
        ("hf_forums_read", json!({"fid": 375})),
        ("hf_threads_read", json!({"fid": 375})),
        ("hf_posts_read", json!({"tid": 7})),
        ("hf_bytes_read", json!({"uid": 7})),
        ("hf_contracts_read", json!({"cid": 7})),
        ("hf_disputes_read", json!({"cdid": 7})),
        ("hf_bratings_read", json!({"uid": 7})),
        ("hf_sigmarket_market_read", json!({"uid": 7})),
        ("hf_sigmarket_order_read", json!({"smid": 7})),
        ("hf_admin_high_risk_read", json!({})),
        (
            "hf_threads_create",
            json!({"fid": 375, "subject": "A subject", "message": "A message", "confirm_live": true}),
        ),
        (
            "hf_posts_reply",
            json!({"tid": 7, "message": "A message", "confirm_live": true}),
        ),
        (
            "hf_bytes_transfer",
            json!({"target_uid": 7, "amount": 5, "confirm_live": true}),
        ),
        ("hf_bytes_deposit", json!({"amount": 5, "confirm_live": true})),
        ("hf_bytes_withdraw", json!({"amount": 5, "confirm_live": true})),
        ("hf_bytes_bump", json!({"tid": 7, "confirm_live": true})),
    ]
}

#[test]
fn there_is_a_call_of_each_tool() {
    let remote = OPERATIONS
        .iter()
        .filter(|o| !matches!(o.act, operations::Act::Local(_)));
    assert_eq!(
        calls().iter().map(|(tool, _)| *tool).collect::<Vec<_>>(),
        remote.map(|o| o.tool).collect::<Vec<_>>()
    );
}

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
        "slow" | "drip" if !writes => "timeout: ",
        "huge" if !writes => "too large: ",
        "redirect" | "redirect307" if !writes => "redirect: ",
        "close" | "reset_after" if !writes => "connection: ",
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
            let waits = ["slow", "drip", "huge"].contains(&mode);
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
                pair.hf.journal.clear(&entry.id).unwrap();
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
    let pair = Pair::new();
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
const WRONG: [(&str, &str); 19] = [
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

#[tokio::test]
async fn a_browser_brings_a_code_and_strangers_do_not() {
    let pair = Pair::with(|file| {
        file.oauth.redirect_uri = Some("http://127.0.0.1:0/callback".to_owned());
        file.oauth.timeout = Some(Span::new(Duration::from_secs(20)));
    });
    let client = ClientSecret {
        id: "client-1".to_owned(),
        secret: "s3cr3t-0123456789".into(),
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let browser = tokio::task::spawn_blocking(move || browse(&receiver.recv().unwrap()));
    let token = login(&pair.hf, &client, |url| sender.send(url.clone()).unwrap())
        .await
        .unwrap();
    browser.await.unwrap();
    assert_eq!((token.uid.as_deref(), token.scopes.len()), (Some("42"), 2));
    let exchange = pair.fake.requests().pop().unwrap();
    assert_eq!(exchange.path, "/api/v2/authorize");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&exchange.body).into_owned().collect();
    let expected = [
        ("grant_type", "authorization_code"),
        ("client_id", "client-1"),
        ("client_secret", "s3cr3t-0123456789"),
        ("code", "the-code"),
    ];
    assert_eq!(form, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(!format!("{token:?} {client:?}").contains("3cr3t"));
}

/// First what a stranger would do, then what a browser does.
fn browse(authorize: &url::Url) {
    use std::io::{Read as _, Write as _};
    let query = |name: &str| {
        authorize
            .query_pairs()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .into_owned()
    };
    let redirect = url::Url::parse(&query("redirect_uri")).unwrap();
    assert_eq!((query("response_type").as_str(), query("state").len()), ("code", 48));
    let address = ("127.0.0.1", redirect.port().unwrap());
    let idle = std::net::TcpStream::connect(address).unwrap();
    let ask = |target: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask("/favicon.ico"), "404");
    assert_eq!(ask("/callback?error=access_denied"), "400");
    assert_eq!(ask("/callback?code=evil&state=0"), "400");
    assert_eq!(ask(&format!("/callback?code=the-code&state={}", query("state"))), "200");
    drop(idle);
}

#[tokio::test]
async fn a_failed_exchange_says_why() {
    let pair = Pair::with(|file| file.oauth.redirect_uri = Some("http://127.0.0.1:0/callback".to_owned()));
    pair.fake
        .be(r#"{"success": false, "message": "INVALID_CODE s3cr3t-0123456789"}"#);
    let client = ClientSecret {
        id: "client-1".to_owned(),
        secret: "s3cr3t-0123456789".into(),
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    let browser = tokio::task::spawn_blocking(move || browse(&receiver.recv().unwrap()));
    let error = login(&pair.hf, &client, |url| sender.send(url.clone()).unwrap())
        .await
        .unwrap_err();
    browser.await.unwrap();
    let LoginError::Exchange(failure) = error else {
        panic!("{error:?}")
    };
    assert!(failure.to_string().contains("INVALID_CODE [redacted]"), "{failure}");
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
}

proptest! {
    #[test]
    fn no_argument_makes_a_request_that_says_something_else(
        tool in 0_usize..24, name in "[a-z_]{1,12}", value in prop_oneof![
            any::<i64>().prop_map(|n| json!(n)), "\\PC{0,8}".prop_map(|s| json!(s)), any::<bool>().prop_map(|b| json!(b)),
        ],
    ) {
        let bytes = [vec![b'0' + u8::try_from(tool).unwrap()], json!({name: value}).to_string().into_bytes()].concat();
        fuzz::hf_arguments(&bytes);
    }
}
