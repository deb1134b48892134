//! One request: is it to be answered at all, and by what.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::access::Browser;
use super::{Console, page};
use crate::model::Name;
use crate::server::web::body::{self, Body};
use crate::server::web::doors::Visitor;
use crate::server::web::place;
use crate::server::web::refused::Refused;

/// The longest body: a paste into a terminal that was taken over.
const MAX_BODY: usize = 256 << 10;

/// Why a request was not done.
pub(super) enum Refusal {
    /// It was turned away, and counted.
    Door(Refused),
    /// What it asks for cannot be done now.
    Act(StatusCode, String),
}

/// What there is to ask for.
enum Ask {
    Login,
    Events,
    Take,
    Type,
    Release,
    Leave,
    Whole,
    Decide,
    Lockdown,
    Verify,
}

impl Console {
    /// Answers one request.
    pub(super) async fn answer(self: &Arc<Self>, visitor: &Visitor, request: Request<Incoming>) -> Response<Body> {
        let answer = self.serve(visitor, request).await;
        let mut response = answer.unwrap_or_else(|refusal| self.turned_away(refusal));
        if !visitor.is_known() {
            // Whoever has not said who they are gets one answer for each connection.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        page::protect(response.headers_mut());
        response
    }

    async fn serve(self: &Arc<Self>, visitor: &Visitor, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        place::check(&self.allowed, &request)?;
        let path = request.uri().path();
        if let Some(file) = page::file(path) {
            return match *request.method() {
                Method::GET | Method::HEAD => Ok(body::text(StatusCode::OK, file.kind, file.text.to_owned())),
                _ => Err(Refused::Method.into()),
            };
        }
        let ask = Ask::of(path).ok_or(Refused::Path)?;
        if *request.method() != Method::POST {
            return Err(Refused::Method.into());
        }
        // What a page of another origin can send without being asked about is of another kind.
        let kind = request.headers().get(header::CONTENT_TYPE);
        if kind.is_none_or(|kind| kind != body::JSON) {
            return Err(Refused::Kind.into());
        }
        if matches!(ask, Ask::Login) {
            return self.login(read(request).await?).await;
        }
        let token = place::token(request.headers())?;
        let browser = self.access.holder(token).ok_or(Refused::Token)?;
        visitor.is(&operator()?)?;
        self.act(ask, browser, request).await
    }

    async fn act(
        self: &Arc<Self>,
        ask: Ask,
        browser: Browser,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refusal> {
        match ask {
            Ask::Events => self.events(browser),
            Ask::Take => self.take(browser, read(request).await?).await,
            Ask::Type => self.type_in(browser, read(request).await?).await,
            Ask::Release => self.release(browser, read(request).await?).await,
            Ask::Leave => self.leave(browser).await,
            Ask::Whole => self.whole(read(request).await?).await,
            Ask::Decide => self.decide(read(request).await?).await,
            Ask::Lockdown => self.lockdown(read(request).await?).await,
            Ask::Verify => Ok(self.verify().await),
            Ask::Login => Err(Refused::Path.into()), // answered before
        }
    }

    fn turned_away(&self, refusal: Refusal) -> Response<Body> {
        let refused = match refusal {
            Refusal::Act(status, why) => return body::text(status, body::TEXT, why),
            Refusal::Door(refused) => refused,
        };
        self.counts.refused(refused);
        tracing::warn!(reason = refused.name(), "the console turned a request away");
        let mut response = body::text(refused.status(), body::TEXT, format!("{}\n", said(refused)));
        if refused.closes() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

impl Ask {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/api/login" => Self::Login,
            "/api/events" => Self::Events,
            "/api/take" => Self::Take,
            "/api/type" => Self::Type,
            "/api/release" => Self::Release,
            "/api/leave" => Self::Leave,
            "/api/whole" => Self::Whole,
            "/api/decide" => Self::Decide,
            "/api/lockdown" => Self::Lockdown,
            "/api/verify" => Self::Verify,
            _ => return None,
        })
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Door(refused)
    }
}

/// Something in JSON.
pub(super) fn found(value: &Value) -> Response<Body> {
    body::text(StatusCode::OK, body::JSON, value.to_string())
}

/// It was done, and there is nothing to say of it.
pub(super) fn done() -> Response<Body> {
    found(&json!({}))
}

/// By this name the doors know every browser that has logged in.
fn operator() -> Result<Name, Refused> {
    Name::new("operator").map_err(|_| Refused::NoToken)
}

async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refusal> {
    let bytes = body::collect(request.into_body(), MAX_BODY).await?;
    serde_json::from_slice(&bytes).map_err(|error| Refusal::Act(StatusCode::BAD_REQUEST, error.to_string()))
}

/// What is said where the HTTP front end would speak of its own things.
fn said(refused: Refused) -> &'static str {
    match refused {
        Refused::Host => "this console does not go by that name; hint: use the address that `terrarium console` prints",
        Refused::Origin => {
            "pages of other origins may not ask; hint: put the link of `terrarium console` into the address bar yourself"
        }
        Refused::NoToken | Refused::Token => "log in with a link from `terrarium console`",
        Refused::Path => "the console has no such page",
        Refused::BodySize => "that is too much at once",
        other => other.text(),
    }
}
