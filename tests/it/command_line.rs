//! What subcommands say, where they look, and with what status they end.

use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::command::{Run, text};
use crate::harness::{fresh_directory, host_program, is_there, not_tested, program};
use crate::policy::Home;
use crate::tty::Tty;

#[test]
fn a_configuration_that_cannot_be_looked_at_is_not_taken_for_none() {
    let directory = fresh_directory();
    // For root no directory is closed; a link to itself leads nobody anywhere.
    let config = directory.join("config");
    symlink(&config, &config).unwrap();
    for arguments in [&["config", "check"][..], &["audit", "verify"], &["run", "--", "true"]] {
        let mut command = program();
        let output = command
            .args(arguments)
            .env("XDG_CONFIG_HOME", &config)
            .output()
            .unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        let file = config.join("terrarium/terrarium.yaml");
        let expected = format!(
            "cannot tell whether there is a configuration {}; hint: ",
            file.display()
        );
        assert!(said.contains(&expected), "{arguments:?}: {said}");
    }
    for empty in [directory.join("none"), std::path::PathBuf::from("/dev/null")] {
        let mut command = program();
        let output = command
            .args(["config", "check"])
            .env("XDG_CONFIG_HOME", &empty)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{empty:?}: {}", text(&output));
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_workspace_that_will_be_removed_is_named_with_the_reason() {
    let directory = fresh_directory();
    let here = directory.join("home");
    std::fs::create_dir(&here).unwrap();
    let cases = [
        &["run", "--", "pwd"][..],
        &["call", "terminal_run", r#"{"argv":["pwd"]}"#],
        &["serve"],
    ];
    for arguments in cases {
        let output = program()
            .args(arguments)
            .current_dir(&here)
            .env("HOME", &here)
            .env("TMPDIR", &directory)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        let private = format!("commands work in {}/terrarium-workspace-", directory.display());
        let why = format!("{} cannot be the workspace: it is or contains ", here.display());
        for expected in [&private, "which is removed at the end", &why, "--workspace"] {
            assert!(said.contains(expected), "{arguments:?}: no {expected:?} in {said}");
        }
    }
    let own = program()
        .args(["run", "--", "pwd"])
        .current_dir(&directory)
        .output()
        .unwrap();
    assert!(own.status.success() && own.stderr.is_empty(), "{}", text(&own));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_temporary_directory_that_is_no_absolute_path_counts_as_none() {
    let directory = fresh_directory();
    for named in ["", "tmp"] {
        let mut command = program();
        command.args(["run", "--", "pwd"]).current_dir(&directory);
        command
            .env("HOME", &directory)
            .env("TMPDIR", named)
            .stdin(Stdio::null());
        let said = text(&command.output().unwrap());
        assert!(
            said.contains("commands work in /tmp/terrarium-workspace-"),
            "{named:?}: {said}"
        );
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_machine_without_room_for_a_thread_is_a_failure_in_one_line() {
    if rustix::process::geteuid().is_root() {
        not_tested("nothing limits the processes of root");
        return;
    }
    let directory = fresh_directory();
    for arguments in [&["run", "--", "true"][..], &["doctor"], &["serve"]] {
        let own = program();
        let mut command = host_program("timeout");
        command.args(["20", "bash", "-c", r#"ulimit -u 1; exec "$0" "$@""#]);
        command.arg(own.get_program()).args(arguments).current_dir(&directory);
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("RUST_BACKTRACE", "0");
        let (input, _open) = std::io::pipe().unwrap();
        let output = command.stdin(input).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        assert!(
            said.starts_with("terrarium: ") && said.lines().count() == 1,
            "{arguments:?}: {said}"
        );
        assert!(said.contains("hint: check the limit"), "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_call_that_a_limit_ended_has_the_status_of_a_run_that_it_ended() {
    let limits = "cpu_time: 1s";
    let [as_run, as_call] = [Run::limited(limits), Run::limited(limits)];
    let line = "while :; do :; done";
    let run = as_run.bash(line);
    let mut call = program();
    let profiles = as_call.profiles();
    let home = Home::new(ANY);
    let arguments = serde_json::json!({"argv": ["bash", "-c", line], "profile": "test", "yield_ms": 20_000});
    call.args(["call", "terminal_run", &arguments.to_string(), "--config"])
        .arg(home.file())
        .arg("--profiles")
        .arg(profiles)
        .arg("--workspace")
        .arg(&as_call.workspace);
    let call = call.output().unwrap();
    assert_eq!(run.status.code(), Some(137), "{}", text(&run));
    assert_eq!(call.status.code(), run.status.code(), "{}", text(&call));
}

#[test]
fn what_never_ends_is_not_read_for_ever() {
    let state = fresh_directory();
    let run = Run::profile("default");
    let ran = run.command(&["true"]).env("XDG_STATE_HOME", &state).status();
    assert!(ran.unwrap().success());
    let cases = [
        (
            &["audit", "verify", "--anchors", "/dev/zero"][..],
            "/dev/zero:1: no anchor",
        ),
        (&["hf", "import", "/dev/zero"], "/dev/zero is no file"),
        (
            &[
                "serve",
                "--http",
                "127.0.0.1:0",
                "--tls-cert",
                "/dev/zero",
                "--tls-key",
                "/dev/zero",
            ],
            "/dev/zero is no file",
        ),
    ];
    for (arguments, expected) in cases {
        let own = program();
        let mut command = host_program("timeout");
        // Memory too: it would be used up before the time.
        command.args(["20", "bash", "-c", r#"ulimit -v 4000000; exec "$0" "$@""#]);
        command.arg(own.get_program()).args(arguments).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", &state).env("HOME", &state);
        let output = command.output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn the_end_of_the_record_is_shown_where_nothing_can_be_watched() {
    if !is_there("strace") {
        return;
    }
    let state = fresh_directory();
    let run = Run::profile("default");
    let ran = run.command(&["true"]).env("XDG_STATE_HOME", &state).status();
    assert!(ran.unwrap().success());
    let tail = |options: &[&str]| {
        let mut command = host_program("strace");
        command.args(["-qq", "-o", "/dev/null", "-e", "inject=inotify_init1:error=EMFILE"]);
        command
            .arg(program().get_program())
            .args(["audit", "tail"])
            .args(options);
        command.env("XDG_STATE_HOME", &state).output().unwrap()
    };
    let shown = tail(&[]);
    assert!(
        shown.status.success() && text(&shown).contains("opened"),
        "{}",
        text(&shown)
    );
    let followed = tail(&["--follow"]);
    assert!(
        text(&followed).contains("cannot watch the record; hint: leave out --follow"),
        "{}",
        text(&followed)
    );
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn a_verification_of_nothing_is_none() {
    let directory = fresh_directory();
    let state = fresh_directory();
    let verify = |arguments: &[&str]| {
        let mut command = program();
        command.args(["audit", "verify"]).args(arguments);
        command.env("XDG_STATE_HOME", &state).output().unwrap()
    };
    let nowhere = directory.display().to_string();
    for path in ["/etc", &nowhere] {
        let output = verify(&["--path", path]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(
            said.contains(&format!("there is no record in {path}; hint: ")),
            "{said}"
        );
    }
    let mut run = program();
    run.args(["run", "--", "true"]).current_dir(&directory);
    assert!(run.env("XDG_STATE_HOME", &state).status().unwrap().success());
    assert!(verify(&[]).status.success());
    let file = directory.join("anchors");
    let named = file.display().to_string();
    for (anchors, expected) in [
        (None, format!("cannot read the anchors in {named}: No such file")),
        (Some(""), format!("no anchors in {named}; hint: ")),
        (Some("-- No entries --\n"), format!("no anchors in {named}; hint: ")),
        (
            Some("\nterrarium-audit-anchor garbled\n"),
            format!("{named}:2: no anchor; hint: "),
        ),
        (
            Some("root:x:0:0:root:/root:/bin/bash\n"),
            format!("{named}:1: no anchor; hint: "),
        ),
    ] {
        std::fs::remove_file(&file).ok(); // the first time there is none
        if let Some(text) = anchors {
            std::fs::write(&file, text).unwrap();
        }
        let output = verify(&["--anchors", &named]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{anchors:?}: {said}");
        assert!(said.contains(&expected), "{anchors:?}: {said}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn the_record_is_shown_also_with_a_policy_that_is_wrong() {
    let home = Home::new("{}\n");
    assert!(home.run(&["run", "--", "true"]).status.success());
    home.write("policy: {rulez: []}\n");
    assert_eq!(home.run(&["config", "check"]).status.code(), Some(125));
    let output = home.run(&["audit", "tail"]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_terminal_shows_what_is_typed_after_a_prompt_that_was_interrupted() {
    let state = fresh_directory();
    let setup: &[&str] = &["hf", "setup", "--client-id", "0123456789abcdef"];
    for (arguments, prompt) in [
        (&["passphrase", "set"][..], "New passphrase: "),
        (setup, "The client's secret: "),
    ] {
        for interrupt in [Some(b"\x03"), None] {
            let mut command = program();
            command.args(arguments).env("XDG_STATE_HOME", &state);
            let mut tty = Tty::start(&command);
            tty.wait_for(prompt);
            match interrupt {
                Some(key) => tty.write(key),
                None => rustix::process::kill_process(
                    rustix::process::Pid::from_raw(tty.pid().try_into().unwrap()).unwrap(),
                    rustix::process::Signal::TERM,
                )
                .unwrap(),
            }
            let (status, shown) = tty.end(); // which looks at the terminal
            // Where whoever started us ignores an interrupt (a job in the background), so does it, and says that it cannot ask.
            let ended = status.is_none() || (interrupt.is_some() && status == Some(125));
            assert!(ended, "{arguments:?} was not ended by the signal: {status:?} {shown}");
        }
    }
    std::fs::remove_dir_all(&state).unwrap();
}

#[test]
fn the_tools_of_hack_forums_are_not_ready_where_nothing_turns_them_on() {
    let home = Home::new("limits: {calls: 9}\n");
    let ready = |home: &Home| {
        let mut command = program();
        command.args(["hf", "doctor", "--config"]).arg(home.file());
        command.env("XDG_STATE_HOME", home.0.join("state"));
        command
            .env("TERRARIUM_HF_TOKEN", "0123456789abcdef0123456789abcdef")
            .output()
            .unwrap()
    };
    let output = ready(&home);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(" has no section `hf`") && said.ends_with("ready: no\n"),
        "{said}"
    );
    home.write("hf: {profile: reader}\n");
    let output = ready(&home);
    assert!(text(&output).ends_with("ready: yes\n"), "{}", text(&output));
}

#[test]
fn a_configuration_that_no_server_starts_with_is_not_right() {
    let home = Home::new("workspace: /\n");
    let check = |expected: Option<&str>, options: &[&str]| {
        let output = home.run(&[&["config", "check"], options].concat());
        let said = text(&output);
        match expected {
            Some(expected) => {
                assert_eq!(output.status.code(), Some(125), "{said}");
                assert!(said.contains(expected), "{said}");
            }
            None => assert!(output.status.success(), "{said}"),
        }
    };
    let good = home.0.join("work");
    std::fs::create_dir(&good).unwrap();
    check(Some("/ cannot be the workspace: it is or contains "), &[]);
    check(None, &["--workspace", good.to_str().unwrap()]);
    home.write("workspace: nowhere\n");
    check(Some("cannot use "), &[]);
    home.write("workspace: .\n");
    check(Some("cannot be the workspace: it is or contains "), &[]);
    home.write("{}\n");
    check(None, &[]);
    check(Some("/ cannot be the workspace"), &["--workspace", "/"]);
}

#[test]
fn profiles_of_the_configuration_are_listed_and_explained() {
    let home = Home::new("profiles: mine\n");
    let directory = home.file().with_file_name("mine");
    std::fs::create_dir(&directory).unwrap();
    let text_of_it = "name: special\nsummary: of a test\nextends: default\n";
    std::fs::write(directory.join("special.yaml"), text_of_it).unwrap();
    for arguments in [
        &["profile", "list"][..],
        &["profile", "show", "special"],
        &["profile", "diff", "special", "special"],
        &["profile", "explain", "special", "--read", "/usr"],
    ] {
        let output = home.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    }
    assert!(text(&home.run(&["profile", "list"])).contains("\nspecial "));
}

/// Whoever asks may do anything.
const ANY: &str = "policy:\n  revision: test\n  rules:\n    - {id: any, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [test]}\n";
