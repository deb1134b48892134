//! The examples in the documents do what the documents say: each ```console block is run, in order, in one shell.
//!
//! `$ ` begins a command and `> ` continues it. What follows must be in the output in this order, each line as it is; a
//! line `...` stands for any lines, and `...` in a line for any text. The last line may be `[exit status N]`, else the
//! status must be 0. Blocks begin in a fresh directory with an empty HOME, with `terrarium` in the PATH.

use std::path::Path;
use std::process::Stdio;

use crate::harness::{fresh_directory, host_program, program};

pub(crate) const DOCUMENTS: [(&str, &str); 9] = [
    ("README.md", include_str!("../../README.md")),
    ("docs/clients.md", include_str!("../../docs/clients.md")),
    ("docs/console.md", include_str!("../../docs/console.md")),
    ("docs/exit-codes.md", include_str!("../../docs/exit-codes.md")),
    ("docs/hack-forums.md", include_str!("../../docs/hack-forums.md")),
    ("docs/operating.md", include_str!("../../docs/operating.md")),
    ("docs/policy.md", include_str!("../../docs/policy.md")),
    ("docs/profiles.md", include_str!("../../docs/profiles.md")),
    ("docs/tool-examples.md", include_str!("../../docs/tool-examples.md")),
];
/// Ends the output of each command of a block.
const MARK: &str = "\u{1}ended\u{1}";

#[test]
fn every_example_does_what_its_document_says() {
    let mut run = 0;
    for (name, text) in DOCUMENTS {
        for (line, block) in fenced(text, "console") {
            check(&format!("{name}:{line}"), &block);
            run += 1;
        }
    }
    assert!(run >= 10, "only {run} examples were found: the search is broken");
}

#[test]
fn an_example_that_is_wrong_would_be_noticed() {
    let wrong = [
        "$ echo one\ntwo",
        "$ false",
        "$ true\n[exit status 1]",
        "$ echo one; echo two\ntwo\none",
        "$ terrarium run -- echo inside\noutside",
    ];
    for block in wrong {
        let checked = std::panic::catch_unwind(|| check("wrong on purpose", block));
        assert!(checked.is_err(), "{block}");
    }
}

#[test]
fn every_configuration_in_the_documents_can_be_read() {
    let mut read = 0;
    for (name, text) in DOCUMENTS {
        for (line, block) in fenced(text, "json") {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block);
            let value = parsed.unwrap_or_else(|error| panic!("{name}:{line}: {error}"));
            starts(&format!("{name}:{line}"), &value);
            read += 1;
        }
        for (line, block) in fenced(text, "yaml") {
            let parsed: Result<serde_json::Value, _> = serde_saphyr::from_str(&block);
            let parsed = parsed.unwrap_or_else(|error| panic!("{name}:{line}: {error}"));
            is_right(&format!("{name}:{line}"), &block, &parsed);
            read += 1;
        }
    }
    assert!(read >= 8, "only {read} were found: the search is broken");
}

/// A configuration, or a profile or a part of one, is what the program takes. Lists are of calls, and tried elsewhere.
fn is_right(place: &str, block: &str, parsed: &serde_json::Value) {
    let Some(parts) = parsed.as_object() else {
        return;
    };
    let directory = fresh_directory();
    let configuration = ["policy", "hf", "audit"].iter().any(|part| parts.contains_key(*part));
    let name = parts.get("name").and_then(|name| name.as_str()).unwrap_or("recipe");
    let file = directory.join(format!("{name}.yaml"));
    let head = match configuration || parts.contains_key("name") {
        true => "",
        false => "name: recipe\nsummary: A part.\nextends: default\n",
    };
    std::fs::write(&file, format!("{head}{block}\n")).unwrap();
    let mut command = program();
    match configuration {
        true => command.args(["config", "check", "--config"]),
        false => command.args(["profile", "check"]),
    };
    let output = command.arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {said}");
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Wherever a configuration starts Terrarium, its command line is one that Terrarium understands.
fn starts(place: &str, value: &serde_json::Value) {
    if let Some(arguments) = value.get("args").and_then(|args| args.as_array()) {
        assert_eq!(value["command"], "terrarium", "{place}");
        let mut command = program();
        command.args(arguments.iter().map(|argument| argument.as_str().unwrap()));
        let output = command.arg("--help").output().unwrap();
        assert!(
            output.status.success(),
            "{place}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    for inner in value.as_object().into_iter().flat_map(|object| object.values()) {
        starts(place, inner);
    }
}

/// The blocks of a language, with the line that they begin in.
pub(crate) fn fenced(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut inside: Option<(usize, bool, Vec<&str>)> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut inside, line.strip_prefix("```")) {
            (None, Some(info)) => inside = Some((at + 2, info == language, Vec::new())),
            (Some((_, _, lines)), None) => lines.push(line),
            (Some(_), Some(_)) => {
                if let Some((start, true, lines)) = inside.take() {
                    blocks.push((start, lines.join("\n")));
                }
                inside = None;
            }
            (None, None) => {}
        }
    }
    assert!(inside.is_none(), "a block that does not end");
    blocks
}

