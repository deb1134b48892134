//! In a container: a filter from outside that refuses namespaces, mounts and keys, and a `/proc/sys` that nobody may write.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

use crate::command::{Run, text};
use crate::harness::{not_tested, program};

/// What Docker's default profile refuses whoever lacks CAP_SYS_ADMIN, of what a sandbox is built with: with EPERM.
const REFUSED: [i64; 13] = [
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_sethostname,
];
/// The same of clone(2) with any of these.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Runs a command as Docker does.
fn confined(command: Command) -> Output {
    let new_namespace = |flag: &i32| {
        let bit = u64::from(flag.cast_unsigned());
        let set = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bit), bit).unwrap();
        SeccompRule::new(vec![set]).unwrap()
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.map(|call| (call, Vec::new())).into();
    rules.insert(libc::SYS_clone, NAMESPACES.iter().map(new_namespace).collect());
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    filtered(command, vec![(clone3, libc::ENOSYS), (rules, libc::EPERM)])
}

/// Runs a command under filters, which whoever is started cannot take off again.
fn filtered(mut command: Command, filters: Vec<(BTreeMap<i64, Vec<SeccompRule>>, i32)>) -> Output {
    // A thread of its own: a filter is for ever.
    let filtered = std::thread::spawn(move || {
        for (rules, errno) in filters {
            let refuse = SeccompAction::Errno(errno.cast_unsigned());
            let machine = std::env::consts::ARCH.try_into().unwrap();
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine).unwrap();
            apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        }
        command.output().unwrap()
    });
    filtered.join().unwrap()
}

#[test]
fn in_dockers_default_confinement_it_runs_by_landlock_and_its_filter_alone() {
    let mut run = Run::profile("default");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&run.workspace, Some(4321), Some(4321)).unwrap();
    }
    let line = "echo ran > made && cat made; cat /etc/shadow; unshare --user true || echo refused";
    let output = confined(run.command(&["bash", "-c", line]));
    let shown = text(&output);
    // Where nothing is run without namespaces, nothing is run here either.
    run.options(&[
        "--pretend",
        "user",
        "--pretend",
        "mount",
        "--pretend",
        "pid",
        "--pretend",
        "network",
    ]);
    if text(&run.bash("true")).contains("Landlock 6") {
        assert!(
            output.status.code() == Some(125) && shown.contains("Landlock 6"),
            "{shown}"
        );
        return not_tested("Landlock 6 is not there, and nothing is run");
    }
    assert_eq!(output.stdout, b"ran\nrefused\n", "{shown}");
    assert!(shown.contains("/etc/shadow: Permission denied"), "{shown}");
    let mut doctor = program();
    doctor.arg("doctor");
    let told = text(&confined(doctor));
    assert!(told.contains("fix: a system call filter is in force here"), "{told}");
}

#[test]
fn where_proc_sys_is_read_only_the_filter_alone_refuses_namespaces_within() {
    let mut run = Run::profile("default");
    run.options(&["--pretend", "counts"]);
    let output = run.bash("cat /proc/sys/user/max_user_namespaces; unshare --user true || echo refused");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!shown.starts_with("0\n") && shown.ends_with("refused\n"), "{shown}");
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root makes the machine's /proc/sys read-only");
    }
    let run = Run::profile("default");
    let inner = run.command(&["sh", "-c", "unshare --user true || echo refused"]);
    let mut outer = crate::harness::host_program("unshare");
    let read_only = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec \"$@\"";
    outer
        .args(["--mount", "sh", "-c", read_only, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    let output = outer.env("TMPDIR", &run.tmp).output().unwrap();
    assert_eq!(output.stdout, b"refused\n", "{output:?}");
}

/// What systemd's `RestrictSUIDSGID=` refuses because no filter sees its arguments, as in our own units.
#[test]
fn where_openat2_is_refused_every_protection_holds_all_the_same() {
    let run = Run::profile("default");
    std::fs::create_dir_all(run.workspace.join(".git/hooks")).unwrap();
    let refused = vec![(BTreeMap::from([(libc::SYS_openat2, Vec::new())]), libc::ENOSYS)];
    let line = "echo ran; touch .git/hooks/made || echo protected";
    let plain = run.bash(line);
    let output = filtered(run.command(&["bash", "-c", line]), refused);
    assert_eq!(output.stdout, b"ran\nprotected\n", "{}", text(&output));
    assert_eq!(output.stdout, plain.stdout);
}
