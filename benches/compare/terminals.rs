//! Sessions with terminals: how soon a command answers, what a flood costs, and how many there may be.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::{Value, json};

use crate::report::{Budget, Row};
use crate::samples::{Samples, in_turns};
use crate::server::Server;

/// All figures about terminals.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![exec()];
    rows.extend(snapshot());
    rows.extend([fairness(), fairness_of_the_machine()]);
    rows.extend(floods());
    rows.extend(growth());
    rows.extend(many());
    rows.push(end_of_input());
    rows
}

/// A bash at its prompt.
pub(crate) fn open(server: &mut Server) -> Value {
    server.call("terminal_open", json!({"shell": "bash", "cols": 80, "rows": 24}))["session"].clone()
}

/// A command in an open shell: until its exit code and output are there, beside a `ping`.
fn exec() -> Row {
    let mut server = Server::start(&[]);
    let session = open(&mut server);
    let (ours, plain) = in_turns(
        500,
        &mut server,
        |server| {
            let facts = server.call("terminal_exec", json!({"session": session, "command": "echo hi"}));
            assert_eq!(facts["exit_code"], 0, "{facts}");
        },
        |server| drop(server.request("ping", json!({}))),
    );
    Row::new(
        "`terminal_exec` of `echo hi` in bash",
        ours,
        plain,
        Budget::Milliseconds(2.0),
    )
}

fn snapshot() -> [Row; 2] {
    let mut server = Server::start(&[]);
    let session = open(&mut server);
    let (mut ours, mut plain, mut size) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..2_100 {
        let since = Instant::now();
        let (_, text) = server.call_text("terminal_snapshot", json!({"session": session}));
        let took = since.elapsed();
        let since = Instant::now();
        server.request("ping", json!({}));
        if round >= 100 {
            ours.push(took);
            plain.push(since.elapsed());
            size.push_number(u32::try_from(text.len()).unwrap().into());
        }
    }
    [
        Row::new(
            "snapshot of a near-empty screen, beside `ping`",
            ours,
            plain,
            Budget::Milliseconds(0.2),
        ),
        Row::new("its text", size, Samples::default(), Budget::Bytes(500.0)),
    ]
}

/// Snapshots of one session while another floods, beside the same while it does not. A millisecond apart: what keeps a
/// thread of the server from its work is met by calls that find it asleep, hardly by those that come without a pause.
fn fairness() -> Row {
    let mut server = Server::start(&[]);
    let (quiet, flooding) = (open(&mut server), open(&mut server));
    let (mut ours, mut plain) = (Samples::default(), Samples::default());
    for _ in 0..5 {
        let look = |server: &mut Server, samples: &mut Samples| {
            now_and_then(samples, || {
                drop(server.call("terminal_snapshot", json!({"session": quiet})))
            });
        };
        look(&mut server, &mut plain);
        let flood = json!({"session": flooding, "command": "yes", "yield_ms": 200, "max_output_bytes": 1000});
        server.call("terminal_exec", flood);
        look(&mut server, &mut ours);
        let stop = json!({"session": flooding, "input": [{"key": "C-c"}], "wait": {"command": true}});
        server.call("terminal_send", stop);
    }
    Row::new(
        "snapshot while another session floods, p99, beside no flood",
        ours,
        plain,
        Budget::TimesAtHigh(2.0),
    )
}

