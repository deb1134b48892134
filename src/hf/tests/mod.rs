//! The Hack Forums tools against a Hack Forums of our own.

mod answers;
mod asks;
mod drafts;
mod faults;
mod logins;
mod refusals;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::error::HfError;
use super::fake::{Fake, MODES, asks};
use super::features::HfProfile;
use super::oauth::{ClientSecret, LoginError, login};
use super::settings::{Encoding, OutputFile, OutputMode, TimeoutsFile};
use super::token::Source;
use super::*;
use crate::kernel::scratch::Scratch;
use crate::model::Span;
use crate::model::words::with_causes;
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
        self.hf.rate.forget();
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
        opened: None,
    };
    match Policy::without_rules().judge(&Caller::Operator { uid: 1 }, &judged, None) {
        Judgement::Allowed(Grant::Hf(grant)) => grant,
        other => panic!("{other:?}"),
    }
}

/// A call of each tool that sends something.
fn calls() -> Vec<(&'static str, Value)> {
    let mut calls = vec![
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
    ];
    let writes: Vec<(&str, Value)> = serde_json::from_str(include_str!("writes.json")).unwrap();
    calls.extend(writes);
    calls
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
