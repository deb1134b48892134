//! The policy in force, which a reload replaces between one judgement and the next.

use std::sync::{Arc, PoisonError, RwLock};

use super::judge::Policy;

/// The policy in force.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Policy>>);

impl Current {
    /// With this one.
    pub fn new(policy: Policy) -> Self {
        Self(RwLock::new(Arc::new(policy)))
    }

    /// The one in force now.
    pub fn get(&self) -> Arc<Policy> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in force, for all that is judged from now on.
    pub fn replace(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}
