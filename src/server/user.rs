//! The person at the client: asked by elicitation, in either era of the protocol.
//!
//! Older clients are asked while their call waits. From 2026-07-28 on the call is answered with the question, and
//! the client calls again with the answer and with a state that we sealed: it names the question and its digest, for
//! this caller, and is worth nothing after it expires. That a yes counts once is the business of [`crate::confirm`].

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::OnceLock;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rmcp::model::{
    CallToolRequestParams, CancelledNotificationParam, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationSchema, InputRequest, InputRequiredResult, ProtocolVersion, RequestId, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{Peer, RoleServer, ServiceError};
use sha2::Sha256;
use tokio::runtime::Handle;

use crate::confirm::{Answer, AskUser, Said, Shown};
use crate::model::QuestionId;
use crate::policy::Caller;

/// The name of our question among a call's.
const KEY: &str = "approval";
/// Bytes of the key that states are sealed with.
const SEAL: usize = 32;

/// The client of one call.
pub(super) struct Client<'a> {
    context: &'a RequestContext<RoleServer>,
    /// What its user said to a question, which this call brings.
    brought: Option<Brought>,
}

/// What the client's user said, and to what.
pub(super) struct Brought {
    question: QuestionId,
    /// The digest of what they were shown.
    action: String,
    said: Said,
}

/// Seals what a client carries from one call to the next. (rmcp has a codec for that, which brings a second base64.)
pub(super) struct Seal(Hmac<Sha256>);

impl<'a> Client<'a> {
    pub(super) fn of(context: &'a RequestContext<RoleServer>, brought: Option<Brought>) -> Self {
        Self { context, brought }
    }

    /// Whether requests of ours reach it while a call waits.
    fn is_legacy(&self) -> bool {
        let version = self.context.protocol_version();
        version.is_none_or(|version| version < ProtocolVersion::V_2026_07_28)
    }
}

impl AskUser for Client<'_> {
    fn can(&self) -> bool {
        let elicitation = self.context.client_capabilities().and_then(|can| can.elicitation);
        // Neither of the two named means forms, as before there were two.
        self.brought.is_some() || elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
    }

    fn ask<'a>(&'a self, shown: &'a Shown) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>> {
        Box::pin(async move {
            // It counts here and nowhere else: the call that waits for it puts it on record.
            if let Some(brought) = &self.brought
                && (brought.question, &brought.action) == (shown.id, &shown.action.to_string())
            {
                return brought.said;
            }
            if !self.is_legacy() {
                return Said::Later;
            }
            let Some(form) = form(shown) else { return Said::Nothing };
            match elicit(&self.context.peer, form).await {
                Ok(result) => said(&result),
                Err(error) => {
                    tracing::warn!(%error, "the client did not ask its user");
                    Said::Nothing
                }
            }
        })
    }
}

/// What `Peer::create_elicitation` does, but the form is taken back when the future is dropped.
async fn elicit(peer: &Peer<RoleServer>, form: ElicitRequestParams) -> Result<ElicitResult, ServiceError> {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form));
    let options = PeerRequestOptions::no_options();
    let asked = peer.send_cancellable_request(request, options).await?;
    let mut form = Form {
        peer,
        id: Some(asked.id.clone()),
    };
    let answer = asked.await_response().await;
    form.id = None;
    match answer? {
        ClientResult::ElicitResult(result) => Ok(result),
        _ => Err(ServiceError::UnexpectedResponse),
    }
}

/// A form that the client shows; dropped while it has its number, it is taken back.
struct Form<'a> {
    peer: &'a Peer<RoleServer>,
    id: Option<RequestId>,
}

impl Drop for Form<'_> {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), Handle::try_current()) else {
            return;
        };
        let peer = self.peer.clone();
        let why = "nobody waits for an answer any more".to_owned();
        runtime.spawn(async move {
            let over = CancelledNotificationParam::new(Some(id), Some(why));
            peer.notify_cancelled(over).await.ok(); // the client is gone
        });
    }
}

