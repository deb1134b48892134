//! Compares the built server with the plain thing, side by side: `cargo bench --bench compare`.
//!
//! Each figure is taken in turns with what it is compared to, so that a busy machine slows both. With `--write FILE`
//! the report goes to a file as well, whose first heading and what follows it stay, and curves into `plots` beside it.
//! With `calls`, `launch`, `steady`, `terminals`, `network` or `growth` there is that part only. Nothing here passes or
//! fails: figures are for reading.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that fails has no figure to give, and tells what it measures"
)]

mod growth;
#[path = "../../tests/it/hf_fake/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod hf_fake;
mod network;
mod plot;
mod report;
mod samples;
mod server;
mod terminals;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use report::{Budget, Row};
use samples::{Samples, in_turns};
use server::Server;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let file = arguments
        .iter()
        .position(|a| a == "--write")
        .map(|at| &arguments[at + 1]);
    // The name of a part: only that.
    let only = arguments
        .iter()
        .find(|a| ["calls", "launch", "steady", "terminals", "network", "growth"].contains(&a.as_str()));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if wanted("calls") {
        rows.extend([cold_start(), idle_memory(), gate()]);
    }
    if wanted("launch") {
        rows.extend(launch());
    }
    if wanted("steady") {
        rows.extend(steady());
    }
    if wanted("terminals") {
        rows.extend(terminals::rows());
    }
    if wanted("network") {
        rows.extend(network::rows());
    }
    let file = file.map(Path::new);
    if wanted("growth") {
        let beside = file
            .and_then(Path::parent)
            .unwrap_or(Path::new(env!("CARGO_TARGET_TMPDIR")));
        growth::draw(&beside.join("plots"));
    }
    let text = report::compose(&rows);
    println!("{text}");
    if let Some(file) = file.filter(|_| !rows.is_empty()) {
        let kept = fs::read_to_string(file).unwrap_or_default();
        let kept = kept.find("\n## ").map_or("", |at| &kept[at..]);
        fs::write(file, text + kept).unwrap();
    }
}

/// From starting the program to its answer to `initialize`, beside starting a program that does nothing.
fn cold_start() -> Row {
    let (mut ours, mut plain) = (Samples::default(), Samples::default());
    for _ in 0..100 {
        ours.push(Server::start(&[]).started_in());
        plain.push(spawn_true());
    }
    Row::new(
        "cold start: program to `initialize` reply",
        ours,
        plain,
        Budget::Milliseconds(5.0),
    )
}

/// Resident memory of a server that was greeted and asked for its tools, in bytes for nanoseconds.
fn idle_memory() -> Row {
    let mut ours = Samples::default();
    for _ in 0..5 {
        let mut server = Server::start(&[]);
        server.request("tools/list", json!({}));
        ours.push_number(server.resident());
    }
    Row::new(
        "idle memory (RSS), no session",
        ours,
        Samples::default(),
        Budget::Mebibytes(10.0),
    )
}

/// A call that is asked, admitted, judged, recorded and answered, beside a `ping` through the same pipe.
fn gate() -> Row {
    let mut server = Server::start(&[]);
    let (ours, plain) = in_turns(
        5_000,
        &mut server,
        |server| drop(server.request("tools/call", json!({"name": "terminal_list", "arguments": {}}))),
        |server| drop(server.request("ping", json!({}))),
    );
    Row::new(
        "gate: `terminal_list` call, beside `ping`",
        ours,
        plain,
        Budget::MoreMicroseconds(50.0),
    )
}

/// `/bin/true` through the whole path of a call, beside a plain fork and exec of it. Ours and the plain ones come in blocks, with a
/// pause between, so that what a launch leaves to be done slows the next launch and not the plain thing.
fn launch() -> Vec<Row> {
    const SETTLED: Duration = Duration::from_millis(30);
    let cases: [(&str, &[&str], u64); 5] = [
        ("launch of /bin/true, 10 ms apart", &[], 10),
        ("the same where no cgroup is to be had", &["--pretend", "cgroup"], 10),
        ("the same with nothing built ahead", &["--pretend", "ahead"], 10),
        ("launches 100 ms apart", &[], 100),
        ("launches in a row, without a pause", &[], 0),
    ];
    cases
        .into_iter()
        .map(|(name, options, apart)| {
            let pause = Duration::from_millis(apart);
            let mut server = Server::start(options);
            let (mut ours, mut plain) = (Samples::default(), Samples::default());
            let blocks = if apart < 100 { 30 } else { 6 };
            for block in 0..=blocks {
                for _ in 0..10 {
                    pause_for(pause);
                    let since = Instant::now();
                    let facts = server.call("terminal_run", json!({"argv": ["/bin/true"]}));
                    let took = since.elapsed();
                    assert_eq!(facts["exit_code"], 0, "{facts}");
                    if block > 0 {
                        ours.push(took);
                    }
                }
                pause_for(SETTLED);
                for _ in 0..10 {
                    pause_for(pause);
                    plain.push(spawn_true());
                }
            }
            Row::new(name, ours, plain, Budget::Times(5.0))
        })
        .collect()
}

/// Work inside, beside the same work outside. Each measures itself, so that the launch is not counted.
fn steady() -> Vec<Row> {
    let works = [
        (
            "find over /usr",
            "find /usr/lib /usr/share /usr/include -size +1G >/dev/null 2>&1",
        ),
        (
            "dd with bs=1, 400 000 times",
            "dd if=/dev/zero of=/dev/null bs=1 count=400000 2>/dev/null",
        ),
        ("500 forks and execs", "for i in {1..500}; do /bin/true; done"),
        (
            "gcc of a small program, 5 times",
            "for i in {1..5}; do gcc -pipe -O2 -x c -o compiled - <<< '#include <stdio.h>
            int main(void) { return printf(\"%d\", 7) < 0; }'; done; rm -f compiled",
        ),
    ];
    let mut server = Server::start(&[]);
    works
        .into_iter()
        .map(|(name, work)| {
            let line = format!("s=${{EPOCHREALTIME/./}}; {work}; echo took $(( ${{EPOCHREALTIME/./}} - s )) us");
            let (mut ours, mut plain) = (Samples::default(), Samples::default());
            for round in 0..17 {
                let (_, text) = server.call_text("terminal_run", json!({"command": line, "profile": "build"}));
                let inside = microseconds(&text);
                let outside = Command::new("/bin/bash")
                    .args(["-c", &line])
                    .current_dir(server.workspace())
                    .env("LC_ALL", "C")
                    .output()
                    .unwrap();
                let outside = microseconds(&String::from_utf8(outside.stdout).unwrap());
                if round >= 2 {
                    ours.push(inside);
                    plain.push(outside);
                }
            }
            Row::new(name, ours, plain, Budget::Times(1.05))
        })
        .collect()
}

fn microseconds(text: &str) -> Duration {
    let number = text.split_once("took ").and_then(|(_, rest)| rest.split_once(" us"));
    Duration::from_micros(number.unwrap_or_else(|| panic!("no time in {text}")).0.parse().unwrap())
}

fn spawn_true() -> Duration {
    let since = Instant::now();
    let status = Command::new("/bin/true").stdin(Stdio::null()).status().unwrap();
    assert!(status.success());
    since.elapsed()
}

/// What happens after a pause is what is measured: caches and grace periods of the kernel have run out.
fn pause_for(time: Duration) {
    if !time.is_zero() {
        std::thread::sleep(time);
    }
}
