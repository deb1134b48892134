//! What a subcommand does when its input is wrong, or nobody takes its output.

use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::command::{Run, text};
use crate::harness::{fresh_directory, program};
use crate::policy::Home;
use crate::tty::Tty;

/// The program in a directory of its own, with a home and a state of its own.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        Self(fresh_directory())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let work = self.0.join("work");
        std::fs::create_dir_all(&work).unwrap();
        let mut command = program();
        command.args(arguments).current_dir(work).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.0.join("state"));
        command.env("XDG_CONFIG_HOME", self.0.join("config"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str], why: &str) {
        let output = self.run(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: no {why:?} in {said}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok(); // what a test leaves is in target/tmp
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let place = Place::new();
    let mut check = place.command(&["config", "check"]);
    let output = check.env("TERRARIUM_CONFIG", "").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    place.refuses(&["config", "check", "--config", ""], "--config");
    let mut serve = place.command(&["serve"]);
    let output = serve.env("TERRARIUM_LOG", "").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn whoever_reads_no_more_has_seen_enough() {
    let place = Place::new();
    let subcommands: [&[&str]; 11] = [
        &["profile", "schema"],
        &["profile", "list"],
        &["completions", "bash"],
        &["man"],
        &["config", "schema"],
        &["config", "show"],
        &["policy", "check"],
        &["hf", "journal", "list"],
        &["doctor"],
        &["lockdown", "off"],
        &["call", "terminal_list"],
    ];
    for arguments in subcommands {
        let output = place.command(arguments).stdout(left()).output().unwrap();
        let said = text(&output);
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
        let output = place.command(arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {}", text(&output));
    }
    let mut call = place.command(&["call", "terminal_run", r#"{"argv":["sh","-c","exit 7"]}"#]);
    assert_eq!(call.stdout(left()).status().unwrap().code(), Some(7));
}

#[test]
fn a_token_that_nobody_saw_is_none() {
    let place = Place::new();
    for nobody in [full().into(), left()] {
        let output = place
            .command(&["token", "create", "x"])
            .stdout(nobody)
            .output()
            .unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains("nobody could see the token, so it was revoked"), "{said}");
        assert_eq!(text(&place.run(&["token", "list"])), "");
    }
}

#[test]
fn what_an_option_misnames_is_told_with_its_name() {
    let place = Place::new();
    let http = ["serve", "--http", "127.0.0.1:0"];
    place.refuses(
        &["run", "--profiles", "nope", "--", "true"],
        "'nope' for '--profiles <DIR>': No such file",
    );
    place.refuses(
        &["profile", "list", "--profiles", "nope"],
        "'--profiles <DIR>': No such file",
    );
    let tls = [&http[..], &["--tls-cert", "nope", "--tls-key", "nope"]].concat();
    place.refuses(&tls, "'nope' for '--tls-cert <FILE>': No such file");
    let tokens = [&http[..], &["--tokens", "/nope/x.json"]].concat();
    place.refuses(&tokens, "--tokens /nope/x.json lies in no directory");
    place.refuses(&["serve", "--tokens", "x.json"], "hint: give --http ADDRESS too");
}

#[test]
fn a_tool_that_does_not_exist_is_answered_in_one_line_with_the_one_that_was_meant() {
    let place = Place::new();
    let output = place.run(&["call", "terminal_rum"]);
    let expected = "terrarium: no tool is called \"terminal_rum\"; hint: did you mean \"terminal_run\"?\n";
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(125), expected));
}

#[test]
fn a_server_that_cannot_answer_says_why_without_the_names_of_its_types() {
    let place = Place::new();
    let hello = place.0.join("hello");
    let client = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"me","version":"1"}}"#;
    let request = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{client}}}\n");
    std::fs::write(&hello, request).unwrap();
    let mut serve = place.command(&["serve"]);
    let output = serve
        .stdin(File::open(&hello).unwrap())
        .stdout(full())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let expected = "terrarium: cannot answer the client: No space left on device (os error 28)\n";
    assert_eq!(text(&output), expected);
}

