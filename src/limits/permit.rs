//! What is held while work lasts. Dropping it gives it back.

use std::sync::{Arc, Mutex};

use tokio::sync::OwnedSemaphorePermit;

use super::Sessions;
use crate::policy::Caller;

/// Held by a call until it is answered.
#[derive(Debug)]
pub struct CallPermit {
    _call: OwnedSemaphorePermit,
}

/// Held by a command until it has ended.
#[derive(Debug)]
pub struct CommandPermit {
    _command: Option<OwnedSemaphorePermit>,
    sessions: Arc<Mutex<Sessions>>,
    caller: Caller,
}

impl CallPermit {
    pub(super) fn new(call: OwnedSemaphorePermit) -> Self {
        Self { _call: call }
    }
}

impl CommandPermit {
    /// For a session that has been counted already.
    pub(super) fn new(command: Option<OwnedSemaphorePermit>, sessions: Arc<Mutex<Sessions>>, caller: Caller) -> Self {
        Self {
            _command: command,
            sessions,
            caller,
        }
    }
}

impl Drop for CommandPermit {
    fn drop(&mut self) {
        Sessions::give_back(&self.sessions, &self.caller);
    }
}