impl Seal {
    /// The one of this process: states do not outlive it, as questions do not. `None` without random numbers.
    pub(super) fn of_process() -> Option<&'static Self> {
        static SEALS: OnceLock<Option<Seal>> = OnceLock::new();
        let make = || {
            let mut key = [0; SEAL];
            getrandom::fill(&mut key).ok()?;
            Hmac::new_from_slice(&key).ok().map(Self)
        };
        SEALS.get_or_init(make).as_ref()
    }

    /// The question and its digest, with what proves that we wrote them for this caller and this tool. A question
    /// knows itself when it expires.
    pub(super) fn seal(&self, caller: &Caller, tool: &str, question: &str, action: &str) -> String {
        let proof = self.mac(caller, tool, question, action).finalize().into_bytes();
        format!("{question}.{action}.{}", HEXLOWER.encode(&proof))
    }

    /// The question and its digest, if we wrote this for this caller and this tool.
    pub(super) fn open<'s>(&self, caller: &Caller, tool: &str, sealed: &'s str) -> Option<(&'s str, &'s str)> {
        let mut parts = sealed.split('.');
        let (question, action, proof) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = HEXLOWER.decode(proof.as_bytes()).ok()?; // one way to write each byte
        let fits = parts.next().is_none() && self.mac(caller, tool, question, action).verify_slice(&bytes).is_ok();
        fits.then_some((question, action))
    }

    fn mac(&self, caller: &Caller, tool: &str, question: &str, action: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        // None of them holds a NUL: two different lists never give the same bytes.
        for part in ["terrarium state 1", &caller.to_string(), tool, question, action] {
            mac.update(part.as_bytes());
            mac.update(b"\0");
        }
        mac
    }

    /// The answer that makes a client ask its user and call again.
    pub(super) fn later(&self, caller: &Caller, tool: &str, shown: &Shown) -> Option<InputRequiredResult> {
        let state = self.seal(caller, tool, &shown.id.to_string(), &shown.action.to_string());
        let ask = InputRequest::Elicitation(ElicitRequest::new(form(shown)?));
        let requests = BTreeMap::from([(KEY.to_owned(), ask)]);
        Some(InputRequiredResult::new(Some(requests), Some(state)))
    }

    /// What a client brings back, if it is our state, of this caller and this tool. Anything else is as if it had not been
    /// brought: the question is asked again.
    pub(super) fn brought(&self, caller: &Caller, call: &CallToolRequestParams) -> Option<Brought> {
        let (state, responses) = (call.request_state.as_ref()?, call.input_responses.as_ref()?);
        let Some((question, action)) = self.open(caller, &call.name, state) else {
            tracing::warn!("a client brought a state that is not ours");
            return None;
        };
        let result = serde_json::from_value::<ElicitResult>(responses.get(KEY)?.clone()).ok()?;
        Some(Brought {
            question: QuestionId::parse(question)?,
            action: action.to_owned(),
            said: said(&result),
        })
    }
}

/// One box to tick, so that a client that accepts by itself is no yes.
fn form(shown: &Shown) -> Option<ElicitRequestParams> {
    let schema = ElicitationSchema::builder()
        .required_bool_with("approve", |tick| {
            tick.title("Approve exactly this, once").with_default(false)
        })
        .build();
    Some(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: shown.preview.clone(),
        requested_schema: schema.ok()?,
    })
}

fn said(result: &ElicitResult) -> Said {
    let ticked = result.content.as_ref().and_then(|content| content.get("approve"));
    match (&result.action, ticked) {
        (ElicitationAction::Accept, Some(serde_json::Value::Bool(true))) => Said::Answer(Answer::Yes),
        (ElicitationAction::Accept | ElicitationAction::Decline, _) => Said::Answer(Answer::No),
        _ => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_for_its_caller_and_tool_and_with_every_byte_as_it_was() {
        let seal = Seal::of_process().unwrap();
        let (one, two) = (Caller::Local { uid: 1 }, Caller::Local { uid: 2 });
        let state = seal.seal(&one, "terminal_run", "0123", "abcd");
        assert_eq!(seal.open(&one, "terminal_run", &state), Some(("0123", "abcd")));
        assert_eq!(seal.open(&two, "terminal_run", &state), None);
        assert_eq!(seal.open(&one, "terminal_open", &state), None);
        assert_eq!(seal.open(&one, "terminal_run", &state.to_uppercase()), None);
        let (said, proof) = state.rsplit_once('.').unwrap();
        let capitals = format!("{said}.{}", proof.to_uppercase());
        assert_eq!(seal.open(&one, "terminal_run", &capitals), None);
        // The last byte of a proof is nought now and then.
        let mut states = (0..).map(|n| seal.seal(&one, "terminal_run", "0123", &format!("{n:x}")));
        let nought = states.find(|state| state.ends_with("00")).unwrap();
        assert_eq!(seal.open(&one, "terminal_run", &nought[..nought.len() - 1]), None);
        for at in 0..state.len() {
            let mut changed = state.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(
                seal.open(&one, "terminal_run", &String::from_utf8(changed).unwrap()),
                None,
                "{at}"
            );
            assert_eq!(seal.open(&one, "terminal_run", &state[..at]), None, "{at}");
        }
    }

    #[test]
    fn only_a_tick_is_a_yes() {
        let result = |value| said(&serde_json::from_value(value).unwrap());
        let yes = serde_json::json!({"action": "accept", "content": {"approve": true}});
        assert_eq!(result(yes), Said::Answer(Answer::Yes));
        for content in [
            serde_json::json!({}),
            serde_json::json!({"approve": "true"}),
            serde_json::json!({"approve": false}),
        ] {
            let accepted = serde_json::json!({"action": "accept", "content": content});
            assert_eq!(result(accepted), Said::Answer(Answer::No));
        }
        assert_eq!(
            result(serde_json::json!({"action": "decline"})),
            Said::Answer(Answer::No)
        );
        assert_eq!(result(serde_json::json!({"action": "cancel"})), Said::Nothing);
    }
}
