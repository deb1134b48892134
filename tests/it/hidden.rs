//! Growth and memory that hide: no name, nobody may look, another file system. Each counts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::command::{Run, text, until};
use crate::harness::{host_program, not_tested};
use crate::sessions::Terminal;

/// A user that runs nothing else.
const NOBODY_ELSE: u32 = 54_322;

/// Holds twelve files of eight MiB, each as `hold` does with `f`, after `first`; says that it had its way.
fn hoard(first: &str, hold: &str) -> String {
    format!(
        "import ctypes, mmap, os, threading, time
libc = ctypes.CDLL(None)
held = []
def grow():
    for n in range(12):
        f = os.open(b'f' + name, os.O_CREAT | os.O_RDWR)
        os.write(f, b'x' * (8 << 20))
        {hold}
        time.sleep(0.2)
    time.sleep(30)
    print('had')
name = b''
{first}
grow()
"
    )
}

const NO_NAME: &str = "os.unlink(b'f' + name); held.append(f)";
const NOT_DUMPABLE: &str = "libc.prctl(4, 0, 0, 0, 0)";
/// A page of each, and no descriptor.
const MAPPED: &str = "held.append(mmap.mmap(f, 4096)); os.close(f); os.unlink(b'f' + name)";
const MAPPED_BY_C: &str = "libc.mmap(None, 4096, 1, 1, f, 0); os.close(f); os.unlink(b'f' + name)";

/// Is ended before it says that it had its way, with and without a cgroup.
fn is_ended(limits: &str, named: &str, arguments: &[&str]) {
    for pretended in [&[][..], &["--pretend", "cgroup"]] {
        let mut run = Run::limited(limits);
        run.options(pretended);
        let shown = text(&run.command(arguments).output().unwrap());
        assert!(
            shown.contains(named) && !shown.contains("had"),
            "{pretended:?} {arguments:?}: {shown}"
        );
    }
}

fn growth_is_ended(program: &str) {
    is_ended(
        "workspace_growth: 20MiB",
        "limit: workspace_growth",
        &["/usr/bin/python3", "-uc", program],
    );
}

#[test]
fn a_process_that_lets_nobody_look_hides_no_growth() {
    growth_is_ended(&hoard(NOT_DUMPABLE, NO_NAME));
    let unreadable = "cp /usr/bin/python3 p && chmod 111 p && exec ./p -uc \"$1\"";
    let program = hoard("", NO_NAME);
    let arguments = ["bash", "-c", unreadable, "bash", &program];
    is_ended("workspace_growth: 20MiB", "limit: workspace_growth", &arguments);
}

#[test]
fn a_page_of_a_file_stands_for_all_of_it() {
    growth_is_ended(&hoard("", MAPPED_BY_C));
    growth_is_ended(&hoard("name = b'\\xff'", MAPPED));
    growth_is_ended(&hoard(NOT_DUMPABLE, MAPPED));
}

#[test]
fn what_the_other_threads_have_counts_when_the_first_has_ended() {
    let alone = "threading.Thread(target=grow).start(); libc.pthread_exit(None)";
    growth_is_ended(&hoard(alone, MAPPED));
}

#[test]
fn memory_of_other_threads_counts_when_the_first_has_ended() {
    let memory = "import ctypes, mmap, threading, time
def grow():
    shared = mmap.mmap(-1, 200 << 20)
    for n in range(0, 200 << 20, 4096): shared[n] = 1
    time.sleep(30)
    print('had')
threading.Thread(target=grow).start()
ctypes.CDLL(None).pthread_exit(None)";
    let limits = "memory: 128MiB, tmp: 8MiB, home: 8MiB";
    is_ended(limits, "limit: memory (128MiB)", &["/usr/bin/python3", "-uc", memory]);
}

