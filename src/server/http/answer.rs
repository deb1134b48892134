//! One request: who asks, for what, and is it to be answered at all.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use rmcp::RoleServer;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::service::TxJsonRpcMessage;
use serde::Deserialize;

use super::callers::OneCaller;
use super::metrics::Metrics;
use super::{Backend, Front, MAX_BODY};
use crate::server::misfit::Misfit;
use crate::server::web::body::{self, Body};
use crate::server::web::doors::Visitor;
use crate::server::web::place;
use crate::server::web::refused::Refused;
use crate::tokens::{self, Holder, Use};

/// The form of metrics that Prometheus has read since 2.5 (OpenMetrics).
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const MCP_SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// Where a request goes.
#[derive(Clone, Copy)]
enum Path {
    Mcp,
    Metrics,
    Health,
    Ready,
    Other,
}

/// A call that is not answered yet: a drain waits for it.
struct InFlight<B: Backend> {
    front: Arc<Front<B>>,
}

impl<B: Backend> InFlight<B> {
    fn new(front: &Arc<Front<B>>) -> Self {
        front.metrics.in_flight.inc();
        Self {
            front: Arc::clone(front),
        }
    }
}

impl<B: Backend> Drop for InFlight<B> {
    fn drop(&mut self) {
        self.front.metrics.in_flight.dec();
        self.front.answered.notify_one();
    }
}

impl<B: Backend> Front<B> {
    /// Answers one request.
    pub(super) async fn answer(self: &Arc<Self>, visitor: &Visitor, request: Request<Incoming>) -> Response<Body> {
        let path = Path::of(request.uri().path());
        let answer = match path {
            Path::Health | Path::Ready => self.probe(path, &request),
            Path::Mcp | Path::Metrics | Path::Other => self.serve(path, visitor, request).await,
        };
        let mut response = answer.unwrap_or_else(|refused| turned_away(refused, path, &self.metrics));
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        self.metrics.answered(path.name(), response.status().as_u16());
        response
    }

    /// For whatever watches over us. Says nothing about anybody, so that anybody may ask.
    fn probe(&self, path: Path, request: &Request<Incoming>) -> Result<Response<Body>, Refused> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Refused::Method);
        }
        place::no_query(request)?;
        let (status, said) = match path {
            Path::Ready if self.is_draining() => (StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
            Path::Ready => (StatusCode::OK, "ready\n"),
            _ => (StatusCode::OK, "ok\n"),
        };
        Ok(body::text(status, body::TEXT, said.to_owned()))
    }

    async fn serve(
        self: &Arc<Self>,
        path: Path,
        visitor: &Visitor,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Refused> {
        place::check(&self.allowed, &request)?;
        let holder = self.who(request.headers())?;
        visitor.is(&holder.name)?;
        match (path, holder.may) {
            (Path::Mcp, Use::Tools) => self.mcp(&holder, request).await,
            (Path::Metrics, Use::Metrics) => self.measured(request.method()),
            (Path::Mcp | Path::Metrics, _) => Err(Refused::OtherUse),
            _ => Err(Refused::Path),
        }
    }

    fn who(&self, headers: &HeaderMap) -> Result<Holder, Refused> {
        self.tokens.check(place::token(headers)?).map_err(|error| match error {
            tokens::Refused::Unknown => Refused::Token,
            tokens::Refused::Unreadable(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot read tokens; nobody is let in"
                );
                Refused::Tokens
            }
        })
    }

    fn measured(&self, method: &Method) -> Result<Response<Body>, Refused> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Refused::Method);
        }
        self.callers.backend().measure(&self.metrics);
        match self.metrics.text() {
            Ok(text) => Ok(body::text(StatusCode::OK, METRICS, text)),
            Err(error) => Ok(body::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                body::TEXT,
                error.to_string(),
            )),
        }
    }

    async fn mcp(self: &Arc<Self>, holder: &Holder, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
        if self.is_draining() {
            return Err(Refused::Ending);
        }
        let caller = self.callers.enter(holder).await;
        let running = caller.begin()?;
        if *request.method() != Method::POST {
            let request = request.map(|_| Empty::<Bytes>::new()); // none of these has a body
            return Ok(caller
                .service
                .handle(request)
                .await
                .map(|body| body::holding(body, running)));
        }
        let call = InFlight::new(self);
        let (parts, body) = request.into_parts();
        let bytes = body::collect(body, MAX_BODY).await?;
        if !self.tokens.is_still(holder) {
            return Err(Refused::Token); // a body may take as long as somebody needs to revoke it
        }
        if let Some(answer) = Misfit::crowded(&bytes) {
            return Ok(misfit(&answer));
        }
        if begins_session(&parts.headers, &bytes) && !caller.sessions.make_room().await {
            return Err(Refused::McpSessions);
        }
        let response = self.handle(&caller, parts, bytes).await;
        Ok(response.map(|body| body::holding(body, (running, call))))
    }

    /// rmcp answers a body that is no message with a sentence, as if its kind were wrong.
    async fn handle(&self, caller: &OneCaller<B>, parts: Parts, bytes: Bytes) -> Response<Body> {
        let request = Request::from_parts(parts, Full::new(bytes.clone()));
        let response = caller.service.handle(request).await;
        if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && let Err(error) = serde_json::from_slice::<ClientJsonRpcMessage>(&bytes)
        {
            return misfit(&Misfit::of(&bytes, &error).answer);
        }
        response.map(|body| body.boxed())
    }
}

impl Path {
    fn of(path: &str) -> Self {
        match path {
            "/mcp" => Self::Mcp,
            "/metrics" => Self::Metrics,
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            _ => Self::Other,
        }
    }

    /// The name in the metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Mcp => "/mcp",
            Self::Metrics => "/metrics",
            Self::Health => "/healthz",
            Self::Ready => "/readyz",
            Self::Other => "other",
        }
    }
}

fn misfit(answer: &TxJsonRpcMessage<RoleServer>) -> Response<Body> {
    match serde_json::to_string(answer) {
        Ok(text) => body::text(StatusCode::BAD_REQUEST, body::JSON, text),
        Err(error) => body::text(StatusCode::INTERNAL_SERVER_ERROR, body::TEXT, error.to_string()),
    }
}

/// Whether a request opens an MCP session. What cannot be read opens none.
fn begins_session(headers: &HeaderMap, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message {
        method: String,
    }
    !headers.contains_key(&MCP_SESSION)
        && serde_json::from_slice::<Message>(body).is_ok_and(|message| message.method == "initialize")
}

fn turned_away(refused: Refused, path: Path, metrics: &Metrics) -> Response<Body> {
    metrics.http.refused(refused);
    let mut response = body::text(refused.status(), body::TEXT, format!("{}\n", refused.text()));
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    match refused {
        Refused::NoToken | Refused::Token => set(header::WWW_AUTHENTICATE, "Bearer realm=\"terrarium\""),
        Refused::Method => set(
            header::ALLOW,
            if matches!(path, Path::Mcp) {
                "POST, GET, DELETE"
            } else {
                "GET, HEAD"
            },
        ),
        Refused::Requests | Refused::McpSessions | Refused::Connections => set(header::RETRY_AFTER, "1"),
        _ => None,
    };
    if refused.closes() {
        set(header::CONNECTION, "close");
    }
    response
}
