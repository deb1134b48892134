//! Bodies: taken in whole within bounds, and given out with an eye on their end.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Response, StatusCode, header};

use super::refused::Refused;

/// What leaves.
pub(in crate::server) type Body = BoxBody<Bytes, Infallible>;

/// What an answer of a program is.
pub(in crate::server) const JSON: &str = "application/json";

/// What people read.
pub(in crate::server) const TEXT: &str = "text/plain; charset=utf-8";
/// How long a body may take to come.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The whole body of a request, of at most `most` bytes.
pub(in crate::server) async fn collect(body: Incoming, most: usize) -> Result<Bytes, Refused> {
    let whole = Limited::new(body, most).collect();
    match tokio::time::timeout(MAX_TIME, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Refused::BodySize),
        Ok(Err(_)) | Err(_) => Err(Refused::Body),
    }
}

/// A body that holds something until its end, however that comes.
pub(in crate::server) fn holding<T: Send + Sync + 'static>(body: Body, held: T) -> Body {
    body.map_frame(move |frame| {
        let _held = &held;
        frame
    })
    .boxed()
}

/// A short answer.
pub(in crate::server) fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed());
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