/// What is shared stays in memory when nobody maps it, or most of it, any more.
#[test]
fn shared_memory_that_a_process_does_not_show_counts() {
    let fill = |hide: &str| {
        format!(
            "import ctypes, mmap, time
libc = ctypes.CDLL(None)
held = []
for n in range(12):
    m = mmap.mmap(-1, 24 << 20)
    m.write(b'x' * (24 << 20))
    {hide}
    held.append(m)
    time.sleep(0.1)
time.sleep(30)
print('had')"
        )
    };
    let address = "ctypes.addressof(ctypes.c_char.from_buffer(m))";
    for hide in [
        "m.madvise(mmap.MADV_DONTNEED)".to_owned(),
        format!("libc.munmap(ctypes.c_void_p({address} + 4096), ctypes.c_size_t((24 << 20) - 4096))"),
    ] {
        let limits = "memory: 128MiB, tmp: 8MiB, home: 8MiB";
        is_ended(
            limits,
            "limit: memory (128MiB)",
            &["/usr/bin/python3", "-uc", &fill(&hide)],
        );
    }
}

/// What others share is not the command's, where it shares nothing.
#[test]
fn shared_memory_of_others_does_not_count() {
    let mut run = Run::limited("memory: 128MiB, tmp: 8MiB, home: 8MiB");
    run.options(&["--pretend", "cgroup"]);
    let program = "import os, time
open('ready', 'w').close()
while not os.path.exists('written'): time.sleep(0.02)
end = time.monotonic() + 2
while time.monotonic() < end: pass
print('had')";
    let child = begun(&run, program);
    until("it is there", || run.workspace.join("ready").exists());
    let other = PathBuf::from(format!("/dev/shm/terrarium-test-{}", std::process::id()));
    let wrote = fs::write(&other, vec![1; 200 << 20]);
    run.write("written", "");
    let shown = text(&child.wait_with_output().unwrap());
    fs::remove_file(&other).ok(); // it says below why there is none
    if wrote.is_err() {
        return not_tested("/dev/shm has no 200 MiB");
    }
    assert!(shown.contains("had"), "{shown}");
}

/// What a call holds while it waits is held by no descriptor: that was closed meanwhile.
#[test]
fn a_call_that_waits_hides_no_growth() {
    let full = "import array, socket
r, w = os.pipe()
a, b = socket.socketpair()
os.set_blocking(w, False); a.setblocking(False)
for fill in (lambda: os.write(w, bytes(4096)), lambda: a.send(bytes(4096))):
    try:
        while True: fill()
    except BlockingIOError: pass
os.set_blocking(w, True); a.setblocking(True)";
    for call in [
        "os.sendfile, (w, f, 0, 1 << 20)",
        "libc.splice, (f, None, w, None, 1 << 20, 0)",
        "a.sendmsg, ([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [f]))])",
    ] {
        let hold = format!(
            "os.lseek(f, 0, 0); threading.Thread(target=lambda call, with_: call(*with_), args=({call}), daemon=True).start(); \
             time.sleep(0.1); os.unlink(b'f' + name); os.close(f)"
        );
        growth_is_ended(&hoard(full, &hold));
        growth_is_ended(&hoard(&format!("{NOT_DUMPABLE}\n{full}"), &hold));
    }
}

/// Copies itself elsewhere, unmaps itself and waits: a program of x86-64 in one page.
const UNMAPS_ITSELF: &str = "b80900000031ffbe00100000ba0700000041ba2200000049c7c0ffffffff4531c90f054889c74889c3488d3509000000b940000000f3a4ffe3\
    b80b000000bf00004000be001000000f05b8220000000f05ebf7";

#[test]
fn a_program_that_runs_without_a_name_is_growth() {
    if !cfg!(target_arch = "x86_64") {
        return not_tested("the program is one of x86-64");
    }
    let program = format!(
        "import struct
head = b'\\x7fELF\\x02\\x01\\x01' + bytes(9)
head += struct.pack('<HHIQQQIHHHHHH', 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0)
head += struct.pack('<IIQQQQQQ', 1, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)
head += bytes.fromhex('{UNMAPS_ITSELF}')"
    );
    let hold = "os.pwrite(f, head, 0); os.fchmod(f, 0o755); os.close(f); os.posix_spawn('./f', ['f'], {}); \
                time.sleep(0.1); os.unlink('f')";
    growth_is_ended(&hoard(&program, hold));
}

