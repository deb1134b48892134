//! Ways around a limit or a protection that go past the obvious one, each shut.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use serde_json::json;

use crate::command::{Run, text, until};
use crate::harness::{Era, Server, fresh_directory, host_program, not_tested};

/// A user that runs nothing else.
const NOBODY_ELSE: u32 = 54_321;

/// As on a machine that lacks something. Without a view the ids of root's files cannot be mapped: then they are another user's.
pub(crate) fn without(mut run: Run, missing: &[&str]) -> Run {
    for missing in missing {
        run.options(&["--pretend", missing]);
    }
    if rustix::process::geteuid().is_root() {
        chown(&run.workspace, Some(NOBODY_ELSE), Some(NOBODY_ELSE)).unwrap();
    }
    run
}

#[test]
fn space_is_not_reserved_past_the_limit_on_file_sizes() {
    // FS_IOC_RESVSP, FS_IOC_RESVSP64, FS_IOC_ZERO_RANGE with a struct space_resv (linux/falloc.h).
    let reserve = "import fcntl, struct, sys
f = open(sys.argv[1] if len(sys.argv) > 1 else 'f', 'wb')
for request in (0x40305828, 0x4030582a, 0x40305839):
    try:
        fcntl.ioctl(f, request, struct.pack('hhxxxxqqiI16x', 0, 0, 0, 64 << 20, 0, 0))
        print('reserved')
    except OSError as error:
        print(error.errno)
";
    let run = Run::limited("file_size: 4MiB");
    let output = run.python(reserve);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n1\n1\n", "{output:?}");
}

#[test]
fn files_without_a_name_are_growth() {
    let held = "import os, time
held = []
for n in range(12):
    f = os.open('f', os.O_CREAT | os.O_RDWR)
    os.unlink('f')
    os.write(f, b'x' * (8 << 20))
    held.append(f)
    time.sleep(0.2)
time.sleep(30)
print('had')
";
    let passed = "import array, os, socket, time
a, b = socket.socketpair()
for n in range(12):
    f = os.open('f', os.O_CREAT | os.O_RDWR)
    os.unlink('f')
    os.write(f, b'x' * (8 << 20))
    a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [f]))])
    os.close(f)
    time.sleep(0.2)
time.sleep(30)
print('had')
";
    for program in [held, passed] {
        is_ended(program, "workspace_growth", "20MiB");
    }
}

/// The program is ended by this limit before it says that it had its way, with and without a cgroup.
fn is_ended(program: &str, limit: &str, value: &str) {
    for pretended in [&[][..], &["--pretend", "cgroup"]] {
        let mut run = Run::limited(&format!("{limit}: {value}"));
        run.options(pretended);
        let shown = text(&run.python(program));
        assert!(
            shown.contains(&format!("limit: {limit}")) && !shown.contains("had"),
            "{pretended:?}: {shown}"
        );
    }
}

#[test]
fn what_is_executed_is_not_written_through_proc() {
    let write =
        "try:\n  open('/proc/self/mem', 'r+b').close(); print('opened')\nexcept OSError as error: print(error.errno)";
    let free = Run::profile("default").python(write);
    assert_eq!(String::from_utf8_lossy(&free.stdout), "opened\n", "{free:?}");
    let denied = Run::settings("filesystem: {write_and_execute: denied}").python(write);
    assert_eq!(String::from_utf8_lossy(&denied.stdout), "13\n", "{denied:?}");
}

#[test]
fn sixteen_sandboxes_leave_inotify_instances_and_watches_to_others() {
    let all = |kind: &str| -> u32 {
        let text = fs::read_to_string(format!("/proc/sys/fs/inotify/max_user_{kind}")).unwrap();
        text.trim().parse().unwrap()
    };
    let take = "import ctypes, os
libc = ctypes.CDLL(None)
held = []
while (one := libc.inotify_init()) >= 0: held.append(one)
watches = 0
for directory, _, files in os.walk('/usr'):
    for name in files:
        watches += libc.inotify_add_watch(held[0], os.path.join(directory, name).encode(), 0x2000004) >= 0
print(len(held), watches)";
    let output = Run::profile("default").python(take);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let had: Vec<u32> = said.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let [instances, watches] = had[..] else {
        panic!("{output:?}")
    };
    let (most, watched) = (all("instances"), all("watches"));
    assert!((1..=most / 20).contains(&instances), "{instances} of {most}");
    assert!((1..=watched / 20).contains(&watches), "{watches} of {watched}");
}

