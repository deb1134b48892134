//! The settings of the Hack Forums tools, as written and as meant.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::address::{ApiBase, is_loopback};
use super::features::{FeatureError, Features, HfProfile, Overlay};
use super::operations::{Needs, OPERATIONS};
use crate::model::Span;

/// Where Hack Forums answers.
pub const API_BASE: &str = "https://hackforums.net/api/v2";
/// What an own copy of the program calls itself. Browsers' names are for browsers; a service in front of the API may
/// refuse others, so the operator can choose.
const USER_AGENT: &str = concat!("terrarium/", env!("CARGO_PKG_VERSION"));
/// The longest time that the operator may choose: a call must end while its client still waits.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest time that a login may take: a person is at it.
const LONGEST_LOGIN: Duration = Duration::from_secs(3600);

/// The section `hf` of the configuration, as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HfFile {
    /// A starting set of operations: reader, forum_operator, full_api or custom.
    pub profile: HfProfile,
    /// Operations that are on besides, by name (posts.reply) or tool (hf_posts_reply). What spends bytes or is of high
    /// risk is on only when it is named here.
    pub enable: Vec<String>,
    /// Operations that are off, whatever else says that they are on.
    pub disable: Vec<String>,
    /// Families of arguments and fields that are on besides.
    pub enable_families: Vec<String>,
    /// Families that are off: neither accepted, requested nor returned.
    pub disable_families: Vec<String>,
    /// Reads that may go without a selector, by tool.
    pub unfiltered: Vec<String>,
    /// Where the API is. https, but for a loopback address.
    pub api_base: Option<String>,
    /// How requests are written: json or form.
    pub encoding: Encoding,
    /// What the server is told that we are.
    pub user_agent: Option<String>,
    /// How long things may take.
    pub timeouts: TimeoutsFile,
    /// How answers look where a call does not say.
    pub output: OutputFile,
    /// How the account's owner lets us in.
    pub oauth: OauthFile,
}

/// How requests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// A JSON document.
    #[default]
    Json,
    /// A form with the one field `asks`.
    Form,
}

/// Text, rows or what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputMode {
    /// Text.
    #[default]
    Readable,
    /// Rows as JSON.
    Structured,
    /// What Hack Forums sent.
    Raw,
}

/// How MyCode is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BodyFormat {
    /// As it came.
    Raw,
    /// Without tags.
    Clean,
    /// As Markdown.
    #[default]
    Markdown,
}

/// How long things may take, as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsFile {
    /// Until a connection stands. Default: 5s.
    #[serde(deserialize_with = "span")]
    #[schemars(with = "Option<String>")]
    pub connect: Option<Span>,
    /// Between two pieces of an answer. Default: 10s.
    #[serde(deserialize_with = "span")]
    #[schemars(with = "Option<String>")]
    pub chunk: Option<Span>,
    /// The whole request. Default: 20s.
    #[serde(deserialize_with = "span")]
    #[schemars(with = "Option<String>")]
    pub total: Option<Span>,
}

/// How answers look, as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputFile {
    /// readable, structured or raw.
    pub mode: OutputMode,
    /// Whether what Hack Forums sent is added to every answer.
    pub include_raw_payload: bool,
    /// raw, clean or markdown.
    pub body_format: BodyFormat,
}

/// How the account's owner lets us in, as written. Secrets are not written here.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OauthFile {
    /// Where the browser comes back to: http on a loopback address with a port. Default:
    /// http://127.0.0.1:8765/callback.
    pub redirect_uri: Option<String>,
    /// A page of yours, https, that sends the browser on to redirect_uri.
    pub external_redirect_uri: Option<String>,
    /// How long the browser may take, at most 1h. Default: 180s.
    #[serde(deserialize_with = "span")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Span>,
}

/// The settings as meant.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is on.
    pub features: Features,
    /// The profile that it began with.
    pub profile: HfProfile,
    /// Reads that may go without a selector.
    pub unfiltered: BTreeSet<&'static str>,
    /// Where the API is; ends without a slash.
    pub base: ApiBase,
    /// How requests are written.
    pub encoding: Encoding,
    /// What the server is told that we are.
    pub user_agent: String,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How answers look.
    pub output: OutputMode,
    /// Whether what Hack Forums sent is added.
    pub raw: bool,
    /// How MyCode is shown.
    pub body: BodyFormat,
    /// How the account's owner lets us in.
    pub oauth: Oauth,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub chunk: Duration,
    /// The whole request.
    pub total: Duration,
}

/// How the account's owner lets us in.
#[derive(Clone, Debug)]
pub struct Oauth {
    /// Where we listen for the browser: the port and the path.
    pub listen: Url,
    /// What Hack Forums is told to send the browser to.
    pub redirect: Url,
    /// How long the browser may take.
    pub timeout: Duration,
}

