//! What the compiler cannot check about the source: who imports whom, how long files are, where `unsafe` is.

mod commands;
mod promises;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, without the tests that follow what they test.
const LONGEST: usize = 400;
/// Where text is committed.
const COMMITTED: [&str; 17] = [
    ".ci",
    "benches",
    "docs",
    "fuzz",
    "packaging",
    "sandbox-profiles",
    "src",
    "tests",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
    ".gitignore",
];
/// Homes that stand for anybody's.
const NOBODY: [&str; 4] = ["NAME", "u", "user", "you"];

#[test]
fn layers_import_only_what_their_table_lists() {
    let table = layers();
    let folders: BTreeSet<String> = entries("src")
        .iter()
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        folders,
        table.keys().cloned().collect(),
        "folders of src, and the table"
    );
    let kept: BTreeSet<&String> = table.values().flat_map(|layer| &layer.crates).collect();
    let mut wrong = Vec::new();
    for (name, layer) in &table {
        let mut unused: BTreeSet<&str> = layer.imports.iter().chain(&layer.crates).map(String::as_str).collect();
        unused.remove("all");
        for file in files(&format!("src/{name}"), "rs") {
            let text = code(&read(&file));
            for import in names_after(&text, "crate::") {
                unused.remove(import);
                if import != *name && !layer.imports.contains(import) && !layer.imports.contains("all") {
                    wrong.push(format!("{}: crate::{import}", file.display()));
                }
            }
            for used in kept.iter().filter(|name| mentions(&text, &format!("{name}::"))) {
                unused.remove(used.as_str());
                if !layer.crates.contains(*used) {
                    wrong.push(format!("{}: {used}", file.display()));
                }
            }
            // A path of `super` that reaches the root of the crate would get around the above.
            let depth = file.components().count() - if file.ends_with("mod.rs") { 2 } else { 1 };
            let climbs = text.contains(&"super::".repeat(depth + 1)) || text.contains("crate::{");
            if climbs {
                wrong.push(format!("{}: an import from the root of the crate", file.display()));
            }
        }
        wrong.extend(
            unused
                .into_iter()
                .map(|unused| format!("src/{name}: nothing uses {unused}")),
        );
    }
    assert!(
        wrong.is_empty(),
        "not as in docs/design/0002-layers.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn only_a_persons_yes_becomes_an_approval_and_only_the_judge_makes_grants() {
    for (what, home) in [("Approval::given(", "src/confirm"), ("Grant::new(", "src/policy")] {
        for file in files("src", "rs").into_iter().filter(|file| !is_tests(file)) {
            let used = code(&without_tests(&read(&file))).contains(what);
            assert!(!used || file.starts_with(home), "{}: {what}", file.display());
        }
    }
}

