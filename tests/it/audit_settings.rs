//! What a configuration says of the record, through the real program: where it is, how surely, how long, and who is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::command::until;
use crate::harness::{Era, Server, fresh_directory, is_there, program};

/// A configuration with these settings of `audit`, and the record that it asks for.
struct Place {
    home: PathBuf,
    config: PathBuf,
    record: PathBuf,
}

impl Place {
    fn new(settings: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = fresh_directory();
        let place = Self {
            config: home.join("terrarium.yaml"),
            record: home.join("record"),
            home,
        };
        let text = format!("audit:\n  path: record\n{settings}");
        fs::write(&place.config, text.replace("HOME", place.home.to_str().unwrap())).unwrap();
        fs::set_permissions(&place.config, fs::Permissions::from_mode(0o600)).unwrap();
        place
    }

    fn environment(&self) -> [(&str, &Path); 2] {
        [("XDG_STATE_HOME", &self.home), ("TERRARIUM_CONFIG", &self.config)]
    }

    fn server(&self) -> Server {
        Server::start_in(Era::Modern, &[], &self.environment())
    }

    /// One server from its start to its end, with so many calls.
    fn calls(&self, count: usize) {
        let mut server = self.server();
        for _ in 0..count {
            let reply = server.call("terminal_list", json!({}));
            assert!(!reply.is_error, "{}", reply.text);
        }
        server.end_input();
        server.ended();
    }

    fn audit(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        command.arg("audit").args(arguments).envs(self.environment());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What is wrong, against these anchors too if there are any.
    fn wrong(&self, anchors: Option<&Path>) -> Vec<String> {
        let mut arguments = vec!["verify", "--json"];
        arguments.extend(anchors.iter().flat_map(|path| ["--anchors", path.to_str().unwrap()]));
        let output = self.audit(&arguments);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let wrong: Vec<String> = serde_json::from_value(report["wrong"].clone()).unwrap();
        assert_eq!(
            (report["intact"] == true, output.status.success()),
            (wrong.is_empty(), wrong.is_empty())
        );
        wrong
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.record).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|found| found == "jsonl"))
            .collect();
        files.sort();
        files
    }

    fn events(&self, event: &str) -> usize {
        let output = self.audit(&["export", "--json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let named = format!("\"event\":\"{event}\"");
        text.lines().filter(|line| line.contains(&named)).count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.home).ok(); // what is left is in target/tmp
    }
}

fn bytes(files: &[PathBuf]) -> u64 {
    files.iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

/// Lines of a file, with their ends.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

#[test]
fn files_are_rotated_at_their_size_and_the_oldest_go_at_that_of_all() {
    let place = Place::new("  rotate: 64KiB\n  keep: {size: 1MiB}\n");
    place.calls(200);
    let files = place.files();
    assert!(files.len() >= 3, "{files:?}");
    for path in &files {
        let size = fs::metadata(path).unwrap().len();
        assert!(size < (64 << 10) + 4096, "{path:?}: {size}");
    }
    assert_eq!((place.wrong(None), place.events("retired")), (vec![], 0));
    assert!(
        !place.home.join("terrarium/audit").exists(),
        "the record is in two places"
    );
    let first = files[0].clone();
    place.calls(1200);
    let total = bytes(&place.files());
    assert!(!first.exists() && total <= (1 << 20) + (64 << 10) + 8192, "{total}");
    assert!(total > (1 << 20) - (2 * 65_536), "more went than had to: {total}");
    assert!(place.events("retired") > 0);
    assert_eq!(place.wrong(None), Vec::<String>::new());
    // One in the middle that goes without a record shows.
    let files = place.files();
    fs::remove_file(&files[files.len() / 2]).unwrap();
    let wrong = place.wrong(None);
    assert!(
        wrong.len() == 1 && wrong[0].contains("is gone, and no record says that it was retired"),
        "{wrong:?}"
    );
}

#[test]
fn files_go_at_their_age() {
    let place = Place::new("  rotate: 64KiB\n  keep: {days: 2}\n");
    place.calls(200);
    let files = place.files();
    let set_age = |path: &Path, days: u64| {
        let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60 + 60);
        fs::File::open(path).unwrap().set_modified(then).unwrap();
    };
    set_age(&files[0], 2);
    set_age(&files[1], 1);
    place.calls(1);
    assert_eq!(
        files[..2].iter().map(|path| path.exists()).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!((place.events("retired"), place.wrong(None)), (1, vec![]));
}

#[test]
fn what_somebody_does_to_lines_is_found_with_its_place() {
    let place = Place::new("");
    place.calls(10);
    let file = place.files().pop().unwrap();
    let whole = lines(&file);
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = whole.clone();
        change(&mut changed);
        fs::write(&file, changed.concat()).unwrap();
        place.wrong(None)
    };
    assert_eq!(with(&|_| {}), Vec::<String>::new());
    let found = [
        (
            with(&|lines| lines[4] = lines[4].replacen("terminal_list", "terminal_lost", 1)),
            "the line was changed",
        ),
        (
            with(&|lines| drop(lines.remove(4))),
            "lines between them were removed, or lines were moved",
        ),
        (
            with(&|lines| lines.swap(4, 5)),
            "lines between them were removed, or lines were moved",
        ),
        (
            with(&|lines| lines.insert(4, lines[2].clone())),
            "lines between them were removed, or lines were moved",
        ),
        (
            with(&|lines| drop(lines.drain(..3))),
            "lines between them were removed, or lines were moved",
        ),
    ];
    for (wrong, expected) in found {
        assert!(
            wrong.iter().any(|wrong| wrong.contains(expected)),
            "{expected}: {wrong:?}"
        );
        assert!(wrong[0].contains("byte "), "{wrong:?}");
    }
}