/// Why settings cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An operation or family.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// The address of the API.
    #[error("{field}: {url:?} is not {wanted}")]
    Address {
        /// Which setting.
        field: &'static str,
        /// What was written.
        url: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A time out of its bounds.
    #[error("{field}: must be more than nothing and at most {} s", most.as_secs())]
    Timeout {
        /// Which setting.
        field: &'static str,
        /// The longest that it may be.
        most: Duration,
    },
    /// Something that no header may hold.
    #[error("hf.user_agent: must be 1 to 200 visible ASCII characters")]
    UserAgent,
    /// It has no selector that it could go without.
    #[error("hf.unfiltered: {tool:?} is no read that needs a selector; those are {}", selectable().join(", "))]
    Unfiltered {
        /// What was written.
        tool: String,
    },
}

impl Settings {
    /// Reads settings as written.
    pub fn new(file: &HfFile) -> Result<Self, SettingsError> {
        let overlay = Overlay {
            enable: file.enable.clone(),
            disable: file.disable.clone(),
            enable_families: file.enable_families.clone(),
            disable_families: file.disable_families.clone(),
        };
        let user_agent = file.user_agent.clone().unwrap_or_else(|| USER_AGENT.to_owned());
        let fits = (1..=200).contains(&user_agent.len()) && user_agent.bytes().all(|b| matches!(b, b' '..=b'~'));
        if !fits {
            return Err(SettingsError::UserAgent);
        }
        let mut unfiltered = BTreeSet::new();
        for tool in &file.unfiltered {
            let known = selectable().into_iter().find(|name| name == tool);
            unfiltered.insert(known.ok_or_else(|| SettingsError::Unfiltered {
                tool: tool.chars().take(64).collect(),
            })?);
        }
        Ok(Self {
            features: Features::new(file.profile, &overlay)?,
            profile: file.profile,
            unfiltered,
            base: ApiBase::new(file.api_base.as_deref().unwrap_or(API_BASE))?,
            encoding: file.encoding,
            user_agent,
            timeouts: Timeouts::new(&file.timeouts)?,
            output: file.output.mode,
            raw: file.output.include_raw_payload,
            body: file.output.body_format,
            oauth: Oauth::new(&file.oauth)?,
        })
    }
}

impl Settings {
    /// The same with those operations only that a profile holds too.
    #[must_use]
    pub fn narrowed_to(self, profile: HfProfile) -> Self {
        Self {
            features: self.features.narrowed_to(profile),
            profile,
            ..self
        }
    }
}

/// A time as in `5s`.
fn span<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}

fn selectable() -> Vec<&'static str> {
    let needs = |needs| matches!(needs, Needs::Selector(_));
    OPERATIONS.iter().filter(|o| needs(o.needs)).map(|o| o.tool).collect()
}

/// A time that is more than nothing and not longer than sense.
fn bounded(field: &'static str, span: Option<Span>, default_s: u64, most: Duration) -> Result<Duration, SettingsError> {
    match span.map_or(Duration::from_secs(default_s), Span::duration) {
        time if time.is_zero() || time > most => Err(SettingsError::Timeout { field, most }),
        time => Ok(time),
    }
}

impl Timeouts {
    fn new(file: &TimeoutsFile) -> Result<Self, SettingsError> {
        Ok(Self {
            connect: bounded("hf.timeouts.connect", file.connect, 5, LONGEST)?,
            chunk: bounded("hf.timeouts.chunk", file.chunk, 10, LONGEST)?,
            total: bounded("hf.timeouts.total", file.total, 20, LONGEST)?,
        })
    }
}

impl Oauth {
    fn new(file: &OauthFile) -> Result<Self, SettingsError> {
        let text = file.redirect_uri.as_deref().unwrap_or("http://127.0.0.1:8765/callback");
        let listen = Url::parse(text)
            .ok()
            .filter(|url| url.scheme() == "http" && is_loopback(url) && url.port().is_some())
            .ok_or_else(|| SettingsError::Address {
                field: "hf.oauth.redirect_uri",
                url: text.chars().take(200).collect(),
                wanted: "http://127.0.0.1:PORT/PATH, on a loopback address with a port",
            })?;
        let redirect = match file.external_redirect_uri.as_deref() {
            None => listen.clone(),
            Some(text) => Url::parse(text)
                .ok()
                .filter(|url| url.scheme() == "https" && !is_loopback(url))
                .ok_or_else(|| SettingsError::Address {
                    field: "hf.oauth.external_redirect_uri",
                    url: text.chars().take(200).collect(),
                    wanted: "an https address that is not on this machine",
                })?,
        };
        Ok(Self {
            listen,
            redirect,
            timeout: bounded("hf.oauth.timeout", file.timeout, 180, LONGEST_LOGIN)?,
        })
    }
}

impl OutputMode {
    /// The mode with this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "readable" => Some(Self::Readable),
            "structured" => Some(Self::Structured),
            "raw" => Some(Self::Raw),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Structured => "structured",
            Self::Raw => "raw",
        }
    }
}

impl BodyFormat {
    /// The format with this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "raw" => Some(Self::Raw),
            "clean" => Some(Self::Clean),
            "markdown" => Some(Self::Markdown),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Clean => "clean",
            Self::Markdown => "markdown",
        }
    }
}