#[test]
fn unsafe_lives_in_kernel_and_gives_its_reasons() {
    let marks = ["{", "fn", "impl", "extern", "trait"].map(|what| format!("unsafe {what}"));
    let mut blocks = 0;
    for file in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        if file.ends_with("style.rs") {
            continue;
        }
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if !marks.iter().any(|mark| code(line).contains(mark)) {
                continue;
            }
            let place = format!("{}:{}", file.display(), at + 1);
            assert!(file.starts_with("src/kernel"), "{place}: outside of src/kernel");
            let reasons: Vec<&str> = lines[..at]
                .iter()
                .rev()
                .map(|line| line.trim())
                .take_while(|line| line.starts_with("//"))
                .collect();
            for reason in ["// JUSTIFICATION:", "// SAFETY:"] {
                assert!(
                    reasons.iter().any(|line| line.starts_with(reason)),
                    "{place}: no {reason}"
                );
            }
            blocks += 1;
        }
    }
    assert!(blocks > 5, "only {blocks} were found: the search is broken");
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for file in ["src", "tests", "benches", "fuzz"]
        .iter()
        .flat_map(|top| files(top, "rs"))
    {
        let text = read(&file);
        let length = without_tests(&text).lines().count();
        if length > LONGEST {
            wrong.push(format!("{}: {length} lines", file.display()));
        }
        // What `tests.rs` says is in the file that it tests.
        if !text.starts_with("//! ") && !file.ends_with("tests.rs") {
            wrong.push(format!(
                "{}: its first line does not say what it is for",
                file.display()
            ));
        }
        let stem = file.file_stem().unwrap().to_str().unwrap();
        if ["common", "helper", "helpers", "misc", "util", "utils"].contains(&stem) {
            wrong.push(format!("{}: named after nothing", file.display()));
        }
        if text.contains(&format!("clippy::{}", "too_many_lines")) {
            wrong.push(format!("{}: a function that is too long", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_text_names_the_machine_it_was_written_on() {
    let here = env!("CARGO_MANIFEST_DIR").to_owned();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in COMMITTED.iter().flat_map(|top| all_files(Path::new(top))) {
        let Ok(text) = fs::read_to_string(root().join(&file)) else {
            continue; // seeds of the fuzzer are not text
        };
        seen += 1;
        for (at, line) in text.lines().enumerate() {
            let homes = names_after(line, concat!("/ho", "me/"));
            let stranger = homes
                .into_iter()
                .any(|name| !name.is_empty() && !NOBODY.contains(&name));
            let ours = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
            if stranger || line.contains(&here) || ours.iter().any(|path| line.contains(path)) {
                wrong.push(format!("{}:{}: {line}", file.display(), at + 1));
            }
        }
    }
    assert!(seen > 100, "only {seen} files were found: the search is broken");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_dependency_has_a_reason() {
    let mut seen = 0;
    for manifest in ["Cargo.toml"] {
        let mut dependencies = false;
        for line in read(Path::new(manifest)).lines() {
            if line.starts_with('[') {
                dependencies = line.trim_matches(['[', ']']).ends_with("dependencies");
                continue;
            }
            if !dependencies || line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let reason = line.rsplit_once(" # ").map_or("", |(_, reason)| reason.trim());
            assert!(reason.len() > 5, "{manifest}: no reason in: {line}");
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} dependencies were found: the search is broken");
}

/// A row of the table of layers.
struct Layer {
    imports: BTreeSet<String>,
    crates: BTreeSet<String>,
}

fn layers() -> BTreeMap<String, Layer> {
    let text = read(Path::new("docs/design/0002-layers.md"));
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| -> BTreeSet<String> {
        let words = cell.split_whitespace().map(|word| word.trim_matches('`').to_owned());
        words.collect()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let layer = Layer {
            imports: words(cells[2]),
            crates: words(cells[3]),
        };
        (cells[1].trim().trim_matches('`').to_owned(), layer)
    })
    .collect()
}

/// The identifiers that follow a text wherever it stands.
fn names_after<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    let name = |rest: &'t str| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    };
    text.match_indices(before)
        .filter(|(at, _)| !text[..*at].ends_with('$')) // a macro's `$crate`
        .map(|(at, _)| name(&text[at + before.len()..]))
        .collect()
}

/// Whether a path begins so: not in the middle of another word or path.
fn mentions(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

/// Whether a file of `src` holds tests only.
fn is_tests(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}

/// The text without the items that only tests have.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let item = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
        if item.ends_with('{') {
            let _end = lines.by_ref().find(|line| *line == "}");
        }
    }
    kept.join("\n")
}

/// The text without lines that are comments only.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// What lies in a directory, by paths relative to the package; nothing where there is none.
fn entries(directory: impl AsRef<Path>) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(root().join(&directory)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = found
        .map(|entry| directory.as_ref().join(entry.unwrap().file_name()))
        .collect();
    paths.sort();
    paths
}

/// A file, or all below a directory, but what builds make.
fn all_files(top: &Path) -> Vec<PathBuf> {
    if root().join(top).is_file() {
        return vec![top.to_owned()];
    }
    entries(top)
        .into_iter()
        .filter(|path| !path.ends_with("target"))
        .flat_map(|path| all_files(&path))
        .collect()
}

fn files(top: &str, extension: &str) -> Vec<PathBuf> {
    let mut files = all_files(Path::new(top));
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files
}
