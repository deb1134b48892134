//! Hack Forums: one table of operations, requests made from it, answers cleaned, writes that happen once or say that
//! nobody knows.
//!
//! [`request::understand`] says what a call would send; [`Hf::apply`] sends exactly that, for a [`crate::policy`] grant.
//! Who may ask for what is the policy's business.

pub mod address;
pub mod arguments;
pub mod callback;
pub mod capabilities;
pub mod catalogue;
pub mod content;
pub mod drafts;
pub mod error;
#[cfg(test)]
#[path = "../../tests/it/hf_fake/mod.rs"]
mod fake;
pub mod fault;
pub mod features;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod import;
pub mod journal;
mod local;
pub mod mycode;
mod normalise;
pub mod notes;
pub mod oauth;
pub mod operations;
pub mod rate;
mod redact;
pub mod request;
pub mod settings;
pub mod shape;
pub mod token;
mod transport;
mod verdict;

pub use crate::kernel::own_file::FileError;
pub use error::HfError;
pub use fault::RequestError;
pub use operations::{OPERATIONS, Operation, operation};
pub use request::Asked;
pub use settings::{HfFile, Settings, SettingsError};
pub use shape::Reply;

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::policy::{Effect, HfGrant, HfRequest};
use drafts::Drafts;
use error::Failure;
use journal::{Journal, Pending};
use normalise::{Row, View};
use rate::Rate;
use request::{Ask, Work};
use token::{Token, TokenStore};
use transport::{Answer, Transport};

/// The Hack Forums tools of one server.
#[derive(Debug)]
pub struct Hf {
    settings: Settings,
    drafts: Drafts,
    tokens: TokenStore,
    journal: Journal,
    rate: Rate,
    transport: Transport,
}

