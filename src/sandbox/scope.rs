//! A cgroup of our own from systemd, where the one we are in hands on no controllers.
//!
//! The zygote starts in a transient scope with `Delegate=yes`; client and server stay where they
//! are. `systemd-run` speaks to systemd for us, also where there is no D-Bus for the user. See
//! systemd-run(1) and systemd.resource-control(5).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kernel::cgroup::{self, Parent};
use crate::model::SessionId;

/// Every scope of ours ends with this, and starts as every group of ours.
const SUFFIX: &str = ".scope";
/// Where the zygote and its launchers are in their scope.
const LEAF: &str = "zygote";

/// Why there is no scope.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScopeError {
    /// No systemd on this machine.
    #[error("there is no systemd to ask for another")]
    NoSystemd,
    /// The user has no manager.
    #[error(
        "the user's systemd, which could give another, does not run; hint: log in, or `loginctl enable-linger` for this user"
    )]
    NoManager,
    /// It said no.
    #[error("systemd gave no other: {said}")]
    Refused {
        /// Its words.
        said: String,
    },
    /// It could not be asked.
    #[error("systemd could not be asked for another: {0}")]
    Ask(#[from] io::Error),
    /// No random numbers.
    #[error("cannot name a scope: {0}")]
    Random(#[from] getrandom::Error),
}

/// A name that no other scope has.
pub(super) fn name() -> Result<String, ScopeError> {
    Ok(format!("{}{}{SUFFIX}", cgroup::PREFIX, SessionId::random()?))
}

/// What starts a program, yet to be named, in the scope `unit`. The program replaces it.
#[expect(
    clippy::disallowed_methods,
    reason = "systemd-run is the one program asked here, by its full path"
)]
pub(super) fn command(unit: &str) -> Result<Command, ScopeError> {
    let program = ["/usr/bin/systemd-run", "/bin/systemd-run"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let program = program.filter(|_| Path::new("/run/systemd/system").exists());
    let mut command = Command::new(program.ok_or(ScopeError::NoSystemd)?);
    command.env_clear().current_dir("/");
    let uid = rustix::process::geteuid();
    if uid.is_root() {
        command.arg("--system");
    } else {
        let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = given.unwrap_or_else(|| format!("/run/user/{}", uid.as_raw()).into());
        if !["systemd/private", "bus"]
            .iter()
            .any(|socket| runtime.join(socket).exists())
        {
            return Err(ScopeError::NoManager);
        }
        command.env("XDG_RUNTIME_DIR", runtime).arg("--user");
    }
    command.args(["--scope", "--quiet", "--collect", "--property=Delegate=yes"]);
    command.args(["--description=Terrarium sandboxes", "--unit", unit, "--"]);
    Ok(command)
}

/// Makes the scope that this process was started in ready for groups.
pub(super) fn enter(unit: &str) -> Result<Parent, String> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text
        .lines()
        .find_map(|l| l.strip_prefix("0::"))
        .filter(|p| p.ends_with(unit));
    let path = path.ok_or_else(|| format!("systemd promised the cgroup {unit} and gave {}", text.trim()))?;
    let directory = Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    prepare(&directory).map_err(|error| format!("cannot use {path}, which systemd gave: {error}"))?;
    Ok(Parent::V2 { directory })
}

/// A group with children that have limits may hold no process itself: ours goes into a leaf.
fn prepare(directory: &Path) -> io::Result<()> {
    let leaf = directory.join(LEAF);
    fs::create_dir(&leaf)?;
    fs::write(leaf.join("cgroup.procs"), "0")?;
    cgroup::hand_on(directory)
}

/// Other scopes of ours beside this one: what outlived its zygote keeps its scope alive.
pub(super) fn others(parent: &Parent) -> Vec<Parent> {
    let Parent::V2 { directory } = parent else {
        return Vec::new();
    };
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(cgroup::PREFIX) && name.ends_with(SUFFIX)
    };
    let beside = directory.parent().filter(|_| is_ours(directory)).map(fs::read_dir);
    let entries = beside.and_then(Result::ok).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path != directory && is_ours(path))
        .map(|directory| Parent::V2 { directory })
        .collect()
}
