//! The JSON Schema of `terrarium.yaml`, and the page of its fields that is made from it.

use serde_json::Value;

use super::file::ConfigFile;

/// The schema of a configuration; an editor that knows it completes and checks the file.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(ConfigFile);
    schema.insert("title".to_owned(), "Terrarium configuration".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::yaml::{choices, follow, one_line};

    /// `docs/configuration.md`: every field with what may be written there.
    fn page() -> String {
        let schema = schema();
        let mut text = INTRODUCTION.to_owned();
        let mut waiting = vec![("Top level".to_owned(), &schema)];
        let mut seen = BTreeSet::new();
        while !waiting.is_empty() {
            let (name, section) = waiting.remove(0);
            let about = match waiting.is_empty() && seen.is_empty() {
                true => String::new(),
                false => format!("{}\n\n", one_line(section)),
            };
            text.push_str(&format!("## {name}\n\n{about}"));
            table(&mut text, &schema, section, &mut waiting, &mut seen);
        }
        text.push_str(END);
        text
    }

    const INTRODUCTION: &str = "\
# Configuration

`terrarium.yaml` holds settings and the policy; secrets never. This page is generated from the types that read the file;
after changing them run `UPDATE=1 cargo test --lib config::schema`.

The file is the one that `--config FILE` names, else the one that `TERRARIUM_CONFIG` names, else
`$XDG_CONFIG_HOME/terrarium/terrarium.yaml` (`~/.config` where that is not set), else an embedded one. A file that is
named must be there, and one that cannot be looked at is an error. An option of the command line comes before the file,
the file before the default. A variable that is set to nothing counts as not set. `TERRARIUM_LOG` is what `serve` logs where `--log` does
not say: `error`, `warn`, `info`, `debug` or `trace`, or a list as in `warn,audit=info`.

The file and the directory that it is in must belong to the server's user or to root, and nobody else may write them. No
workspace may contain the file or lie in the directory of profiles. An unknown key, a key that is written twice, a
YAML anchor, or a value that could not mean what it seems to is an error with file, line and column.

`terrarium init` writes one with comments, `terrarium config check` checks it, `terrarium config show` prints what it
means, `terrarium config schema` its JSON Schema. SIGHUP makes a running server read the policy anew; where that fails
the old one stays in force and the log says why. Other settings take effect at the next start.

";

    const END: &str = "\
docs/policy.md tells how rules work together and has examples.
";

    fn table<'a>(
        text: &mut String,
        root: &'a Value,
        object: &'a Value,
        waiting: &mut Vec<(String, &'a Value)>,
        seen: &mut BTreeSet<String>,
    ) {
        text.push_str("| field | value | meaning |\n|---|---|---|\n");
        let fields = object.get("properties").and_then(Value::as_object);
        for (key, field) in fields.into_iter().flatten() {
            let (target, list) = match follow(root, field) {
                list if list.get("items").is_some() => (follow(root, list.get("items").unwrap_or(list)), true),
                other => (other, false),
            };
            let about = one_line(if field.get("description").is_some() {
                field
            } else {
                target
            });
            let value = if target.get("properties").is_some() {
                if seen.insert(key.clone()) {
                    waiting.push((format!("`{key}`"), target));
                }
                if list { "list, see below" } else { "see below" }.to_owned()
            } else {
                kind(target, list)
            };
            text.push_str(&format!("| `{key}` | {value} | {about} |\n"));
        }
        text.push('\n');
    }

    /// What may be written, in words.
    fn kind(field: &Value, list: bool) -> String {
        let choices = choices(field);
        let is = |name: &str| field.get("type").and_then(Value::as_str) == Some(name);
        let word = if !choices.is_empty() {
            choices.join(", ")
        } else if let (Some(least), Some(most)) = (field.get("minimum"), field.get("maximum")) {
            format!("whole number, {least} to {most}")
        } else if is("integer") {
            "whole number".to_owned()
        } else if is("boolean") {
            "`true` or `false`".to_owned()
        } else if is("object") {
            "names and JSON Schemas".to_owned()
        } else {
            "text".to_owned()
        };
        if list { format!("list of {word}") } else { word }
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "hint: UPDATE=1 cargo test --lib config::schema");
    }

    #[test]
    fn every_object_of_the_schema_is_closed() {
        fn look(value: &Value, found: &mut usize) {
            match value {
                Value::Object(map) => {
                    if map.contains_key("properties") {
                        assert_eq!(map["additionalProperties"], false, "{value}");
                        *found += 1;
                    }
                    map.values().for_each(|value| look(value, found));
                }
                Value::Array(list) => list.iter().for_each(|value| look(value, found)),
                _ => {}
            }
        }
        let mut found = 0;
        look(&schema(), &mut found);
        assert!(found >= 8, "{found}");
    }
}
