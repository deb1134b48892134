//! Logging in: a browser goes to Hack Forums, comes back to a port of ours, and the code that it brings is exchanged
//! for a token.
//!
//! The port answers whoever connects, each for a short time, until the one comes that brings the state of this login.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::{Host, Url};

use super::Hf;
use super::callback::{self, Callback, MAX_HEAD};
use super::error::{Failure, HfError, Message};
use super::operations::Scope;
use super::settings::Settings;
use super::token::{CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE, Source, Token, TokenError};
use crate::kernel::own_file::{self, FileError};

/// How long one connection may take.
const CONNECTION: Duration = Duration::from_secs(5);
/// Connections at a time; browsers open a few.
const CONNECTIONS: usize = 16;
const MAX_FILE: u64 = 16 * 1024;

/// The client's name and secret, as the forum's page for developers gives them.
#[derive(Debug)]
pub struct ClientSecret {
    /// Its name.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    client_id: String,
    client_secret: String,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no client.
    #[error(
        "there is no client for Hack Forums; hint: run `terrarium hf setup`, or set {CLIENT_ID_VARIABLE} and \
         {CLIENT_SECRET_VARIABLE}"
    )]
    Client,
    /// The client's file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The port is taken.
    #[error("cannot listen on {address}; hint: end what listens there, or set hf.oauth.redirect_uri to another port")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody came.
    #[error("the browser did not come back within {} s; hint: run it again", .after.as_secs())]
    Timeout {
        /// How long we waited.
        after: Duration,
    },
    /// Hack Forums says no.
    #[error("Hack Forums does not let us in: {0}")]
    Refused(String),
    /// The code was not exchanged.
    #[error("Hack Forums did not give a token: {0}")]
    Exchange(Failure),
    /// The answer holds no token.
    #[error("Hack Forums' answer holds no token that can be used")]
    NoToken,
    /// The token cannot be kept.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No client, or no random numbers.
    #[error(transparent)]
    Hf(#[from] HfError),
}

impl ClientSecret {
    /// From the environment, else from the file.
    pub fn find(state: &Path) -> Result<Self, LoginError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(id), Some(secret)) = (variable(CLIENT_ID_VARIABLE), variable(CLIENT_SECRET_VARIABLE)) {
            let secret = secret.into();
            return Ok(Self { id, secret });
        }
        let path = client_path(state);
        let bytes = match own_file::read(&path, MAX_FILE) {
            Err(error) if error.is_missing() => return Err(LoginError::Client),
            other => other?,
        };
        let file: ClientFile = serde_json::from_slice(&bytes).map_err(FileError::content(&path))?;
        Ok(Self {
            id: file.client_id,
            secret: file.client_secret.into(),
        })
    }

    /// Keeps them in the file.
    pub fn keep(&self, state: &Path) -> Result<PathBuf, LoginError> {
        own_file::make_directory(state)?;
        let path = client_path(state);
        let file = ClientFile {
            client_id: self.id.clone(),
            client_secret: self.secret.expose_secret().to_owned(),
        };
        let json = serde_json::to_vec_pretty(&file).map_err(FileError::content(&path))?;
        own_file::replace(&path, &json)?;
        Ok(path)
    }
}

/// Where the client's name and secret are kept.
pub fn client_path(state: &Path) -> PathBuf {
    state.join("client.json")
}

/// Logs in. `announce` is told where the browser must go, and where it comes back to.
pub async fn login(hf: &Hf, client: &ClientSecret, announce: impl FnOnce(&Url, &Url)) -> Result<Token, LoginError> {
    let oauth = &hf.settings().oauth;
    let address = address(&oauth.listen);
    let listening = |source| LoginError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listening)?;
    let mut redirect = oauth.redirect.clone();
    if oauth.listen == oauth.redirect && oauth.listen.port() == Some(0) {
        let port = listener.local_addr().map_err(listening)?.port();
        redirect.set_port(Some(port)).ok(); // an http address takes a port
    }
    let state = random()?;
    announce(&authorize(hf.settings(), client, &state, &redirect), &redirect);
    let waiting = wait(listener, oauth.listen.path().to_owned(), state);
    let code = match timeout(oauth.timeout, waiting).await {
        Ok(Callback::Code(code)) => code,
        Ok(Callback::Error(error)) => return Err(LoginError::Refused(Message::new(&error).as_str().to_owned())),
        Ok(_) => return Err(LoginError::NoToken),
        Err(_) => return Err(LoginError::Timeout { after: oauth.timeout }),
    };
    exchange(hf, client, &code).await
}

/// The address that the browser goes to.
fn authorize(settings: &Settings, client: &ClientSecret, state: &str, redirect: &Url) -> Url {
    let mut url = settings.base.join("authorize");
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.id)
        .append_pair("state", state)
        .append_pair("redirect_uri", redirect.as_str());
    url
}

