//! What hf-mcp left behind: its configuration as a section of ours, and its token.
//!
//! Whatever would mean something else here, or was accepted there and did nothing, is listed.

use std::fmt::Write as _;

use serde::Deserialize;

use super::capabilities::{CAPABILITIES, Risk};
use super::features::{Family, HfProfile};
use super::operations::OPERATIONS;
use super::settings::{BodyFormat, OutputMode};

/// hf-mcp's `config.yaml`. Keys that it did not know were passed over there; here they are an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Foreign {
    profile: Option<String>,
    enabled_capabilities: Vec<String>,
    disabled_capabilities: Vec<String>,
    enabled_parameter_families: Vec<String>,
    disabled_parameter_families: Vec<String>,
    token_path: Option<String>,
    draft_dir: Option<String>,
    read_output_defaults: ForeignOutput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ForeignOutput {
    mode: Option<String>,
    include_raw_payload: Option<bool>,
    body_format: Option<String>,
}

/// A configuration as a section of ours.
#[derive(Debug)]
pub struct Imported {
    /// The section `hf`, as YAML.
    pub section: String,
    /// What means something else than before.
    pub changes: Vec<String>,
    /// Where its token is, if it says.
    pub token_path: Option<String>,
}

/// Why a configuration cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is no configuration of hf-mcp.
    #[error("this is no configuration of hf-mcp")]
    Yaml(#[source] Box<serde_saphyr::Error>),
    /// A profile that it does not have.
    #[error("hf-mcp has no profile {0:?}")]
    Profile(String),
    /// A capability that it does not have.
    #[error("hf-mcp has no capability or family {0:?}")]
    Name(String),
}

/// Takes a configuration of hf-mcp over.
pub fn configuration(yaml: &str) -> Result<Imported, ImportError> {
    let foreign: Foreign = serde_saphyr::from_str(yaml).map_err(|source| ImportError::Yaml(Box::new(source)))?;
    let name = foreign.profile.as_deref().unwrap_or("reader");
    let profile = HfProfile::parse(name).ok_or_else(|| ImportError::Profile(name.to_owned()))?;
    let mut changes = Vec::new();
    let enabled = known_capabilities(&foreign.enabled_capabilities, &mut changes)?;
    let disabled = known_capabilities(&foreign.disabled_capabilities, &mut changes)?;
    let families = known_families(&foreign.enabled_parameter_families)?;
    let without = known_families(&foreign.disabled_parameter_families)?;
    note_profile(profile, &enabled, &disabled, &mut changes);
    if profile == HfProfile::Custom && !enabled.is_empty() {
        changes
            .push("what is enabled by name brings its families with it; hf-mcp wanted each of them named".to_owned());
    }
    for risky in enabled.iter().filter(|name| is_risky(name)) {
        changes.push(format!(
            "{risky} stays on because it is named; each call still needs a rule of the policy, and writes a person's yes \
             where the rule says so"
        ));
    }
    let mut section = format!("hf:\n  profile: {}\n", profile.name());
    for (key, names) in [
        ("enable", &enabled),
        ("disable", &disabled),
        ("enable_families", &families),
        ("disable_families", &without),
    ] {
        if !names.is_empty() {
            writeln!(section, "  {key}: [{}]", names.join(", ")).ok(); // writing to a string cannot fail
        }
    }
    output(&mut section, &foreign.read_output_defaults, &mut changes);
    if foreign.draft_dir.is_some() {
        changes.push(
            "draft_dir: drafts of hf-mcp have no digest and are not taken over; check their texts again".to_owned(),
        );
    }
    changes.push(
        "confirm_live is the literal true and permits nothing by itself: no write runs without a rule".to_owned(),
    );
    changes.push("unknown keys, arguments and names are errors".to_owned());
    Ok(Imported {
        section,
        changes,
        token_path: foreign.token_path,
    })
}

fn known_capabilities(names: &[String], changes: &mut Vec<String>) -> Result<Vec<&'static str>, ImportError> {
    let mut known = Vec::new();
    for name in names {
        let found = CAPABILITIES.iter().find(|capability| capability.name == name);
        let capability = found.ok_or_else(|| ImportError::Name(name.chars().take(64).collect()))?;
        if capability.risk == Risk::Unverified {
            changes.push(format!("{name} is left out: it is known by name only, there as here"));
        } else {
            known.push(capability.name);
        }
    }
    Ok(known)
}

fn known_families(names: &[String]) -> Result<Vec<&'static str>, ImportError> {
    let find = |name: &String| {
        let found = Family::ALL.into_iter().map(Family::name).find(|known| known == name);
        found.ok_or_else(|| ImportError::Name(name.chars().take(64).collect()))
    };
    names.iter().map(find).collect()
}

