//! What a caller is shown of the tools: those that some rule could allow, with the profiles that it could allow.

use serde_json::{Map, Value, json};

use super::arguments::ArgumentError;
use super::definition::{self, Definition, definitions};
use super::left_out::{self, Of};
use super::{Services, ToolError, arguments, hf};
use crate::hf::Settings;
use crate::hf::drafts::Drafts;
use crate::model::words::nearest;
use crate::policy::{Arguments, Caller, Known, Tool};
use crate::profile::Profiles;
use crate::session::Streams;

/// A tool as one caller sees it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The tool.
    pub definition: Definition,
    /// The schema of its arguments, as narrow as the policy makes it.
    pub arguments: Map<String, Value>,
}

/// The tools of a caller, always in the same order.
pub fn listed(services: &Services, caller: &Caller) -> Vec<Listed> {
    let policy = services.policy.get();
    let names = services.profiles.names();
    let offered = definitions()
        .into_iter()
        .filter(|tool| policy.offers(caller, tool.name));
    let narrow = |definition: Definition| {
        let mut arguments = (definition.arguments)().clone();
        let profile = arguments.get_mut("properties").and_then(|all| all.get_mut("profile"));
        if let Some(Value::Object(profile)) = profile {
            let allowed = policy.profiles(caller, definition.name, &names);
            if allowed.is_empty() {
                return None; // it starts a sandbox, and there is none to start
            }
            choose(profile, &services.profiles, &allowed);
        }
        Some(Listed { definition, arguments })
    };
    offered.filter_map(narrow).collect()
}

/// Makes a choice of the profile, with what each is for.
fn choose(profile: &mut Map<String, Value>, profiles: &Profiles, allowed: &[&str]) {
    let about = |name: &&str| match profiles.get(name) {
        Ok(profile) => format!("{name}: {}", profile.summary),
        Err(_) => (*name).to_owned(),
    };
    let choices: Vec<String> = allowed.iter().map(about).collect();
    let default = match profile.get("default").and_then(Value::as_str) {
        Some(default) if allowed.contains(&default) => format!(" Default: {default}."),
        _ => {
            profile.remove("default");
            String::new()
        }
    };
    let description = format!("The sandbox profile.{default} {}", choices.join(" "));
    profile.insert("description".to_owned(), Value::String(description));
    profile.insert("enum".to_owned(), json!(allowed));
}

/// What rules can speak of.
pub fn known(profiles: &Profiles) -> Known {
    let tool = |tool: Definition| Tool {
        name: tool.name,
        arguments: (tool.arguments)(),
        instead: |_, _| None,
        untold: left_out::is_never_told,
    };
    Known {
        tools: definitions().into_iter().map(tool).chain(hf::known()).collect(),
        profiles: profiles.names().into_iter().map(str::to_owned).collect(),
    }
}

/// The name of a tool of ours as we write it, for what must not hold a caller's words.
pub fn own_name(name: &str) -> Option<&'static str> {
    let terminals = definition::named(name).map(|tool| tool.name);
    terminals.or_else(|| crate::hf::operation(name).map(|operation| operation.tool))
}

/// No tool is called so; one of those that a server always has may have been meant.
pub(super) fn unknown(name: &str) -> ToolError {
    ToolError::UnknownTool {
        name: name.chars().take(64).collect(),
        nearest: nearest(name, definitions().iter().map(|tool| tool.name)),
    }
}

/// What decides what the arguments of a call mean that nobody makes.
#[derive(Debug)]
pub struct Around<'a> {
    /// The profiles that there are.
    pub profiles: &'a Profiles,
    /// The settings of Hack Forums' tools, where there are any.
    pub settings: Option<&'a Settings>,
    /// Where drafts are.
    pub drafts: Drafts,
}

/// The arguments of a call as rules see them: checked, with what is meant where they are left out. A session is taken for
/// one without a terminal.
pub fn canonical(name: &str, given: Map<String, Value>, around: &Around<'_>) -> Result<Arguments, ToolError> {
    if let Some(operation) = crate::hf::operation(name) {
        return hf::canonical(operation, &given, around.settings, &around.drafts);
    }
    match definition::named(name) {
        Some(tool) => {
            let values = arguments::canonical((tool.arguments)(), given)?;
            let profile = match values.get("profile").and_then(Value::as_str) {
                Some(name) => {
                    let wrong = |error| ArgumentError::no_such("profile", error);
                    Some(around.profiles.get(name).map_err(wrong)?)
                }
                None => None,
            };
            let of = match &profile {
                Some(profile) => Of::Profile(profile),
                None => Of::Session(Streams::Pipes),
            };
            Ok(left_out::judged(&tool, of, values))
        }
        None => Err(unknown(name)),
    }
}
