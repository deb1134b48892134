//! A file system without room where Terrarium makes its own directories: it works or fails with the reason, and leaves nothing.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::command::text;
use crate::harness::{fresh_directory, not_tested, program};

/// File systems that are full: of bytes, and of files.
const FULL: [&str; 2] = ["size=64k,nr_inodes=5000", "size=1m,nr_inodes=3"];
const MISSING: [&[&str]; 4] = [
    &[],
    &["--pretend", "mount"],
    &["--pretend", "cgroup"],
    &["--pretend", "user"],
];

/// The program with `directory` full, in a mount namespace that ends with it. What is left there, but for the record of what
/// was asked, follows on standard output.
#[expect(clippy::disallowed_methods, reason = "unshare makes what the test needs")]
fn on_full(directory: &Path, options: &str) -> Command {
    let script = "mount -t tmpfs -o $1 none $2 && chmod 1777 $2 || exit 99; directory=$2; shift 2
        cd /; head -c 2M /dev/zero > $directory/fill 2>/dev/null; for n in 1 2 3; do true > $directory/$n; done 2>/dev/null
        there() { find $directory ! -path $directory/terrarium ! -path $directory/terrarium/audit \
            ! -path $directory/terrarium/audit/key ! -path \"$directory/terrarium/audit/audit-*.jsonl\" | sort; }
        before=$(there)
        TMPDIR=$directory XDG_RUNTIME_DIR=$directory XDG_STATE_HOME=$directory \
        timeout 60 setpriv --ambient-caps -all --inh-caps -all \"$@\"; status=$?
        n=0; while [ \"$(there)\" != \"$before\" ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
        [ \"$(there)\" = \"$before\" ] || { echo LEFT; there; }; exit $status";
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["sh", "-c", script, "sh", options]).arg(directory);
    command.arg(program().get_program()).stdin(Stdio::null());
    command
}

/// Whether this user can mount something; says on standard error what is skipped otherwise.
fn can_mount() -> bool {
    let directory = fresh_directory();
    let mut command = on_full(&directory, FULL[0]);
    let status = command.arg("--version").output().unwrap().status;
    std::fs::remove_dir(directory).unwrap();
    if !status.success() {
        not_tested("this user cannot mount a file system that is full");
    }
    status.success()
}

fn works_or_says_why(output: &Output, worked: &str, what: &str) {
    let shown = text(output);
    assert!(!shown.contains("LEFT"), "{what}: {shown}");
    assert_ne!(output.status.code(), Some(124), "{what} hangs: {shown}");
    let ran = output.status.success() && shown.contains(worked);
    assert!(ran || shown.contains("No space left on device"), "{what}: {shown}");
    // Where the record itself has no room nothing is done, and a person reads what to do about it.
    let refused = shown.contains("nothing is done without an audit record: cannot write the audit in ");
    let clear = shown.contains("No space left on device (os error 28); hint: free space on its file system");
    assert!(!refused || (clear && !ran), "{what}: {shown}");
}

#[test]
fn commands_run_or_say_what_is_full() {
    on_every_full(|full, what| {
        let line = "echo ran; echo x > $TMPDIR/f; head -c 1M /dev/zero > large; rm large";
        let mut command = full("run", true);
        let output = command.args(["--", "bash", "-c", line]).output().unwrap();
        works_or_says_why(&output, "ran", &format!("run {what}"));
        // Without a workspace a private one is made, in the directory that is full.
        let mut command = full("run", false);
        let output = command.args(["--", "echo", "ran"]).output().unwrap();
        works_or_says_why(&output, "ran", &format!("run {what} without a workspace"));
    });
}

#[test]
fn sessions_open_or_say_what_is_full() {
    on_every_full(|full, what| {
        let output = conversation(full("serve", true), "terminal_open", json!({"shell": "bash"}));
        works_or_says_why(&output, "\"state\":\"running\"", &format!("open {what}"));
    });
}

/// Calls `check` for each file system that is full and each machine that lacks something, with what begins a command there: of which
/// subcommand, and whether in a workspace that has room.
fn on_every_full(check: impl Fn(&dyn Fn(&str, bool) -> Command, &str)) {
    if !can_mount() {
        return;
    }
    let (directory, workspace) = (fresh_directory(), fresh_directory());
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&workspace, Some(4321), Some(4321)).unwrap();
    }
    for options in FULL {
        for missing in MISSING {
            let full = |subcommand: &str, with_room: bool| {
                let mut command = on_full(&directory, options);
                command.arg(subcommand).args(missing);
                if with_room {
                    command.arg("--workspace").arg(&workspace);
                }
                command
            };
            check(&full, &format!("{options} {missing:?}"));
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
    std::fs::remove_dir_all(workspace).unwrap();
}

/// One call to a server, and its end.
fn conversation(mut command: Command, tool: &str, arguments: Value) -> Output {
    use std::io::{BufRead as _, BufReader, Read as _};
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{call}").unwrap_or_default(); // it may have refused to start
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    stdout.read_line(&mut said).unwrap();
    drop(stdin);
    stdout.read_to_string(&mut said).unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stdout = said.into_bytes();
    output
}
