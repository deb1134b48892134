//! Which names we are reached by. A page that made a browser come to us under its own name, or from its own origin,
//! is turned away (DNS rebinding, cross-site requests).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use hyper::http::uri::Authority;

/// A name, with a port or for any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// In small letters, without brackets.
    name: String,
    port: Option<u16>,
}

/// Why a text names no host.
#[derive(Debug, thiserror::Error)]
#[error(
    "{text:?} names no host; hint: write a name or an address with or without a port, as in terminals.example or [::1]:7717"
)]
pub struct NotAHost {
    text: String,
}

/// The names that are ours.
#[derive(Debug)]
pub(in crate::server) struct Allowed {
    hosts: Vec<HostName>,
    schemes: &'static [&'static str],
}

impl FromStr for HostName {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        Self::read(text).ok_or_else(|| NotAHost { text: text.to_owned() })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl HostName {
    fn read(text: &str) -> Option<Self> {
        // `Authority` takes user names, which no Host header has.
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        if text.is_empty() || !text.chars().all(legal) {
            return None;
        }
        let authority = Authority::try_from(text).ok()?;
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let rest = text.strip_prefix(authority.host())?;
        // What is no number behind a colon is no port, and must not count as none.
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(digits) => Some(digits.parse().ok()?),
            None => return None,
        };
        (!name.is_empty()).then(|| Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }

    fn of(address: IpAddr, port: u16) -> Self {
        Self {
            name: address.to_string(),
            port: Some(port),
        }
    }
}

impl Allowed {
    /// The address that is listened on, this machine's names for itself, and those that the operator gave.
    pub(in crate::server) fn new(local: SocketAddr, given: &[HostName], tls: bool, behind_proxy: bool) -> Self {
        let port = local.port();
        let mut hosts = vec![
            HostName::of(local.ip(), port),
            HostName::of(Ipv4Addr::LOCALHOST.into(), port),
            HostName::of(Ipv6Addr::LOCALHOST.into(), port),
            HostName {
                name: "localhost".to_owned(),
                port: Some(port),
            },
        ];
        hosts.extend_from_slice(given);
        let schemes: &[&str] = match (tls, behind_proxy) {
            (true, _) => &["https"],
            (false, true) => &["http", "https"],
            (false, false) => &["http"],
        };
        Self { hosts, schemes }
    }

    /// Whether a `Host` header, or the host of an absolute target, is ours.
    pub(in crate::server) fn host(&self, text: &str) -> bool {
        let default = |scheme: &&str| default_port(scheme);
        HostName::read(text)
            .is_some_and(|host| self.has(&host, &self.schemes.iter().filter_map(default).collect::<Vec<_>>()))
    }

    /// Whether an `Origin` header is ours. `null` is nobody's.
    pub(in crate::server) fn origin(&self, text: &str) -> bool {
        let Some((scheme, host)) = text.split_once("://") else {
            return false;
        };
        let default = self.schemes.contains(&scheme).then(|| default_port(scheme)).flatten();
        match (default, HostName::read(host)) {
            (Some(port), Some(host)) => self.has(&host, &[port]),
            _ => false,
        }
    }

    /// `defaults` are the ports that a name without one may mean.
    fn has(&self, asked: &HostName, defaults: &[u16]) -> bool {
        self.hosts.iter().any(|ours| {
            let port = match (ours.port, asked.port) {
                (None, _) => true,
                (Some(ours), Some(asked)) => ours == asked,
                (Some(ours), None) => defaults.contains(&ours),
            };
            ours.name == asked.name && port
        })
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Allowed {
        let given = [
            "terminals.example".parse().unwrap(),
            "other.example:8443".parse().unwrap(),
        ];
        Allowed::new("127.0.0.1:7717".parse().unwrap(), &given, false, false)
    }

    #[test]
    fn only_our_own_names_are_ours() {
        let allowed = plain();
        for host in [
            "127.0.0.1:7717",
            "localhost:7717",
            "LOCALHOST:7717",
            "[::1]:7717",
            "terminals.example",
            "terminals.example:1",
            "other.example:8443",
        ] {
            assert!(allowed.host(host), "{host}");
        }
        for host in [
            "",
            ":",
            ":7717",
            "evil.example",
            "evil.example:7717",
            "127.0.0.1",
            "127.0.0.1:7718",
            "127.0.0.1:",
            "127.0.0.1:77177717",
            "localhost.:7717",
            "localhost:7717.evil.example",
            "127.0.0.1.evil.example:7717",
            "user@127.0.0.1:7717",
            "127.0.0.1:7717@evil.example",
            "127.0.0.1:7717/",
            "127.0.0.1:7717 evil.example",
            "127.0.0.1:7717,evil.example",
            "other.example",
            "2130706433:7717",
        ] {
            assert!(!allowed.host(host), "{host}");
        }
    }

    #[test]
    fn another_port_of_the_same_host_is_another_origin() {
        let allowed = plain();
        for origin in [
            "http://127.0.0.1:7717",
            "http://localhost:7717",
            "http://terminals.example",
        ] {
            assert!(allowed.origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost:3000",
            "http://localhost",
            "https://localhost:7717",
            "http://evil.example",
            "file://",
            "http://localhost:7717/path",
            "http://localhost:7717.evil.example",
            "chrome-extension://abc",
        ] {
            assert!(!allowed.origin(origin), "{origin}");
        }
        let tls = Allowed::new("10.0.0.1:443".parse().unwrap(), &[], true, false);
        assert!(tls.origin("https://10.0.0.1") && tls.host("10.0.0.1") && !tls.origin("http://10.0.0.1:443"));
    }
}