/// Exchanges a code for a token.
async fn exchange(hf: &Hf, client: &ClientSecret, code: &str) -> Result<Token, LoginError> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("client_id", &client.id)
        .append_pair("client_secret", client.secret.expose_secret())
        .append_pair("code", code)
        .finish();
    let code = SecretString::from(code);
    let heard = hf
        .transport()
        .post_form("authorize", form, &[&client.secret, &code])
        .await?;
    let answer = heard.answer.map_err(LoginError::Exchange)?;
    token(&answer.document, Timestamp::now().as_second())
}

/// The token of an answer, with all that is said about it.
fn token(answer: &Value, now: i64) -> Result<Token, LoginError> {
    let text = |name: &str| match answer.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let secret = answer
        .get("access_token")
        .and_then(Value::as_str)
        .ok_or(LoginError::NoToken)?;
    let mut token = Token::bare(secret.into(), Source::File).map_err(|_| LoginError::NoToken)?;
    token.uid = text("uid").filter(|uid| uid.len() <= 20 && uid.bytes().all(|b| b.is_ascii_digit()));
    let lasts: Option<i64> = text("expires_in").and_then(|seconds| seconds.parse().ok());
    token.expires_at = lasts
        .filter(|seconds| *seconds > 0)
        .map(|seconds| now.saturating_add(seconds));
    token.scopes = match answer.get("scope") {
        Some(Value::String(scopes)) => Scope::all_in(scopes),
        Some(Value::Array(scopes)) => {
            let words: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
            Scope::all_in(&words.join(" "))
        }
        _ => Default::default(),
    };
    Ok(token)
}

/// Answers whoever connects until one brings an answer for this login.
async fn wait(listener: TcpListener, path: String, state: String) -> Callback {
    let (sender, mut receiver) = mpsc::channel(1);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(found) = receiver.recv() => {
                while connections.join_next().await.is_some() {} // the browser still gets its page
                return found;
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                let Ok((stream, _)) = accepted else { continue };
                let (sender, path, state) = (sender.clone(), path.clone(), state.clone());
                connections.spawn(async move {
                    let answered = timeout(CONNECTION, answer(stream, &path, &state)).await;
                    if let Ok(Some(found)) = answered {
                        sender.try_send(found).ok(); // another was first
                    }
                });
            }
        }
    }
}

/// Answers one connection; something when it is about this login.
async fn answer(mut stream: TcpStream, path: &str, state: &str) -> Option<Callback> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < MAX_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.ok()?;
        if read == 0 {
            break;
        }
        head.extend(buffer.iter().take(read));
    }
    let found = callback::parse(&head, path, state);
    let (status, text) = match &found {
        Callback::Code(_) => ("200 OK", "Terrarium has what it needs. You can close this page."),
        Callback::Error(_) => (
            "200 OK",
            "Hack Forums refused. Terrarium says more where you started it.",
        ),
        Callback::Stranger => (
            "400 Bad Request",
            "This does not belong to the login that is under way.",
        ),
        Callback::Elsewhere => ("404 Not Found", "There is nothing here."),
    };
    let page = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: \
         no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(page.as_bytes()).await.ok(); // the browser may be gone, its answer counts
    stream.shutdown().await.ok(); // as above
    matches!(found, Callback::Code(_) | Callback::Error(_)).then_some(found)
}

fn address(listen: &Url) -> SocketAddr {
    let ip = match listen.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    SocketAddr::new(ip, listen.port().unwrap_or_default())
}

fn random() -> Result<String, HfError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(HfError::Random)?;
    Ok(HEXLOWER.encode(&bytes))
}

/// The permissions that the operations which are on need, for the page where the application is registered.
pub fn needed_scopes(hf: &Hf) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = hf.offered().flat_map(|operation| operation.scopes).copied().collect();
    let advanced = super::operations::Family::FieldsMeAdvanced;
    let features = &hf.settings().features;
    if features.can("me.read") && features.has(Some(advanced)) {
        scopes.push(Scope::AdvancedInfo);
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_is_said_about_a_token_is_kept() {
        let answer = json!({"access_token": "abc", "uid": 7, "expires_in": "7776000", "scope": ["Posts", "Bytes"]});
        let token = token(&answer, 1000).unwrap();
        assert_eq!((token.uid.as_deref(), token.expires_at), (Some("7"), Some(7_777_000)));
        assert_eq!(token.scopes, [Scope::Posts, Scope::Bytes].into());
        for wrong in [
            json!({}),
            json!({"access_token": ""}),
            json!({"access_token": "a b"}),
            json!({"access_token": 1}),
        ] {
            assert!(matches!(super::token(&wrong, 0), Err(LoginError::NoToken)), "{wrong}");
        }
    }
}
