//! Bad input and machines that lack something: refused or contained, with what, why and the next step.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::command::{Run, text};
use crate::harness::{Era, Server, fresh_directory, host_program, is_there, not_tested, program};
use crate::processes::peak;

#[test]
fn programs_that_cannot_be_executed_are_refused_with_the_reason() {
    let mut server = Server::start(Era::Modern);
    let files = [
        ("plain", "echo hi", 0o644),
        ("script", "#!/no/such/interpreter\n", 0o755),
        ("garbage", "\u{1}\u{2}", 0o755),
        ("empty", "", 0o755),
    ];
    for (name, content, mode) in files {
        let path = server.workspace().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let table = [
        ("no-such", "cannot find the program \"no-such\""),
        ("/no/such", "cannot find the program \"/no/such\""),
        ("./no-such", "cannot find the program \"./no-such\""),
        ("/usr", "cannot execute \"/usr\": Is a directory"),
        (".", "cannot execute \".\": Is a directory"),
        ("./plain", "cannot execute \"./plain\": Permission denied"),
        ("./script", "the interpreter that its first line names"),
        ("./garbage", "cannot execute \"./garbage\": Exec format error"),
        ("./empty", "cannot execute \"./empty\": Exec format error"),
        ("", "the command is empty"),
    ];
    for (name, said) in table {
        let reply = server.call("terminal_run", json!({"argv": [name]}));
        let fits = reply.is_error && reply.text.contains(said) && reply.text.contains("hint: ");
        assert!(fits, "{name:?}: {}", reply.text);
    }
}

#[test]
fn wrong_arguments_are_refused_by_name() {
    let mut server = Server::start(Era::Modern);
    fs::write(server.workspace().join("file"), "").unwrap();
    let long = "x".repeat(1 << 20);
    let many = vec!["x"; 100_001];
    let large = vec!["x".repeat(100_000); 20];
    let table: [(Value, &str); 12] = [
        (json!({"argv": ["echo", "a\0b"]}), "holds a NUL byte"),
        (json!({"command": "echo a\0b"}), "holds a NUL byte"),
        (json!({"command": "true", "cwd": "a\0b"}), "holds a NUL byte"),
        (json!({"command": "true", "env": {"A": "a\0b"}}), "holds a NUL byte"),
        (
            json!({"command": "true", "env": {"A=B": "x"}}),
            "is no name of an environment variable",
        ),
        (
            json!({"argv": ["echo", long]}),
            "at most 131071 characters, not 1048576",
        ),
        (json!({"argv": many}), "1 to 100000 items, not 100001"),
        (json!({"argv": large}), "more than 1572864"),
        (
            json!({"command": "true", "cwd": "no-such"}),
            "cannot enter the working directory",
        ),
        (json!({"command": "true", "cwd": "file"}), "Not a directory"),
        (json!({"command": "true", "cwd": "/etc"}), "lies outside the workspace"),
        (
            json!({"command": "true", "profile": "no-such"}),
            "no profile is called \"no-such\"",
        ),
    ];
    for (arguments, said) in table {
        let reply = server.call("terminal_run", arguments);
        assert!(reply.is_error && reply.text.contains(said), "{said}: {}", reply.text);
    }
    let most = [vec!["sh", "-c", "echo $#", "sh"], vec!["x"; 99_996]].concat();
    let reply = server.call("terminal_run", json!({"argv": most}));
    assert_eq!(reply.section("stdout"), Some("99996"), "{}", reply.text);
}

#[test]
fn a_preloaded_library_reaches_the_command_and_nothing_of_ours() {
    if !is_there("gcc") {
        return;
    }
    let run = Run::profile("default");
    run.write(
        "spy.c",
        "#include <stdio.h>\n#include <unistd.h>\n__attribute__((constructor)) void spy(void) { char t[999]; \
         long n = readlink(\"/proc/self/exe\", t, 999); FILE *f = fopen(\"seen\", \"a\"); \
         if (f && n > 0) { fprintf(f, \"%.*s\\n\", (int)n, t); fclose(f); } }\n",
    );
    assert!(run.bash("gcc -shared -fPIC -o spy.so spy.c").status.success());
    let spy = run.workspace.join("spy.so");
    let line = format!("LD_PRELOAD={} exec /usr/bin/env true", spy.display());
    // Terrarium's own start must not know the loader's variables of the sandbox, nor hand its own on.
    let mut command = run.command(&["bash", "-c", &line]);
    let output = command.env("LD_LIBRARY_PATH", "/no/such").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let seen = fs::read_to_string(run.workspace.join("seen")).unwrap();
    assert!(seen.contains("/usr/bin/env\n") && !seen.contains("terrarium"), "{seen}");
    assert_eq!(run.bash("echo ${LD_LIBRARY_PATH-none}").stdout, b"none\n");
}

#[test]
fn a_profile_that_names_a_missing_path_is_refused() {
    let profiles = fresh_directory();
    let text_of = "name: far\nsummary: s\nextends: default\nfilesystem: {read: {add: [{path: /no/such, reason: r}]}}\n";
    fs::write(profiles.join("far.yaml"), text_of).unwrap();
    let mut run = Run::profile("far");
    run.options(&["--profiles", profiles.to_str().unwrap()]);
    let output = run.bash("echo ran");
    assert_eq!(output.status.code(), Some(125));
    let said = "profile far names /no/such, which does not exist; hint: create it, or mark it `optional: true`";
    assert!(text(&output).contains(said), "{}", text(&output));
    fs::remove_dir_all(profiles).unwrap();
}

#[test]
fn every_refused_kind_of_workspace_says_why() {
    let own = fresh_directory();
    let home = own.join("home");
    for directory in [
        "home/.ssh",
        "home/.config/x",
        "home/.local/state/terrarium/homes",
        "home/work",
    ] {
        fs::create_dir_all(own.join(directory)).unwrap();
    }
    fs::write(own.join("file"), "").unwrap();
    symlink("/etc", own.join("link")).unwrap();
    let binary = program().get_program().to_owned();
    let programs = Path::new(&binary).parent().unwrap();
    let settings = fs::read_dir("/etc").unwrap().flatten();
    let settings = settings
        .map(|entry| entry.path())
        .find(|path| path.is_dir() && !path.is_symlink());
    let table = [
        (Path::new("/no/such").to_owned(), "name a directory that exists"),
        (own.join("file"), "is no directory"),
        (own.join("link"), "cannot be the workspace"),
        (Path::new("/").to_owned(), "is or contains"),
        (Path::new("/usr").to_owned(), "is or contains /usr"),
        (settings.unwrap(), "lies in /etc"),
        (Path::new("/proc/self").to_owned(), "lies in /proc"),
        (Path::new("/dev/shm").to_owned(), "lies in /dev"),
        (Path::new("/run").to_owned(), "is or contains /run"),
        (home.clone(), "is or contains"),
        (own.clone(), "is or contains"),
        (home.join(".ssh"), "cannot be the workspace"),
        (home.join(".config/x"), ".config"),
        (home.join(".local/state/terrarium/homes"), "lies in"),
        (programs.to_owned(), "cannot be the workspace"),
    ];
    for (workspace, said) in table {
        let mut command = program();
        command
            .args(["run", "--workspace"])
            .arg(&workspace)
            .args(["--", "true"]);
        let output = command
            .env("HOME", &home)
            .env_remove("XDG_STATE_HOME")
            .output()
            .unwrap();
        let shown = text(&output);
        assert_eq!(output.status.code(), Some(125), "{}: {shown}", workspace.display());
        assert!(
            shown.contains(said) && shown.contains("hint: "),
            "{}: {shown}",
            workspace.display()
        );
    }
    fs::remove_dir_all(own).unwrap();
}

#[test]
fn a_gigabyte_of_output_ends_the_command_and_not_the_server() {
    let mut server = Server::start(Era::Modern);
    let reply = server.call(
        "terminal_run",
        json!({"command": "head -c 1G /dev/zero", "yield_ms": 50_000}),
    );
    assert!(
        reply.text.starts_with("ended by limit: output (32MiB)"),
        "{}",
        &reply.text[..100]
    );
    let peak = peak(server.pid());
    assert!(peak < 100_000, "the server took {peak} kB");
}

#[test]
fn a_fork_bomb_is_contained_and_the_next_command_runs() {
    let mut server = Server::start(Era::Modern);
    let bomb = server.send_call(
        "terminal_run",
        json!({"command": "f() { f | f & }; f; sleep 60", "timeout_s": 2, "yield_ms": 50_000}),
    );
    let beside = server.call("terminal_run", json!({"command": "echo beside", "yield_ms": 50_000}));
    assert_eq!(beside.section("stdout"), Some("beside"), "{}", beside.text);
    let reply = server.reply(bomb);
    assert!(
        reply.text.starts_with("ended by limit: timeout_s (2)"),
        "{}",
        reply.text
    );
    assert_eq!(
        server
            .call("terminal_run", json!({"command": "echo next"}))
            .section("stdout"),
        Some("next")
    );
}

#[test]
fn a_missing_home_or_runtime_directory_does_not_matter_and_a_full_one_is_named() {
    let mut run = Run::profile("default");
    let mut command = run.command(&["bash", "-c", "echo ran"]);
    command
        .env("HOME", "/proc")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("USER");
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"ran\n", "{output:?}");
    let mut command = run.command(&["bash", "-c", "echo ran"]);
    assert_eq!(command.env_clear().output().unwrap().stdout, b"ran\n");
    // Only where there is nothing to mount are directories of the host needed.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&run.workspace, Some(4321), Some(4321)).unwrap();
    }
    run.options(&["--pretend", "mount"]);
    let mut command = run.command(&["bash", "-c", "echo ran"]);
    let output = command.env("TMPDIR", "/no/such").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let shown = text(&output);
    assert!(
        shown.contains("cannot make the private directories /no/such/"),
        "{shown}"
    );
}

