//! One request over the wire, and what its answer is worth.
//!
//! The token goes to the one configured origin: redirects are not followed, proxies of the environment not used. Every
//! wait ends, every answer is bounded, and nothing is sent twice. A write gets a connection of its own, so that none
//! dies on one that the server had closed.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::address::ApiBase;
use super::content;
use super::error::{Failure, HfError, Message};
use super::rate::BACK_OFF;
use super::redact;
use super::request::Ask;
use super::settings::{Encoding, Settings, Timeouts};
use super::verdict::{answers, is_false, no};

/// Bytes of an answer: a page of the longest posts has about as many.
pub(super) const MAX_BODY: usize = 2 * 1024 * 1024;
/// Values of an answer. A page has 30 records of some 30 fields.
pub(super) const MAX_VALUES: usize = 10_000;
/// Values within values that serde_json reads.
const MAX_DEPTH: usize = 128;
/// What Hack Forums says when an hour's calls are used up.
pub(super) const HOURLY: &str = "MAX_HOURLY_CALLS";
/// Connections that are kept for reads.
const IDLE: usize = 4;
/// How long they are kept: less than servers do.
const IDLE_TIME: Duration = Duration::from_secs(20);

/// Sends requests to one API.
#[derive(Debug)]
pub(super) struct Transport {
    base: ApiBase,
    user_agent: String,
    timeouts: Timeouts,
    reads: OnceCell<Client>,
    writes: OnceCell<Client>,
}

/// What came back, understood as JSON that says yes.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The document, without secrets of ours.
    pub(super) document: Value,
}

/// An answer, or why there is none, and what was said about calls that are left.
#[derive(Debug)]
pub(super) struct Heard {
    /// The answer.
    pub(super) answer: Result<Answer, Failure>,
    /// The calls that are left, if that was said.
    pub(super) remaining: Option<u64>,
}

impl Transport {
    /// For the API of these settings.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            base: settings.base.clone(),
            user_agent: settings.user_agent.clone(),
            timeouts: settings.timeouts,
            reads: OnceCell::new(),
            writes: OnceCell::new(),
        }
    }

    /// Sends a request. Dropping the future ends it; whether it was sent is then not known.
    pub(super) async fn send(&self, ask: &Ask, token: &SecretString) -> Result<Heard, HfError> {
        let content = match ask.encoding {
            Encoding::Json => "application/json",
            Encoding::Form => "application/x-www-form-urlencoded",
        };
        let (cell, idle) = match ask.target {
            None => (&self.reads, IDLE),
            Some(_) => (&self.writes, 0),
        };
        let request = self
            .client(cell, idle)
            .await?
            .post(self.base.join(ask.route))
            .bearer_auth(token.expose_secret())
            .header(CONTENT_TYPE, content)
            .header(ACCEPT, "application/json")
            .body(ask.body.clone());
        Ok(self.exchange(request, Some(ask), &[token]).await)
    }

    /// Posts a form without a token: the exchange of a code for one.
    pub(super) async fn post_form(
        &self,
        path: &str,
        form: String,
        secrets: &[&SecretString],
    ) -> Result<Heard, HfError> {
        let request = self
            .client(&self.writes, 0)
            .await?
            .post(self.base.join(path))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form);
        Ok(self.exchange(request, None, secrets).await)
    }

    async fn exchange(&self, request: reqwest::RequestBuilder, ask: Option<&Ask>, secrets: &[&SecretString]) -> Heard {
        let whole = async {
            let response = request.send().await.map_err(|error| broken(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let remaining = remaining(&headers);
            let body = self.body(response).await;
            Ok((status, headers, remaining, body))
        };
        let heard = match timeout(self.timeouts.total, whole).await {
            Ok(heard) => heard,
            Err(_) => Err(Failure::Timeout("the whole answer was not there in time")),
        };
        match heard {
            Ok((status, headers, remaining, body)) => Heard {
                answer: body.and_then(|body| understand(status, &headers, body, ask, secrets)),
                remaining,
            },
            Err(failure) => Heard {
                answer: Err(failure),
                remaining: None,
            },
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        if response.content_length().is_some_and(|length| length > MAX_BODY as u64) {
            return Err(Failure::TooLarge);
        }
        if response.headers().contains_key("content-encoding") {
            let status = response.status().as_u16();
            return Err(Failure::Malformed(status, "is compressed, which was not asked for"));
        }
        let mut body = Vec::new();
        loop {
            match timeout(self.timeouts.chunk, response.chunk()).await {
                Err(_) => return Err(Failure::Timeout("it stopped in the middle of the answer")),
                Ok(Err(_)) => return Err(Failure::Broken("in the middle of the answer")),
                Ok(Ok(None)) => return Ok(body),
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() > MAX_BODY => return Err(Failure::TooLarge),
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            }
        }
    }

    async fn client<'c>(&self, cell: &'c OnceCell<Client>, idle: usize) -> Result<&'c Client, HfError> {
        cell.get_or_try_init(|| async {
            // Another may have been there before; both are the same.
            rustls::crypto::ring::default_provider().install_default().ok();
            let builder = Client::builder()
                .user_agent(&self.user_agent)
                .connect_timeout(self.timeouts.connect)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .https_only(!self.base.as_str().starts_with("http://")) // which only a loopback address has
                .pool_max_idle_per_host(idle)
                .pool_idle_timeout(IDLE_TIME)
                .tcp_nodelay(true);
            // Reads the certificates of the system, which takes a moment.
            let client = tokio::task::spawn_blocking(move || builder.build()).await;
            match client {
                Ok(client) => client.map_err(HfError::Client),
                Err(_) => Err(HfError::Stopped),
            }
        })
        .await
    }
}