impl Hf {
    /// With these settings, and a directory for token, drafts, journal and back-off, which is made when it is needed.
    pub fn new(settings: Settings, state: &std::path::Path, drafts: Option<PathBuf>) -> Self {
        Self {
            drafts: Drafts::new(drafts.unwrap_or_else(|| state.join("drafts"))),
            tokens: TokenStore::new(state),
            journal: Journal::new(state),
            rate: Rate::new(state),
            transport: Transport::new(&settings),
            settings,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the token is.
    pub fn tokens(&self) -> &TokenStore {
        &self.tokens
    }

    /// Writes without a known outcome.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What Hack Forums lets us still do.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The tools that are offered.
    pub fn offered(&self) -> impl Iterator<Item = &'static Operation> + '_ {
        OPERATIONS
            .iter()
            .filter(|operation| operation.is_offered(&self.settings.features))
    }

    /// Understands a call of an offered tool. Reads drafts, sends nothing.
    pub fn understand(&self, operation: &'static Operation, given: &Map<String, Value>) -> Result<Asked, RequestError> {
        request::understand(operation, &self.settings, &self.drafts, given)
    }

    /// Whether a call would be sent now, as far as that is known here: before a person is asked, and before anything is
    /// counted as used. A read of what is local always would.
    pub fn ready(&self, asked: &Asked) -> Result<(), HfError> {
        let Work::Send(ask) = &asked.work else {
            return Ok(());
        };
        self.may_send(asked, ask, &self.tokens.token()?)?;
        match &ask.target {
            Some(target) => self.journal.check(asked.operation.tool, target),
            None => Ok(()),
        }
    }

    /// Does what a grant allows: exactly the bytes that were judged. Dropping the future ends a request; a write that
    /// was under way then has no known outcome and stays in the journal; what is done to drafts is done to its end.
    pub async fn apply(&self, grant: &HfGrant, asked: &Asked) -> Result<Reply, HfError> {
        let granted = grant.request();
        let wanted = asked.to_request();
        if granted.tool != wanted.tool || granted.operation != wanted.operation || granted.body != wanted.body {
            return Err(HfError::WrongGrant);
        }
        match &asked.work {
            Work::Local(local) => {
                // Hundreds of files may be read, and a lock waited for.
                let (drafts, asked, local) = (self.drafts.clone(), asked.clone(), *local);
                match tokio::task::spawn_blocking(move || local::apply(&drafts, &asked, local)).await {
                    Ok(reply) => Ok(reply?),
                    Err(_) => Err(HfError::Stopped),
                }
            }
            Work::Show(ask) => Ok(shape::preview(asked, ask, &self.settings.base)),
            Work::Send(ask) => {
                let token = self.tokens.token()?;
                let (answer, rows) = self.send(asked, ask, &token).await?;
                let mut reply = match ask.target {
                    None => shape::read(asked, ask, &answer, &rows, &self.settings.features)?,
                    Some(_) => shape::written(asked, ask, &rows)?,
                };
                shape::note_rate(&mut reply, self.rate.remaining());
                redact::reply(&mut reply, &[token.secret()]);
                Ok(reply)
            }
        }
    }

    fn may_send(&self, asked: &Asked, ask: &Ask, token: &Token) -> Result<(), HfError> {
        let missing = token.lacks(asked.operation, &ask.fields);
        if !missing.is_empty() {
            return Err(HfError::MissingScope { missing });
        }
        match self.rate.back_off() {
            Some(left) => Err(HfError::BackOff { left }),
            None => Ok(()),
        }
    }

    async fn send(&self, asked: &Asked, ask: &Ask, token: &Token) -> Result<(Answer, Vec<Row>), HfError> {
        self.may_send(asked, ask, token)?;
        match &ask.target {
            None => self
                .exchange(asked, ask, token)
                .await?
                .map_err(|failure| HfError::Failed { failure }),
            Some(target) => {
                let mut pending = self
                    .begin(asked.operation.tool, target.clone(), ask.body.clone())
                    .await?;
                pending.sent();
                match self.exchange(asked, ask, token).await {
                    Ok(Ok(answer)) => {
                        pending.settled();
                        Ok(answer)
                    }
                    Ok(Err(failure)) if failure.is_a_no() => {
                        pending.settled();
                        Err(HfError::Failed { failure })
                    }
                    Ok(Err(failure)) => Err(HfError::Unknown {
                        failure,
                        id: pending.id().to_owned(),
                    }),
                    // There was no client to send it with.
                    Err(error) => {
                        pending.settled();
                        Err(error)
                    }
                }
            }
        }
    }

    /// The disk is waited for. Where nobody waits for it any more, the entry goes with what nobody takes.
    async fn begin(&self, tool: &'static str, target: String, body: Vec<u8>) -> Result<Pending, HfError> {
        let journal = self.journal.clone();
        let begun = tokio::task::spawn_blocking(move || journal.begin(tool, &target, &body)).await;
        begun.map_err(|_| HfError::Stopped)?
    }

    async fn exchange(
        &self,
        asked: &Asked,
        ask: &Ask,
        token: &Token,
    ) -> Result<Result<(Answer, Vec<Row>), Failure>, HfError> {
        let heard = self.transport.send(ask, token.secret()).await?;
        self.rate.heard(heard.remaining);
        let answer = match heard.answer {
            Ok(answer) => answer,
            Err(Failure::Rate(status, message, wanted)) => {
                let time = self.rate.stop(Some(wanted));
                return Ok(Err(Failure::Rate(status, message, time)));
            }
            Err(failure) => return Ok(Err(failure)),
        };
        let view = View {
            fields: &ask.fields,
            hidden: &ask.hidden,
            body: asked.manner.body,
        };
        let records = answer.document.get(ask.endpoint).unwrap_or(&Value::Null);
        Ok(match normalise::rows(records, asked.operation, view) {
            Some(rows) => Ok((answer, rows)),
            None if ask.target.is_some() => Ok((answer, Vec::new())), // a yes in other words
            None => Err(Failure::Malformed(200, "holds something else than records")),
        })
    }
}

impl Asked {
    /// What the policy judges.
    pub fn to_request(&self) -> HfRequest {
        let (operation, effect, target, body) = match &self.work {
            Work::Send(ask) => {
                let effect = if ask.target.is_some() {
                    Effect::Write
                } else {
                    Effect::Read
                };
                (ask.route, effect, ask.target.clone(), ask.body.clone())
            }
            Work::Show(ask) => ("dry-run", Effect::Read, ask.target.clone(), ask.body.clone()),
            Work::Local(_) => ("local", Effect::Read, None, Vec::new()),
        };
        HfRequest {
            tool: self.operation.tool,
            operation,
            effect,
            target,
            body,
        }
    }
}

#[cfg(test)]
mod tests;
