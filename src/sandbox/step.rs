//! The steps of a launch, so that the one that failed can be named.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A step that failed, as the launcher reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepError {
    /// Which one.
    pub step: Step,
    /// The kernel's error number.
    pub errno: i32,
    /// What it was applied to: a path or a name, where there is one.
    pub subject: Option<String>,
}

/// One step on the way from a request to a running command, in the order of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The launcher reads what to do.
    ReadSpec,
    /// A session keyring of its own.
    Keyring,
    /// The home and the temporary directory, where there is no view to mount them in.
    PrivateDirectories,
    /// The cgroup with the limits.
    Cgroup,
    /// The workspace, with ids mapped where its owner is root.
    PrepareWorkspace,
    /// Namespaces and the first process in them.
    Namespaces,
    /// The maps of the user namespace.
    IdMaps,
    /// The user and group of the sandbox.
    Identity,
    /// Counts of namespaces and watches.
    Counts,
    /// The loopback interface.
    Loopback,
    /// The root directory of the sandbox.
    Root,
    /// One mount in it.
    Mount,
    /// pivot_root.
    Pivot,
    /// The pseudo-terminal.
    Terminal,
    /// Resource limits of each process.
    ResourceLimits,
    /// Processors that may be used.
    Processors,
    /// The files that a shell starts with.
    Startup,
    /// Capabilities are dropped.
    Capabilities,
    /// The signal for the launcher's death.
    ParentDeath,
    /// no_new_privs.
    NoNewPrivileges,
    /// Landlock.
    Landlock,
    /// The filter of pid 1.
    InitFilter,
    /// The command's process.
    Fork,
    /// A session, a controlling terminal, descriptors, signals.
    Session,
    /// The working directory.
    WorkingDirectory,
    /// The command's filters.
    Filter,
    /// The program itself.
    Exec,
}

/// Names the step that an `io::Result` belongs to.
pub(super) trait AtStep<T> {
    /// Turns the kernel's error into that of a step.
    fn at(self, step: Step) -> Result<T, StepError>;
    /// The same, with what it was applied to.
    fn at_path(self, step: Step, path: &std::path::Path) -> Result<T, StepError>;
}

impl<T, E: Into<io::Error>> AtStep<T> for Result<T, E> {
    fn at(self, step: Step) -> Result<T, StepError> {
        self.map_err(|error| StepError::new(step, &error.into()))
    }

    fn at_path(self, step: Step, path: &std::path::Path) -> Result<T, StepError> {
        self.map_err(|error| StepError::about(step, path.display(), &error.into()))
    }
}

impl StepError {
    /// A step and the kernel's answer.
    pub(super) fn new(step: Step, error: &io::Error) -> Self {
        Self {
            step,
            errno: error.raw_os_error().unwrap_or(libc::EIO),
            subject: None,
        }
    }

    /// With what it was applied to.
    pub(super) fn about(step: Step, subject: impl fmt::Display, error: &io::Error) -> Self {
        Self {
            subject: Some(subject.to_string()),
            ..Self::new(step, error)
        }
    }

    /// What an operator can do, where experience tells.
    fn hint(&self) -> &'static str {
        match (self.step, self.errno) {
            (Step::Cgroup, libc::EACCES | libc::EPERM | libc::EROFS | libc::ENOENT) => {
                "cgroups cannot be written here; see `terrarium doctor`"
            }
            (Step::Cgroup, libc::ENOSPC) => "the parent cgroup allows no more children",
            (Step::Namespaces, libc::ENOSPC | libc::EUSERS) => {
                "raise /proc/sys/user/max_*_namespaces, or end other sandboxes"
            }
            (Step::Namespaces | Step::Fork, libc::EAGAIN) => "the user's limit on processes is reached (ulimit -u)",
            (Step::IdMaps | Step::Mount | Step::Root, libc::EPERM | libc::EACCES) => {
                "user namespaces are restricted here; see `terrarium doctor`"
            }
            (Step::PrepareWorkspace, libc::EINVAL | libc::EOPNOTSUPP) => {
                "its file system cannot map ids, which a directory of root's needs; give it to an ordinary user (chown), use --run-as with its owner, or put a volume of another file system there"
            }
            (_, libc::ESTALE | libc::ELOOP) | (Step::Mount, libc::ENOTDIR) => {
                "it was replaced while the sandbox was being built; call again"
            }
            (_, libc::ENOMEM) => "the machine or its cgroup is out of memory",
            (_, libc::EMFILE | libc::ENFILE) => "too many open files; raise the limit (ulimit -n)",
            (_, libc::ENOSPC) => "a file system is full",
            _ => "run `terrarium doctor`, which tries each protection by itself",
        }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.step)?;
        if let Some(subject) = &self.subject {
            write!(f, " {subject}")?;
        }
        write!(
            f,
            ": {}; hint: {}",
            io::Error::from_raw_os_error(self.errno),
            self.hint()
        )
    }
}

impl std::error::Error for StepError {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadSpec => "read the launch order",
            Self::Keyring => "join a new session keyring",
            Self::PrivateDirectories => "make the private directories",
            Self::Cgroup => "make the cgroup",
            Self::PrepareWorkspace => "prepare the workspace",
            Self::Namespaces => "enter new namespaces",
            Self::IdMaps => "write the id maps",
            Self::Identity => "become the sandbox's user",
            Self::Counts => "lower the user namespace's counts",
            Self::Loopback => "bring the loopback interface up",
            Self::Root => "make a new root directory",
            Self::Mount => "mount",
            Self::Pivot => "change the root directory",
            Self::Terminal => "open the pseudo-terminal",
            Self::ResourceLimits => "set resource limits",
            Self::Processors => "limit the processors",
            Self::Startup => "write the shell's startup files",
            Self::Capabilities => "drop capabilities",
            Self::ParentDeath => "tie the sandbox to its launcher",
            Self::NoNewPrivileges => "set no_new_privs",
            Self::Landlock => "apply Landlock",
            Self::InitFilter => "load the filter of pid 1",
            Self::Fork => "fork the command",
            Self::Session => "start the command's session",
            Self::WorkingDirectory => "enter the working directory",
            Self::Filter => "load the system call filter",
            Self::Exec => "execute the program",
        })
    }
}
