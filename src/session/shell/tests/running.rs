//! A real shell on a real terminal, and what it tells.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use crate::session::marks::Key;
use crate::session::marks::{Event, Follow, Marks, Piece, ShellState};
use crate::session::screen::{Screen, Size};
use crate::session::shell::*;

/// A directory that is gone with it.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("terrarium-shell-{}", Key::random().unwrap().reveal()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(super) struct Running {
    pub(super) kind: ShellKind,
    pub(super) child: Box<dyn Child + Send + Sync>,
    pub(super) input: Box<dyn std::io::Write + Send>,
    pub(super) output: Receiver<Vec<u8>>,
    pub(super) marks: Marks,
    pub(super) follow: Follow,
    pub(super) screen: Screen,
    pub(super) key: String,
    pub(super) patience: Duration,
    pub(super) start: PathBuf,
    pub(super) home: Directory,
    pub(super) _files: Directory,
    pub(super) _terminal: Box<dyn portable_pty::MasterPty + Send>,
}

/// What a command gave: its output, and its status if it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) output: String,
    pub(super) status: Option<u8>,
    pub(super) events: Vec<Event>,
}

/// Longer than any machine takes; only a failure waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn program(kind: ShellKind) -> &'static str {
    let program = match kind {
        ShellKind::Bash => "/bin/bash",
        ShellKind::Zsh => "/usr/bin/zsh",
        ShellKind::Fish => "/usr/bin/fish",
        ShellKind::Sh => "/bin/dash",
    };
    assert!(
        Path::new(program).exists(),
        "{program} is missing: apt-get install bash dash fish zsh"
    );
    program
}

impl Running {
    pub(super) fn start(kind: ShellKind) -> Self {
        Self::start_in(kind, Directory::new())
    }

    pub(super) fn start_in(kind: ShellKind, home: Directory) -> Self {
        let files = Directory::new();
        let key = Key::random().unwrap();
        let startup = kind.startup(&key, &files.0);
        for (name, text) in &startup.files {
            std::fs::write(files.0.join(name), text).unwrap();
        }
        let size = PtySize {
            rows: 24,
            cols: 120,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program(kind));
        command.args(&startup.arguments);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("LC_ALL", "C.UTF-8");
        command.env("HOME", &home.0);
        for (name, value) in &startup.variables {
            command.env(name, value);
        }
        command.cwd(&home.0);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut running = Self {
            kind,
            child,
            input: pair.master.take_writer().unwrap(),
            output,
            key: key.reveal().to_owned(),
            patience: PATIENCE,
            marks: Marks::new(key),
            follow: Follow::default(),
            screen: Screen::new(Size::new(120, 24).unwrap()),
            start: files.0.join(&startup.files[0].0),
            home,
            _files: files,
            _terminal: pair.master,
        };
        let started = running.until(|events| events.contains(&Event::Ready));
        assert!(started.status.is_none(), "{started:?}");
        running
    }

    /// Takes output until the events are what is waited for, or the shell is gone.
    pub(super) fn until(&mut self, done: impl Fn(&[Event]) -> bool) -> Ran {
        let mut ran = Ran {
            output: String::new(),
            status: None,
            events: Vec::new(),
        };
        let mut bytes = Vec::new();
        let mut begun = !self.kind.marks_begin();
        while !done(&ran.events) {
            let piece = match self.output.recv_timeout(self.patience) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if self.patience < PATIENCE => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!(
                        "{:?} did not answer: {ran:?} {:?}",
                        self.kind,
                        self.screen.snapshot().text()
                    )
                }
            };
            let mut rest = &piece[..];
            while let Some(piece) = self.marks.next(&mut rest) {
                match piece {
                    Piece::Output(output) => {
                        self.screen.replay(output);
                        if begun {
                            bytes.extend_from_slice(output);
                        }
                    }
                    Piece::Mark(mark) => {
                        let event = self.follow.take(mark);
                        begun |= event == Some(Event::Began);
                        if let Some(Event::Ended { status } | Event::Nothing { status }) = event {
                            begun = false;
                            ran.status = Some(status);
                        }
                        ran.events.extend(event);
                    }
                }
            }
            // A shell that asks who the terminal is waits for the answer.
            let Ok(()) = self.input.write_all(&self.screen.take_replies()) else {
                continue;
            };
        }
        let mut plain = crate::session::Plain::default();
        plain.feed(&bytes);
        ran.output = plain.finish().0;
        ran
    }

    /// Presses Ctrl-C until it is heard: a shell that has shown its prompt and does not read yet can miss it.
    pub(super) fn interrupt(&mut self) {
        self.patience = Duration::from_secs(5);
        for _ in 0..12 {
            self.type_in(b"\x03");
            if self
                .until(|events| events.contains(&Event::Ready))
                .events
                .contains(&Event::Ready)
            {
                self.patience = PATIENCE;
                return;
            }
        }
        panic!("{:?} does not hear Ctrl-C", self.kind);
    }

    pub(super) fn type_in(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).unwrap();
        self.input.flush().unwrap();
    }

    pub(super) fn send(&mut self, text: &str) {
        let command = CommandText::new(text).unwrap();
        let modes = self.screen.modes();
        let line = match self.kind.typing(&command, &modes) {
            Typing::Line(line) => line,
            Typing::Lines(contents) => {
                let path = self.home.0.join("command");
                std::fs::write(&path, contents).unwrap();
                format!(". {}\r", path.display()).into_bytes()
            }
        };
        self.follow.sent();
        self.type_in(&line);
    }

    pub(super) fn run(&mut self, text: &str) -> Ran {
        self.send(text);
        let mut ran = self.until(|events| events.contains(&Event::Ready));
        if self.kind == ShellKind::Sh {
            // The terminal shows what was typed.
            let (_, output) = ran.output.split_once('\n').unwrap_or_default();
            ran.output = output.to_owned();
        }
        ran
    }

    pub(super) fn check(&mut self, text: &str, output: &str, status: u8) {
        let ran = self.run(text);
        assert_eq!(
            (ran.output.as_str(), ran.status),
            (output, Some(status)),
            "{:?} {text:?} {ran:?}",
            self.kind
        );
        assert_eq!(self.follow.shell(), ShellState::Ready);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(super) const ALL: [ShellKind; 4] = [ShellKind::Bash, ShellKind::Zsh, ShellKind::Fish, ShellKind::Sh];
