//! What can be read by its address instead of by a call: screens, outputs, profiles.
//!
//! Each is what a tool shows, and reading it is judged and recorded as that tool's call, an update of a
//! subscription too: nothing can be seen this way that cannot be seen that way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Services, ToolCall, ToolError, misfit, permitted, run, terminal_list, terminal_read, terminal_snapshot};
use crate::limits::SubscriptionPermit;
use crate::model::SessionId;
use crate::policy::Caller;
use crate::profile::show;
use crate::session::Watch;

/// How all addresses begin.
const SCHEME: &str = "terrarium://";
/// Bytes at the end of an output that are shown.
const OUTPUT: u64 = 40_000;
/// Updates of one subscription are at least so far apart.
pub const UPDATE_EVERY: Duration = Duration::from_millis(500);

/// Addresses with a part to fill in: the address, what it is called, and what it shows.
pub const TEMPLATES: [(&str, &str, &str); 3] = [
    (
        "terrarium://sessions/{id}/screen",
        "screen",
        "The screen of a session of yours, as terminal_snapshot shows it. Can be subscribed to.",
    ),
    (
        "terrarium://sessions/{id}/output",
        "output",
        "The end of what a session of yours printed, as terminal_read shows it. Can be subscribed to.",
    ),
    (
        "terrarium://profiles/{name}",
        "profile",
        "What a sandbox profile allows, with everything inherited filled in. YAML.",
    ),
];

/// One that there is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub uri: String,
    /// What it is called.
    pub name: String,
    /// How it is written.
    pub media_type: &'static str,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The text.
    pub text: String,
    /// How it is written.
    pub media_type: &'static str,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// Nothing of the caller's is there; whether something of another's is, is not said.
    #[error("no such resource: {uri:?}; hint: resources/list shows those there are")]
    NoSuch {
        /// What was asked for, cut to a sane length.
        uri: String,
    },
    /// It does not change.
    #[error("{uri:?} does not change; hint: screens and outputs of sessions can be subscribed to")]
    Still {
        /// What was asked for.
        uri: String,
    },
    /// More at once than anybody may have.
    #[error(
        "{asked} addresses are too many for one request, which takes {most}; hint: name each once, and only what you follow"
    )]
    TooMany {
        /// How many were asked for.
        asked: usize,
        /// How many there may be.
        most: usize,
    },
    /// The call that it stands for gave no answer.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// What an address points at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place<'a> {
    Screen(&'a str),
    Output(&'a str),
    Profile(&'a str),
}

impl<'a> Place<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        let mut parts = uri.strip_prefix(SCHEME)?.split('/');
        let place = match (parts.next()?, parts.next()?, parts.next()) {
            ("sessions", id, Some("screen")) => Self::Screen(id),
            ("sessions", id, Some("output")) => Self::Output(id),
            ("profiles", name, None) => Self::Profile(name),
            _ => return None,
        };
        parts.next().is_none().then_some(place)
    }

    /// The call that shows it.
    fn call(&self, services: &Services, caller: &Caller) -> Option<ToolCall> {
        let (name, arguments) = match self {
            Self::Screen(id) => (
                terminal_snapshot::NAME,
                json!({"session": handle(services, caller, id)?}),
            ),
            Self::Output(id) => {
                let id = handle(services, caller, id)?;
                let session = services.sessions.resolve(caller, &id).ok()?;
                let printed = services.sessions.get(caller, session).ok()?.progress().main;
                let cursor = printed.saturating_sub(OUTPUT);
                (
                    terminal_read::NAME,
                    json!({"session": id, "cursor": cursor, "max_bytes": OUTPUT}),
                )
            }
            Self::Profile(_) => (terminal_list::NAME, json!({})),
        };
        let Value::Object(arguments) = arguments else {
            return None;
        };
        Some(ToolCall {
            name: name.to_owned(),
            arguments,
        })
    }
}

/// The handle of the caller's session with this handle. Addresses hold no short names: those are used again.
fn handle(services: &Services, caller: &Caller, id: &str) -> Option<String> {
    let id = SessionId::parse(id)?.to_string();
    services.sessions.resolve(caller, &id).ok().map(|_| id)
}

/// All that the caller can read now.
pub async fn list(services: &Services, caller: &Caller) -> Result<Vec<Entry>, ToolError> {
    permitted(services, caller, listing()).await?;
    let mut entries = Vec::new();
    for session in services.sessions.list(caller) {
        let about = session.about();
        for (what, named) in [("screen", "screen"), ("output", "output")] {
            if what == "output" || session.has_terminal() {
                entries.push(Entry {
                    uri: format!("{SCHEME}sessions/{}/{what}", about.id),
                    name: format!("{} {named}", about.alias),
                    media_type: "text/plain",
                });
            }
        }
    }
    entries.extend(profiles(services, caller).into_iter().map(|name| Entry {
        uri: format!("{SCHEME}profiles/{name}"),
        name: format!("profile {name}"),
        media_type: "application/yaml",
    }));
    Ok(entries)
}

