//! Where the API is: the one place that the token goes to.

use url::{Host, Url};

use super::settings::SettingsError;

/// Where the API is: https, or http on a loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiBase(Url);

impl ApiBase {
    /// https anywhere, http only on a loopback address: the token goes there.
    pub fn new(text: &str) -> Result<Self, SettingsError> {
        let url = Url::parse(text.trim_end_matches('/')).ok().filter(|url| {
            let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
            let plain = url.username().is_empty() && url.password().is_none();
            safe && plain && url.query().is_none() && url.fragment().is_none() && url.host().is_some()
        });
        url.map(Self).ok_or_else(|| SettingsError::Address {
            field: "hf.api_base",
            url: text.chars().take(200).collect(),
            wanted: "an https address without user, query and fragment (http only on a loopback address)",
        })
    }

    /// An address below it.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let whole = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        url
    }

    /// As written, for people.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is Hack Forums itself.
    pub fn is_the_service(&self) -> bool {
        self.0.host_str() == Some("hackforums.net")
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
