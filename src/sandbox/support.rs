//! Which protections a sandbox has, and what the machine lacks.

use serde::{Deserialize, Serialize};

/// One protection, as found when a sandbox was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// What it is called: `mount namespace`, `landlock`, `memory limit`.
    pub name: String,
    /// Whether it holds.
    pub state: State,
    /// What that means, or why not.
    pub why: String,
    /// What the operator can do about it.
    pub fix: Option<String>,
}

/// Whether a protection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The kernel enforces it.
    Active,
    /// Terrarium looks after it, with a delay.
    Supervised,
    /// It holds in part.
    Degraded,
    /// It does not hold.
    Unavailable,
}
