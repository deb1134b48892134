//! A cgroup of our own from systemd, where the one we are in hands on no controllers.
//!
//! The zygote is moved into a transient scope with `Delegate=yes`; client and server stay where they
//! are. `busctl` comes with systemd and speaks D-Bus for us. See systemd.resource-control(5).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::kernel::cgroup::Parent;

/// Why there is no scope.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScopeError {
    /// No systemd on this machine.
    #[error("no systemd to ask for another (no busctl)")]
    NoSystemd,
    /// It said no.
    #[error("systemd gave no other: {said}")]
    Refused {
        /// Its words.
        said: String,
    },
    /// It could not be used.
    #[error("cannot prepare the cgroup {path}")]
    Prepare {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Asks once, and prepares what is given.
pub(super) fn ask() -> Result<Parent, ScopeError> {
    let pid = rustix::process::getpid().as_raw_nonzero().to_string();
    let name = format!("terrarium-{pid}.scope");
    start_unit(&pid, &name)?;
    let directory = wait_until_moved(&name)?;
    prepare(&directory, &pid).map_err(|source| ScopeError::Prepare {
        path: directory.clone(),
        source,
    })?;
    Ok(Parent::V2 { directory })
}

#[expect(
    clippy::disallowed_methods,
    reason = "busctl is the one program asked here, by its full path"
)]
fn start_unit(pid: &str, name: &str) -> Result<(), ScopeError> {
    let busctl = ["/usr/bin/busctl", "/bin/busctl"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let busctl = busctl.ok_or(ScopeError::NoSystemd)?;
    let uid = rustix::process::geteuid();
    let mut command = std::process::Command::new(busctl);
    command
        .env_clear()
        .env("XDG_RUNTIME_DIR", format!("/run/user/{}", uid.as_raw()));
    command.arg(if uid.is_root() { "--system" } else { "--user" });
    command.args([
        "--timeout=5",
        "--no-pager",
        "call",
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
    ]);
    command.args([
        "org.freedesktop.systemd1.Manager",
        "StartTransientUnit",
        "ssa(sv)a(sa(sv))",
        name,
        "fail",
    ]);
    command.args([
        "3",
        "PIDs",
        "au",
        "1",
        pid,
        "Delegate",
        "b",
        "true",
        "CollectMode",
        "s",
        "inactive-or-failed",
        "0",
    ]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|_| ScopeError::NoSystemd)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr)
        .trim()
        .chars()
        .take(200)
        .collect();
    Err(ScopeError::Refused { said })
}

/// systemd answers before it has moved the process.
fn wait_until_moved(name: &str) -> Result<PathBuf, ScopeError> {
    for _ in 0..500 {
        let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        if let Some(path) = text
            .lines()
            .find_map(|l| l.strip_prefix("0::"))
            .filter(|p| p.ends_with(name))
        {
            return Ok(Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/')));
        }
        crate::kernel::process::pause(std::time::Duration::from_millis(2));
    }
    Err(ScopeError::Refused {
        said: "the scope was promised and never came".to_owned(),
    })
}

/// A group with children that have limits may hold no process itself: ours goes into a leaf.
fn prepare(directory: &Path, pid: &str) -> io::Result<()> {
    let leaf = directory.join("zygote");
    fs::create_dir(&leaf)?;
    fs::write(leaf.join("cgroup.procs"), pid)?;
    fs::write(directory.join("cgroup.subtree_control"), "+memory +pids +cpu")
}