/// A byte to `cat` and back while `yes` floods a bare terminal, beside the same while it does not: what the scheduler does to whoever
/// sleeps beside a flood.
fn fairness_of_the_machine() -> Row {
    let mut echo = Command::new("/bin/cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (echo.stdin.take().unwrap(), echo.stdout.take().unwrap());
    let mut look = |samples: &mut Samples| {
        now_and_then(samples, || {
            to.write_all(b"x").unwrap();
            from.read_exact(&mut [0]).unwrap();
        });
    };
    let (mut ours, mut plain) = (Samples::default(), Samples::default());
    for _ in 0..5 {
        look(&mut plain);
        let flood = Bare::start("yes");
        let mut killer = flood.child.clone_killer();
        let reader = std::thread::spawn(move || flood.read_all());
        look(&mut ours);
        killer.kill().unwrap();
        reader.join().unwrap();
    }
    drop(to);
    echo.wait().unwrap();
    Row::new(
        "a byte through `cat` while a bare terminal floods, p99, beside no flood",
        ours,
        plain,
        Budget::Machine,
    )
}

/// Two hundred samples a millisecond apart.
fn now_and_then(samples: &mut Samples, mut act: impl FnMut()) {
    for _ in 0..200 {
        let since = Instant::now();
        act();
        samples.push(since.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// From the call to its answer with the last screenful, beside reading all of it from a bare terminal.
fn floods() -> [Row; 2] {
    let mut server = Server::start(&[]);
    let session = open(&mut server);
    let path = server.workspace().join("large");
    let line = "the quick brown fox jumps over the lazy dog, and so on until the line is full\n";
    std::fs::write(&path, line.repeat(100_000_000 / line.len())).unwrap();
    let cat = format!("cat {}", path.display());
    let mut row = |name, command: &str, budget| {
        let (mut ours, mut plain) = (Samples::default(), Samples::default());
        for round in 0..6 {
            let since = Instant::now();
            let call = json!({"session": session, "command": command, "yield_ms": 50_000, "max_output_bytes": 1000});
            let facts = server.call("terminal_exec", call);
            server.call("terminal_snapshot", json!({"session": session}));
            let took = since.elapsed();
            assert_eq!(facts["exit_code"], 0, "{facts}");
            let bare = read_all(command);
            if round > 0 {
                ours.push(took);
                plain.push(bare);
            }
        }
        Row::new(name, ours, plain, budget)
    };
    [
        row(
            "`seq 1 2000000` until visible, beside a bare reader",
            "seq 1 2000000",
            Budget::Times(1.5),
        ),
        row(
            "`cat` of 100 MB until visible, beside a bare reader",
            &cat,
            Budget::Times(4.0),
        ),
    ]
}

/// Runs a command on a terminal and reads all that it prints.
pub(crate) fn read_all(command: &str) -> Duration {
    let since = Instant::now();
    Bare::start(command).read_all();
    since.elapsed()
}

/// A command on a terminal that nobody but its reader stands behind.
struct Bare {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Bare {
    fn start(command: &str) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut line = CommandBuilder::new("/bin/bash");
        line.args(["-c", command]);
        Self {
            child: pair.slave.spawn_command(line).unwrap(),
            master: pair.master,
        }
    }

    fn read_all(mut self) {
        let mut reader = self.master.try_clone_reader().unwrap();
        let mut buffer = vec![0; 65_536];
        while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
        self.child.wait().unwrap();
    }
}

/// What the server has grown by after output that another server keeps.
fn growth() -> Vec<Row> {
    let cases = [
        ("growth (RSS) by `seq 1 2000000`", "seq 1 2000000"),
        (
            "growth by 1 GB of lines",
            "yes 'a line of some length, as programs print' | head -c 1000000000",
        ),
        (
            "growth by 200 MB of a title that does not end",
            "printf '\\033]0;'; head -c 200000000 /dev/zero | tr '\\0' x; printf '\\007'",
        ),
        (
            "growth by 50 MB of combining marks",
            "python3 -c \"import sys; [sys.stdout.write('\\u0301' * 250000) for _ in range(100)]\"",
        ),
    ];
    let mut rows = Vec::new();
    for (name, command) in cases {
        let mut server = Server::start(&[]);
        let session = open(&mut server);
        server.call("terminal_exec", json!({"session": session, "command": "echo first"}));
        let before = server.resident();
        let call = json!({"session": session, "command": command, "yield_ms": 50_000, "max_output_bytes": 1000});
        server.call("terminal_exec", call);
        let until = json!({"session": session, "until": {"idle_ms": 500}, "timeout_ms": 50_000});
        server.call("terminal_wait", until);
        let mut ours = Samples::default();
        ours.push_number((server.resident() - before).max(0.0));
        rows.push(Row::new(name, ours, Samples::default(), Budget::Mebibytes(10.0)));
    }
    rows
}

/// Two hundred sessions opened, echoed and closed.
fn many() -> [Row; 2] {
    const SESSIONS: usize = 200;
    let (mut all, mut each) = (Samples::default(), Samples::default());
    let mut server = Server::start(&[]);
    let before = server.resident();
    let since = Instant::now();
    let sessions: Vec<Value> = (0..SESSIONS).map(|_| open(&mut server)).collect();
    for session in &sessions {
        let facts = server.call("terminal_exec", json!({"session": session, "command": "echo hi"}));
        assert_eq!(facts["exit_code"], 0, "{facts}");
    }
    each.push_number((server.resident() - before) / f64::from(u32::try_from(SESSIONS).unwrap()));
    for session in &sessions {
        server.call("terminal_close", json!({"session": session}));
    }
    all.push(since.elapsed());
    [
        Row::new(
            "200 sessions opened, echoed and closed, one after another",
            all,
            Samples::default(),
            Budget::Milliseconds(5000.0),
        ),
        Row::new(
            "memory (RSS) for each of them",
            each,
            Samples::default(),
            Budget::Mebibytes(1.5),
        ),
    ]
}

/// From the end of the client to the end of the server and all of twenty busy sessions.
fn end_of_input() -> Row {
    let mut ours = Samples::default();
    for _ in 0..5 {
        let mut server = Server::start(&[]);
        for number in 0..20 {
            let session = open(&mut server);
            let work = [
                "yes",
                "trap '' HUP INT TERM; sleep 7654",
                "setsid nohup sleep 7654 & sleep 7654",
            ][number % 3];
            let call = json!({"session": session, "command": work, "yield_ms": 0, "max_output_bytes": 1000});
            server.call("terminal_exec", call);
        }
        ours.push(server.end_with_all());
    }
    Row::new(
        "end of input until server and 20 busy sessions are gone",
        ours,
        Samples::default(),
        Budget::Milliseconds(200.0),
    )
}