#[test]
fn a_home_that_is_not_there_is_named() {
    let place = Place::new();
    for arguments in [&["run", "--", "true"][..], &["lockdown", "status"], &["token", "list"]] {
        let mut command = place.command(arguments);
        command.env_remove("XDG_STATE_HOME").env("HOME", "/nonexistent");
        let output = command.output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        assert!(
            said.contains(": the home /nonexistent is not there; hint: "),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_workspace_whose_path_is_no_text_is_refused_with_that_reason() {
    let place = Place::new();
    let odd = place.0.join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    std::fs::create_dir(&odd).unwrap();
    let mut command = place.command(&["run", "--workspace"]);
    let output = command.arg(&odd).args(["--", "true"]).output().unwrap();
    let said = text(&output);
    assert!(
        said.contains("odd\\xFF\" cannot be the workspace: its path is not UTF-8 text; hint: "),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn what_is_taken_away_and_was_not_there_is_said() {
    let place = Place::new();
    for arguments in [&["passphrase", "clear"][..], &["lockdown", "off"]] {
        let output = place.run(arguments);
        assert_eq!(
            (output.status.code(), text(&output).as_str()),
            (Some(0), "there was none\n"),
            "{arguments:?}"
        );
    }
    // And nothing is recorded of it.
    place.refuses(&["audit", "tail"], "cannot read the audit");
    let image = place.0.join("image");
    let output = place.run(&["uninstall", "--system", "--root", image.to_str().unwrap()]);
    assert_eq!(text(&output), "nothing of an installation is there\n");
}

#[test]
fn a_report_for_scripts_has_the_kernel_and_who_can_confirm() {
    let place = Place::new();
    let report: serde_json::Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).stdout).unwrap();
    let kernel = rustix::system::uname().release().to_str().unwrap().to_owned();
    assert_eq!(report["kernel"], kernel);
    assert_eq!(report["confirmation"]["state"], "degraded");
    assert!(
        report["confirmation"]["fix"]
            .as_str()
            .unwrap()
            .starts_with("terrarium passphrase set")
    );
    assert!(report["default"]["protections"].is_array());
}

#[test]
fn the_hint_at_the_end_of_time_names_the_option_of_the_command_line() {
    let mut run = Run::profile("default");
    run.options(&["--timeout", "1s"]);
    let output = run.command(&["sleep", "60"]).output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    assert!(
        text(&output).contains("hint: give a larger --timeout if"),
        "{}",
        text(&output)
    );
}

#[test]
fn options_stand_under_their_own_headings() {
    let help = text(&Place::new().run(&["serve", "--help"]));
    let (_, console) = help.split_once("\nConsole:\n").unwrap();
    let (console, _) = console.split_once("\nExamples:\n").unwrap();
    for option in ["--log", "--compat", "--hf-profile", "--run-as"] {
        assert!(!console.contains(option), "{option} under Console");
    }
    assert!(console.contains("--console"));
}

#[test]
fn what_can_be_pretended_is_what_the_documentation_lists() {
    let page = include_str!("../../docs/operating.md");
    let (_, rest) = page.split_once("lacks something: ").unwrap();
    let (listed, _) = rest.split_once(".\n").unwrap();
    let place = Place::new();
    place.refuses(
        &["run", "--pretend", "x", "--", "true"],
        &format!("hint: one of {listed}\n"),
    );
}

#[test]
fn a_wrong_kind_of_value_is_told_in_plain_words() {
    let home = Home::new("{}\n");
    for (config, expected) in [
        (
            "limits: {calls: many}\n",
            ":1:17: this is not a whole number; hint: write a whole number here",
        ),
        (
            "workspace:\n",
            ": there is no value here; hint: write one, or leave the key out",
        ),
    ] {
        home.write(config);
        let output = home.run(&["config", "check"]);
        assert!(text(&output).contains(expected), "{}", text(&output));
    }
}

#[test]
fn a_command_learns_the_size_of_a_small_terminal() {
    let place = Place::new();
    let wait = "until [ \"$(stty size)\" = '3 12' ]; do read -t 0.05 < <(:); sleep 0.02; done; echo seen";
    let mut run = place.command(&["run", "--workspace"]);
    run.arg(place.0.join("work")).args(["--", "bash", "-c", wait]);
    let mut tty = Tty::start(&run);
    tty.resize(12, 3);
    tty.wait_for("seen");
    assert_eq!(tty.end().0, Some(0));
}

#[test]
fn a_console_of_a_process_that_is_none_is_told_apart() {
    let place = Place::new();
    let runtime = place.0.join("run");
    std::fs::create_dir(&runtime).unwrap();
    let mut serve = place.command(&["serve"]);
    serve
        .env("XDG_RUNTIME_DIR", &runtime)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut server = serve.spawn().unwrap();
    crate::command::until("the server's socket is there", || is_filled(&runtime.join("terrarium")));
    for (pid, expected) in [
        (server.id(), format!("server {} has no console; hint: ", server.id())),
        (1, "no server of yours is process 1; hint: ".to_owned()),
    ] {
        let mut console = place.command(&["console", "--server", &pid.to_string()]);
        let said = text(&console.env("XDG_RUNTIME_DIR", &runtime).output().unwrap());
        assert!(said.contains(&expected), "{said}");
    }
    drop(server.stdin.take());
    server.wait().unwrap();
}

fn is_filled(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}