/// A command and what the document says of it.
struct Step {
    command: String,
    expected: Vec<String>,
    /// The exit status; several, separated by `or`, where it depends on the machine.
    status: String,
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                expected: Vec::new(),
                status: "0".to_owned(),
            });
            continue;
        }
        let step = steps.last_mut().unwrap(); // a block begins with a command
        let status = line
            .strip_prefix("[exit status ")
            .and_then(|rest| rest.strip_suffix(']'));
        match (line.strip_prefix("> "), status) {
            (Some(more), _) if step.expected.is_empty() => step.command = format!("{}\n{more}", step.command),
            (_, Some(status)) => step.status = status.to_owned(),
            _ => step.expected.push(line.to_owned()),
        }
    }
    steps
}

fn check(place: &str, block: &str) {
    let steps = steps(block);
    let mut script = String::new();
    for step in &steps {
        script.push_str(&format!("{}\nprintf '{MARK}%s\\n' $?\n", step.command));
    }
    let said = in_a_shell(&script);
    let mut rest = said.as_str();
    for step in &steps {
        let (output, after) = rest
            .split_once(MARK)
            .unwrap_or_else(|| panic!("{place}: no end of {}", step.command));
        let (status, after) = after.split_once('\n').unwrap();
        assert!(
            step.status.split(" or ").any(|expected| expected == status),
            "{place}: status {status}, not {}, of {}\n{output}",
            step.status,
            step.command
        );
        if let Some(missing) = missing(&step.expected, output) {
            panic!(
                "{place}: {} does not print {missing:?} there, but\n{output}",
                step.command
            );
        }
        rest = after;
    }
}

/// The first line that is not where it should be.
fn missing<'e>(expected: &'e [String], output: &str) -> Option<&'e str> {
    let mut lines = output.lines();
    let mut any = false;
    for line in expected {
        if line == "..." {
            any = true;
            continue;
        }
        let found = if any {
            lines.any(|said| fits(line, said))
        } else {
            lines.next().is_some_and(|said| fits(line, said))
        };
        if !found {
            return Some(line);
        }
        any = false;
    }
    let over = !any && !expected.is_empty() && lines.any(|said| !said.is_empty());
    over.then_some("the end")
}

/// Whether a line is as expected, `...` standing for any text.
fn fits(expected: &str, said: &str) -> bool {
    let mut parts = expected.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.trim_end().is_empty() || last.is_some_and(|part| part.is_empty() || said.ends_with(part))
}

/// What a script prints, both streams together.
fn in_a_shell(script: &str) -> String {
    let directory = fresh_directory();
    for name in ["home", "bin", "project"] {
        std::fs::create_dir(directory.join(name)).unwrap();
    }
    let terrarium = std::fs::canonicalize(program().get_program()).unwrap();
    std::os::unix::fs::symlink(terrarium, directory.join("bin/terrarium")).unwrap();
    let output = host_program("bash")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .current_dir(directory.join("project"))
        .env_clear()
        .env("HOME", directory.join("home"))
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", path_with(&directory.join("bin")))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    std::fs::remove_dir_all(&directory).ok(); // what a test leaves is in target/tmp
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn path_with(directory: &Path) -> String {
    format!("{}:/usr/local/bin:/usr/bin:/bin", directory.display())
}
