//! Attacks from inside, through `terrarium run`: each is seen to succeed without the sandbox, or would.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Output, Stdio};

use crate::command::{Run, text, until};
use crate::harness::{fresh_directory, host_program, not_tested, program};
use crate::processes::asleep;
use crate::side_doors::without;

fn run(workspace: &std::path::Path, options: &[&str], line: &str) -> Output {
    let mut command = program();
    command.arg("run").arg("--workspace").arg(workspace).args(options);
    command
        .args(["--", "bash", "-c", line])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_file_outside_is_read_without_the_sandbox_and_not_with_it() {
    let outside = fresh_directory();
    let inside = fresh_directory();
    let secret = outside.join("secret");
    fs::write(&secret, "the-secret").unwrap();
    assert_eq!(fs::read_to_string(&secret).unwrap(), "the-secret");
    std::os::unix::fs::symlink(&secret, inside.join("link")).unwrap();
    let output = run(
        &inside,
        &[],
        &format!("cat {} link; ls -d {}", secret.display(), outside.display()),
    );
    assert!(!text(&output).contains("the-secret"), "{}", text(&output));
    assert!(text(&output).contains("No such file"), "{}", text(&output));
}

#[test]
fn the_host_s_name_is_not_the_sandbox_s_business() {
    let inside = fresh_directory();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let output = run(&inside, &[], "uname -n; cat /proc/sys/kernel/hostname");
    assert_eq!(text(&output), "terrarium\nterrarium\n", "the host's is {host}");
}

#[test]
fn hooks_stay_as_they_are_and_what_appears_is_reported() {
    let inside = fresh_directory();
    fs::create_dir_all(inside.join(".git/hooks")).unwrap();
    fs::write(inside.join(".git/config"), "mine").unwrap();
    let attack = "echo x > .git/hooks/pre-commit; mv .git gone; echo x > .git/config; echo x > .envrc";
    let output = run(&inside, &[], attack);
    assert!(!inside.join(".git/hooks/pre-commit").exists() && !inside.join("gone").exists());
    assert_eq!(fs::read_to_string(inside.join(".git/config")).unwrap(), "mine");
    assert!(
        text(&output).contains("\".envrc\" appeared or changed"),
        "{}",
        text(&output)
    );
}

#[test]
fn no_file_becomes_set_user_id() {
    let inside = fresh_directory();
    let attack =
        "cp /bin/true a; chmod 4755 a; chmod g+s a; python3 -c 'import os; os.open(\"b\", os.O_CREAT, 0o4755)'";
    run(&inside, &[], attack);
    for entry in fs::read_dir(&inside).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o6000, 0, "{:?}", entry.path());
    }
    assert!(inside.join("a").exists());
}

#[test]
fn exit_statuses_are_those_of_a_shell() {
    let inside = fresh_directory();
    for (line, code) in [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 0)] {
        assert_eq!(run(&inside, &[], line).status.code(), Some(code), "{line}");
    }
    assert_eq!(
        run(&inside, &["--timeout", "300ms"], "sleep 60").status.code(),
        Some(124)
    );
    let missing = program()
        .args(["run", "--workspace"])
        .arg(&inside)
        .args(["--", "no-such-program"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(127));
    let directory = program()
        .args(["run", "--workspace"])
        .arg(&inside)
        .args(["--", "/usr"])
        .output()
        .unwrap();
    assert_eq!(directory.status.code(), Some(126));
}

#[test]
fn memory_and_processes_and_growth_have_an_end() {
    let inside = fresh_directory();
    let memory = run(
        &inside,
        &[],
        "python3 -c 'x = bytearray(1500 << 20); print(\"had it\")'",
    );
    assert!(!text(&memory).contains("had it"), "{}", text(&memory));
    let under = run(&inside, &[], "python3 -c 'x = bytearray(300 << 20); print(\"had it\")'");
    assert!(text(&under).contains("had it"), "{}", text(&under));
    let forks = run(
        &inside,
        &[],
        "for i in $(seq 300); do sleep 1000 & done 2>&1; jobs -p | wc -l",
    );
    assert!(
        text(&forks).contains("Resource temporarily unavailable"),
        "{}",
        text(&forks)
    );
    let disk = rustix::fs::statvfs(&inside).unwrap();
    if disk.f_bavail * disk.f_frsize < 2 << 30 {
        not_tested("the disk has less room than a workspace may grow by");
        return;
    }
    let fill = run(
        &inside,
        &[],
        "for i in $(seq 40); do head -c 50M /dev/zero > f$i; done; sleep 30; echo all",
    );
    assert!(
        !text(&fill).contains("all") && text(&fill).contains("limit: workspace_growth (1GiB)"),
        "{}",
        text(&fill)
    );
    fs::remove_dir_all(&inside).unwrap();
}

