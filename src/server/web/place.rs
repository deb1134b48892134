//! Whether a request came to us by a name of ours and not from somebody else's page, and what it says of who asks.

use hyper::Request;
use hyper::header::{self, HeaderMap, HeaderName};

use super::hosts::Allowed;
use super::refused::Refused;

/// Where a browser says who made it ask (Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether it came to us by a name of ours, and not from somebody else's page, and with nothing in its address that
/// belongs in a header.
pub(in crate::server) fn check<B>(allowed: &Allowed, request: &Request<B>) -> Result<(), Refused> {
    let headers = request.headers();
    let host = single(headers, &header::HOST)
        .map_err(|()| Refused::Host)?
        .ok_or(Refused::Host)?;
    let target = request.uri().authority();
    if !allowed.host(host) || target.is_some_and(|target| !allowed.host(target.as_str())) {
        return Err(Refused::Host);
    }
    match single(headers, &header::ORIGIN).map_err(|()| Refused::Origin)? {
        Some(origin) if !allowed.origin(origin) => return Err(Refused::Origin),
        Some(_) => {}
        // Some requests of browsers have no Origin, but all say where they come from.
        None => match single(headers, &FETCH_SITE).map_err(|()| Refused::Origin)? {
            None | Some("same-origin" | "none") => {}
            Some(_) => return Err(Refused::Origin),
        },
    }
    no_query(request)
}

/// Whether the address has nothing after a `?`: tokens end up there, and in logs.
pub(in crate::server) fn no_query<B>(request: &Request<B>) -> Result<(), Refused> {
    match request.uri().query() {
        Some(_) => Err(Refused::Query),
        None => Ok(()),
    }
}

/// The bearer token that comes with a request. There must be one, and no other.
pub(in crate::server) fn token(headers: &HeaderMap) -> Result<&str, Refused> {
    let given = single(headers, &header::AUTHORIZATION).map_err(|()| Refused::NoToken)?;
    let (scheme, token) = given.and_then(|given| given.split_once(' ')).ok_or(Refused::NoToken)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim_matches(' '))
    } else {
        Err(Refused::NoToken)
    }
}

/// The one value of a header; an error when there are several, or not in ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}