#[test]
fn a_cut_end_shows_against_what_the_command_was_told() {
    let place = Place::new("  anchor: {to: command, command: [/bin/sh, -c, \"cat >> HOME/anchors\"], every: 1s}\n");
    let anchors = place.home.join("anchors");
    let mut server = place.server();
    server.call("terminal_list", json!({}));
    until("an anchor while the server runs", || {
        anchors.exists() && !lines(&anchors).is_empty()
    });
    server.call("terminal_list", json!({}));
    server.end_input();
    server.ended();
    until("the anchor of its end", || lines(&anchors).len() >= 2);
    assert_eq!(place.wrong(Some(&anchors)), Vec::<String>::new());
    let file = place.files().pop().unwrap();
    let whole = lines(&file);
    fs::write(&file, whole[..whole.len() - 2].concat()).unwrap();
    assert_eq!(
        place.wrong(None),
        Vec::<String>::new(),
        "without anchors it cannot be seen"
    );
    let wrong = place.wrong(Some(&anchors));
    assert!(
        wrong.len() == 1 && wrong[0].contains("its end was cut off"),
        "{wrong:?}"
    );
    // All of it, and the chain anew by the program itself.
    fs::remove_file(&file).unwrap();
    place.calls(3);
    assert!(!place.wrong(Some(&anchors)).is_empty());
}

/// The calls of the kernel that a server makes with this setting, while it does one command.
fn synced(setting: &str) -> usize {
    let place = Place::new(setting);
    place.calls(1); // the first of an installation makes its key, and waits for that whatever the configuration says
    let trace = place.home.join("trace");
    let mut server = Server::start_under_in(
        &[
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=fdatasync,fsync",
            "-o",
            trace.to_str().unwrap(),
        ],
        &place.environment(),
    );
    assert!(!server.call("terminal_run", json!({"command": "true"})).is_error);
    server.end_input();
    server.ended();
    lines(&trace)
        .iter()
        .filter(|line| line.contains("sync(") && line.contains("= 0"))
        .count()
}

#[test]
fn a_record_waits_for_what_the_configuration_says() {
    if !is_there("strace") {
        return;
    }
    let (write, group, every) = (
        synced("  sync: write\n"),
        synced("  sync: group\n"),
        synced("  sync: every\n"),
    );
    assert_eq!(write, 0);
    assert!(group >= 1 && every > group, "{group} {every}");
}