#[test]
fn two_servers_do_not_disturb_each_other() {
    let mut servers = [Server::start(Era::Modern), Server::start(Era::Legacy)];
    let calls: Vec<_> = servers
        .iter_mut()
        .map(|s| {
            s.send_call(
                "terminal_run",
                json!({"command": "sleep 1; echo done", "yield_ms": 50_000}),
            )
        })
        .collect();
    // A third one starts, sweeps and ends meanwhile.
    let mut third = Server::start(Era::Modern);
    assert!(!third.call("terminal_run", json!({"command": "true"})).is_error);
    drop(third);
    for (server, call) in servers.iter_mut().zip(calls) {
        assert_eq!(server.reply(call).section("stdout"), Some("done"));
    }
}

/// Root of a user namespace that knows only one id, as in many containers: it has root's capabilities, and can become nobody else.
#[test]
fn root_that_knows_one_id_runs_as_itself_and_says_whom_it_cannot_become() {
    let run = Run::profile("default");
    let wrapped = |how: &str, options: &[&str]| {
        let mut command = host_program("unshare");
        command.arg(how).arg(program().get_program());
        command.args(["run", "--workspace"]).arg(&run.workspace).args(options);
        command.args([
            "--",
            "sh",
            "-c",
            "id -u; echo kept > file; grep CapEff /proc/self/status",
        ]);
        command.output().unwrap()
    };
    let able = host_program("unshare").args(["-r", "true"]).output().unwrap();
    if !able.status.success() {
        not_tested("no user namespace can be had here");
        return;
    }
    for how in ["-r", "-rm"] {
        let output = wrapped(how, &[]);
        let shown = text(&output);
        assert!(output.status.success(), "{how}: {shown}");
        assert!(shown.contains("CapEff:\t0000000000000000"), "{how}: {shown}");
        assert_eq!(fs::read_to_string(run.workspace.join("file")).unwrap(), "kept\n");
        fs::remove_file(run.workspace.join("file")).unwrap();
        let refused = wrapped(how, &["--run-as", "1234"]);
        assert_eq!(refused.status.code(), Some(125), "{}", text(&refused));
        assert!(text(&refused).contains("knows only some ids"), "{}", text(&refused));
    }
}