#[test]
fn below_the_floor_nothing_runs_and_above_it_the_lack_is_made_up_for() {
    let inside = fresh_directory();
    let none = run(&inside, &["--pretend", "mount", "--pretend", "landlock"], "echo ran");
    assert_eq!(none.status.code(), Some(125));
    assert!(
        text(&none).contains("both mount namespaces and Landlock"),
        "{}",
        text(&none)
    );
    let strict = run(&inside, &["--profile", "strict", "--pretend", "cgroup"], "echo ran");
    assert!(text(&strict).contains("profile strict requires"), "{}", text(&strict));
    let no_landlock = run(&inside, &["--pretend", "landlock"], "cat /etc/shadow; echo ran");
    assert!(
        text(&no_landlock).contains("ran") && text(&no_landlock).contains("No such file"),
        "{}",
        text(&no_landlock)
    );
    let no_network = run(
        &inside,
        &["--pretend", "network"],
        "exec 3<>/dev/tcp/127.0.0.1/9; echo ran",
    );
    assert!(
        text(&no_network).contains("Operation not permitted"),
        "{}",
        text(&no_network)
    );
}

#[test]
fn a_killed_server_leaves_no_process() {
    let inside = fresh_directory();
    let mark = format!("{}", 100_000 + std::process::id());
    let line = format!(
        "(setsid sleep {mark} &); nohup sleep {mark} >/dev/null 2>&1 & trap '' HUP TERM; echo up > up; sleep {mark}"
    );
    let mut child = program()
        .arg("run")
        .arg("--workspace")
        .arg(&inside)
        .args(["--", "bash", "-c", &line])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("all run", || inside.join("up").exists() && asleep(&mark) >= 3);
    child.kill().unwrap();
    child.wait().unwrap();
    until("no process is left", || asleep(&mark) == 0);
}

#[test]
fn system_v_objects_of_the_host_are_out_of_reach_without_namespaces() {
    let inside = fresh_directory();
    // shmget, semget and msgget of a fixed key: shared with the whole host unless there is a namespace or a filter.
    let line = "python3 -c 'import ctypes; c = ctypes.CDLL(None); print([f(0x7e44, *a) for f, a in \
                [(c.shmget, (4096, 0o1600)), (c.semget, (1, 0o1600)), (c.msgget, (0o1600,))]])'";
    let root = nix::unistd::geteuid().is_root();
    // As root namespaces need no user namespace, so there they are there.
    let options: &[&str] = if root { &[] } else { &["--pretend", "user"] };
    let output = run(&inside, options, line);
    let made = fs::read_to_string("/proc/sysvipc/shm")
        .unwrap()
        .contains(&0x7e44.to_string());
    assert!(!made, "{}", text(&output));
    assert!(root || text(&output).contains("[-1, -1, -1]"), "{}", text(&output));
    fs::remove_dir_all(&inside).unwrap();
}

/// Landlock's rule for `/tmp` lets run what lies there, and a workspace may lie there too.
#[test]
fn a_workspace_for_reading_runs_nothing() {
    let cases: [(&str, &[&str]); 4] = [
        ("/tmp", &[]),
        ("/tmp", &["landlock"]),
        ("/tmp", &["mount"]),
        ("/var/tmp", &["mount"]),
    ];
    for (place, missing) in cases {
        let run = without(Run::profile("read-only").below(place), missing);
        fs::copy("/bin/true", run.workspace.join("program")).unwrap();
        let output = run.command(&["./program"]).output().unwrap();
        assert_eq!(output.status.code(), Some(126), "{place} {missing:?}: {output:?}");
    }
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root writes to /usr/local/src");
    }
    let run = without(Run::profile("read-only").below("/usr/local/src"), &["mount"]);
    fs::copy("/bin/true", run.workspace.join("program")).unwrap();
    let output = run.command(&["./program"]).output().unwrap();
    assert!(text(&output).contains("what lies in /usr"), "{output:?}");
}

/// A pair of sockets of the kind "raw" is one of datagrams, which can be sent to any address.
#[test]
fn a_pair_of_sockets_reaches_no_socket_of_the_host() {
    let directory = fresh_directory();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.join("socket");
    let name = format!("terrarium-pair-{}", std::process::id());
    let abstracted = SocketAddr::from_abstract_name(&name).unwrap();
    let victims = [UnixDatagram::bind(&path), UnixDatagram::bind_addr(&abstracted)].map(Result::unwrap);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let send = format!(
        "import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
for kind in range(16):
    pair = (ctypes.c_int * 2)()
    if libc.socketpair(1, kind, 0, pair): continue
    print('pair', kind)
    one = socket.socket(fileno=pair[0])
    one.settimeout(5)
    for address in ({path:?}, '\\0{name}'):
        try: one.sendto(b'hello', address)
        except OSError: pass"
    );
    let heard = || {
        victims.iter().any(|victim| {
            victim.set_nonblocking(true).unwrap();
            victim.recv(&mut [0; 16]).is_ok()
        })
    };
    for missing in ["user", "mount"] {
        let output = without(Run::profile("default"), &[missing]).python(&send);
        assert!(!heard(), "{missing}: {output:?}");
        assert!(text(&output).starts_with("pair 1\n"), "{missing}: {output:?}");
    }
    host_program("/usr/bin/python3").args(["-c", &send]).output().unwrap();
    assert!(heard());
    fs::remove_dir_all(&directory).unwrap();
}
