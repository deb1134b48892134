//! What a browser asks our small web server for, when Hack Forums sends it back: read from the head of one request.
//!
//! Any page can make a browser load this address, and any program can connect. What does not come with the state of
//! this login says nothing, and is answered and forgotten.

use subtle::ConstantTimeEq as _;

/// Bytes of a request's head. Browsers send one or two thousand.
pub const MAX_HEAD: usize = 8 * 1024;

/// What a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callback {
    /// The account's owner lets us in: the code to exchange.
    Code(String),
    /// Hack Forums says why it does not.
    Error(String),
    /// It is not about this login.
    Stranger,
    /// It asks for something else.
    Elsewhere,
}

/// Characters of a code: a long one is none.
const MAX_CODE: usize = 512;

/// Reads the head of a request to a path, for the login with this state.
pub fn parse(head: &[u8], path: &str, state: &str) -> Callback {
    let Some((given_path, query)) = target(head) else {
        return Callback::Elsewhere;
    };
    if given_path != path {
        return Callback::Elsewhere;
    }
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .take(32)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    // Twice the same key could be read in two ways.
    let only = |name: &str| {
        let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    };
    let ours = only("state").is_some_and(|given| bool::from(given.as_bytes().ct_eq(state.as_bytes())));
    if !ours {
        return Callback::Stranger;
    }
    match (only("code"), only("error")) {
        (Some(code), None) if is_code(code) => Callback::Code(code.clone()),
        (None, Some(error)) => Callback::Error(error.chars().take(MAX_CODE).collect()),
        _ => Callback::Stranger,
    }
}

/// Path and query of `GET /path?query HTTP/1.1`.
fn target(head: &[u8]) -> Option<(&str, &str)> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let plain = words.next().is_none() && method == "GET" && version.starts_with("HTTP/1.");
    plain.then(|| target.split_once('?').unwrap_or((target, "")))
}

fn is_code(code: &str) -> bool {
    (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Callback {
        parse(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), "/callback", "s3cr3t")
    }

    #[test]
    fn only_the_state_of_this_login_counts() {
        let table = [
            (
                "GET /callback?code=abc&state=s3cr3t HTTP/1.1",
                Callback::Code("abc".to_owned()),
            ),
            (
                "GET /callback?error=access_denied&state=s3cr3t HTTP/1.1",
                Callback::Error("access_denied".to_owned()),
            ),
            ("GET /callback?error=access_denied HTTP/1.1", Callback::Stranger),
            ("GET /callback?code=abc&state=other HTTP/1.1", Callback::Stranger),
            (
                "GET /callback?code=abc&state=s3cr3t&state=s3cr3t HTTP/1.1",
                Callback::Stranger,
            ),
            ("GET /callback?code=a&code=b&state=s3cr3t HTTP/1.1", Callback::Stranger),
            ("GET /callback?code=&state=s3cr3t HTTP/1.1", Callback::Stranger),
            ("GET /callback?code=a%0d%0ab&state=s3cr3t HTTP/1.1", Callback::Stranger),
            ("GET /callback HTTP/1.1", Callback::Stranger),
            ("GET /favicon.ico HTTP/1.1", Callback::Elsewhere),
            ("POST /callback?code=abc&state=s3cr3t HTTP/1.1", Callback::Elsewhere),
            ("GET /callback?code=abc&state=s3cr3t", Callback::Elsewhere),
            ("", Callback::Elsewhere),
        ];
        for (line, expected) in table {
            assert_eq!(of(line), expected, "{line}");
        }
    }
}
