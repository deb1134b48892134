//! What the operator does in the console. Each act is on record before it happens.

use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::access::Browser;
use super::answer::{Refusal, done, found};
use crate::audit::Event;
use crate::confirm::lockdown::REASON;
use crate::model::SessionId;
use crate::policy::Caller;
use crate::server::web::body::Body;
use crate::server::web::refused::Refused;
use crate::session::Session;
use crate::session::input::Item;
use crate::session::keys::Key;

/// Items in one request to type.
const ITEMS: usize = 64;

type Answer = Result<Response<Body>, Refusal>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Take {
    id: String,
    /// For the record.
    reason: String,
    passphrase: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    id: String,
    input: Vec<Piece>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Piece {
    Text(String),
    Key(String),
    Paste(String),
}

impl Console {
    /// Exchanges the code of a link for a token.
    pub(super) async fn login(&self, given: Login) -> Answer {
        match self.access.exchange(&given.code) {
            Ok(Some(token)) => {
                let audit = &self.desk.services.audit;
                let recorded = audit
                    .note(Event::Login, &self.by(), "a link from terrarium console")
                    .await;
                recorded.map_err(|error| Refusal::Act(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
                Ok(found(&json!({"token": token})))
            }
            Ok(None) => Err(Refused::Link.into()),
            Err(error) => {
                tracing::error!(%error, "no token for the console");
                let why = "the kernel gives no random bytes".to_owned();
                Err(Refusal::Act(StatusCode::INTERNAL_SERVER_ERROR, why))
            }
        }
    }

    /// The browser's token is good no more.
    pub(super) async fn leave(&self, browser: Browser) -> Answer {
        self.access.leave(browser);
        self.give_back_of(browser).await;
        Ok(done())
    }

    /// What the page is told first.
    pub(super) fn hello(&self) -> Value {
        let workspace = self.desk.services.workspace.path.display();
        json!({
            "kind": "hello",
            "instance": format!("{workspace} (process {})", std::process::id()),
            "version": env!("CARGO_PKG_VERSION"),
            "passphrase": self.desk.passphrase.is_set(),
        })
    }

    /// Takes a terminal over: from now on this browser may type into it, as its caller may.
    pub(super) async fn take(&self, browser: Browser, given: Take) -> Answer {
        let (caller, session) = self.find(&given.id)?;
        let id = session.about().id;
        if !self.taken.is_free(id, browser) {
            return conflict("another browser has it, or this one does not watch");
        }
        self.check(given.passphrase).await?;
        let reason = match given.reason.trim() {
            "" => "to type",
            reason => reason,
        };
        let reason: String = reason.chars().take(REASON).collect();
        self.record(Event::Attached, &caller, id, &reason).await?;
        if self.taken.take(id, browser, caller) {
            Ok(done())
        } else {
            conflict("another browser was faster")
        }
    }

    /// Gives it back.
    pub(super) async fn release(&self, browser: Browser, given: Release) -> Answer {
        if let Some(id) = SessionId::parse(&given.id) {
            self.give_back(id, browser).await;
        }
        Ok(done())
    }

    /// Types into a terminal that was taken over.
    pub(super) async fn type_in(&self, browser: Browser, given: Typed) -> Answer {
        let (_, session) = self.find(&given.id)?;
        if given.input.len() > ITEMS {
            let why = format!("at most {ITEMS} pieces at once");
            return Err(Refusal::Act(StatusCode::BAD_REQUEST, why));
        }
        let size: usize = given.input.iter().map(Piece::size).sum();
        let items: Result<Vec<Item>, String> = given.input.into_iter().map(Piece::into_item).collect();
        let items = items.map_err(|why| Refusal::Act(StatusCode::BAD_REQUEST, why))?;
        if !self.taken.types(session.about().id, browser, size) {
            return Err(Refused::NotTaken.into());
        }
        match session.terminal(move |terminal, _| terminal.type_in(&items)).await {
            Ok(Some(Ok(_))) => Ok(done()),
            Ok(Some(Err(error))) => conflict(&error.to_string()),
            Ok(None) | Err(_) => Err(gone()),
        }
    }

    fn find(&self, id: &str) -> Result<(Caller, Session), Refusal> {
        let id = SessionId::parse(id).ok_or_else(gone)?;
        let all = self.desk.services.sessions.everyone();
        let found = all.into_iter().find(|(_, session)| session.about().id == id);
        found.ok_or_else(gone)
    }

    /// A terminal is its caller's again; how much was typed is put on record.
    async fn give_back(&self, id: SessionId, browser: Browser) {
        let Some((caller, typed)) = self.taken.give_back(id, browser) else {
            return;
        };
        let typed = format!("{typed} bytes typed");
        if self.record(Event::Detached, &caller, id, &typed).await.is_err() {
            tracing::error!(target: "audit", session = %id, "that the operator no longer types is not on record");
        }
    }

    /// A browser has gone: it types no more.
    pub(super) async fn give_back_of(&self, browser: Browser) {
        for (id, _) in self.taken.all().into_iter().filter(|(_, by)| *by == browser) {
            self.give_back(id, browser).await;
        }
    }

    /// The console ends.
    pub(super) async fn give_all_back(&self) {
        for (id, browser) in self.taken.all() {
            self.give_back(id, browser).await;
        }
    }

    /// Puts on record what the operator does with a session; what cannot be recorded is not done.
    async fn record(&self, event: Event, caller: &Caller, session: SessionId, why: &str) -> Result<(), Refusal> {
        let (by, session) = (self.by(), session.to_string());
        let audit = &self.desk.services.audit;
        let recorded = audit.note_session(event, &by, caller, &session, why).await;
        recorded.map_err(|error| Refusal::Act(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
    }

    /// Who does it, for the record.
    pub(super) fn by(&self) -> String {
        format!("operator:{} at the console", self.desk.uid)
    }

    /// Checks the operator's passphrase, where there is one.
    pub(super) async fn check(&self, passphrase: Option<String>) -> Result<(), Refusal> {
        let audit = &self.desk.services.audit;
        let checked = self.desk.passphrase.check(passphrase, audit, "the console").await;
        checked.map_err(|_| Refused::Passphrase.into())
    }
}

impl Piece {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Key(text) | Self::Paste(text) => text.len(),
        }
    }

    fn into_item(self) -> Result<Item, String> {
        Ok(match self {
            Self::Text(text) => Item::Text(text),
            Self::Key(name) => Item::Key(Key::parse(&name).map_err(|error| error.to_string())?),
            Self::Paste(text) => Item::Paste(text),
        })
    }
}

fn gone() -> Refusal {
    Refusal::Act(
        StatusCode::NOT_FOUND,
        "the session was closed in the meantime".to_owned(),
    )
}

fn conflict(why: &str) -> Answer {
    Err(Refusal::Act(StatusCode::CONFLICT, why.to_owned()))
}
