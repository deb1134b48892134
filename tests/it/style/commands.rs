//! Every command line of Terrarium that a document, a help text or a message shows is one that it understands.

use std::collections::BTreeMap;
use std::path::Path;

use super::promises::documents;
use super::{all_files, read};
use crate::docs::{DOCUMENTS, fenced};
use crate::harness::program;

/// What stands in front of a command line; else `terrarium` is a name.
const BEFORE: [&str; 9] = ["", "$ ", "> ", "sudo ", "-- ", "; ", "&& ", "coproc ", "$as_"];
/// Words that stand for one of several.
const STAND_FOR: [(&str, &str); 4] = [("SHELL", "bash"), ("PROFILE", "reader"), ("NAME", "name"), ("PID", "1")];

#[test]
fn every_command_line_that_is_shown_is_understood() {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for file in documents() {
        let text = read(&file);
        let mut fence = false;
        let mut prose = String::new();
        for line in text.lines() {
            if line.starts_with("```") {
                fence = !fence;
            } else if fence {
                shown.extend(in_line(line).map(|command| (command, file.display().to_string())));
            } else {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        shown.extend(quoted(&prose).map(|command| (command, file.display().to_string())));
    }
    let in_documents = shown.len();
    for file in all_files(Path::new("src")) {
        if file.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = read(&file)
            .replace("\\\n", "")
            .replace("\\n", "\n")
            .replace("\\\"", "\"");
        let place = file.display().to_string();
        let helps = text.lines().filter(|line| line.starts_with("  terrarium "));
        shown.extend(
            helps
                .flat_map(|line| in_line(line.trim_end_matches(['"', ')', ']'])))
                .map(|command| (command, place.clone())),
        );
        let messages = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let messages: Vec<String> = messages.flat_map(quoted).collect();
        shown.extend(messages.into_iter().map(|command| (command, place.clone())));
    }
    assert!(
        in_documents > 60 && shown.len() > in_documents + 20,
        "only {in_documents} and {}: the search is broken",
        shown.len()
    );
    let wrong: Vec<String> = shown
        .iter()
        .filter_map(|(command, place)| misunderstood(command).map(|why| format!("{place}: {command}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_document_with_examples_is_left_out() {
    for file in documents() {
        let text = read(&file);
        let any = |language: &&str| !fenced(&text, language).is_empty();
        let name = file.to_str().unwrap();
        if ["console", "json", "yaml"].iter().any(any) {
            assert!(DOCUMENTS.iter().any(|(tried, _)| *tried == name), "{name}");
        }
    }
}

#[test]
fn a_command_line_that_is_wrong_would_be_noticed() {
    for wrong in [
        "serve --workspac .",
        "tokens list",
        "completions csh",
        "policy check FILE",
    ] {
        assert!(misunderstood(wrong).is_some(), "{wrong}");
    }
    let found: Vec<String> = in_line("$ sudo terrarium install --system; terrarium doctor | grep 'a b' # x").collect();
    assert_eq!(found, ["install --system", "doctor"]);
    assert_eq!(
        quoted("a `terrarium\nlockdown off` b `terrarium-x`").collect::<Vec<_>>(),
        ["lockdown off"]
    );
}

/// What follows `terrarium` in a line of a shell.
fn in_line(line: &str) -> impl Iterator<Item = String> + '_ {
    let places = line.match_indices("terrarium ");
    places.filter_map(|(at, word)| {
        let before = &line[..at];
        let begins = BEFORE.iter().any(|end| match *end {
            "" => before.trim().is_empty(),
            end => before.ends_with(end),
        });
        begins.then(|| until_its_end(&line[at + word.len()..]))
    })
}

/// A command line without what the shell takes for itself.
fn until_its_end(line: &str) -> String {
    let mut quote = None;
    let mut last = ' ';
    let end = line.char_indices().find(|(_, letter)| {
        let before = std::mem::replace(&mut last, *letter);
        match (quote, *letter) {
            (None, '\'' | '"') => quote = Some(*letter),
            (Some(open), closing) if open == closing => quote = None,
            (None, ';' | '|' | '&' | '<' | '>' | ')') => return true,
            (None, '#') => return before == ' ',
            _ => {}
        }
        false
    });
    let whole = &line[..end.map_or(line.len(), |(at, _)| at)];
    whole.trim_end_matches(" 2").trim().to_owned() // of `2>`
}

/// The command lines between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split('`').skip(1).step_by(2);
    let lines = words.map(|word| word.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter_map(|line| {
        let line = line.strip_prefix("terrarium ")?.to_owned();
        (!line.contains(['{', '…']) || line.contains('\'')).then(|| until_its_end(&line))
    })
}

/// What Terrarium says against a command line.
fn misunderstood(command: &str) -> Option<String> {
    let (own, _) = command.split_once(" -- ").unwrap_or((command, ""));
    let mut words: Vec<&str> = Vec::new();
    let mut rest = own.trim();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => rest[1..].split_once(first).unwrap_or((rest, "")),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        let word = word.trim_matches(['[', ']']);
        let meant = STAND_FOR.iter().find(|(name, _)| *name == word);
        words.push(meant.map_or(word, |(_, meant)| meant));
        rest = after.trim_start();
    }
    let output = program().args(&words).arg("--help").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // An option may be named without its value, and a file need not be there.
    let fine = ["a value is required for", "No such file or directory"];
    (!output.status.success() && !fine.iter().any(|fine| said.contains(fine))).then_some(said)
}
