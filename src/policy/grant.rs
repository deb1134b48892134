//! An allowed request. It owns what was asked, and nobody but the policy can make one.

use std::sync::Arc;

use super::question::RuleId;
use super::quota::Quota;
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

/// What a grant rests on.
#[derive(Clone, Debug)]
pub struct Basis {
    /// The rule that allowed it.
    pub rule: RuleId,
    /// What must be reserved of the bounds of rules before it is used.
    pub quotas: Vec<Quota>,
}

/// Permission to run exactly one command in exactly one way.
#[derive(Debug)]
pub struct LaunchGrant {
    caller: Caller,
    basis: Basis,
    request: Arc<LaunchRequest>,
}

/// Permission for one act on one session, or for the list of them.
#[derive(Debug)]
pub struct SessionGrant {
    basis: Basis,
    request: Request,
}

/// Permission for one call of Hack Forums.
#[derive(Debug)]
pub struct HfGrant {
    basis: Basis,
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
}

impl Grant {
    /// Only [`super::Policy::judge`] calls this.
    pub(super) fn new(caller: &Caller, asked: &Asked, basis: Basis) -> Self {
        match &asked.request {
            Request::Launch(request) => Self::Launch(LaunchGrant {
                caller: caller.clone(),
                basis,
                request: Arc::clone(request),
            }),
            Request::Hf(request) => Self::Hf(HfGrant {
                basis,
                request: Arc::clone(request),
            }),
            other => Self::Session(SessionGrant {
                basis,
                request: other.clone(),
            }),
        }
    }

    /// What it rests on.
    pub fn basis(&self) -> &Basis {
        match self {
            Self::Launch(grant) => &grant.basis,
            Self::Session(grant) => &grant.basis,
            Self::Hf(grant) => &grant.basis,
        }
    }

    /// The rule that allowed it.
    pub fn rule(&self) -> &RuleId {
        &self.basis().rule
    }
}
