//! What is meant by arguments that were left out, where no schema can say it: it depends on the session, the profile, or
//! another argument. Rules see it as if it had been written.

use serde_json::{Map, Value};

use super::definition::{Definition, schema_digest};
use super::terminal_read::{self, StreamName};
use super::{terminal_open, terminal_run, terminal_send};
use crate::policy::Arguments;
use crate::profile::Profile;
use crate::session::Streams;

/// What a call is about, as far as it decides what is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    /// A sandbox with this profile.
    Profile(&'a Profile),
    /// A session with this output.
    Session(Streams),
    /// Neither.
    Nothing,
}

/// Arguments that rules are not told when they are left out: what is meant shows only when the command starts.
pub(super) fn is_never_told(tool: &str, name: &str) -> bool {
    match tool {
        terminal_run::NAME => name == "cwd",
        terminal_open::NAME => matches!(name, "cwd" | "name" | "shell"),
        _ => false,
    }
}

/// Arguments as they are judged. `values` have the defaults of the tool's schema.
pub(super) fn judged(tool: &Definition, of: Of<'_>, mut values: Map<String, Value>) -> Arguments {
    let meant = meant(tool.name, of, &values);
    for (name, value) in &meant {
        values.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Arguments::new(values, schema_digest(tool.name)).configured(meant)
}

/// What a tool takes for those of its arguments that need not be written.
fn meant(tool: &str, of: Of<'_>, given: &Map<String, Value>) -> Map<String, Value> {
    let meant: Option<(&str, Value)> = match (tool, of) {
        (terminal_read::NAME, Of::Session(streams)) => Some(("stream", StreamName::main(streams).name().into())),
        (terminal_send::NAME, _) => Some(("show", given.contains_key("wait").into())),
        (terminal_run::NAME | terminal_open::NAME, Of::Profile(profile)) => {
            let seconds = profile.limits.wall_time.duration().as_secs();
            Some(("timeout_s", seconds.into()))
        }
        _ => None,
    };
    meant
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
