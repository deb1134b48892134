//! The tools as they are published: in fixed order, without anything that changes.

use serde_json::{Map, Value};

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
