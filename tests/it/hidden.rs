//! Growth and memory that hide: no name, nobody may look, another file system. Each counts.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use serde_json::json;

use crate::command::{Run, text, until};
use crate::harness::not_tested;
use crate::mounted::Mounted;
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

/// What a call holds while it waits is held by no descriptor: that was closed meanwhile. Where the call is refused it stays open.
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
            "os.lseek(f, 0, 0); call = threading.Thread(target=lambda call, with_: call(*with_), args=({call}), daemon=True); \
             call.start(); time.sleep(0.1); os.unlink(b'f' + name); call.is_alive() and os.close(f)"
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

/// A program of Python's that runs while the test goes on.
fn begun(run: &Run, program: &str) -> std::process::Child {
    run.command(&["/usr/bin/python3", "-uc", program])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}
