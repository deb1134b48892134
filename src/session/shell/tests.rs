//! The real shells, on a real terminal.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use super::*;
use crate::session::marks::{Event, Follow, Marks, Piece, ShellState};
use crate::session::screen::{Screen, Size};

/// A directory that is gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
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

struct Running {
    kind: ShellKind,
    child: Box<dyn Child + Send + Sync>,
    input: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    marks: Marks,
    follow: Follow,
    screen: Screen,
    key: String,
    patience: Duration,
    start: PathBuf,
    home: Directory,
    _files: Directory,
    _terminal: Box<dyn portable_pty::MasterPty + Send>,
}

/// What a command gave: its output, and its status if it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    output: String,
    status: Option<u8>,
    events: Vec<Event>,
}

/// Longer than any machine takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(kind: ShellKind) -> &'static str {
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
    fn start(kind: ShellKind) -> Self {
        Self::start_in(kind, Directory::new())
    }

    fn start_in(kind: ShellKind, home: Directory) -> Self {
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
    fn until(&mut self, done: impl Fn(&[Event]) -> bool) -> Ran {
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
        plain.feed(self.kind.without_trace(&bytes));
        ran.output = plain.finish().0;
        ran
    }

    /// Presses Ctrl-C until it is heard: a shell that has shown its prompt and does not read yet can miss it.
    fn interrupt(&mut self) {
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

    fn type_in(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).unwrap();
        self.input.flush().unwrap();
    }

    fn send(&mut self, text: &str) {
        let command = CommandText::new(text).unwrap();
        let modes = self.screen.modes();
        let line = match self.kind.typing(&command, &modes) {
            Typing::Line(line) => line,
            Typing::File(contents) => {
                let path = self.home.0.join("command");
                std::fs::write(&path, contents).unwrap();
                self.kind.read_file(path.to_str().unwrap())
            }
        };
        self.follow.sent();
        self.type_in(&line);
    }

    fn run(&mut self, text: &str) -> Ran {
        self.send(text);
        let mut ran = self.until(|events| events.contains(&Event::Ready));
        if self.kind == ShellKind::Sh {
            // The terminal shows what was typed.
            let (_, output) = ran.output.split_once('\n').unwrap_or_default();
            ran.output = output.to_owned();
        }
        ran
    }

    fn check(&mut self, text: &str, output: &str, status: u8) {
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

const ALL: [ShellKind; 4] = [ShellKind::Bash, ShellKind::Zsh, ShellKind::Fish, ShellKind::Sh];

/// In all shells alike.
#[test]
fn commands_give_their_output_and_status() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        shell.check("echo hi", "hi\n", 0);
        shell.check("false", "", 1);
        shell.check("echo 'ä 界'; sh -c 'exit 42'", "ä 界\n", 42);
        shell.check("printf 'no newline'", "no newline", 0);
        shell.check("sh -c 'kill -9 $$'", shell_says_killed(kind), 137);
        shell.check("cat <&- 2>/dev/null; echo done", "done\n", 0);
        shell.check("seq 1 5000 | tail -n 1", "5000\n", 0);
        shell.check(&format!("echo {} | wc -c", "x".repeat(3000)), "3001\n", 0);
        shell.check("no-such-command 2>/dev/null; true", after_unknown(kind), 0);
        let many = shell.run("seq 1 10000");
        assert_eq!(
            many.output,
            (1..=10_000).map(|n| format!("{n}\n")).collect::<String>(),
            "{kind:?}"
        );
        assert!(!shell.start.exists(), "{kind:?} left its start file behind");
        shell.send("exit 3");
        shell.until(|_| false);
        assert_eq!(shell.child.wait().unwrap().exit_code(), 3, "{kind:?}");
    }
}

fn shell_says_killed(kind: ShellKind) -> &'static str {
    match kind {
        ShellKind::Bash | ShellKind::Sh => "Killed\n",
        ShellKind::Zsh => "zsh: killed     sh -c 'kill -9 $$'\n",
        ShellKind::Fish => "fish: Job 1, 'sh -c 'kill -9 $$'' terminated by signal SIGKILL (Forced quit)\n",
    }
}

/// fish writes about it to the terminal.
fn after_unknown(kind: ShellKind) -> &'static str {
    match kind {
        ShellKind::Fish => "fish: Unknown command: no-such-command\n",
        _ => "",
    }
}

/// A command of several lines, and what its output is.
fn several_lines(kind: ShellKind) -> Vec<(&'static str, &'static str, u8)> {
    let mut all = vec![
        ("echo a\necho b", "a\nb\n", 0),
        ("echo 'one\ntwo'", "one\ntwo\n", 0),
        ("echo a\nfalse", "a\n", 1),
    ];
    if kind == ShellKind::Fish {
        all.push(("for i in 1 2\n    echo $i\nend", "1\n2\n", 0));
    } else {
        all.push(("for i in 1 2\ndo\n\techo $i\ndone", "1\n2\n", 0));
        all.push(("cat <<'END'\n$x\n  two\nEND", "$x\n  two\n", 0));
        all.push(("if true; then\n  (exit 7)\nfi", "", 7));
    }
    all
}