/// What draws on a stock that the machine has once, and what leaves a device behind: each refused, and for that reason.
#[test]
fn filters_on_sockets_huge_pages_and_whiteouts_are_refused() {
    let refused = "import ctypes, mmap, os, socket
libc = ctypes.CDLL(None, use_errno=True)
pair, stream = socket.socketpair(), socket.socket()
program = ctypes.create_string_buffer(bytes([6, 0, 0, 0, 255, 255, 255, 255]))
class Program(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('first', ctypes.c_void_p)]
allowed = Program(1, ctypes.addressof(program))
open('f', 'w').close()
libc.mmap.restype = ctypes.c_ssize_t
for act in (
    lambda: libc.setsockopt(pair[0].fileno(), 1, 26, ctypes.byref(allowed), ctypes.sizeof(allowed)),
    lambda: libc.setsockopt(pair[0].fileno(), 1, 50, ctypes.byref(ctypes.c_int(0)), 4),
    lambda: libc.setsockopt(stream.fileno(), 1, 60, ctypes.byref(ctypes.c_int(1)), 4),
    lambda: libc.mmap(None, ctypes.c_size_t(2 << 20), 3, 0x40022, -1, 0),
    lambda: libc.renameat2(-100, b'f', -100, b'g', 4),
): print(ctypes.get_errno() if act() == -1 else 'had')";
    let shown = text(&Run::profile("default").python(refused));
    assert_eq!(shown, "1\n".repeat(5));
    let mut free = host_program("/usr/bin/python3");
    let directory = fresh_directory();
    let shown = text(&free.args(["-c", refused]).current_dir(&directory).output().unwrap());
    assert!(shown.contains("had"), "{shown}");
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn connections_within_the_sandbox_hold_little() {
    let hold = "import socket
listener = socket.create_server(('127.0.0.1', 0), backlog=20)
held = 0
pairs = []
for n in range(20):
    a = socket.create_connection(listener.getsockname())
    pairs.append((a, listener.accept()[0]))
    a.settimeout(0.05)
    try:
        while True: held += a.send(b'x' * 65536)
    except OSError: pass
print(held >> 20)";
    for pretended in [&[][..], &["--pretend", "cgroup"]] {
        let mut run = Run::limited("memory: 128MiB, tmp: 8MiB, home: 8MiB");
        run.options(pretended);
        let output = run.python(hold);
        let held = String::from_utf8_lossy(&output.stdout).trim().parse::<u32>();
        // On version 2 of cgroups it is memory like any other, and ends the command.
        assert!(
            held.is_ok_and(|held| held <= 32) || !output.status.success(),
            "{pretended:?}: {output:?}"
        );
    }
}

#[test]
fn what_the_user_s_groups_may_do_with_priorities_is_not_the_command_s() {
    let run = Run::profile("default");
    let show = "import resource as r; print(r.getrlimit(r.RLIMIT_RTPRIO), r.getrlimit(13))";
    let inner = run.command(&["/usr/bin/python3", "-c", show]);
    let mut command = host_program("bash");
    command.args(["-c", r#"ulimit -r 20; ulimit -e 30; exec "$0" "$@""#]); // root can, outside of containers
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "(0, 0) (0, 0)\n", "{output:?}");
}

/// Before its third version Landlock does not know of truncation.
#[test]
fn files_outside_are_not_emptied_where_landlock_is_old() {
    let outside = fresh_directory();
    let key = outside.join("key");
    fs::write(&key, "secret").unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o666)).unwrap();
    let empty = format!(
        "import os
for way in (lambda p: os.truncate(p, 0), lambda p: os.open(p, os.O_RDONLY | os.O_TRUNC), lambda p: os.open(p, 3 | os.O_TRUNC)):
    try: way({key:?}); print('emptied')
    except OSError as error: print(error.errno)
open('own', 'w').write('x' * 9); os.truncate(os.open('own', os.O_RDWR), 3); open('own', 'w').close()
print('worked')"
    );
    for abi in ["landlock=1", "landlock=2"] {
        let run = without(Run::profile("default"), &["mount", abi]);
        let shown = text(&run.python(&empty));
        assert!(
            shown.ends_with("worked\n") && !shown.contains("emptied"),
            "{abi}: {shown}"
        );
        assert_eq!(fs::read_to_string(&key).unwrap(), "secret", "{abi}");
    }
    fs::remove_dir_all(&outside).unwrap();
}

