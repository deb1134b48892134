//! `terrarium run` on a terminal, with a terminal of its own inside and the outer one as it was; and on pipes that are one or not read yet.

use std::io::Read as _;
use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::command::{Run, until};
use crate::harness::{host_program, program};
use crate::tty::Tty;

/// A terminal with `terrarium run` on it.
struct Outer {
    tty: Tty,
    _run: Run,
}

impl Outer {
    fn start(run: Run, argv: &[&str]) -> Self {
        let tty = Tty::start(&run.command(argv));
        Self { tty, _run: run }
    }

    fn end(self) -> (Option<i32>, String) {
        self.tty.end()
    }
}

impl Deref for Outer {
    type Target = Tty;

    fn deref(&self) -> &Tty {
        &self.tty
    }
}

impl DerefMut for Outer {
    fn deref_mut(&mut self) -> &mut Tty {
        &mut self.tty
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
    // The program in front says that it is there, and that it is there again: until then the keys
    // are the shell's, which names a job before it puts it in front.
    outer.write(b"sh -c 'trap \"echo con\\\"\\\"tinued\" CONT; echo st\"\"arted; read a; read b'\r");
    outer.wait_for("started\r\n");
    outer.write(b"\x1a");
    outer.wait_for("Stopped");
    outer.write(b"fg\r");
    outer.wait_for("continued\r\n");
    outer.write(b"\x03");
    outer.wait_for("^C\r\n\u{1b}[?2004hready>");
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
    let hostile = r"printf 'A\033]52;c;aGk=\007B\033[6nC\033[cD\033]0;title\007E\033P+q\033\\F\033[>qG\033[21tH\033%%@I\033[&uJ\033[?2048hK\n'";
    let (status, shown) = outer(&["bash", "-c", hostile]).end();
    assert_eq!(status, Some(0));
    assert_eq!(shown, "ABCD\u{1b}]0;title\u{7}EFGHIJK\r\n\u{1b}[0m");
    let (_, shown) = outer(&["printf", r"\033[?1049h\033[?25lx"]).end();
    assert!(shown.ends_with("x\u{1b}[?25h\u{1b}[?1049l\u{1b}[0m"), "{shown:?}");
    let (_, shown) = outer(&["printf", r"\033(0\033[4h\033[?9hx"]).end();
    assert!(
        shown.contains("x\u{1b}[4l\u{1b}[?9l\u{1b}[!p") && shown.contains("\u{1b}(B"),
        "{shown:?}"
    );
}

/// Also where only the output is a terminal, so that the command has pipes.
#[test]
fn nor_does_it_from_a_command_without_a_terminal() {
    let hostile = r"printf 'A\033]52;c;aGk=\007B\033[6nC\302\2336nD\033[1mE'; printf 'F\033[cG' >&2";
    let piped = |inner: &Command| {
        let mut command = host_program("sh");
        command.args(["-c", r#"exec "$0" "$@" < /dev/null"#]);
        command.arg(inner.get_program()).args(inner.get_args());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    };
    let run = Run::profile("default");
    let (status, shown) = Tty::start(&piped(&run.command(&["bash", "-c", hostile]))).end();
    assert_eq!(status, Some(0), "{shown:?}");
    assert!(shown.starts_with("ABC6nD\u{1b}[1mEFG"), "{shown:?}");
    let mut call = program();
    call.args(["call", "terminal_run"]);
    call.arg(json!({"argv": ["bash", "-c", hostile]}).to_string());
    for inner in [&call, &piped(&call)] {
        let (status, shown) = Tty::start(inner).end();
        assert_eq!(status, Some(0), "{shown:?}");
        assert!(shown.contains("ABC6nDE"), "{shown:?}");
        assert!(!shown.contains("]52") && !shown.contains("[c"), "{shown:?}");
    }
}

#[test]
fn signals_to_terrarium_end_the_command_and_put_the_terminal_in_order() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut outer = outer(&["bash", "-c", "stty -echo; echo up; sleep 60"]);
        outer.wait_for("up");
        kill(Pid::from_raw(outer.pid().cast_signed()), signal).unwrap();
        // Ended by the same, or killed where a busy machine did not let it end in time.
        let code = outer.end().0;
        assert!(
            [Some(128 + signal as i32), Some(137)].contains(&code),
            "{signal}: {code:?}"
        );
    }
}

#[test]
fn a_job_in_the_background_is_not_stopped_for_the_terminals_input() {
    let run = Run::profile("default");
    let inner = run.command(&["sh", "-c", "cat; echo said"]);
    let mut command = host_program("bash");
    command.args([
        "-c",
        r#"set -m; "$0" "$@" >"$TMPDIR/out" & wait $!; cat "$TMPDIR/out"; echo over"#,
    ]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut tty = Tty::start(&command);
    tty.wait_for("over");
    let (_, shown) = tty.end();
    assert!(shown.contains("said\r\n"), "{shown:?}");
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

#[test]
fn a_reader_that_takes_its_time_gets_everything() {
    let run = Run::profile("default");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = run.command(&["seq", "20000"]); // more than a pipe holds
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    std::thread::park_timeout(Duration::from_millis(1500)); // a person reads the first page
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(said.lines().last(), Some("20000"), "{} bytes", said.len());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_ends_the_wait_for_a_reader() {
    let run = Run::profile("default");
    for (argv, when) in [(["seq", "20000"], "it has ended"), (["yes", "up"], "it runs")] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = run.command(&argv);
        let mut child = command.stdout(writer).spawn().unwrap();
        drop(command);
        reader.read_exact(&mut [0]).unwrap();
        until("the pipe is full", || {
            let waiting = rustix::io::ioctl_fionread(&reader).unwrap();
            waiting >= 60_000
        });
        if when == "it has ended" {
            std::thread::park_timeout(Duration::from_millis(1500));
            assert!(child.try_wait().unwrap().is_none(), "it waits for its reader");
        }
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        until("it has ended", || child.try_wait().unwrap().is_some());
    }
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let run = Run::profile("default");
    for line in ["echo said", "echo said >&2", "yes"] {
        let mut command = run.command(&["bash", "-c", line]);
        let full = || std::fs::File::create("/dev/full").unwrap();
        let output = if line.ends_with('2') {
            command.stderr(full()).output().unwrap()
        } else {
            command.stdout(full()).output().unwrap()
        };
        assert_eq!(output.status.code(), Some(125), "{line}: {output:?}");
        if !line.ends_with('2') {
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(
                errors.contains("incomplete") && errors.contains("No space left"),
                "{errors}"
            );
        }
    }
}