fn remaining(headers: &HeaderMap) -> Option<u64> {
    headers
        .get("x-rate-limit-remaining")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn broken(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        let why = if error.is_timeout() {
            "it did not answer"
        } else {
            "it cannot be reached, or TLS failed"
        };
        return Failure::Connect(why.to_owned());
    }
    Failure::Broken("before an answer came")
}

/// What an answer is worth.
fn understand(
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
    ask: Option<&Ask>,
    secrets: &[&SecretString],
) -> Result<Answer, Failure> {
    let code = status.as_u16();
    if status.is_redirection() || status.is_informational() {
        return Err(Failure::Redirect(code));
    }
    let html = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"))
        || body.trim_ascii_start().starts_with(b"<");
    if html && matches!(code, 200..=299 | 403 | 503) {
        return Err(Failure::Challenge(code));
    }
    let text = match String::from_utf8(body) {
        Ok(text) => redact::text(text, secrets),
        Err(_) if status.is_success() => return Err(Failure::Malformed(code, "is not UTF-8")),
        Err(_) => String::new(),
    };
    if status.is_success() {
        return document(code, text, ask, secrets);
    }
    // Pages are not messages.
    let message = if html {
        Message::new("")
    } else {
        message(&text, secrets)
    };
    if message.as_str().starts_with(HOURLY) {
        return Err(Failure::Rate(code, message, retry_after(headers).unwrap_or(BACK_OFF)));
    }
    Err(match code {
        401 => Failure::Auth(code, message),
        403 => Failure::Scope(code, message),
        404 => Failure::Missing(message),
        429 => Failure::Rate(code, message, retry_after(headers).unwrap_or(BACK_OFF)),
        500..=599 => Failure::Server(code, message),
        _ => Failure::Refused(code, message),
    })
}

fn document(code: u16, text: String, ask: Option<&Ask>, secrets: &[&SecretString]) -> Result<Answer, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::Malformed(code, "is empty"));
    }
    if values(&text) > MAX_VALUES {
        return Err(Failure::TooLarge);
    }
    let mut document: Value =
        serde_json::from_str(&text).map_err(|_| Failure::Malformed(code, "is no JSON that can be read"))?;
    redact::value(&mut document, secrets);
    let Value::Object(fields) = &document else {
        return Err(Failure::Malformed(code, "is no JSON object"));
    };
    if fields.get("success").is_some_and(is_false) {
        let said = fields.get("message").and_then(Value::as_str).unwrap_or_default();
        return Err(no(code, said, secrets));
    }
    if let Some(ask) = ask {
        answers(code, fields, ask, secrets)?;
    }
    Ok(Answer { document })
}

