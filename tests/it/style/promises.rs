//! What the documents promise and refer to is there: tests, links, the reference of the tools, and manifests.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use terrarium::tools::{Definition, Hints, definitions};

use super::{all_files, read, root};
use crate::docs::fenced;

pub(super) fn documents() -> Vec<PathBuf> {
    let tops = [
        "docs",
        "fuzz",
        "packaging",
        "sandbox-profiles",
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ];
    let files = tops.iter().flat_map(|top| all_files(Path::new(top)));
    files
        .filter(|file| file.extension().is_some_and(|found| found == "md"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    let mut wrong = Vec::new();
    for file in documents() {
        let text = read(&file);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let reached = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            followed += 1;
            if !root().join(&reached).exists() {
                wrong.push(format!("{}: {target}", file.display()));
            } else if !heading.is_empty() && !headings(&read(&reached)).contains(heading) {
                wrong.push(format!("{}: {target}: no such heading", file.display()));
            }
        }
    }
    assert!(followed > 15, "only {followed} were found: the search is broken");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Links are relative, so the package has its files where the repository has them.
#[test]
fn what_packaged_documents_link_to_is_packaged() {
    let manifest = read(Path::new("Cargo.toml"));
    let (_, assets) = manifest.split_once("assets = [").unwrap();
    let assets = assets.split_once("\n]").unwrap().0;
    let packaged = |file: &Path| {
        let file = file.to_str().unwrap();
        let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
        let place = match directory {
            "" => "usr/share/doc/terrarium/".to_owned(),
            inner => format!("usr/share/doc/terrarium/{inner}/"),
        };
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let sources = [
            file.to_owned(),
            format!("{directory}/*"),
            format!("{directory}/*.{ending}"),
        ];
        sources
            .iter()
            .any(|source| assets.contains(&format!("[\"{source}\", \"{place}\"")))
    };
    let mut followed = 0;
    for file in documents().iter().filter(|file| packaged(file)) {
        for target in read(file).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let reached = fs::canonicalize(root().join(file.parent().unwrap()).join(path)).unwrap();
            let reached = reached
                .strip_prefix(fs::canonicalize(root()).unwrap())
                .unwrap()
                .to_owned();
            followed += 1;
            assert!(packaged(&reached), "{}: {target} is not in the package", file.display());
        }
    }
    assert!(followed > 15, "only {followed} were found: the search is broken");
}

/// Headings as forges name them in links.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix('#'));
    let names = lines.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    names
        .map(|name| name.chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let mut named = 0;
    let mut wrong = Vec::new();
    for file in ["SECURITY.md", "docs/threat-model.md", "docs/past-escapes.md"] {
        for word in read(Path::new(file)).split('`') {
            let Some((place, test)) = word.split_once("::") else {
                continue;
            };
            if place.contains(' ') || test.is_empty() || test.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            {
                continue;
            }
            let module = root().join(format!("src/{place}/{test}"));
            if module.is_dir() || module.with_extension("rs").is_file() {
                continue; // a module, all of whose tests are meant
            }
            let source = [
                format!("tests/it/{place}.rs"),
                format!("tests/it/{place}/mod.rs"),
                format!("src/{place}.rs"),
                format!("src/{place}/mod.rs"),
                format!("src/{place}/tests.rs"),
            ];
            let mut found = source
                .iter()
                .filter_map(|path| fs::read_to_string(root().join(path)).ok());
            named += 1;
            if !found.any(|text| has_test(&text, test)) {
                wrong.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(named > 25, "only {named} were found: the search is broken");
    assert!(wrong.is_empty(), "no such test:\n{}", wrong.join("\n"));
}

/// Whether a function of this name is there and is run as a test.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.starts_with(&format!("fn {name}()"))
    };
    lines.iter().enumerate().filter(|(_, line)| is_it(line)).any(|(at, _)| {
        let before = lines[..at].iter().rev();
        let mut attributes = before.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        attributes.any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn the_reference_of_the_tools_is_what_is_published() {
    let made = reference();
    let path = root().join("docs/tools.md");
    if std::env::var_os("TERRARIUM_WRITE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == made,
        "docs/tools.md is not what is published; write it anew with\n  TERRARIUM_WRITE_DOCS=1 cargo test --test it the_reference_of_the_tools"
    );
}

fn reference() -> String {
    let mut page = "# Tools\n\nWritten from the schemas that are published and enforced, by `TERRARIUM_WRITE_DOCS=1 cargo test --test it \
                    the_reference_of_the_tools`.\nExamples that are run by a test are in [tool-examples.md](tool-examples.md).\n"
        .to_owned();
    for tool in definitions() {
        describe(&mut page, &tool).unwrap();
    }
    page
}

fn describe(page: &mut String, tool: &Definition) -> std::fmt::Result {
    let effects = [
        (Hints::ReadOnly, "It only looks."),
        (Hints::Runs, "It runs programs."),
        (Hints::Ends, "It ends things; twice is as good as once."),
        (
            Hints::Sets,
            "It sets something and ends nothing; twice is as good as once.",
        ),
    ];
    let effect = effects.iter().find(|(hints, _)| *hints == tool.hints);
    let effect = effect.map_or(String::new(), |(_, text)| format!(" {text}"));
    writeln!(page, "\n## {}\n\n{}{effect}", tool.name, tool.description.trim())?;
    let schema = Value::Object((tool.arguments)().clone());
    table(page, "argument", &schema)?;
    table(page, "answers with", &Value::Object((tool.result)()))
}

fn table(page: &mut String, what: &str, schema: &Value) -> std::fmt::Result {
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else {
        return if what == "argument" {
            writeln!(page, "\nNo arguments.")
        } else {
            Ok(())
        };
    };
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    writeln!(page, "\n| {what} | type | |\n|---|---|---|")?;
    for (name, property) in properties {
        let needed = if what == "argument" && required.contains(&name.as_str()) {
            " (required)"
        } else {
            ""
        };
        let text = property["description"]
            .as_str()
            .unwrap_or_default()
            .replace('\n', " ")
            .replace('|', "\\|");
        writeln!(page, "| `{name}`{needed} | {} | {text} |", kind(property))?;
    }
    Ok(())
}

/// A type in words: its bounds, its choices.
fn kind(property: &Value) -> String {
    let choices = ["oneOf", "anyOf"].iter().find_map(|key| property[key].as_array());
    if let Some(choices) = choices {
        let words: Vec<String> = choices.iter().map(kind).collect();
        return words.join(", ");
    }
    if let Some(constant) = property.get("const") {
        return format!("`{constant}`").replace('"', "");
    }
    if let Some(choices) = property["enum"].as_array() {
        let words: Vec<String> = choices
            .iter()
            .map(|choice| format!("`{choice}`").replace('"', ""))
            .collect();
        return words.join(", ");
    }
    let name = property["type"].as_str().unwrap_or("any");
    if name == "array" {
        return format!("list of {}", kind(&property["items"]));
    }
    if name == "object" {
        let names: Vec<String> = property["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        return if names.is_empty() {
            "object".to_owned()
        } else {
            format!("{{{}}}", names.join(" "))
        };
    }
    let bound = |low: &str, high: &str| match (&property[low], &property[high]) {
        (Value::Null, Value::Null) => None,
        (low, Value::Null) => Some(format!(" from {low}")),
        (Value::Null, high) => Some(format!(" up to {high}")),
        (low, high) => Some(format!(" {low} to {high}")),
    };
    let bounds = bound("minimum", "maximum")
        .or_else(|| bound("minLength", "maxLength").map(|text| format!("{text} characters")));
    format!("{name}{}", bounds.unwrap_or_default())
}

#[test]
fn manifests_are_yaml_and_keep_their_promises() {
    let mut seen = 0;
    for file in all_files(Path::new("packaging/kubernetes")) {
        if file.extension().is_none_or(|found| found != "yaml") {
            continue;
        }
        for document in read(&file).split("\n---\n") {
            let parsed: Value =
                serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(
                parsed["apiVersion"].is_string() && parsed["kind"].is_string(),
                "{}: {parsed}",
                file.display()
            );
            seen += 1;
            let pod = &parsed["spec"]["podTemplate"]["spec"];
            if pod.is_null() {
                continue;
            }
            assert_eq!(pod["automountServiceAccountToken"], false, "{}", file.display());
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{}", file.display());
            for container in pod["containers"].as_array().unwrap() {
                assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
                assert!(container["resources"]["limits"]["memory"].is_string(), "{container}");
            }
        }
    }
    assert!(seen >= 4, "only {seen} were found: the search is broken");
    assert!(fenced("```a\nb\n```", "a").len() == 1);
}

#[test]
fn every_fuzz_target_has_seeds_and_words_and_is_described() {
    let guide = read(Path::new("fuzz/README.md"));
    for target in all_files(Path::new("fuzz/fuzz_targets")) {
        let name = target.file_stem().unwrap().to_str().unwrap();
        let seeds = all_files(&Path::new("fuzz/corpus").join(name));
        assert!(seeds.len() > 2, "{name}: {} seeds", seeds.len());
        let words = read(&Path::new("fuzz/dictionaries").join(format!("{name}.dict")));
        let entries = words
            .lines()
            .filter(|line| line.starts_with('"') && line.ends_with('"') && line.len() > 2);
        assert!(entries.count() >= 5, "{name}: too few words");
        assert!(
            guide.contains(&format!("| `{name}` |")),
            "{name} is not in fuzz/README.md"
        );
    }
}
