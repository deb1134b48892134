//! `terrarium run` with a profile, a workspace and a temporary directory of the test's own.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::harness::{fresh_directory, patience, pause, program};

/// How to run a command; its directories go when it is dropped.
pub(crate) struct Run {
    profiles: PathBuf,
    pub(crate) workspace: PathBuf,
    pub(crate) tmp: PathBuf,
    options: Vec<String>,
}

impl Run {
    /// With these limits, as in `memory: 128MiB, processes: 20`, and all else as in `default`.
    pub(crate) fn limited(limits: &str) -> Self {
        Self::settings(&format!("limits: {{{limits}}}"))
    }

    /// With these settings of a profile, and all else as in `default`.
    pub(crate) fn settings(settings: &str) -> Self {
        let profiles = fresh_directory();
        let text = format!("name: test\nsummary: of a test\nextends: default\n{settings}\n");
        std::fs::write(profiles.join("test.yaml"), text).unwrap();
        let mut run = Self::profile("test");
        run.options(&["--profiles", profiles.to_str().unwrap()]);
        run.profiles = profiles;
        run
    }

    /// With a profile that is shipped.
    pub(crate) fn profile(name: &str) -> Self {
        Self {
            profiles: PathBuf::new(),
            workspace: fresh_directory(),
            tmp: fresh_directory(),
            options: vec!["--profile".to_owned(), name.to_owned()],
        }
    }

    /// With a workspace in this directory of the host instead.
    pub(crate) fn below(mut self, directory: &str) -> Self {
        let name = self.workspace.file_name().unwrap().to_str().unwrap();
        let workspace = PathBuf::from(directory).join(format!("terrarium-{name}"));
        std::fs::create_dir(&workspace).unwrap();
        std::fs::remove_dir(&self.workspace).unwrap();
        self.workspace = workspace;
        self
    }

    /// Where the profile of [`Self::settings`] is.
    pub(crate) fn profiles(&self) -> &std::path::Path {
        &self.profiles
    }

    pub(crate) fn options(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(|&option| option.to_owned()));
    }

    /// The same for a server, where each call names its profile.
    pub(crate) fn given(&self) -> Vec<&str> {
        self.options.iter().skip(2).map(String::as_str).collect()
    }

    /// Ready to be started.
    pub(crate) fn command(&self, argv: &[&str]) -> Command {
        let mut command = program();
        command
            .arg("run")
            .args(&self.options)
            .arg("--workspace")
            .arg(&self.workspace);
        command.arg("--").args(argv);
        command.env("TMPDIR", &self.tmp).stdin(Stdio::null());
        command
    }

    pub(crate) fn bash(&self, line: &str) -> Output {
        self.command(&["bash", "-c", line]).output().unwrap()
    }

    pub(crate) fn python(&self, text: &str) -> Output {
        self.command(&["/usr/bin/python3", "-uc", text]).output().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.workspace.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for directory in [&self.profiles, &self.workspace, &self.tmp] {
            if directory.parent().is_some() {
                std::fs::remove_dir_all(directory).ok(); // a test's leftovers are in target/tmp
            }
        }
    }
}

/// A subcommand of the operator's, with state and sockets in this directory.
pub(crate) fn with_state(state: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.args(arguments).stdin(Stdio::null());
    command.env("XDG_STATE_HOME", state).env("XDG_RUNTIME_DIR", state);
    command
}

/// Both outputs.
pub(crate) fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    out + &err
}

/// Looks until it is so, for twenty seconds on a machine of ordinary speed.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !so() {
        assert!(start.elapsed() < patience(Duration::from_secs(20)), "never: {what}");
        pause();
    }
}
