//! What is mounted in a workspace, and that neither side of a sandbox's mounts shows up on the other.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::command::{Run, text};
use crate::harness::{host_program, not_tested};

/// A user that runs nothing else.
const NOBODY_ELSE: u32 = 54_322;

/// A file system in memory on a directory of the workspace, until it is dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    pub(crate) fn on(directory: &Path) -> Self {
        Self::kind("tmpfs", directory)
    }

    fn kind(kind: &str, directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let mut mount = host_program("mount");
        mount.args(["-t", kind, "-o", "size=128m", "terrarium-test"]);
        assert!(mount.arg(directory).status().unwrap().success());
        fs::set_permissions(directory, fs::Permissions::from_mode(0o1777)).unwrap();
        Self(directory.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The launcher may still look at it; the test says what failed.
        host_program("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn what_is_mounted_in_a_workspace_of_root_s_is_there_or_named() {
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root mounts");
    }
    let run = Run::profile("default");
    let inside = run.workspace.join("volume");
    {
        let mounted = Mounted::on(&inside);
        fs::write(inside.join("there"), "there\n").unwrap();
        let shown =
            text(&run.bash("cat volume/there; echo more >> volume/there; echo made > volume/made; umount volume"));
        assert!(shown.starts_with("there\n"), "{shown}");
        assert_eq!(fs::read_to_string(inside.join("there")).unwrap(), "there\nmore\n");
        assert!(inside.join("made").exists());
        drop(mounted);
    }
    assert!(!inside.join("made").exists(), "written beneath the mount");
    // File systems that cannot map ids, inside and as the workspace itself.
    {
        let _mounted = Mounted::kind("ramfs", &inside);
        let output = run.bash("echo ran");
        let shown = text(&output);
        assert!(
            output.status.code() == Some(125) && shown.contains("cannot map ids"),
            "{shown}"
        );
        assert!(shown.contains(inside.to_str().unwrap()), "{shown}");
    }
    let whole = Run::profile("default");
    let _mounted = Mounted::kind("ramfs", &whole.workspace);
    let shown = text(&whole.bash("echo ran"));
    assert!(
        shown.contains("cannot map ids") && shown.contains("--run-as"),
        "{shown}"
    );
}

#[test]
fn what_is_mounted_in_a_workspace_is_bound_by_what_binds_the_workspace() {
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root mounts");
    }
    for owner in [0, NOBODY_ELSE] {
        for (profile, may) in [("read-only", false), ("default", true)] {
            let run = Run::profile(profile);
            chown(&run.workspace, Some(owner), Some(owner)).unwrap();
            let inside = run.workspace.join("volume");
            let _mounted = Mounted::on(&inside);
            chown(&inside, Some(owner), Some(owner)).unwrap();
            fs::copy("/usr/bin/true", inside.join("program")).unwrap();
            let shown = text(&run.bash("echo x > volume/made && echo wrote; volume/program && echo ran"));
            assert_eq!(
                (shown.contains("wrote"), shown.contains("ran")),
                (may, may),
                "{owner} {profile}: {shown}"
            );
            let mounts = text(&run.bash("grep /volume /proc/self/mountinfo"));
            assert!(mounts.contains("nosuid,nodev"), "{owner} {profile}: {mounts}");
        }
    }
}

/// As systemd makes all mounts of a machine (mount_namespaces(7)).
#[test]
fn what_a_sandbox_mounts_in_a_shared_mount_stays_its_own() {
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root mounts");
    }
    for owner in [0, NOBODY_ELSE] {
        let run = Run::profile("default");
        let _mounted = Mounted::on(&run.workspace);
        fs::create_dir_all(run.workspace.join(".git/hooks")).unwrap();
        let _inside = Mounted::on(&run.workspace.join("volume"));
        for place in ["", "volume"] {
            let mut share = host_program("mount");
            share.arg("--make-shared").arg(run.workspace.join(place));
            assert!(share.status().unwrap().success());
        }
        chown(&run.workspace, Some(owner), Some(owner)).unwrap();
        let name = run.workspace.to_str().unwrap();
        let before = mounts_below(name, &fs::read_to_string("/proc/self/mountinfo").unwrap());
        let inside = mounts_below(name, &text(&run.bash("cat /proc/self/mountinfo")));
        let after = mounts_below(name, &fs::read_to_string("/proc/self/mountinfo").unwrap());
        assert_eq!(before, after, "{owner}: left on the host");
        assert!(
            inside.iter().any(|line| line.contains("/.git/hooks ro")),
            "{owner}: {inside:?}"
        );
        assert!(
            !inside.iter().any(|line| line.contains("shared:")),
            "{owner}: {inside:?}"
        );
    }
}

fn mounts_below(directory: &str, mountinfo: &str) -> Vec<String> {
    let lines = mountinfo.lines().filter(|line| line.contains(directory));
    lines.map(str::to_owned).collect()
}
