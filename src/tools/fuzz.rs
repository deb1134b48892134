//! What must hold for every byte of a tool's arguments.

use std::sync::LazyLock;

use serde_json::{Map, Value, from_slice};

use super::compat_ht::DEFINITIONS;
use super::understand::understand;
use super::{Services, ToolCall, definitions};
use crate::audit::Audit;
use crate::confirm::{Confirm, Lockdown};
use crate::limits::{Alerts, Budget, Limits};
use crate::model::workspace::{Keep, Owner};
use crate::model::{Program, Workspace};
use crate::policy::{Caller, Current, Policy, Request};
use crate::profile::Profiles;
use crate::sandbox::{LaunchOptions, Launchers};
use crate::session::Sessions;

/// The longest message about a call.
const MESSAGE: usize = 2048;

/// Parsed once: that takes longer than most inputs.
static PROFILES: LazyLock<Profiles> = LazyLock::new(|| {
    let profiles = Profiles::embedded();
    profiles.names().iter().for_each(|name| drop(profiles.get(name)));
    profiles
});

/// The first byte chooses the tool. A call is understood, or refused in few words without control characters.
pub fn arguments(bytes: &[u8]) {
    static SERVICES: LazyLock<Services> = LazyLock::new(services);
    let [tool, json @ ..] = bytes else { return };
    let Ok(arguments) = from_slice::<Map<String, Value>>(json) else {
        return;
    };
    let name = tool_of(*tool).to_owned();
    let understood = understand(&SERVICES, &Caller::Local { uid: 1 }, ToolCall { name, arguments });
    match understood.map(|(asked, _)| asked.request) {
        Ok(Request::Launch(request)) => {
            let line = |argument: &crate::model::Argument| argument.as_os_str().as_encoded_bytes().contains(&0);
            match &request.program {
                Program::Shell(text) => assert!(!line(text.as_argument())),
                Program::Interactive(_) => {}
                Program::Argv(argv) => assert!(!argv.is_empty() && !argv.iter().any(line)),
            }
            assert!(request.timeout.is_none_or(|time| !time.is_zero()));
            assert!(request.cwd.as_ref().is_none_or(|cwd| cwd.is_absolute()));
        }
        Ok(_) => {}
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() <= MESSAGE, "{} bytes: {message}", message.len());
            assert!(!message.chars().any(char::is_control), "{message:?}");
        }
    }
}

/// The tool that this byte stands for: `0` is the first.
pub(crate) fn tool_of(byte: u8) -> &'static str {
    let number = usize::from(byte.wrapping_sub(b'0'));
    definitions().get(number).map_or("terminal_fly", |tool| tool.name)
}

/// The tool of ht-mcp's that this digit stands for.
pub(crate) fn tool_of_ht(digit: char) -> &'static str {
    let number = digit.to_digit(10).unwrap_or(9);
    DEFINITIONS.get(number as usize).map_or("ht_fly", |tool| tool.name)
}

/// Those of a server that does nothing: no rule, no record, no launcher that was started.
pub(crate) fn services() -> Services {
    Services {
        policy: Current::new(Policy::without_rules()),
        limits: Limits::default(),
        budget: Budget::in_directory(None),
        alerts: Alerts::default(),
        audit: Audit::to_log(crate::model::InstanceId::default()),
        confirm: Confirm::default(),
        lockdown: Lockdown::default(),
        sessions: Sessions::default(),
        profiles: PROFILES.clone(),
        launchers: Launchers::new(LaunchOptions::default()),
        workspace: Workspace {
            path: "/w".into(),
            device: 0,
            inode: 0,
            owner: Owner { uid: 0, gid: 0 },
            keep: Keep::Always,
        },
        compat: None,
        hf: None,
    }
}