/// Reads one.
pub async fn read(
    services: &Services,
    caller: &Caller,
    uri: &str,
    cancelled: CancellationToken,
) -> Result<Contents, ResourceError> {
    let Some((place, call)) = found(services, caller, uri) else {
        return Err(missed(services, caller, uri).await);
    };
    if let Place::Profile(name) = place {
        permitted(services, caller, call).await?;
        let known = profiles(services, caller).contains(&name);
        let profile = known.then(|| services.profiles.get(name).ok()).flatten();
        return Ok(Contents {
            text: show::to_yaml(&*profile.ok_or_else(|| no_such(uri))?),
            media_type: "application/yaml",
        });
    }
    match run(services, caller, call, None, cancelled).await {
        Ok(reply) => Ok(Contents {
            text: reply.text,
            media_type: "text/plain",
        }),
        Err(ToolError::Session(_) | ToolError::Gone(_)) => Err(no_such(uri)),
        Err(error) => Err(error.into()),
    }
}

/// Tells when something that can be read has changed.
#[derive(Debug)]
pub struct Subscription {
    services: Arc<Services>,
    caller: Caller,
    uri: String,
    watch: Watch,
    next: Instant,
    _permit: SubscriptionPermit,
}

impl Subscription {
    /// To one screen or output of the caller's.
    pub async fn open(services: Arc<Services>, caller: Caller, uri: &str) -> Result<Self, ResourceError> {
        let Some((place, call)) = found(&services, &caller, uri) else {
            return Err(missed(&services, &caller, uri).await);
        };
        let (Place::Screen(id) | Place::Output(id)) = place else {
            return Err(ResourceError::Still { uri: cut(uri) });
        };
        // First: what is refused for being too many has one line on record, and few in a minute.
        let permit = match services.limits.subscription(&caller).map_err(ToolError::from) {
            Ok(permit) => permit,
            Err(error) => {
                misfit(&services, &caller, &call, error.kind()).await?;
                return Err(error.into());
            }
        };
        permitted(&services, &caller, call).await?;
        let session = services.sessions.resolve(&caller, id).map_err(|_| no_such(uri))?;
        let session = services.sessions.get(&caller, session).map_err(|_| no_such(uri))?;
        Ok(Self {
            watch: session.watch(),
            services,
            caller,
            uri: uri.to_owned(),
            next: Instant::now(),
            _permit: permit,
        })
    }

    /// The address.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Waits for a change that the caller may see; false when there will be none: the session is gone, or the
    /// caller may not look at it any more. Cancel-safe: a change that was not told is told next time.
    pub async fn changed(&mut self) -> bool {
        tokio::time::sleep_until(self.next).await;
        if !self.watch.changed().await {
            return false;
        }
        let Some(call) = Place::parse(&self.uri).and_then(|place| place.call(&self.services, &self.caller)) else {
            return false;
        };
        if permitted(&self.services, &self.caller, call).await.is_err() {
            return false;
        }
        self.watch.seen();
        self.next = Instant::now() + UPDATE_EVERY;
        true
    }
}

fn listing() -> ToolCall {
    ToolCall {
        name: terminal_list::NAME.to_owned(),
        arguments: Map::new(),
    }
}

/// The profiles that the caller may use.
fn profiles<'a>(services: &'a Services, caller: &Caller) -> Vec<&'a str> {
    let names = services.profiles.names();
    services.policy.get().profiles(caller, "terminal_open", &names)
}

/// What an address is of, and the call that shows it.
fn found<'a>(services: &Services, caller: &Caller, uri: &'a str) -> Option<(Place<'a>, ToolCall)> {
    let place = Place::parse(uri)?;
    let call = place.call(services, caller)?;
    Some((place, call))
}

/// There is no such thing for this caller. Who tries addresses is counted and on record, as who tries handles is.
async fn missed(services: &Services, caller: &Caller, uri: &str) -> ResourceError {
    refused(services, caller, (json!({"uri": cut(uri)}), "session"), no_such(uri)).await
}

/// More addresses than one request may have, none of which was looked at.
pub async fn too_many(services: &Services, caller: &Caller, asked: usize, most: usize) -> ResourceError {
    let error = ResourceError::TooMany { asked, most };
    refused(services, caller, (json!({"addresses": asked}), "arguments"), error).await
}

/// The same, counted and on record as a request for a resource that was refused.
async fn refused(
    services: &Services,
    caller: &Caller,
    (asked, why): (Value, &str),
    error: ResourceError,
) -> ResourceError {
    let Value::Object(arguments) = asked else { return error };
    let call = ToolCall {
        name: "resource".to_owned(),
        arguments,
    };
    match misfit(services, caller, &call, why).await {
        Ok(()) => error,
        Err(flood) => flood.into(),
    }
}

fn no_such(uri: &str) -> ResourceError {
    ResourceError::NoSuch { uri: cut(uri) }
}

fn cut(uri: &str) -> String {
    uri.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_point_at_something() {
        let table = [
            ("terrarium://sessions/abc/screen", Some(Place::Screen("abc"))),
            ("terrarium://sessions/abc/output", Some(Place::Output("abc"))),
            ("terrarium://profiles/default", Some(Place::Profile("default"))),
            ("terrarium://sessions/abc", None),
            ("terrarium://sessions/abc/screen/", None),
            ("terrarium://sessions/abc/screen/x", None),
            ("terrarium://profiles/a/b", None),
            ("terrarium://", None),
            ("file:///etc/passwd", None),
        ];
        for (uri, expected) in table {
            assert_eq!(Place::parse(uri), expected, "{uri}");
        }
    }
}
