//! What a package brings: completions, manual pages, help without colours where nobody wants them, and the installation.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::command::text;
use crate::harness::{fresh_directory, host_program, is_there, program};

fn said(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn each_shell_accepts_its_completions_and_nothing_hidden_is_offered() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let output = said(&["completions", shell]);
        assert!(output.status.success(), "{}", text(&output));
        let script = text(&output);
        for word in ["serve", "workspace", "doctor", "explain"] {
            assert!(script.contains(word), "{shell}: {word} is missing");
        }
        for hidden in ["pretend", "zygote"] {
            assert!(!script.contains(hidden), "{shell}: {hidden} is offered");
        }
        let directory = fresh_directory();
        let file = directory.join("script");
        fs::write(&file, script).unwrap();
        if is_there(shell) {
            let checked = host_program(shell).arg(check).arg(&file).output().unwrap();
            assert!(checked.status.success(), "{shell}: {}", text(&checked));
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}

#[test]
fn bash_completes_what_was_begun() {
    let script = text(&said(&["completions", "bash"]));
    let ask = "COMP_WORDS=(terrarium doc); COMP_CWORD=1; _terrarium terrarium doc terrarium; echo \"${COMPREPLY[*]}\"";
    let output = host_program("bash")
        .args(["-c", &format!("{script}\n{ask}")])
        .output()
        .unwrap();
    assert_eq!(text(&output).trim(), "doctor");
}

#[test]
fn every_subcommand_has_its_manual_page() {
    let directory = fresh_directory();
    let output = program().arg("man").arg("--dir").arg(&directory).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for name in [
        "terrarium",
        "terrarium-run",
        "terrarium-profile",
        "terrarium-profile-explain",
        "terrarium-install",
    ] {
        let page = fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
        assert!(
            page.contains(".TH") && page.contains("EXTRA") && page.contains("Example"),
            "{name}: {page}"
        );
        assert!(!page.contains("pretend"), "{name}: {page}");
        // Its examples are lines, and its foot says of what it is.
        assert!(page.contains(".SH EXTRA\n.nf\nExample"), "{name}: {page}");
        let foot = format!("\"terrarium {}\"", env!("CARGO_PKG_VERSION"));
        assert!(page.contains(&foot), "{name}: {page}");
    }
    // What a page names as another page is one.
    for entry in fs::read_dir(&directory).unwrap() {
        let page = fs::read_to_string(entry.unwrap().path()).unwrap();
        let named = page.split(['\n', ' ']).filter_map(|word| word.strip_suffix("(1)"));
        for name in named.map(|name| name.replace("\\-", "-")) {
            assert!(
                directory.join(format!("{name}.1")).is_file(),
                "{name} is named and is not there"
            );
        }
    }
    let single = said(&["man"]);
    assert_eq!(single.stdout, fs::read(directory.join("terrarium.1")).unwrap());
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn help_has_colours_on_terminals_only_and_not_where_nobody_wants_them() {
    let on_a_terminal = |variables: &str| {
        let path = program().get_program().to_owned();
        let line = format!("{variables} {} run --help", Path::new(&path).display());
        let mut script = host_program("script");
        script
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("TERM", "xterm-256color");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
            script.env_remove(name);
        }
        text(&script.stdin(Stdio::null()).output().unwrap())
    };
    let colours = |text: &str| text.contains("\u{1b}[");
    let plain = on_a_terminal("env NO_COLOR=1");
    assert!(plain.contains("--timeout"), "{plain}");
    assert!(!colours(&plain), "{plain:?}");
    assert!(colours(&on_a_terminal("env")), "no colours on a terminal");
    for arguments in [
        &["run", "--help"][..],
        &["doctor", "--nonsense"],
        &["doctor"],
        &["profile", "show", "default"],
    ] {
        let piped = text(&said(arguments));
        assert!(piped.len() > 50 && !colours(&piped), "{arguments:?}: {piped:?}");
    }
}

#[test]
fn an_installation_is_what_the_dry_run_says_and_goes_again() {
    let root = fresh_directory();
    fs::create_dir_all(root.join("etc/apparmor.d/abi")).unwrap();
    fs::write(root.join("etc/apparmor.d/abi/4.0"), "").unwrap();
    let act = |word: &str, more: &[&str]| {
        let mut command = program();
        command.args([word, "--system", "--root"]).arg(&root).args(more);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), text(&output))
    };
    let (code, planned) = act("install", &["--dry-run"]);
    assert_eq!(code, 0, "{planned}");
    assert!(!root.join("usr").exists(), "a dry run wrote something");
    let (code, done) = act("install", &[]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(planned, done, "the dry run said something else");
    let written: Vec<&str> = done.lines().filter_map(|line| line.strip_prefix("write  ")).collect();
    assert_eq!(written.len(), 7, "{done}");
    for line in &written {
        let (path, _) = line.split_once(" (").unwrap();
        assert!(Path::new(path).is_file(), "{path}");
    }
    let program_there = fs::read(root.join("usr/local/bin/terrarium")).unwrap();
    assert_eq!(program_there, fs::read(program().get_program()).unwrap());

    let (code, again) = act("install", &[]);
    assert!(code == 0 && !again.contains("write  "), "{again}");

    let unit = root.join("etc/systemd/system/terrarium@.service");
    let ours = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, format!("{ours}# mine\n")).unwrap();
    for word in ["install", "uninstall"] {
        let (code, refused) = act(word, &[]);
        assert!(code == 125 && refused.contains("terrarium@.service"), "{refused}");
    }
    assert!(
        root.join("etc/sysusers.d/terrarium.conf").exists(),
        "something was removed all the same"
    );
    fs::write(&unit, ours).unwrap();

    let (code, gone) = act("uninstall", &[]);
    assert_eq!(code, 0, "{gone}");
    for line in written {
        let (path, _) = line.split_once(" (").unwrap();
        assert!(!Path::new(path).exists(), "{path} is left");
    }
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_program_that_others_may_change_is_not_taken_for_the_one_that_was_installed() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let root = fresh_directory();
    let install = || {
        let mut command = program();
        let output = command.args(["install", "--system", "--root"]).arg(&root).output();
        let output = output.unwrap();
        (output.status.code().unwrap(), text(&output))
    };
    assert_eq!(install().0, 0);
    let program = root.join("usr/local/bin/terrarium");
    let mode = |mode| fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
    for loose in [0o777, 0o775, 0o4755] {
        mode(loose);
        let (code, refused) = install();
        let said = format!("with mode {loose:o} and owner");
        assert!(code == 125 && refused.contains(&said), "{refused}");
    }
    mode(0o755);
    if rustix::process::geteuid().is_root() {
        chown(&program, Some(4321), None).unwrap();
        let (code, refused) = install();
        assert!(code == 125 && refused.contains("mode 755 and owner 4321"), "{refused}");
        chown(&program, Some(0), None).unwrap();
    }
    assert_eq!(install().0, 0);
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn what_the_units_start_is_a_command_line_of_this_program() {
    let socket = include_str!("../../packaging/systemd/terrarium.socket");
    let each = include_str!("../../packaging/systemd/terrarium@.service");
    let http = include_str!("../../packaging/systemd/terrarium-http.service");
    for unit in [each, http] {
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let arguments: Vec<&str> = line.split(' ').skip(1).collect();
        let output = program().args(&arguments).arg("--help").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert!(line.starts_with("/usr/local/bin/terrarium "), "{line}");
    }
    if !is_there("systemd-analyze") {
        return;
    }
    let directory = fresh_directory();
    let ours = fs::canonicalize(program().get_program()).unwrap();
    let units = [
        ("terrarium.socket", socket),
        ("terrarium@.service", each),
        ("terrarium-http.service", http),
    ];
    for (name, text) in units {
        let here = text.replace("/usr/local/bin/terrarium", &ours.display().to_string());
        fs::write(directory.join(name), here).unwrap();
    }
    let verified = host_program("systemd-analyze")
        .args(["--man=no", "verify"])
        .args(units.map(|(name, _)| directory.join(name)))
        .output()
        .unwrap();
    let complaints = text(&verified);
    let complaints: Vec<&str> = complaints.lines().filter(|line| line.contains("terrarium")).collect();
    // What systemd learned in 254 is ignored before.
    let real: Vec<&&str> = complaints
        .iter()
        .filter(|line| !line.contains("DelegateSubgroup"))
        .collect();
    assert!(real.is_empty(), "{real:#?}");
    fs::remove_dir_all(&directory).unwrap();
}
