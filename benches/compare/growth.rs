//! How cost grows: with sessions, with output, with rules and with callers. Each is measured at a few sizes and drawn.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::network::{Connection, Place, Remote};
use crate::plot::{Figure, Line, Panel};
use crate::samples::{Samples, median};
use crate::server::Server;
use crate::terminals::{open, read_all};

const MEBIBYTE: f64 = 1_048_576.0;
/// How long callers call: each may make 60 000 calls a minute.
const FOR: Duration = Duration::from_secs(1);

/// All figures, each drawn into a file of the directory.
pub(crate) fn draw(into: &Path) {
    fs::create_dir_all(into).unwrap();
    sessions().draw(&into.join("sessions.svg"));
    output().draw(&into.join("output.svg"));
    rules().draw(&into.join("rules.svg"));
    callers().draw(&into.join("callers.svg"));
}

/// Sessions with a bash at its prompt: memory of the server, and what one of them is asked.
fn sessions() -> Figure {
    let mut server = Server::start(&[]);
    let mut memory = Line::new("all sessions");
    let (mut snapshot, mut exec) = (Line::new("terminal_snapshot"), Line::new("terminal_exec"));
    let (quiet, used) = (open(&mut server), open(&mut server));
    let before = server.resident();
    for count in 2..=200_u32 {
        if count > 2 {
            open(&mut server);
        }
        if count > 2 && count % 25 != 0 {
            continue;
        }
        memory.push(count, (server.resident() - before) / MEBIBYTE);
        snapshot.push(
            count,
            1e3 * median(500, || {
                drop(server.call("terminal_snapshot", json!({"session": quiet})))
            }),
        );
        let call = json!({"session": used, "command": "echo hi"});
        exec.push(
            count,
            1e3 * median(500, || drop(server.call("terminal_exec", call.clone()))),
        );
    }
    Figure {
        title: "Open sessions",
        x: "sessions",
        panels: [
            Panel::new("memory more than with two, MiB", [memory]),
            Panel::new("median of a call in one of them, ms", [snapshot, exec]),
        ],
    }
}

/// Lines printed in one session: memory of the server, and time until the last screenful is seen.
fn output() -> Figure {
    let mut server = Server::start(&[]);
    let session = open(&mut server);
    server.call("terminal_exec", json!({"session": session, "command": "echo first"}));
    let before = server.resident();
    let mut memory = Line::new("server");
    let (mut ours, mut bare) = (Line::new("until visible"), Line::new("bare terminal"));
    for megabytes in [1, 5, 10, 25, 50, 75, 100_u32] {
        let command = format!("yes 'a line of some length, as programs print' | head -c {megabytes}000000");
        let call = json!({"session": session, "command": command, "yield_ms": 50_000, "max_output_bytes": 1000});
        ours.push(
            megabytes,
            median(3, || {
                let facts = server.call("terminal_exec", call.clone());
                assert_eq!(facts["exit_code"], 0, "{facts}");
                server.call("terminal_snapshot", json!({"session": session}));
            }),
        );
        bare.push(megabytes, median(3, || _ = read_all(&command)));
        memory.push(megabytes, (server.resident() - before) / MEBIBYTE);
    }
    Figure {
        title: "Output of one session",
        x: "MB printed at once",
        panels: [
            Panel::new("memory more than before the first, MiB", [memory]),
            Panel::new("time, s", [ours, bare]),
        ],
    }
}

/// Rules of a policy, of which all or none speak of the tool that is called.
fn rules() -> Figure {
    let (mut start, mut all, mut none) = (Line::new("start"), Line::new("all"), Line::new("none"));
    for count in [1, 100, 250, 500, 750, 1000_u32] {
        for (line, tool) in [(&mut all, "terminal_list"), (&mut none, "terminal_read")] {
            let mut config = "policy:\n  revision: bench\n  rules:\n".to_owned();
            for number in 1..count {
                writeln!(
                    config,
                    "    - {{id: r{number}, effect: deny, callers: [\"token:t{number}\"], tools: [{tool}]}}"
                )
                .unwrap();
            }
            config.push_str("    - {id: last, effect: allow, callers: [local], tools: [terminal_list]}\n");
            let place = Place::new("rules", &config);
            let mut server = Server::start_with(&["--config", place.config()], &place.environment());
            let call = json!({"name": "terminal_list", "arguments": {}});
            let asked = median(3_000, || drop(server.request("tools/call", call.clone())));
            let plain = median(3_000, || drop(server.request("ping", json!({}))));
            line.push(count, (asked - plain) * 1e6);
            if tool == "terminal_list" {
                start.push(count, server.started_in().as_secs_f64() * 1e3);
            }
        }
    }
    Figure {
        title: "Rules of a policy",
        x: "rules",
        panels: [
            Panel::new("from start to the first answer, ms", [start]),
            Panel::new(
                "terminal_list more than ping, by rules that speak of it, µs",
                [all, none],
            ),
        ],
    }
}

/// Callers that call over HTTP at once, each by its own token, without a pause.
fn callers() -> Figure {
    let place = Place::new(
        "callers",
        "policy:\n  revision: bench\n  rules:\n    - {id: all, effect: allow, callers: [\"token:*\"], tools: [terminal_list]}\n",
    );
    let remote = Remote::start(&place, 32);
    let list = json!({"name": "terminal_list", "arguments": {}});
    let (mut rate, mut half, mut high) = (Line::new("together"), Line::new("median"), Line::new("p99"));
    for count in [1, 2, 4, 8, 16, 32_u32] {
        let callers: Vec<_> = (0..count as usize).map(|number| remote.caller(number)).collect();
        let since = Instant::now();
        let each: Vec<Vec<Duration>> = std::thread::scope(|scope| {
            let act = |mut caller: Connection| {
                let mut took = Vec::new();
                while since.elapsed() < FOR {
                    let since = Instant::now();
                    caller.call("tools/call", &list);
                    took.push(since.elapsed());
                }
                took
            };
            let threads: Vec<_> = callers
                .into_iter()
                .map(|caller| scope.spawn(move || act(caller)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut samples = Samples::default();
        each.into_iter().flatten().for_each(|took| samples.push(took));
        rate.push(
            count,
            f64::from(u32::try_from(samples.count()).unwrap()) / FOR.as_secs_f64(),
        );
        half.push(count, samples.median().unwrap() * 1e3);
        high.push(count, samples.high().unwrap() * 1e3);
    }
    Figure {
        title: "Callers over HTTP",
        x: "callers at once",
        panels: [
            Panel::new("calls of terminal_list in a second", [rate]),
            Panel::new("time of a call, ms", [half, high]),
        ],
    }
}