#[test]
fn commands_of_several_lines_are_one_command() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        for (text, output, status) in several_lines(kind) {
            shell.check(text, output, status);
        }
        shell.check("echo after", "after\n", 0);
    }
}

#[test]
fn lines_that_run_nothing_are_told_from_commands() {
    for kind in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Sh] {
        let mut shell = Running::start(kind);
        for text in ["# a comment", "   # another"] {
            let ran = shell.run(text);
            assert_eq!(ran.output, "");
            // zsh takes some for commands that do nothing.
            let ended = ran.events.iter().any(|e| matches!(e, Event::Ended { .. }));
            assert!(!ended || kind == ShellKind::Zsh, "{kind:?} {ran:?}");
        }
        let wrong = shell.run("echo )");
        assert!(matches!(wrong.status, Some(1 | 2)), "{kind:?} {wrong:?}");
        shell.check("echo after", "after\n", 0);
    }
}

#[test]
fn an_unfinished_command_is_told_and_can_be_left() {
    for kind in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Sh] {
        let mut shell = Running::start(kind);
        for text in ["echo 'open", "for i in 1 2; do", "cat <<END"] {
            shell.send(text);
            shell.until(|events| events.contains(&Event::Unfinished));
            assert_eq!(shell.follow.shell(), ShellState::Unfinished, "{kind:?} {text}");
            shell.interrupt();
        }
        shell.check("echo after", "after\n", 0);
    }
}

#[test]
fn a_running_command_reads_what_is_typed_and_ends_by_ctrl_c() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        shell.send(if kind == ShellKind::Fish {
            "head -n 1 | tr a-z A-Z"
        } else {
            "read line; echo $line | tr a-z A-Z"
        });
        if kind.marks_begin() {
            shell.until(|events| events.contains(&Event::Began));
        }
        shell.type_in(b"hello\r");
        let ran = shell.until(|events| events.contains(&Event::Ready));
        assert!(shell.screen.snapshot().text().contains("HELLO"), "{kind:?} {ran:?}");
        shell.send("sh -c 'echo started; exec sleep 600'");
        while !shell.screen.snapshot().text().contains("\nstarted") {
            let before = shell.screen.counts();
            let piece = shell
                .output
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{kind:?} {before:?}"));
            let mut rest = &piece[..];
            while let Some(piece) = shell.marks.next(&mut rest) {
                match piece {
                    Piece::Output(output) => shell.screen.replay(output),
                    Piece::Mark(mark) => drop(shell.follow.take(mark)),
                }
            }
        }
        shell.type_in(b"\x03");
        let ran = shell.until(|events| events.contains(&Event::Ready));
        assert_eq!(ran.status, Some(130), "{kind:?}");
    }
}

#[test]
fn what_the_user_sets_keeps_working_in_bash() {
    let mut bash = Running::start(ShellKind::Bash);
    bash.check("set -x 2>/dev/null", "", 0);
    let traced = bash.run("echo hi");
    assert_eq!(traced.output, "+ echo hi\nhi\n");
    assert!(
        !bash.screen.snapshot().text().contains(&bash.key),
        "tracing shows the secret"
    );
    bash.run("set +x");
    bash.check("PS1='new> '; PS2='more> '; unset PS0", "", 0);
    bash.check("echo hi", "hi\n", 0);
    assert!(
        bash.screen.snapshot().text().ends_with("new>"),
        "{}",
        bash.screen.snapshot().text()
    );
    bash.check("PROMPT_COMMAND='x=$((x+1))'", "", 0);
    bash.check("echo $x", "1\n", 0);
    bash.check("set -u; echo ok; set +u", "ok\n", 0);
    bash.check("IFS=0123456789abcdef; false", "", 1);
    bash.check("unset IFS; trap 'echo trapped' ERR; false", "trapped\n", 1);
    bash.check("trap - ERR; echo a!b 'c!!'", "a!b c!!\n", 0);
    bash.check("stty -echo; echo x; stty sane", "x\n", 0);
    bash.check("(exit 5); echo $?", "5\n", 0);
    let job = bash.run("sleep 0 & wait; echo waited");
    assert!(
        job.output.starts_with("[1] ") && job.output.ends_with("\nwaited\n"),
        "{job:?}"
    );
    bash.check("set -e; ! true", "", 1);
    bash.check("echo still here", "still here\n", 0);
    bash.send("false");
    bash.until(|_| false);
    assert_eq!(bash.child.wait().unwrap().exit_code(), 1);

    let mut debug = Running::start(ShellKind::Bash);
    debug.run("trap 'echo dbg' DEBUG");
    let ran = debug.run("echo hi");
    assert!(ran.output.starts_with("dbg\nhi\n") && ran.status == Some(0), "{ran:?}");
}