#[test]
fn a_setting_that_could_not_mean_what_it_seems_to_stops_the_start() {
    for (settings, said) in [
        (
            "  synk: every\n",
            "3:3: unknown key \"synk\"; hint: did you mean \"sync\"?",
        ),
        ("  sync: always\n", "3:9: "),
        ("  rotate: 1KiB\n", "3:11: audit.rotate is \"1KiB\""),
        (
            "  rotate: 8MiB\n  keep: {size: 4MiB}\n",
            "4:16: audit.keep.size is \"4MiB\"",
        ),
        ("  keep: {days: 0}\n", "3:16: audit.keep.days is 0"),
        (
            "  anchor: {to: command}\n",
            "3:16: audit.anchor is `to: command` and has none",
        ),
        (
            "  anchor: {to: command, command: [cat]}\n",
            "3:34: audit.anchor.command is none that can be run",
        ),
        (
            "  anchor: {to: journald, command: [/bin/cat]}\n",
            "3:35: audit.anchor has a command",
        ),
        (
            "  anchor: {to: journald, every: 1ms}\n",
            "3:33: audit.anchor.every is \"1ms\"",
        ),
        ("  anchor: {every: 1s}\n", "3:12: \"to\" is missing"),
    ] {
        let place = Place::new(settings);
        let mut command = program();
        command
            .arg("serve")
            .args(["--workspace", "/nonexistent"])
            .envs(place.environment());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(said), "{settings}: {text}");
    }
}

#[test]
fn the_place_of_the_record_is_no_workspace_and_holds_none() {
    let place = Place::new("");
    place.calls(1);
    for workspace in [place.record.clone(), place.record.join("deeper"), place.home.clone()] {
        fs::create_dir_all(&workspace).unwrap();
        let mut command = program();
        command
            .args(["run", "--workspace"])
            .arg(&workspace)
            .args(["--", "true"])
            .envs(place.environment());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && text.contains("workspace"),
            "{workspace:?}: {text}"
        );
    }
    fs::remove_dir(place.record.join("deeper")).unwrap();
}

/// What a profile lets sandboxes read holds no record, no state and no control socket, by whichever name.
#[test]
fn what_a_sandbox_could_read_of_ours_is_refused_with_the_profile_that_lets_it() {
    let home = fresh_directory();
    let workspace = fresh_directory();
    let (config, link, own) = (home.join("terrarium.yaml"), home.join("link"), home.join("own"));
    std::os::unix::fs::symlink("/usr", &link).unwrap();
    fs::create_dir_all(home.join("profiles")).unwrap();
    fs::create_dir_all(own.join("run")).unwrap();
    let profile = "name: mine
summary: Reads it.
extends: default
filesystem:
  read:
    - {path: ~/own, optional: true, reason: a test}
";
    fs::write(home.join("profiles/mine.yaml"), profile).unwrap();
    let in_usr = link.join("share/terrarium-record");
    let usr = "lies in /usr or holds it, which the profile default";
    let (record, in_own, run) = (home.join("record"), own.join("record"), own.join("run"));
    for (audit, state, sockets, said) in [
        (Path::new("/usr/share/terrarium-record"), &home, &home, usr),
        (&in_usr, &home, &home, usr),
        (&in_own, &home, &home, "which the profile mine lets"),
        (&home, &home, &home, "or holds it, which the profile build lets"),
        (&record, &own, &home, "the state directory"),
        (&record, &home, &run, "the directory of control sockets"),
    ] {
        let text = format!("audit: {{path: {}}}\nprofiles: profiles\n", audit.display());
        fs::write(&config, text).unwrap();
        for subcommand in [&["serve"][..], &["run", "--", "true"], &["config", "check"]] {
            let mut command = program();
            command
                .args(subcommand)
                .env("HOME", &home)
                .env("XDG_STATE_HOME", state)
                .env("XDG_RUNTIME_DIR", sockets)
                .env("TERRARIUM_CONFIG", &config);
            command.current_dir(&workspace);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(125), "{audit:?}: {error}");
            assert!(
                error.contains(said) && error.contains("hint: take that out of the profile, or choose another"),
                "{audit:?}: {error}"
            );
        }
    }
    assert!(!Path::new("/usr/share/terrarium-record").exists());
    fs::remove_dir_all(&workspace).unwrap();
    fs::remove_dir_all(&home).unwrap();
}
