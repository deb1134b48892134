//! Why a request or a connection is turned away, and what is said then.

use hyper::StatusCode;

/// Why a request or a connection is turned away. Each kind is counted by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) enum Refused {
    /// Not one Host header, or one that is not ours.
    Host,
    /// A page of another origin asks.
    Origin,
    /// Something after `?`, which may be a token.
    Query,
    /// No token, or more than one.
    NoToken,
    /// A token that is none of ours, expired or revoked.
    Token,
    /// The file of tokens cannot be trusted or read.
    Tokens,
    /// A good token, for something else.
    OtherUse,
    /// No such path.
    Path,
    /// Not this method.
    Method,
    /// A body over the limit.
    BodySize,
    /// A body that took too long, or broke off.
    Body,
    /// A body that is not JSON.
    Kind,
    /// A login link that was used, is too old, or never was.
    Link,
    /// As many browsers as may watch.
    Watchers,
    /// Typing into a terminal that was not taken over.
    NotTaken,
    /// Another passphrase than the operator's.
    Passphrase,
    /// As many requests of the caller as may be at a time.
    Requests,
    /// As many MCP sessions as there may be.
    McpSessions,
    /// As many connections of known callers as there may be.
    Connections,
    /// We are ending.
    Ending,
    /// Too many connections that have not said who they are: the oldest goes.
    Crowd,
    /// A connection that did not say in time who it is.
    Slow,
    /// TLS failed.
    Tls,
    /// Not HTTP, too many or too large headers, or not read on.
    Protocol,
}

impl Refused {
    /// The name in the metrics.
    pub(in crate::server) fn name(self) -> &'static str {
        self.facts().1
    }

    /// What the other side is told.
    pub(in crate::server) fn status(self) -> StatusCode {
        self.facts().0
    }

    /// Why, and what to do.
    pub(in crate::server) fn text(self) -> &'static str {
        self.facts().2
    }

    /// Whether the connection ends with the answer: what refuses guesses makes each cost a connection.
    pub(in crate::server) fn closes(self) -> bool {
        matches!(
            self,
            Self::Host
                | Self::Origin
                | Self::NoToken
                | Self::Token
                | Self::Link
                | Self::BodySize
                | Self::Body
                | Self::Connections
                | Self::Ending
        )
    }

    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Host => (S::FORBIDDEN, "host", HOST),
            Self::Origin => (S::FORBIDDEN, "origin", ORIGIN),
            Self::Query => (S::BAD_REQUEST, "query", QUERY),
            Self::NoToken => (S::UNAUTHORIZED, "no_token", NO_TOKEN),
            Self::Token => (S::UNAUTHORIZED, "token", TOKEN),
            Self::Tokens => (S::SERVICE_UNAVAILABLE, "tokens", TOKENS),
            Self::OtherUse => (S::FORBIDDEN, "other_use", OTHER_USE),
            Self::Path => (S::NOT_FOUND, "path", PATH),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method", METHOD),
            Self::BodySize => (S::PAYLOAD_TOO_LARGE, "body_size", BODY_SIZE),
            Self::Body => (S::REQUEST_TIMEOUT, "body", BODY),
            Self::Kind => (S::UNSUPPORTED_MEDIA_TYPE, "kind", KIND),
            Self::Link => (S::UNAUTHORIZED, "link", LINK),
            Self::Watchers => (S::SERVICE_UNAVAILABLE, "watchers", WATCHERS),
            Self::NotTaken => (S::FORBIDDEN, "not_taken", NOT_TAKEN),
            Self::Passphrase => (S::FORBIDDEN, "passphrase", PASSPHRASE),
            Self::Requests => (S::TOO_MANY_REQUESTS, "requests", REQUESTS),
            Self::McpSessions => (S::TOO_MANY_REQUESTS, "mcp_sessions", MCP_SESSIONS),
            Self::Connections => (S::SERVICE_UNAVAILABLE, "connections", CONNECTIONS),
            Self::Ending => (S::SERVICE_UNAVAILABLE, "ending", ENDING),
            // These end the connection without an answer of ours.
            Self::Crowd => (S::SERVICE_UNAVAILABLE, "crowd", ""),
            Self::Slow => (S::REQUEST_TIMEOUT, "slow", ""),
            Self::Tls => (S::BAD_REQUEST, "tls", ""),
            Self::Protocol => (S::BAD_REQUEST, "protocol", ""),
        }
    }
}

const HOST: &str = "this server does not go by that name; hint: use the address that it prints at its start, or start it \
                    with --allow-host NAME";
const ORIGIN: &str = "pages of other origins may not ask; hint: clients that are no browsers send no Origin";
const QUERY: &str = "nothing after `?` is understood, and a token never belongs in a URL, where logs keep it; hint: send \
                     Authorization: Bearer TOKEN, and revoke a token that was sent so";
const NO_TOKEN: &str = "send one header Authorization: Bearer TOKEN; hint: the operator makes tokens with `terrarium token \
                        create NAME`";
const TOKEN: &str = "the token is not known, has expired or was revoked; hint: ask the operator for another";
const TOKENS: &str = "the server cannot read its tokens and lets nobody in; hint: the operator finds why in its log";
const OTHER_USE: &str = "this token is for something else; hint: tokens made with --metrics read /metrics and nothing else, \
                         all others call tools";
const PATH: &str = "there is only /mcp, /healthz, /readyz and /metrics";
const METHOD: &str = "this path has no such method";
const BODY_SIZE: &str = "a request may have 4 MiB";
const BODY: &str = "the body did not come whole within 30 s";
const KIND: &str = "a request has Content-Type: application/json";
const LINK: &str = "this link was used, or is older than a minute; hint: run `terrarium console` again";
const WATCHERS: &str = "as many browsers watch as may; hint: close one";
const NOT_TAKEN: &str = "take the terminal over first";
const PASSPHRASE: &str = "the operator's passphrase is another";
const REQUESTS: &str =
    "as many requests of yours as may be at a time are running; hint: wait for answers before you send more";
const MCP_SESSIONS: &str = "as many MCP sessions of yours as may be are in use; hint: end some with DELETE, or use protocol \
                            2026-07-28, which has none";
const CONNECTIONS: &str = "as many connections of yours as may be are open; hint: send further requests on those";
const ENDING: &str = "the server is ending and starts nothing more";