fn is_risky(name: &str) -> bool {
    CAPABILITIES.iter().any(|c| c.name == name && c.risk == Risk::High)
}

/// What hf-mcp's profile held that ours leaves out unless it is named.
fn note_profile(profile: HfProfile, enabled: &[&str], disabled: &[&str], changes: &mut Vec<String>) {
    let writes = |name: &str| OPERATIONS.iter().any(|o| o.capability == name && o.writes());
    let had = CAPABILITIES.iter().filter(|capability| match profile {
        HfProfile::Reader | HfProfile::ForumOperator => !writes(capability.name),
        HfProfile::FullApi => true,
        HfProfile::Custom => false,
    });
    let lost: Vec<&str> = had
        .filter(|c| c.risk == Risk::High && !enabled.contains(&c.name) && !disabled.contains(&c.name))
        .map(|c| c.name)
        .collect();
    if !lost.is_empty() {
        changes.push(format!(
            "off unless named under `enable`: {}; the profile {} of hf-mcp had them on",
            lost.join(", "),
            profile.name()
        ));
    }
}

fn output(section: &mut String, output: &ForeignOutput, changes: &mut Vec<String>) {
    let mut left_out = |field: &str, value: &str| {
        let value: String = value.chars().take(64).collect();
        changes.push(format!(
            "read_output_defaults.{field}: {value:?} is left out: there is no such one"
        ));
    };
    let mode = output.mode.as_deref();
    let mode = mode.and_then(|name| {
        let known = OutputMode::parse(name).map(OutputMode::name);
        known.or_else(|| {
            left_out("mode", name);
            None
        })
    });
    let body = output.body_format.as_deref();
    let body = body.and_then(|name| {
        let known = BodyFormat::parse(name).map(BodyFormat::name);
        known.or_else(|| {
            left_out("body_format", name);
            None
        })
    });
    let lines = [
        mode.map(|mode| format!("    mode: {mode}\n")),
        output
            .include_raw_payload
            .map(|raw| format!("    include_raw_payload: {raw}\n")),
        body.map(|body| format!("    body_format: {body}\n")),
    ];
    let lines: String = lines.into_iter().flatten().collect();
    if !lines.is_empty() {
        section.push_str("  output:\n");
        section.push_str(&lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hf::settings::{HfFile, Settings};

    #[derive(Deserialize)]
    struct Whole {
        hf: HfFile,
    }

    fn settings(imported: &Imported) -> Settings {
        let whole: Whole = serde_saphyr::from_str(&imported.section).unwrap();
        Settings::new(&whole.hf).unwrap()
    }

    #[test]
    fn a_configuration_is_taken_over_and_what_changes_is_said() {
        let yaml = "profile: full_api\nenabled_capabilities: [bytes.bump, contracts.write]\ndisabled_capabilities: \
                    [posts.read]\ndisabled_parameter_families: [selectors.sigmarket]\ntoken_path: /t\nread_output_defaults: \
                    {mode: raw, body_format: clean}\n";
        let imported = configuration(yaml).unwrap();
        let settings = settings(&imported);
        assert!(settings.features.can("bytes.bump") && settings.features.can("posts.reply"));
        assert!(!settings.features.can("posts.read") && !settings.features.can("bytes.transfer"));
        assert_eq!(imported.token_path.as_deref(), Some("/t"));
        let changes = imported.changes.join("\n");
        for part in [
            "bytes.transfer",
            "contracts.write is left out",
            "bytes.bump stays on",
            "confirm_live",
        ] {
            assert!(changes.contains(part), "{part} in {changes}");
        }
    }

    #[test]
    fn a_way_of_showing_that_there_is_none_of_is_left_out_and_said() {
        let imported = configuration("read_output_defaults: {mode: pretty, body_format: html}\n").unwrap();
        assert!(!imported.section.contains("output:"), "{}", imported.section);
        let changes = imported.changes.join("\n");
        for part in ["mode: \"pretty\" is left out", "body_format: \"html\" is left out"] {
            assert!(changes.contains(part), "{part} in {changes}");
        }
    }

    #[test]
    fn what_hf_mcp_does_not_know_is_an_error() {
        for yaml in [
            "disabled_capabilites: [x]",
            "profile: admin",
            "enabled_capabilities: [posts.delete]",
            "[]",
        ] {
            assert!(configuration(yaml).is_err(), "{yaml}");
        }
        assert!(configuration("{}").unwrap().section.contains("profile: reader"));
    }
}