/// Where signals reach every process of the user, it must be one that runs nothing else.
#[test]
fn the_owner_of_a_workspace_is_nobody_to_run_as_where_processes_are_in_reach() {
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root runs commands as another user");
    }
    let owners = without(Run::profile("default"), &["pid", "landlock=5"]);
    let shown = text(&owners.bash("echo ran"));
    assert!(shown.contains("--run-as UID") && !shown.contains("ran\n"), "{shown}");
    let mut named = without(Run::profile("default"), &["pid", "landlock=5"]);
    named.options(&["--run-as", &NOBODY_ELSE.to_string()]);
    // Its pid 1 is one of that user's: who stops it does not hide the end.
    let output = named.bash("kill -STOP $PPID; exit 3");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn the_memory_of_other_processes_is_out_of_reach_where_they_are_seen() {
    let read = "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for call in (310, 311, 312, 438, 440):
    libc.syscall(call, os.getpid(), 0, 0, 0, 0, 0); print(ctypes.get_errno())";
    if !cfg!(target_arch = "x86_64") {
        return not_tested("the numbers are those of x86-64");
    }
    let output = without(Run::profile("build"), &["pid"]).python(read);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.lines().count() == 5 && said.lines().all(|line| ["1", "38"].contains(&line)),
        "{output:?}"
    );
}

#[test]
fn processor_time_of_children_that_nobody_waits_for_counts() {
    let burn = "import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for n in range(20):
    if os.fork() == 0:
        end = time.process_time() + 0.4
        while time.process_time() < end: pass
        os._exit(0)
    try: os.wait()
    except ChildProcessError: pass
print('had')";
    is_ended(burn, "cpu_time", "2s, cpu: 100%");
}

#[test]
fn page_tables_are_memory_and_semaphores_cannot_be_had_uncounted() {
    let tables = "import mmap, time
m = mmap.mmap(-1, 96 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
m.madvise(15)
for n in range(0, 96 << 30, 2 << 20): m[n]
time.sleep(30)
print('had')";
    let semaphores = "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.semget(0, 32000, 0o1600))";
    // A byte in a pipe that keeps two megabytes of a file that is gone.
    let pages = "import ctypes, errno, os, shutil
libc = ctypes.CDLL(None, use_errno=True)
open('f', 'wb').write(b'x' * (2 << 20))
f, (r, w) = os.open('f', os.O_RDONLY), os.pipe()
for move in (lambda: libc.splice(f, None, w, None, 1, 0), lambda: libc.sendfile(w, f, None, 1), lambda: libc.tee(r, w, 1, 2)):
    print(errno.errorcode[ctypes.get_errno()] if move() == -1 else 'had')
shutil.copyfile('f', 'g')
print(os.path.getsize('g') >> 20)";
    let mut run = Run::limited("memory: 100MiB, tmp: 8MiB, home: 8MiB");
    run.options(&["--pretend", "cgroup"]);
    let shown = text(&run.python(tables));
    assert!(
        shown.contains("limit: memory (100MiB)") && !shown.contains("had"),
        "{shown}"
    );
    assert_eq!(String::from_utf8_lossy(&run.python(semaphores).stdout), "-1\n");
    assert_eq!(text(&run.python(pages)), "EINVAL\nEINVAL\nEINVAL\n2\n");
}

/// The kernel counts the descriptors on their way through sockets for each user, and refuses to send one when there are too many.
#[test]
fn descriptors_on_their_way_in_one_sandbox_do_not_stop_the_next_launch() {
    if rustix::process::geteuid().is_root() {
        return not_tested("the kernel does not count root's");
    }
    let hold = "import array, socket, time
a, b = socket.socketpair()
for n in range(5): a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 253))])
open('ready', 'w').close()
time.sleep(60)";
    let (holder, next) = (Run::profile("default"), Run::profile("default"));
    let mut held = holder.command(&["/usr/bin/python3", "-c", hold]).spawn().unwrap();
    until("descriptors are on their way", || {
        holder.workspace.join("ready").exists()
    });
    let inner = next.command(&["echo", "ran"]);
    let mut command = host_program("sh");
    command.args(["-c", r#"ulimit -Sn 1024; exec "$0" "$@""#]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let reply = Server::start(Era::Modern).call("terminal_run", json!({"command": "echo ran", "tty": true}));
    assert!(!reply.is_error, "{}", reply.text);
    rustix::process::kill_process(rustix::process::Pid::from_child(&held), rustix::process::Signal::TERM).unwrap();
    held.wait().unwrap();
    assert_eq!(text(&output), "ran\n");
}

#[test]
fn directories_of_the_system_are_no_workspace_by_any_name() {
    for path in ["/bin", "/lib", "/sbin", "/usr/bin", "/usr/lib", "/usr/share"] {
        if !Path::new(path).is_dir() {
            continue;
        }
        let output = crate::harness::program()
            .args(["run", "--workspace", path, "--", "true"])
            .output()
            .unwrap();
        let shown = text(&output);
        assert!(
            output.status.code() == Some(125) && shown.contains("cannot be the workspace"),
            "{path}: {shown}"
        );
    }
}
