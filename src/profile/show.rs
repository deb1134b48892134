//! Shows a profile as meant, with everything inherited filled in, and what differs between two.
//!
//! The text is for people and programs that look; it is no profile file: system calls are listed with their decisions.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::profile::{Filesystem, Limits, PathRule, Presence, Profile, SyscallAction};
use crate::yaml;

/// The profile as a value, in the words that its file would use.
pub fn resolved(profile: &Profile) -> Value {
    let mut value = settings(profile);
    if let Value::Object(map) = &mut value {
        map.insert("syscalls".to_owned(), syscalls(profile));
    }
    value
}

/// The profile as YAML.
pub fn to_yaml(profile: &Profile) -> String {
    yaml::write(&resolved(profile))
}

/// What differs: a line for each setting of the first that the second has not (`-`), and the other way round (`+`).
pub fn diff(first: &Profile, second: &Profile) -> Vec<String> {
    let (first, second) = (facts(first), facts(second));
    let mut lines = Vec::new();
    for (key, value) in &first {
        match second.get(key) {
            Some(other) if other == value => {}
            Some(other) => lines.extend([format!("- {key}: {value}"), format!("+ {key}: {other}")]),
            None => lines.push(format!("- {key}: {value}")),
        }
    }
    let only_second = second.iter().filter(|(key, _)| !first.contains_key(*key));
    lines.extend(only_second.map(|(key, value)| format!("+ {key}: {value}")));
    // By key, the old before the new.
    lines.sort_by(|a, b| key_of(a).cmp(key_of(b)));
    lines
}

/// Everything but the system calls.
fn settings(profile: &Profile) -> Value {
    let environment = &profile.environment;
    let set: BTreeMap<_, _> = environment
        .set
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    json!({
        "name": profile.name,
        "summary": profile.summary,
        "filesystem": filesystem(&profile.filesystem),
        "network": word(profile.network),
        "isolation": word(profile.isolation),
        "limits": limits(&profile.limits),
        "environment": {
            "pass": environment.pass.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            "set": set,
        },
    })
}

fn filesystem(filesystem: &Filesystem) -> Value {
    json!({
        "workspace": word(filesystem.workspace),
        "read": filesystem.read.iter().map(path_rule).collect::<Vec<_>>(),
        "execute": filesystem.execute.iter().map(path_rule).collect::<Vec<_>>(),
        "protect": filesystem.protect.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "home": word(filesystem.home),
        "tmp": "private",
        "write_and_execute": word(filesystem.write_and_execute),
    })
}

fn path_rule(rule: &PathRule) -> Value {
    let mut value = json!({ "path": rule.path.to_string() });
    if let Value::Object(map) = &mut value {
        if rule.presence == Presence::IfThere {
            map.insert("optional".to_owned(), true.into());
        }
        if let Some(reason) = &rule.reason {
            map.insert("reason".to_owned(), reason.as_str().into());
        }
    }
    value
}

fn limits(limits: &Limits) -> Value {
    json!({
        "memory": limits.memory.to_string(),
        "processes": limits.processes,
        "cpu": limits.cpu.to_string(),
        "cpu_time": limits.cpu_time.map_or_else(|| "none".to_owned(), |time| time.to_string()),
        "open_files": limits.open_files,
        "file_size": limits.file_size.to_string(),
        "tmp": limits.tmp.to_string(),
        "home": limits.home.to_string(),
        "workspace_growth": limits.workspace_growth.to_string(),
        "workspace_files": limits.workspace_files,
        "output": limits.output.to_string(),
        "wall_time": limits.wall_time.to_string(),
        "idle_time": limits.idle_time.to_string(),
        "enforcement": word(limits.enforcement),
    })
}

/// Grouped by decision and reason, as in the files of the bases.
fn syscalls(profile: &Profile) -> Value {
    let mut groups: BTreeMap<(SyscallAction, &str), Vec<&str>> = BTreeMap::new();
    for (name, rule) in &profile.syscalls.rules {
        groups.entry((rule.action, &rule.reason)).or_default().push(name);
    }
    let mut actions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for ((action, reason), names) in groups {
        let group = json!({ "reason": reason, "names": names });
        actions.entry(word(action)).or_default().push(group);
    }
    json!(actions)
}

/// Every setting as a line's key and value; lists by their entries, so that order is no difference.
fn facts(profile: &Profile) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    flatten("", &settings(profile), &mut facts);
    for (name, rule) in &profile.syscalls.rules {
        facts.insert(
            format!("syscalls {name}"),
            format!("{} ({})", word(rule.action), rule.reason),
        );
    }
    facts
}

fn flatten(key: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let name = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                flatten(&name, value, facts);
            }
        }
        Value::Array(list) => {
            for entry in list {
                let (name, about) = match entry.get("path") {
                    Some(path) => (plain(path), about(entry)),
                    None => (plain(entry), "listed".to_owned()),
                };
                facts.insert(format!("{key} {name}"), about);
            }
        }
        other => {
            facts.insert(key.to_owned(), plain(other));
        }
    }
}

fn about(rule: &Value) -> String {
    let optional = rule.get("optional").map_or("", |_| ", optional");
    let reason = rule.get("reason").map(|reason| format!(" ({})", plain(reason)));
    format!("listed{optional}{}", reason.unwrap_or_default())
}

fn key_of(line: &str) -> &str {
    let line = line.get(2..).unwrap_or(line);
    line.split_once(": ").map_or(line, |(key, _)| key)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The word that a file uses for one of the choices.
pub(crate) fn word<T: Serialize>(choice: T) -> String {
    serde_json::to_value(choice).map_or_else(|_| "?".to_owned(), |value| plain(&value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;

    #[test]
    fn what_is_inherited_is_shown_filled_in() {
        let profile = Profiles::embedded().get("network").unwrap();
        let value = resolved(&profile);
        assert_eq!(value["network"], "host");
        assert_eq!(value["limits"]["memory"], "1GiB");
        assert_eq!(value["limits"]["cpu_time"], "none");
        assert_eq!(value["filesystem"]["execute"][0]["path"], "/usr");
        assert!(to_yaml(&profile).contains("\nnetwork: host\n"));
    }

    #[test]
    fn a_diff_names_what_changes_and_nothing_else() {
        let profiles = Profiles::embedded();
        let (default, network) = (profiles.get("default").unwrap(), profiles.get("network").unwrap());
        assert_eq!(diff(&default, &default), Vec::<String>::new());
        let lines = diff(&default, &network);
        assert_eq!(
            lines[..4],
            [
                "- name: default",
                "+ name: network",
                "- network: none",
                "+ network: host"
            ]
        );
        assert_eq!(lines.len(), 6, "{lines:?}"); // and the summary
        let lines = diff(&default, &profiles.get("build").unwrap());
        assert!(
            lines.iter().any(|line| line.starts_with("+ syscalls ptrace: allow")),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("+ filesystem.execute ~/.rustup: listed, optional"))
        );
    }
}
