//! A terminal with a program of ours on it, as a person has one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::harness::patience;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal with a program on it.
pub(crate) struct Tty {
    master: File,
    slave: File,
    child: Child,
    before: Termios,
    shown: String,
}

impl Tty {
    /// Starts a program on a terminal of its own, which is the controlling one.
    #[expect(
        clippy::disallowed_methods,
        reason = "setsid makes the terminal the controlling one, as a shell would"
    )]
    pub(crate) fn start(inner: &Command) -> Self {
        let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        // Not what a terminal starts with, so that putting it back can be seen.
        let mut before = tcgetattr(&slave).unwrap();
        before.local_modes.remove(LocalModes::ECHOK);
        tcsetattr(&slave, OptionalActions::Now, &before).unwrap();
        let slave = File::from(slave);
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(inner.get_program()).args(inner.get_args());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        let before = tcgetattr(&slave).unwrap(); // the program may change it at once
        let tty = Self {
            child: command.spawn().unwrap(),
            before,
            master: File::from(master),
            slave,
            shown: String::new(),
        };
        tty.resize(90, 30);
        tty
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).unwrap();
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Reads what there is; says whether there was any.
    fn read(&mut self, patience: u16) -> bool {
        let mut wanted = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut wanted, PollTimeout::from(patience)).unwrap() == 0 {
            return false;
        }
        let mut buffer = [0; 65_536];
        let count = self.master.read(&mut buffer).unwrap();
        self.shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        true
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.shown.contains(text) {
            assert!(start.elapsed() < patience(PATIENCE), "no {text:?} in {:?}", self.shown);
            self.read(100);
        }
    }

    /// Types a secret at its prompt. The terminal must show nothing of what is typed by then.
    pub(crate) fn type_secret(&mut self, prompt: &str, secret: &str) {
        self.wait_for(prompt);
        let modes = tcgetattr(&self.slave).unwrap().local_modes;
        assert!(
            !modes.contains(LocalModes::ECHO),
            "there is a prompt before echo is off"
        );
        self.write(format!("{secret}\r").as_bytes());
    }

    /// Waits for the end; the terminal must be as it was. Says how it ended and all that was shown.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < patience(PATIENCE),
                "it does not end: {:?}",
                self.shown
            );
            self.read(20);
        };
        while self.read(0) {}
        let after = tcgetattr(&self.slave).unwrap();
        assert_eq!(format!("{after:?}"), format!("{:?}", self.before), "{:?}", self.shown);
        (status.code(), std::mem::take(&mut self.shown))
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.child.kill().ok(); // ended already
        self.child.wait().ok();
    }
}

/// Answers what `terrarium passphrase set` asks.
pub(crate) fn set_passphrase(set: &Command, passphrase: &str) {
    let mut set = Tty::start(set);
    for prompt in ["New passphrase: ", "The same again: "] {
        set.type_secret(prompt, passphrase);
    }
    let (status, shown) = set.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains(passphrase), "{shown}");
}
