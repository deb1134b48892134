//! An allowed request. It owns what was asked, and nobody but the policy can make one.

use std::sync::Arc;

use super::question::RuleId;
use super::request::{Asked, Caller, HfRequest, LaunchRequest, Request};

/// A request that the policy allowed.
#[derive(Debug)]
pub enum Grant {
    /// A command may be run.
    Launch(LaunchGrant),
    /// Anything that acts on a session which exists.
    Session(SessionGrant),
    /// Hack Forums may be called.
    Hf(HfGrant),
}

/// Permission to run exactly one command in exactly one way.
#[derive(Debug)]
pub struct LaunchGrant {
    caller: Caller,
    rule: RuleId,
    request: Arc<LaunchRequest>,
}

/// Permission for one act on one session, or for the list of them.
#[derive(Debug)]
pub struct SessionGrant {
    rule: RuleId,
    request: Request,
}

/// Permission for one call of Hack Forums.
#[derive(Debug)]
pub struct HfGrant {
    caller: Caller,
    rule: RuleId,
    request: Arc<HfRequest>,
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

impl SessionGrant {
    /// What was allowed.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl HfGrant {
    /// What was allowed.
    pub fn request(&self) -> &HfRequest {
        &self.request
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl Grant {
    /// Only [`super::Policy::judge`] calls this.
    pub(super) fn new(caller: &Caller, asked: &Asked, rule: RuleId) -> Self {
        let caller = caller.clone();
        match &asked.request {
            Request::Launch(request) => Self::Launch(LaunchGrant {
                caller,
                rule,
                request: Arc::clone(request),
            }),
            Request::Hf(request) => Self::Hf(HfGrant {
                caller,
                rule,
                request: Arc::clone(request),
            }),
            other => Self::Session(SessionGrant {
                rule,
                request: other.clone(),
            }),
        }
    }

    /// The rule that allowed it.
    pub fn rule(&self) -> &RuleId {
        match self {
            Self::Launch(grant) => &grant.rule,
            Self::Session(grant) => &grant.rule,
            Self::Hf(grant) => &grant.rule,
        }
    }
}
