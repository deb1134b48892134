//! The last steps before the command's own program: everything from here on is hostile.

use std::ffi::CString;
use std::io::{self, PipeWriter, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::init;
use super::spec::{Base, CommandSpec, Task};
use super::step::{AtStep as _, Step, StepError};
use super::syscalls;
use crate::kernel::{fds, process, tty};

/// Executes the command, or says on `failed` why not. `failed` closes by itself when it works.
pub(super) fn run(base: &Base, task: &Task, stdio: Vec<OwnedFd>, mut failed: PipeWriter) -> ! {
    if let Err(error) = execute(base, task, &stdio)
        && let Ok(text) = serde_json::to_vec(&error)
    {
        failed.write_all(&text).ok(); // pid 1 sees our exit otherwise
    }
    process::exit_now(125)
}

fn execute(base: &Base, task: &Task, stdio: &[OwnedFd]) -> Result<std::convert::Infallible, StepError> {
    rustix::process::setsid().at(Step::Session)?;
    if let Some(terminal) = task.terminal.and(stdio.first()) {
        tty::make_controlling(terminal).at(Step::Session)?;
    }
    for (fd, number) in stdio.iter().zip(0..) {
        fds::move_to(fd, number).at(Step::Session)?;
    }
    init::reset_signals().at(Step::Session)?;
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    // If the machine's memory runs out, the sandbox's processes go before pid 1 and before the host's. A wish: who set it may take
    // it back down to what Terrarium was started with (proc_pid_oom_score_adj(5)).
    std::fs::write("/proc/self/oom_score_adj", "500").ok(); // not where /proc is hidden
    rustix::process::chdir(&task.command.cwd).at_path(Step::WorkingDirectory, &task.command.cwd)?;
    init::limit_open_files(base)?;
    let program = Program::prepare(&task.command)?;
    syscalls::load(&base.filter).at(Step::Filter)?;
    program.execute()
}

/// Strings as execve(2) wants them, made before the filter so that nothing can fail after it.
struct Program {
    candidates: Vec<CString>,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    name: String,
}

impl Program {
    fn prepare(command: &CommandSpec) -> Result<Self, StepError> {
        let string = |bytes: &std::ffi::OsStr| {
            CString::new(bytes.as_bytes())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
                .at(Step::Exec)
        };
        let all = |list: &[super::spec::Bytes]| list.iter().map(|b| string(&b.0)).collect::<Result<Vec<_>, _>>();
        let first = command.argv.first().ok_or(io::ErrorKind::InvalidInput).at(Step::Exec)?;
        let candidates = if let Some(program) = &command.program {
            vec![string(program.as_os_str())?]
        } else if first.0.as_bytes().contains(&b'/') {
            vec![string(&first.0)?]
        } else {
            let paths = command
                .path
                .iter()
                .map(|directory| directory.join(&first.0).into_os_string());
            paths
                .map(|p| {
                    CString::new(p.into_vec())
                        .map_err(|_| io::ErrorKind::InvalidInput)
                        .at(Step::Exec)
                })
                .collect::<Result<_, _>>()?
        };
        Ok(Self {
            candidates,
            arguments: all(&command.argv)?,
            environment: all(&command.environment)?,
            name: first.0.to_string_lossy().chars().take(200).collect(),
        })
    }

    /// Tries each directory of the path as shells do: what cannot be executed is remembered.
    fn execute(self) -> Result<std::convert::Infallible, StepError> {
        let mut worst = nix::errno::Errno::ENOENT;
        for candidate in &self.candidates {
            let Err(error) = nix::unistd::execve(candidate, &self.arguments, &self.environment);
            match error {
                nix::errno::Errno::ENOENT if is(candidate, libc::S_IFREG) => return self.fail(NO_INTERPRETER),
                nix::errno::Errno::EACCES if is(candidate, libc::S_IFDIR) => worst = nix::errno::Errno::EISDIR,
                nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR => {}
                other => worst = other,
            }
        }
        self.fail(worst as i32)
    }

    fn fail(&self, errno: i32) -> Result<std::convert::Infallible, StepError> {
        let error = io::Error::from_raw_os_error(errno);
        Err(StepError::about(Step::Exec, &self.name, &error))
    }
}

/// What stands for a program that is there while what should run it is not: the kernel says ENOENT for both.
pub(super) const NO_INTERPRETER: i32 = libc::ELIBACC;

fn is(path: &CString, kind: libc::mode_t) -> bool {
    rustix::fs::stat(path.as_c_str()).is_ok_and(|found| found.st_mode & libc::S_IFMT == kind)
}
