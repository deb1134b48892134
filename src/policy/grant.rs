//! An allowed request. It owns what was asked, and nobody but the policy can make one.

use super::request::{Caller, LaunchRequest, Request};

/// A request that the policy allowed.
#[derive(Debug)]
pub enum Grant {
    /// A command may be run.
    Launch(LaunchGrant),
    /// Anything that acts on a session which exists.
    Session(SessionGrant),
}

/// Permission to run exactly one command in exactly one way.
#[derive(Debug)]
pub struct LaunchGrant {
    caller: Caller,
    request: Box<LaunchRequest>,
}

impl LaunchGrant {
    /// What was allowed.
    pub fn request(&self) -> &LaunchRequest {
        &self.request
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Permission for one act on one session, or for the list of them.
#[derive(Debug)]
pub struct SessionGrant(Request);

impl SessionGrant {
    /// What was allowed.
    pub fn request(&self) -> &Request {
        &self.0
    }
}

impl Grant {
    /// Only [`super::Policy::judge`] calls this.
    pub(super) fn new(caller: &Caller, request: Request) -> Self {
        match request {
            Request::Launch(request) => Self::Launch(LaunchGrant {
                caller: caller.clone(),
                request,
            }),
            other => Self::Session(SessionGrant(other)),
        }
    }
}
