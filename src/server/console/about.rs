//! What the page is told of a session besides its screen.

use serde_json::{Value, json};

use crate::policy::Caller;
use crate::sandbox::{Protection, Used};
use crate::session::{Session, Streams};

/// What changes, for every list.
pub(super) fn now(caller: &Caller, session: &Session) -> Value {
    let about = session.about();
    let progress = session.progress();
    let limits = &about.profile.limits;
    let wall = limits.wall_time.duration();
    let wall = about.timeout.map_or(wall, |timeout| timeout.min(wall));
    let end = progress.finished.as_ref();
    let age = end.map_or_else(|| about.started.elapsed(), |end| end.at.duration_since(about.started));
    let used = match end {
        Some(end) => Used {
            cpu: end.ending.usage.cpu,
            ..Used::default()
        },
        None => session.used(),
    };
    json!({
        "id": about.id.to_string(),
        "caller": caller.to_string(),
        "alias": visible(&about.alias),
        "profile": about.profile.name,
        "command": visible(&about.command),
        "state": about.ended(&progress).unwrap_or_else(|| "running".to_owned()),
        "age_s": age.as_secs(),
        "left_s": end.is_none().then(|| wall.saturating_sub(age).as_secs()),
        "can_type": end.is_none() && about.streams == Streams::Terminal,
        "usage": [
            {"name": "memory", "value": used.memory, "limit": limits.memory.bytes(), "unit": "bytes"},
            {"name": "processes", "value": used.processes, "limit": limits.processes, "unit": ""},
            {"name": "processor time", "value": used.cpu.as_secs_f64(), "limit": limits.cpu_time.map(|time| time.duration().as_secs()), "unit": "s"},
            {"name": "printed", "value": progress.main + progress.error, "limit": limits.output.bytes(), "unit": "bytes"},
            {"name": "output kept", "value": progress.held, "limit": crate::session::OUTPUT_KEPT, "unit": "bytes"},
        ],
    })
}

/// What does not change, which is told once.
pub(super) fn once(session: &Session) -> Value {
    let about = session.about();
    let limits = &about.profile.limits;
    let protections: Vec<Value> = about.protections.iter().map(protection).collect();
    json!({
        "kind": "about",
        "id": about.id.to_string(),
        "protections": protections,
        "limits": [
            {"name": "memory", "value": limits.memory.to_string()},
            {"name": "processes", "value": limits.processes.to_string()},
            {"name": "wall time", "value": limits.wall_time.to_string()},
            {"name": "idle time", "value": limits.idle_time.to_string()},
        ],
    })
}

/// What somebody else wrote, with what cannot be seen, or turns the direction of writing, written out.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => visible.push(character),
            _ => visible.extend(character.escape_debug()),
        }
    }
    visible
}

fn protection(protection: &Protection) -> Value {
    let why = match &protection.fix {
        Some(fix) => format!("{}; to do: {fix}", protection.why),
        None => protection.why.clone(),
    };
    json!({"name": protection.name, "state": protection.state, "why": why})
}
