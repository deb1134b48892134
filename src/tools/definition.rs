//! The tools as they are published: in fixed order, without anything that changes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::policy::Digest;

use super::{
    terminal_close, terminal_exec, terminal_list, terminal_open, terminal_read, terminal_resize, terminal_run,
    terminal_send, terminal_signal, terminal_snapshot, terminal_wait,
};

/// One tool as clients see it.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does and how to use it.
    pub description: &'static str,
    /// The schema of its arguments.
    pub arguments: fn() -> &'static Map<String, Value>,
    /// The schema of its structured result; the root is an object.
    pub result: fn() -> Map<String, Value>,
    /// What it does to the world.
    pub hints: Hints,
}

/// What a tool does to the world, as MCP's annotations put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hints {
    /// It only looks.
    ReadOnly,
    /// It runs programs.
    Runs,
    /// It ends things; twice is as good as once.
    Ends,
    /// It sets something to what is given and ends nothing; twice is as good as once.
    Sets,
}

/// All tools, in the order in which they are listed.
pub fn definitions() -> [Definition; 11] {
    [
        terminal_run::DEFINITION,
        terminal_open::DEFINITION,
        terminal_exec::DEFINITION,
        terminal_send::DEFINITION,
        terminal_snapshot::DEFINITION,
        terminal_wait::DEFINITION,
        terminal_read::DEFINITION,
        terminal_resize::DEFINITION,
        terminal_signal::DEFINITION,
        terminal_list::DEFINITION,
        terminal_close::DEFINITION,
    ]
}

/// The tool of this name.
pub(super) fn named(name: &str) -> Option<Definition> {
    definitions().into_iter().find(|tool| tool.name == name)
}

/// The digest of a tool's schema: what was approved for one version of a tool is not approved for another.
pub(super) fn schema_digest(name: &str) -> Digest {
    static DIGESTS: LazyLock<BTreeMap<&str, Digest>> = LazyLock::new(|| {
        let digest = |tool: &Definition| Digest::of_json(&Value::Object((tool.arguments)().clone()));
        definitions().iter().map(|tool| (tool.name, digest(tool))).collect()
    });
    DIGESTS.get(name).copied().unwrap_or_else(|| Digest::of(b""))
}
