//! What subcommands do with arguments that are no good or hostile, and where there is no place or room for what they want.

use std::process::Stdio;

use crate::command::text;
use crate::harness::{fresh_directory, host_program, not_tested, program};

#[test]
fn a_word_that_is_no_level_is_no_filter_for_the_log() {
    for (filter, right) in [
        ("inof", false),
        ("warn,inof", false),
        ("info", true),
        ("warn,audit=info", true),
    ] {
        let directory = fresh_directory();
        let mut command = program();
        command
            .args(["serve", "--log", filter])
            .current_dir(&directory)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.success(), right, "{filter}: {said}");
        assert!(
            right || said.contains("\"inof\" is no level of the log; hint: error, warn,"),
            "{said}"
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

#[test]
fn a_server_that_has_no_place_for_its_socket_says_so() {
    let usual = format!("/run/user/{}", rustix::process::geteuid());
    if std::path::Path::new(&usual).is_dir() {
        not_tested(&format!("{usual} is a place for sockets"));
        return;
    }
    let directory = fresh_directory();
    let mut command = program();
    command.arg("serve").current_dir(&directory).stdin(Stdio::null());
    let audit = directory.with_extension("audit");
    let config = directory.with_extension("yaml");
    std::fs::write(&config, format!("audit: {{path: {}}}\n", audit.display())).unwrap();
    command.arg("--config").arg(&config);
    command
        .env("HOME", "nowhere")
        .env("XDG_STATE_HOME", "nowhere")
        .env("XDG_RUNTIME_DIR", "nowhere");
    let said = text(&command.output().unwrap());
    std::fs::remove_file(&config).unwrap();
    assert!(said.contains("there is no place for a control socket"), "{said}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn help_and_plans_that_cannot_be_written_are_failures() {
    let cases = [
        &["--help"][..],
        &[],
        &["run", "--help"],
        &["man"],
        &["install", "--system", "--dry-run"],
    ];
    for arguments in cases {
        let mut command = program();
        command
            .args(arguments)
            .stdout(std::fs::File::create("/dev/full").unwrap());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {}", text(&output));
        assert!(
            text(&output).contains("No space left"),
            "{arguments:?}: {}",
            text(&output)
        );
    }
}

#[test]
fn what_is_told_of_an_argument_acts_on_no_terminal() {
    let hostile = "/no\u{1b}]0;x\u{7}\u{9b}m";
    let cases = [
        &["run", "--workspace", hostile, "--", "true"][..],
        &["policy", "check", "--config", hostile],
        &["profile", "check", hostile],
        &["hf", "import", hostile],
        &["install", "--system", "--dry-run", "--root", hostile],
    ];
    for arguments in cases {
        let said = text(&program().args(arguments).output().unwrap());
        assert!(said.contains(r"/no\u{1b}]0;x\u{7}\u{9b}m"), "{arguments:?}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{arguments:?}: {said}");
    }
}

#[test]
fn our_own_files_can_be_used_whatever_the_umask() {
    let directory = fresh_directory();
    let mut command = host_program("sh");
    command.args(["-c", r#"umask 0777; exec "$0" run -- sh -c "echo ran >file; cat file""#]);
    command.arg(program().get_program()).current_dir("/");
    command
        .env("HOME", &directory)
        .env("XDG_STATE_HOME", directory.join("state"))
        .env("TMPDIR", &directory);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ran\n", "{}", text(&output));
    std::fs::remove_dir_all(&directory).unwrap();
}