/// The message of an answer that is not a success.
fn message(text: &str, secrets: &[&SecretString]) -> Message {
    if values(text) > MAX_VALUES {
        return Message::new("");
    }
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let said = parsed.as_ref().and_then(|value| {
        let keys = ["message", "error", "error_description"];
        keys.iter().find_map(|key| value.get(key)?.as_str())
    });
    match (said, parsed.is_some()) {
        (Some(said), _) => shown(said, secrets),
        (None, true) => Message::new(""),
        (None, false) => shown(text, secrets),
    }
}

/// What is shown of a message: secrets may be whole only without what is hidden between their characters.
pub(super) fn shown(said: &str, secrets: &[&SecretString]) -> Message {
    Message::new(&redact::text(content::visible(said).into_owned(), secrets))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The values in a JSON text, at most: each begins after one of three characters. A short text can hold very many, and
/// each takes a hundred times its bytes in memory.
fn values(json: &str) -> usize {
    let (mut inside, mut escaped, mut depth, mut count) = (false, false, 0_usize, 1);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ if inside => {}
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'{' => depth += 1,
            b'[' => (depth, count) = (depth + 1, count + 1),
            b',' | b':' => count += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            break; // serde_json reads no further
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, kind: &str, body: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let ask = Ask {
            route: "read/posts",
            endpoint: "posts",
            asks: Value::Null,
            body: Vec::new(),
            encoding: Encoding::Json,
            fields: Vec::new(),
            hidden: Vec::new(),
            target: None,
        };
        let secret = SecretString::from("tok_FAKE_0123456789");
        let status = StatusCode::from_u16(status).unwrap();
        match understand(status, &headers, body.as_bytes().to_vec(), Some(&ask), &[&secret]) {
            Ok(answer) => {
                assert!(!answer.document.to_string().contains("FAKE"));
                "ok"
            }
            Err(failure) => {
                assert!(!failure.to_string().contains("FAKE"), "{failure}");
                failure.class()
            }
        }
    }

    #[test]
    fn each_answer_has_its_class() {
        let json = "application/json";
        let table = [
            (200, json, r#"{"posts": []}"#, "ok"),
            (
                200,
                json,
                r#"{"posts": {"pid": "1", "message": "tok_FAKE_0123456789"}}"#,
                "ok",
            ),
            (
                200,
                json,
                r#"{"success": false, "message": "MAX_HOURLY_CALLS_EXCEEDED"}"#,
                "rate",
            ),
            (
                200,
                json,
                r#"{"success": false, "message": "INVALID_KEY_SCOPE_3"}"#,
                "scope",
            ),
            (
                200,
                json,
                r#"{"success": "0", "message": "CLIENT_ID_TOKEN_MISMATCH"}"#,
                "auth",
            ),
            (200, json, r#"{"success": false}"#, "refused"),
            (200, json, "{}", "malformed"),
            (200, json, "", "malformed"),
            (200, json, "{\"posts\": [", "malformed"),
            (200, json, "[]", "malformed"),
            (200, json, " <!DOCTYPE html>", "challenge"),
            (200, "text/html; charset=UTF-8", "Just a moment", "challenge"),
            (403, "text/html", "<html>", "challenge"),
            (503, "text/html", "<html>", "challenge"),
            (502, "text/html", "<html>", "server"),
            (403, json, r#"{"message": "no"}"#, "scope"),
            (401, json, "Bearer tok_FAKE_0123456789", "auth"),
            (404, json, "", "not found"),
            (429, json, "", "rate"),
            (400, json, "", "refused"),
            (500, json, "", "server"),
            (302, json, "", "redirect"),
            (307, json, "", "redirect"),
        ];
        for (status, kind, body, expected) in table {
            assert_eq!(class(status, kind, body), expected, "{status} {kind} {body}");
        }
        let deep = format!("{{\"posts\":{}", "[".repeat(20_000));
        assert_eq!(class(200, json, &deep), "malformed");
    }

    #[test]
    fn a_long_message_is_cut() {
        let Err(Failure::Refused(_, message)) = Err::<(), _>(no(200, &"x\n".repeat(5000), &[])) else {
            panic!("another class");
        };
        assert!(message.as_str().len() <= 160 && !message.as_str().contains('\n'));
    }
}
