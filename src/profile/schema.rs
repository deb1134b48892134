//! The JSON Schema of a profile file, and the table of fields that is made from it.

use serde_json::Value;

use super::file::ProfileFile;

/// The schema of a profile file; an editor that knows it completes and checks profiles.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(ProfileFile);
    schema.insert("title".to_owned(), "Terrarium sandbox profile".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{choices, follow, one_line};

    /// `sandbox-profiles/README.md`: every field with what may be written there.
    fn readme() -> String {
        let schema = schema();
        let mut text = INTRODUCTION.to_owned();
        let mut sections = Vec::new();
        text.push_str("## Top level\n\n");
        table(&mut text, &schema, &schema, &mut sections);
        for (key, section) in sections {
            text.push_str(&format!("## `{key}`\n\n{}\n\n", one_line(section)));
            table(&mut text, &schema, section, &mut Vec::new());
        }
        text.push_str(PATHS);
        text
    }

    const INTRODUCTION: &str = "\
# Sandbox profiles

The five profiles that ship with Terrarium, and in `syscalls/` the decision for every system call with its reason.
`docs/profiles.md` tells how to write one. This page is generated from the types that read the files; after changing
them run `UPDATE=1 cargo test --lib profile::schema`.

Everything but `name`, `summary`, `extends`, `syscalls.allow`, `syscalls.deny` and `filesystem.write_and_execute` must
be written or inherited: there are no silent defaults. An unknown key is an error.

";

    const PATHS: &str = "\
## A path

A path in `read` and `execute` is written alone, `/usr`, or as an object: `{path: /opt, optional: true, reason: why}`.
It is absolute or starts with `~/`, the home directory of the server's user. A path that is missing stops the launch
unless it is `optional`. `/proc`, `/dev`, `/tmp` and the files of `/etc` that tell about users and network are made anew
for every sandbox and cannot be listed.
";

    /// Writes the table of an object's fields; objects among them are left for sections of their own.
    fn table<'a>(text: &mut String, root: &'a Value, object: &'a Value, sections: &mut Vec<(String, &'a Value)>) {
        text.push_str("| field | value | meaning |\n|---|---|---|\n");
        let fields = object.get("properties").and_then(Value::as_object);
        for (key, field) in fields.into_iter().flatten() {
            let target = follow(root, field);
            let about = one_line(if field.get("description").is_some() {
                field
            } else {
                target
            });
            if target.get("properties").is_some() {
                sections.push((key.clone(), target));
                text.push_str(&format!("| `{key}` | see below | {about} |\n"));
            } else {
                text.push_str(&format!("| `{key}` | {} | {about} |\n", kind(root, key, field)));
            }
        }
        text.push('\n');
    }

    /// What may be written, in words.
    fn kind(root: &Value, key: &str, field: &Value) -> String {
        let field = follow(root, field);
        let choices = choices(field);
        if !choices.is_empty() {
            return choices.join(", ");
        }
        let is = |name: &str| field.get("type").and_then(Value::as_str) == Some(name);
        let pattern = field.get("pattern").and_then(Value::as_str).unwrap_or_default();
        let word = match (pattern, key) {
            (pattern, _) if pattern.contains("GiB") => "size",
            (pattern, _) if pattern.contains("none") => "time or `none`",
            (pattern, _) if pattern.contains("min") => "time",
            (pattern, _) if pattern.contains('%') => "share",
            (_, "allow" | "deny") => "list of `{name, reason}`",
            (_, "pass") => "list of names",
            (_, "set") => "names and values",
            _ if field.get("anyOf").is_some() => "list of paths",
            _ if is("integer") => "whole number",
            _ => "text",
        };
        word.to_owned()
    }

    #[test]
    fn the_readme_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox-profiles/README.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, readme()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == readme(), "hint: UPDATE=1 cargo test --lib profile::schema");
    }

    /// Every object of the schema, with where it stands.
    fn objects<'a>(at: String, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(map) => {
                if map.contains_key("properties") {
                    found.push((at.clone(), value));
                }
                for (key, value) in map {
                    objects(format!("{at}/{key}"), value, found);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| objects(at.clone(), value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_object_is_closed_and_every_field_explained() {
        let schema = schema();
        let mut found = Vec::new();
        objects(String::new(), &schema, &mut found);
        assert!(found.len() >= 7, "{}", found.len());
        for (at, object) in found {
            assert_eq!(object["additionalProperties"], false, "{at}");
            for (key, field) in object["properties"].as_object().unwrap() {
                let explained = !one_line(field).is_empty() || !one_line(follow(&schema, field)).is_empty();
                assert!(explained, "{at} {key}");
            }
        }
    }
}
