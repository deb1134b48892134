//! What a hostile command has done, looked for from outside: the same attacks change everything without the sandbox.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::command::text;
use crate::harness::{fresh_directory, program};

/// As on machines that lack something; what is still above the floor.
const MACHINES: [&[&str]; 6] = [
    &[],
    &["--pretend", "mount"],
    &["--pretend", "landlock"],
    &["--pretend", "user"],
    &["--pretend", "pid"],
    &["--pretend", "network"],
];
const SECRET: &str = "this-is-the-secret";

/// Everything at once; each line by itself, whatever became of the one before.
const ATTACKS: &str = r#"
cp /bin/true ./root; chmod 4755 ./root; chmod 2755 ./root; cp -p ./root ./again
python3 -c 'import os; os.open("made", os.O_CREAT, 0o4755); os.mkdir("dir", 0o2777)'
mknod device b 8 0; mknod null c 1 3; mkfifo pipe
mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit; echo evil >> .git/config; echo evil >> .git/hooks/kept
mv .git/hooks hooks.old; mv .git git.old; ln -sfn "$THERE/.ssh" .git/link; ln -sfn "$PWD/evil" .git/hooks
mkdir -p "$THERE/.ssh"; echo evil >> "$THERE/.ssh/authorized_keys"; echo evil > "$THERE/.ssh/rc"; chmod 777 "$THERE/.ssh"
ln "$THERE/secret" ./hard; ln -s "$THERE" ./soft; echo evil >> soft/.ssh/authorized_keys; echo evil > soft/.profile
cat "$THERE/secret" ./hard soft/secret "/proc/self/root$THERE/secret" "/proc/1/root$THERE/secret"
for p in "$HOST" "$PPID"; do
    for file in environ cmdline cwd/secret "root$THERE/secret" "fd/$OPEN"; do timeout 5 cat "/proc/$p/$file"; done | tr '\0' '\n'
done
python3 - <<'X'
import os, socket
for address in [os.environ["THERE"] + "/socket", "\0" + os.environ["NAME"]]:
    for kind in [socket.SOCK_STREAM]:
        try:
            s = socket.socket(socket.AF_UNIX, kind); s.connect(address); s.send(b"evil"); print("connected")
        except OSError as error:
            print(error)
X
exit 0
"#;

/// What belongs to the host: a home with keys and a secret, two sockets, a repository.
struct Host {
    home: PathBuf,
    workspace: PathBuf,
    name: String,
    listeners: [UnixListener; 2],
    /// The secret, open in this process.
    open: fs::File,
}

impl Host {
    fn new() -> Self {
        let (home, workspace) = (fresh_directory(), fresh_directory());
        fs::create_dir(home.join(".ssh")).unwrap();
        fs::write(home.join(".ssh/authorized_keys"), "mine\n").unwrap();
        fs::write(home.join("secret"), SECRET).unwrap();
        fs::create_dir_all(workspace.join(".git/hooks")).unwrap();
        fs::write(workspace.join(".git/hooks/kept"), "mine\n").unwrap();
        fs::write(workspace.join(".git/config"), "mine\n").unwrap();
        let name = home.file_name().unwrap().to_str().unwrap().to_owned();
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let listeners = [
            UnixListener::bind(home.join("socket")).unwrap(),
            UnixListener::bind_addr(&abstract_name).unwrap(),
        ];
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            // Where root's files cannot be mapped only an ordinary owner's workspace is served.
            for path in ["", ".git", ".git/hooks", ".git/hooks/kept", ".git/config"] {
                std::os::unix::fs::chown(workspace.join(path), Some(4321), Some(4321)).unwrap();
            }
        }
        Self {
            open: fs::File::open(home.join("secret")).unwrap(),
            home,
            workspace,
            name,
            listeners,
        }
    }

    fn attack(&self, mut command: Command) -> Output {
        let script = format!(
            "export THERE='{}' NAME='{}' HOST={} OPEN={}\ncd '{}'\n{ATTACKS}",
            self.home.display(),
            self.name,
            std::process::id(),
            self.open.as_raw_fd(),
            self.workspace.display()
        );
        command
            .args(["bash", "-c", &script])
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command.env("SECRET", SECRET).output().unwrap()
    }

    /// What is no longer as it was.
    fn changes(&self, output: &Output) -> Vec<String> {
        let mut found = Vec::new();
        let mut look = |what: &str, changed: bool| {
            if changed {
                found.push(what.to_owned())
            }
        };
        let said = text(output);
        look("the secret was read", said.contains(SECRET));
        look(
            "a socket was reached",
            said.contains("connected") || self.listeners.iter().any(|l| l.accept().is_ok()),
        );
        let keys = fs::read_to_string(self.home.join(".ssh/authorized_keys")).unwrap();
        look("keys changed", keys != "mine\n");
        let names = |directory: &Path| fs::read_dir(directory).map_or(0, Iterator::count);
        look(
            "files in the home",
            names(&self.home) != 3 || names(&self.home.join(".ssh")) != 1,
        );
        let git = self.workspace.join(".git");
        let hooks = fs::symlink_metadata(git.join("hooks")).is_ok_and(|m| m.is_dir());
        look("hooks changed", !hooks || names(&git.join("hooks")) != 1);
        let mine = |file: &str| fs::read_to_string(git.join(file)).is_ok_and(|text| text == "mine\n");
        look("a hook changed", !mine("hooks/kept"));
        look("git's configuration changed", !mine("config"));
        let mut rest = vec![self.workspace.clone()];
        while let Some(path) = rest.pop() {
            let meta = fs::symlink_metadata(&path).unwrap();
            look(
                "a set-user-id or set-group-id file",
                meta.permissions().mode() & 0o6000 != 0,
            );
            look(
                "a device",
                meta.file_type().is_block_device() || meta.file_type().is_char_device(),
            );
            if meta.is_dir() {
                rest.extend(fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.home).ok(); // a test's leftovers are in target/tmp
        fs::remove_dir_all(&self.workspace).ok();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the attacks must be seen to work")]
fn without_the_sandbox_the_attacks_change_all_of_it() {
    let host = Host::new();
    let output = host.attack(Command::new("env"));
    let found = host.changes(&output);
    let mut expected = vec![
        "a hook changed",
        "a set-user-id or set-group-id file",
        "a socket was reached",
        "files in the home",
        "git's configuration changed",
        "hooks changed",
        "keys changed",
        "the secret was read",
    ];
    if rustix::process::geteuid().is_root() {
        expected.insert(0, "a device");
    }
    expected.sort_unstable();
    assert_eq!(found, expected, "{}", text(&output));
}

/// What only the mount namespace can forbid; without one it is said.
const REPORTED: [&str; 3] = ["a hook changed", "git's configuration changed", "hooks changed"];

#[test]
fn with_it_nothing_of_the_host_has_changed_unsaid() {
    for machine in MACHINES {
        let host = Host::new();
        let mut command = program();
        command.arg("run").args(machine).arg("--workspace").arg(&host.workspace);
        command.arg("--");
        let output = host.attack(command);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{machine:?}: {said}");
        let mut found = host.changes(&output);
        let no_mounts = match machine.get(1) {
            Some(&"mount") => true,
            Some(&"user") => !rustix::process::geteuid().is_root(),
            _ => false,
        };
        if no_mounts && said.contains("terrarium: \".git/hooks\" appeared or changed") {
            found.retain(|change| !REPORTED.contains(&change.as_str()));
        }
        assert_eq!(found, Vec::<String>::new(), "{machine:?}: {said}");
    }
}
