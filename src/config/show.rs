//! Shows a configuration with what was left out filled in. There are no secrets in one.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::Config;
use crate::hf::Settings;
use crate::model::Span;
use crate::yaml;

impl Config {
    /// All of it with what was left out filled in, as YAML.
    pub fn show(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string().into());
        let mut shown = json!({
            "server": {"memory": self.memory.to_string()},
            "limits": {
                "calls": self.caps.calls,
                "commands": self.caps.commands,
                "queue": self.caps.queue,
                "sessions": self.caps.sessions,
                "sessions_per_caller": self.caps.sessions_per_caller,
            },
            "audit": self.audit.show(),
            "policy": self.said,
        });
        let more = [
            ("workspace", path(&self.workspace)),
            ("profiles", path(&self.profiles)),
            ("hf", self.hf.as_ref().map(|hf| hack_forums(hf, &self.said_of_hf))),
        ];
        if let Some(shown) = shown.as_object_mut() {
            for (name, value) in more {
                shown.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        yaml::write(&shown)
    }
}

/// The section: what is turned on as it was written, all else as it is meant.
fn hack_forums(settings: &Settings, said: &Value) -> Value {
    let list = |name: &str| said.get(name).cloned().unwrap_or_else(|| json!([]));
    let span = |time: Duration| Span::new(time).to_string();
    let mut oauth = json!({
        "redirect_uri": settings.oauth.listen.as_str(),
        "timeout": span(settings.oauth.timeout),
    });
    if settings.oauth.redirect != settings.oauth.listen
        && let Some(oauth) = oauth.as_object_mut()
    {
        let address = settings.oauth.redirect.as_str().into();
        oauth.insert("external_redirect_uri".to_owned(), address);
    }
    json!({
        "profile": settings.profile.name(),
        "enable": list("enable"),
        "disable": list("disable"),
        "enable_families": list("enable_families"),
        "disable_families": list("disable_families"),
        "unfiltered": settings.unfiltered,
        "api_base": settings.base.as_str(),
        "encoding": settings.encoding,
        "user_agent": settings.user_agent,
        "timeouts": {
            "connect": span(settings.timeouts.connect),
            "chunk": span(settings.timeouts.chunk),
            "total": span(settings.timeouts.total),
        },
        "output": {
            "mode": settings.output,
            "include_raw_payload": settings.raw,
            "body_format": settings.body,
        },
        "oauth": oauth,
    })
}
