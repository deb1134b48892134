//! The directories of a sandbox: the home, the temporary one, and how far the workspace may grow. Needs a working sandbox.

use std::os::unix::fs::PermissionsExt as _;

use crate::command::{Run, text};
use crate::harness::{fresh_directory, program};
use crate::side_doors::without;

#[test]
fn a_home_that_is_kept_is_there_again_for_the_same_workspace_only() {
    let state = fresh_directory();
    let profiles = fresh_directory();
    let kept =
        "name: kept\nsummary: keeps its home\nextends: default\nfilesystem: {home: kept}\nlimits: {home: 2MiB}\n";
    std::fs::write(profiles.join("kept.yaml"), kept).unwrap();
    let workspaces = [fresh_directory(), fresh_directory()];
    let run = |workspace: &std::path::Path, line: &str| {
        let mut command = program();
        command.args(["run", "--profile", "kept", "--profiles"]).arg(&profiles);
        command
            .arg("--workspace")
            .arg(workspace)
            .args(["--", "bash", "-c", line]);
        command.env("XDG_STATE_HOME", &state).output().unwrap()
    };
    let count = "echo >> ~/runs; wc -l < ~/runs";
    for (workspace, expected) in [(0, "1\n"), (0, "2\n"), (1, "1\n")] {
        let output = run(&workspaces[workspace], count);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{output:?}");
    }
    assert_eq!(
        run(&workspaces[0], "head -c 1M /dev/zero > ~/file; sleep 1")
            .status
            .code(),
        Some(0)
    );
    let output = run(&workspaces[0], "head -c 2M /dev/zero > ~/more; sleep 60");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("ended by limit: home (2MiB)"), "{errors}");
    for directory in workspaces.iter().chain([&state, &profiles]) {
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn growth_in_a_closed_directory_counts() {
    let profiles = fresh_directory();
    let small = "name: small\nsummary: little room\nextends: default\nlimits: {workspace_growth: 8MiB}\n";
    std::fs::write(profiles.join("small.yaml"), small).unwrap();
    for (size, limit) in [("4M", false), ("12M", true)] {
        let workspace = fresh_directory();
        let mut command = program();
        command.args(["run", "--profile", "small", "--profiles"]).arg(&profiles);
        let line = format!("mkdir d && head -c {size} /dev/zero > d/f; chmod 0 d; sleep 2; chmod 700 d; exit 5");
        command
            .arg("--workspace")
            .arg(&workspace)
            .args(["--", "bash", "-c", &line]);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            errors.contains("ended by limit: workspace_growth (8MiB)"),
            limit,
            "{errors}"
        );
        assert_eq!(output.status.code(), Some(if limit { 137 } else { 5 }), "{output:?}");
        // The owner may be another user, and has closed it.
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(workspace.join("d"), closed).unwrap();
        std::fs::remove_dir_all(&workspace).unwrap();
    }
    std::fs::remove_dir_all(&profiles).unwrap();
}

#[test]
fn without_a_mount_namespace_home_and_tmp_are_private_directories_that_go() {
    let workspace = fresh_directory();
    let line = "echo x > ~/file; mkdir -m 0 ~/closed $TMPDIR/closed; echo ~ $TMPDIR";
    let mut command = program();
    command
        .args(["run", "--pretend", "mount", "--workspace"])
        .arg(&workspace);
    if rustix::process::geteuid().is_root() {
        // Without mounts nothing maps root's files to another user.
        std::os::unix::fs::chown(&workspace, Some(4321), Some(4321)).unwrap();
    }
    let output = command.args(["--", "bash", "-c", line]).output().unwrap();
    let places = String::from_utf8(output.stdout.clone()).unwrap();
    let mut places = places.split_whitespace().map(std::path::Path::new);
    let (home, tmp) = (places.next().unwrap(), places.next().unwrap());
    assert!(home.ends_with("home") && tmp.ends_with("tmp"), "{output:?}");
    assert!(
        home.parent() == tmp.parent() && !home.parent().unwrap().exists(),
        "{output:?}"
    );
    std::fs::remove_dir_all(&workspace).unwrap();
}

/// `/var/tmp` is a link to `/tmp` in a sandbox, unless something of the host's lies there.
#[test]
fn a_workspace_below_var_tmp_is_one_like_any_other() {
    for missing in [&[][..], &["mount"]] {
        let run = without(Run::profile("default").below("/var/tmp"), missing);
        let output = run.bash("pwd; : > made && test -d /var/tmp && echo worked");
        let expected = format!("{}\nworked\n", run.workspace.display());
        assert_eq!(text(&output), expected, "{missing:?}");
        assert!(run.workspace.join("made").exists(), "{missing:?}");
    }
}
