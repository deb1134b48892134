//! Messages of a client with a few things wrong, from a seed: the server stays.

use serde_json::json;

use crate::harness::Server;
use crate::hostile_client::{ERAS, still_serves};

/// Numbers that are the same for the same seed (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A message of a client, as good as the harness would send it.
fn some_message(random: &mut Random, server: &Server) -> Vec<u8> {
    let commands = [
        "true",
        "echo hi",
        "exit 3",
        "cat",
        "printf '\\033[?1049h'",
        "yes | head -c 100000",
    ];
    let command = *random.pick(&commands);
    let session = *random.pick(&["s1", "s2", "s99", ""]);
    let (tool, arguments) = random
        .pick(&[
            (
                "terminal_run",
                json!({"command": command, "yield_ms": 100, "env": {"A": "b"}}),
            ),
            ("terminal_open", json!({"shell": "sh", "cols": 80})),
            (
                "terminal_exec",
                json!({"session": session, "command": command, "yield_ms": 100}),
            ),
            (
                "terminal_send",
                json!({"session": session, "input": [{"text": "x"}, {"key": "C-c"}]}),
            ),
            (
                "terminal_wait",
                json!({"session": session, "until": {"text": "x"}, "timeout_ms": 10}),
            ),
            ("terminal_snapshot", json!({"session": session, "scrollback_lines": 5})),
            ("terminal_read", json!({"session": session, "cursor": 0})),
            ("terminal_resize", json!({"session": session, "cols": 100, "rows": 30})),
            ("terminal_list", json!({})),
            ("terminal_close", json!({"session": session})),
        ])
        .clone();
    let id = json!(1_000_000 + random.below(50));
    let message = match random.below(8) {
        0 => json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}),
        1 => server.message("tools/list", json!({}), &id),
        2 => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
        _ => server.message("tools/call", json!({"name": tool, "arguments": arguments}), &id),
    };
    message.to_string().into_bytes()
}

/// The same with a few things wrong.
fn spoilt(random: &mut Random, mut line: Vec<u8>) -> Vec<u8> {
    let pieces: [&[u8]; 14] = [
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\n",
        b"1e999",
        b"-1",
        b"null",
        b"99999999999999999999",
    ];
    for _ in 0..random.below(4) {
        let at = random.below(line.len());
        match random.below(6) {
            0 => line[at] = u8::try_from(random.below(256)).unwrap(),
            1 => drop(line.drain(at..(at + 1 + random.below(9)).min(line.len()))),
            2 => drop(line.splice(at..at, random.pick(&pieces).iter().copied())),
            3 => line.truncate(at.max(1)),
            4 => {
                let again = line[at..(at + random.below(40)).min(line.len())].to_vec();
                drop(line.splice(at..at, again));
            }
            _ => {
                // A number becomes another.
                if let Some(digit) = (at..line.len()).find(|&n| line[n].is_ascii_digit()) {
                    drop(line.splice(digit..=digit, random.pick(&pieces[10..]).iter().copied()));
                }
            }
        }
        if line.is_empty() {
            line.push(b' ');
        }
    }
    line
}

/// `TERRARIUM_TEST_SEED=N` begins elsewhere, `TERRARIUM_TEST_LINES=N` sends more than some hundred lines.
#[test]
fn spoilt_messages_never_end_the_server() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("TERRARIUM_TEST_SEED").unwrap_or(1_u64);
    let lines = number("TERRARIUM_TEST_LINES").unwrap_or(400_u64);
    for (era, seed) in ERAS.into_iter().zip(first..) {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut server = Server::start(era);
        server.request("tools/list", json!({}));
        for number in 0..lines {
            let line = some_message(&mut random, &server);
            let line = spoilt(&mut random, line);
            server.write_line(&line);
            if number % 50 == 49 {
                still_serves(&mut server, &format!("{number} lines of seed {seed}"));
                server.unclaimed();
            }
        }
        server.end_input();
        let (status, _) = server.ended();
        assert!(status.success(), "seed {seed}: {status}");
    }
}