#[test]
fn a_workspace_of_the_system_s_directories_grows_like_any_other() {
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root writes to /usr/local/src");
    }
    let run = Run::limited("workspace_growth: 20MiB").below("/usr/local/src");
    let shown = text(&run.python(&hoard("", MAPPED_BY_C)));
    assert!(
        shown.contains("limit: workspace_growth") && !shown.contains("had"),
        "{shown}"
    );
}

#[test]
fn files_in_a_directory_that_can_only_be_listed_count() {
    let program = "import os, time
for n in range(12):
    os.mkdir(f'd{n}')
    with open(f'd{n}/f', 'wb') as f: f.write(b'x' * (8 << 20))
    os.chmod(f'd{n}', 0o444)
    time.sleep(0.2)
time.sleep(30)
print('had')";
    growth_is_ended(program);
}

/// The kernel lets nobody look into `ssh-agent` and its like: what others write meanwhile is not theirs.
#[test]
fn a_process_that_lets_nobody_look_and_holds_nothing_is_left_alone() {
    let run = Run::limited("workspace_growth: 20MiB");
    let program = "import ctypes, os, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
open('ready', 'w').close()
while not os.path.exists('written'): time.sleep(0.1)
time.sleep(4)
print('had')";
    let child = begun(&run, program);
    until("it lets nobody look", || run.workspace.join("ready").exists());
    fs::write(run.tmp.join("other"), vec![1; 60 << 20]).unwrap();
    run.write("written", "");
    let shown = text(&child.wait_with_output().unwrap());
    assert!(shown.contains("had"), "{shown}");
}

const POLICY: &str = "policy:
  revision: test
  rules: [{id: all, effect: allow, callers: [local], tools: ['terminal_*'], profiles: [test]}]
";

/// Nobody may read the shell of a session either, for its secret.
#[test]
fn a_session_hides_no_growth_and_is_left_alone_while_others_write() {
    let open = |missing: &[&str]| {
        let mut run = Run::limited("workspace_growth: 20MiB");
        run.options(missing);
        let config = run.tmp.join("config.yaml");
        fs::write(&config, POLICY).unwrap();
        let options = [&run.given()[..], &["--config", config.to_str().unwrap()]].concat();
        let terminal = Terminal::open_with(&options, json!({"shell": "bash", "profile": "test"}));
        (run, terminal)
    };
    let (_run, mut terminal) = open(&[]);
    let hold =
        "for n in 1 2 3 4 5 6; do exec {x}<>f; rm f; head -c 8M /dev/zero >&$x; sleep 0.2; done; sleep 30; echo ha''d";
    let reply = terminal.call("terminal_exec", json!({"command": hold}));
    assert!(
        reply.text.contains("workspace_growth") && !reply.text.contains("had"),
        "{}",
        reply.text
    );
    for missing in [&[][..], &["--pretend", "user"]] {
        let (run, mut terminal) = open(missing);
        assert_eq!(terminal.exec("true").facts["exit_code"], 0);
        fs::write(run.tmp.join("other"), vec![1; 60 << 20]).unwrap();
        let reply = terminal.exec("sleep 4; echo ha''d");
        assert!(reply.text.contains("had"), "{missing:?}: {}", reply.text);
    }
}

/// A file system in memory on a directory of the workspace, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn on(directory: &Path) -> Self {
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
fn what_is_mounted_in_the_workspace_grows_too() {
    if !rustix::process::geteuid().is_root() {
        return not_tested("only root mounts");
    }
    for hold in [NO_NAME, "os.rename(b'f', b'g%d' % n); os.close(f)"] {
        for owner in [0, NOBODY_ELSE] {
            let run = Run::limited("workspace_growth: 20MiB");
            chown(&run.workspace, Some(owner), Some(owner)).unwrap();
            let _mounted = Mounted::on(&run.workspace.join("a b"));
            let shown = text(&run.python(&hoard("os.chdir('a b')", hold)));
            assert!(
                shown.contains("limit: workspace_growth") && !shown.contains("had"),
                "{owner} {hold}: {shown}"
            );
        }
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

/// A program of Python's that runs while the test goes on.
fn begun(run: &Run, program: &str) -> std::process::Child {
    run.command(&["/usr/bin/python3", "-uc", program])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}
