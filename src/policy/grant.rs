//! An allowed request. It owns what was asked, and nobody but the policy can make one.

use super::request::{LaunchRequest, Request};

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
pub struct LaunchGrant(Box<LaunchRequest>);

impl LaunchGrant {
    /// What was allowed.
    pub fn request(&self) -> &LaunchRequest {
        &self.0
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
    pub(super) fn new(request: Request) -> Self {
        match request {
            Request::Launch(launch) => Self::Launch(LaunchGrant(launch)),
            other => Self::Session(SessionGrant(other)),
        }
    }
}
