//! `terrarium run` on a terminal, with a terminal of its own inside and the outer one as it was; and on one pipe for both outputs.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::command::Run;
use crate::harness::patience;

/// A terminal with `terrarium run` on it.
struct Outer {
    master: File,
    slave: File,
    child: Child,
    before: Termios,
    shown: String,
    _run: Run,
}

impl Outer {
    #[expect(
        clippy::disallowed_methods,
        reason = "setsid makes the terminal the controlling one, as a shell would"
    )]
    fn start(run: Run, argv: &[&str]) -> Self {
        let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        // Not what a terminal starts with, so that putting it back can be seen.
        let mut before = tcgetattr(&slave).unwrap();
        before.local_modes.remove(rustix::termios::LocalModes::ECHOK);
        tcsetattr(&slave, OptionalActions::Now, &before).unwrap();
        let slave = File::from(slave);
        let inner = run.command(argv);
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(inner.get_program()).args(inner.get_args());
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        command
            .env("TMPDIR", &run.tmp)
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio());
        let outer = Self {
            child: command.spawn().unwrap(),
            before: tcgetattr(&slave).unwrap(),
            master: File::from(master),
            slave,
            shown: String::new(),
            _run: run,
        };
        outer.resize(90, 30);
        outer
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).unwrap();
    }

    fn write(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Reads what there is; says whether there was any.
    fn read(&mut self, patience: u16) -> bool {
        use std::os::fd::AsFd as _;
        let mut wanted = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut wanted, PollTimeout::from(patience)).unwrap() == 0 {
            return false;
        }
        let mut buffer = [0; 65_536];
        let count = self.master.read(&mut buffer).unwrap();
        self.shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        true
    }

    fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.shown.contains(text) {
            assert!(
                start.elapsed() < patience(Duration::from_secs(20)),
                "no {text:?} in {:?}",
                self.shown
            );
            self.read(100);
        }
    }

    /// Waits for the end; the terminal must be as it was.
    fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < patience(Duration::from_secs(20)),
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

impl Drop for Outer {
    fn drop(&mut self) {
        self.child.kill().ok(); // ended already
        self.child.wait().ok();
    }
}

fn outer(argv: &[&str]) -> Outer {
    Outer::start(Run::profile("default"), argv)
}

#[test]
fn exit_codes_are_those_of_a_shell_and_the_terminal_is_as_before() {
    let table: [(&[&str], &[&str], i32); 7] = [
        (&[], &["bash", "-c", "exit 7"], 7),
        (&[], &["bash", "-c", "stty raw -echo; kill -TERM $$"], 143),
        (&[], &["bash", "-c", "stty raw -echo; kill -9 $$"], 137),
        (&["--timeout", "1s"], &["bash", "-c", "stty raw -echo; sleep 60"], 124),
        (&["--profile", "no-such"], &["true"], 125),
        (&[], &["/usr"], 126),
        (&[], &["no-such"], 127),
    ];
    for (options, argv, code) in table {
        let mut run = Run::profile("default");
        if options.contains(&"--profile") {
            run = Run::profile("no-such");
        } else {
            run.options(options);
        }
        let (status, shown) = Outer::start(run, argv).end();
        assert_eq!(status, Some(code), "{argv:?}: {shown}");
    }
}

#[test]
fn sizes_and_changes_of_size_arrive() {
    let mut outer = outer(&[
        "bash",
        "-c",
        "tty; trap 'stty size; exit' WINCH; stty size; while :; do read -t 0.1 x; done",
    ]);
    outer.wait_for("/dev/pts/");
    outer.wait_for("30 90");
    outer.resize(111, 40);
    outer.wait_for("40 111");
    assert_eq!(outer.end().0, Some(0));
}

#[test]
fn the_keys_of_job_control_act_inside() {
    let mut outer = outer(&["bash", "--norc", "--noprofile", "-i"]);
    outer.write(b"PS1='re''ady>'\r");
    outer.wait_for("ready>");
    // The program in front says that it is there: until then the keys are the shell's.
    outer.write(b"sh -c 'echo st\"\"arted; exec sleep 60'\r");
    outer.wait_for("started\r\n");
    outer.write(b"\x1a");
    outer.wait_for("Stopped");
    outer.write(b"fg\r");
    outer.wait_for("\u{1b}[?2004l\rsh -c");
    outer.write(b"\x03");
    outer.write(b"echo af''ter $?\r");
    outer.wait_for("after 130");
    outer.write(b"exit 3\r");
    assert_eq!(outer.end().0, Some(3));
}

#[test]
fn an_interrupt_ends_a_command_that_lets_it() {
    let mut outer = outer(&["bash", "-c", "echo up; exec sleep 60"]);
    outer.wait_for("up");
    outer.write(b"\x03");
    assert_eq!(outer.end().0, Some(130));
}

#[test]
fn what_acts_on_the_outer_terminal_does_not_reach_it() {
    let hostile = r"printf 'A\033]52;c;aGk=\007B\033[6nC\033[cD\033]0;title\007E\033P+q\033\\F\033[>qG\033[21tH\n'";
    let (status, shown) = outer(&["bash", "-c", hostile]).end();
    assert_eq!(status, Some(0));
    assert_eq!(shown, "ABCD\u{1b}]0;title\u{7}EFGH\r\n\u{1b}[0m");
    let (_, shown) = outer(&["printf", r"\033[?1049h\033[?25lx"]).end();
    assert!(shown.ends_with("x\u{1b}[?25h\u{1b}[?1049l\u{1b}[0m"), "{shown:?}");
}

#[test]
fn signals_to_terrarium_end_the_command_and_put_the_terminal_in_order() {
    use nix::sys::signal::{Signal, kill};
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut outer = outer(&["bash", "-c", "stty -echo; echo up; sleep 60"]);
        outer.wait_for("up");
        kill(nix::unistd::Pid::from_raw(outer.child.id().cast_signed()), signal).unwrap();
        assert_eq!(outer.end().0, Some(129), "{signal}");
    }
}

#[test]
fn two_outputs_that_are_one_keep_their_order() {
    let run = Run::profile("default");
    let line = "for n in $(seq 200); do echo out $n; echo err $n >&2; done";
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = run.command(&["bash", "-c", line]);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command); // it holds the pipe open
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let expected: String = (1..=200).map(|n| format!("out {n}\nerr {n}\n")).collect();
    assert_eq!(said, expected);
    // Two files stay two.
    let output = run.bash("echo out; echo err >&2");
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
}