#[test]
fn what_the_user_sets_keeps_working_in_other_shells() {
    let mut zsh = Running::start(ShellKind::Zsh);
    zsh.check("set -x", "", 0);
    let traced = zsh.run("echo hi");
    assert_eq!(
        (traced.output.as_str(), traced.status),
        ("+/usr/bin/zsh:2> echo hi\nhi\n", Some(0))
    );
    zsh.run("set +x");
    assert!(
        !zsh.screen.snapshot().text().contains(&zsh.key),
        "tracing shows the secret"
    );
    zsh.check("PS1='new> '; echo a!b", "a!b\n", 0);
    zsh.check("false", "", 1);
    assert!(zsh.screen.snapshot().text().ends_with("new>"));
    zsh.check("setopt errexit; ! true", "", 1);
    zsh.check("setopt noerrexit", "", 0);

    let mut dash = Running::start(ShellKind::Sh);
    dash.check("set -x; echo hi; set +x", "+ echo hi\nhi\n+ set +x\n", 0);
    dash.check("set -u; echo ok", "ok\n", 0);

    let mut fish = Running::start(ShellKind::Fish);
    fish.check("function fish_prompt; echo 'new> '; end", "", 0);
    fish.check("false", "", 1);
}

#[test]
fn the_users_own_start_file_is_read() {
    let home = Directory::new();
    std::fs::write(
        home.0.join(".bashrc"),
        "PS1='mine> '\nPROMPT_COMMAND='y=1'\nalias hello='echo hello'\n",
    )
    .unwrap();
    let mut bash = Running::start_in(ShellKind::Bash, home);
    bash.check("hello", "hello\n", 0);
    bash.check("echo $y", "1\n", 0);
    assert!(bash.screen.snapshot().text().ends_with("mine>"));
    let home = Directory::new();
    std::fs::write(
        home.0.join(".zshrc"),
        "PS1='mine> '\nalias hello='echo hello'\nprecmd() { y=1 }\n",
    )
    .unwrap();
    let mut zsh = Running::start_in(ShellKind::Zsh, home);
    zsh.check("hello; echo $y", "hello\n1\n", 0);
}

#[test]
fn programs_cannot_find_the_secret_and_old_marks_mean_nothing() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        let key = shell.key.clone();
        let found = shell.run("env; cat /proc/self/environ; tr '\\0' ' ' </proc/$PPID/cmdline");
        assert!(!found.output.contains(&key), "{kind:?}");
        let ran = shell.run(&format!(
            "printf '\\033]133;D;9;1;{key}\\007'; printf '\\033]133;D;9;500;bad\\007'; echo end"
        ));
        assert_eq!((ran.output.as_str(), ran.status), ("end\n", Some(0)), "{kind:?}");
        assert!(shell.marks.rejected() >= 2);
    }
}

#[test]
fn a_command_is_text_without_controls() {
    assert_eq!(CommandText::new("\n \n"), Err(LineError::Empty));
    assert_eq!(
        CommandText::new("a\u{3}b"),
        Err(LineError::Control { character: '\u{3}' })
    );
    assert_eq!(
        CommandText::new("a\x1b[201~b"),
        Err(LineError::Control { character: '\x1b' })
    );
    assert_eq!(
        CommandText::new("a\u{9b}b"),
        Err(LineError::Control { character: '\u{9b}' })
    );
    assert_eq!(
        CommandText::new(&"x".repeat(MAX_COMMAND + 1)),
        Err(LineError::TooLong { bytes: MAX_COMMAND + 1 })
    );
    let command = CommandText::new("a\tb\r\nc\n\n").unwrap();
    let paste = Modes {
        bracketed_paste: true,
        ..Modes::default()
    };
    let typed = ShellKind::Bash.typing(&command, &paste);
    assert_eq!(typed, Typing::Line(b"\x1b[200~a\tb\rc\x1b[201~\r".to_vec()));
    assert_eq!(
        ShellKind::Sh.typing(&command, &Modes::default()),
        Typing::File("a\tb\nc\n".to_owned())
    );
    let tab = CommandText::new("a\tb").unwrap();
    assert_eq!(
        ShellKind::Sh.typing(&tab, &Modes::default()),
        Typing::Line(b"a\tb\r".to_vec())
    );
    assert_eq!(
        ShellKind::Bash.typing(&tab, &Modes::default()),
        Typing::File("a\tb\n".to_owned())
    );
    assert_eq!(Shell::ALL.map(ShellKind::from)[3..], [ShellKind::Sh, ShellKind::Sh]);
}
