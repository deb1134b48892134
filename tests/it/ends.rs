//! However a sandbox ends, nothing of it is left: no process, file, descriptor, segment or cgroup.
//!
//! Every cause is tried a few times. `TERRARIUM_TEST_ENDS=500` tries each so often; that takes some ten minutes.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::command::until;
use crate::harness::{Era, Server};
use crate::processes::{alive, children};

/// How often each cause is tried unless somebody asks for more.
const TIMES: usize = 4;
/// Sandboxes that run when something ends.
const AT_ONCE: usize = 4;

fn times() -> usize {
    let wanted = std::env::var("TERRARIUM_TEST_ENDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let times = wanted.unwrap_or(TIMES);
    if times < 500 {
        eprintln!("each cause is tried {times} times; TERRARIUM_TEST_ENDS=500 tries more");
    }
    times
}

/// Leaves behind all that a command can: daemons, stopped and deaf processes, files, segments.
fn hostile(mark: &str, end: &str) -> String {
    format!(
        "(setsid sleep {mark} &); (setsid setsid sh -c 'trap \"\" HUP TERM INT; sleep {mark}; sleep {mark}' &); \
         nohup sleep {mark} >/dev/null 2>&1 & sleep {mark} & kill -STOP $!; trap '' HUP TERM; : > /dev/shm/{mark}; \
         mkdir -m 0 /tmp/{mark}; ipcmk -S 3 -M 4096 -Q >/dev/null 2>&1; {end}"
    )
}

pub(crate) fn mark() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}", 10_000_000 + std::process::id() * 100 + next)
}

fn nothing_is_left(mark: &str) {
    until("no process is left", || alive(mark) == 0);
    for place in ["/dev/shm", "/tmp"] {
        assert!(!Path::new(place).join(mark).exists(), "{place}/{mark}");
    }
}

/// Segments, queues and semaphores of the host that this test's sandboxes may have made.
fn ipc() -> usize {
    let files = ["/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg"];
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.map(|text| text.lines().count()).sum()
}

/// The sandbox is cleared away behind the answer, but nothing of the command is alive by then, though each needs its turn to die.
#[test]
fn when_the_answer_comes_nothing_of_the_command_runs() {
    for options in [&[][..], &["--pretend", "pid"]] {
        let mark = mark();
        let mut server = Server::start_with(Era::Modern, options);
        let busy = format!("sh -c 'trap \"\" HUP TERM INT; while :; do :; done' {mark}");
        let line = format!("for i in {{1..40}}; do (setsid {busy} &>/dev/null &); done; exit 3");
        for _ in 0..times() {
            let reply = server.call("terminal_run", json!({"command": line}));
            assert_eq!(
                (reply.facts["exit_code"].as_i64(), alive(&mark)),
                (Some(3), 0),
                "{options:?}"
            );
        }
    }
}

#[test]
fn commands_that_end_leave_nothing_and_cost_the_server_no_descriptor() {
    let mark = mark();
    let mut server = Server::start(Era::Modern);
    server.call("terminal_run", json!({"command": "true"}));
    let descriptors = |server: &Server| fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let rounds = times().div_ceil(AT_ONCE);
    let (before, ipc_before) = (descriptors(&server), ipc());
    let causes: [(Value, &str); 5] = [
        (json!({"command": hostile(&mark, "exit 3")}), "exit 3"),
        (json!({"command": hostile(&mark, "kill -9 $$")}), "signal 9"),
        (
            json!({"command": hostile(&mark, "exec sleep 60"), "timeout_s": 1}),
            "ended by limit: timeout_s (1)",
        ),
        (
            json!({"command": hostile(&mark, "exec yes")}),
            "ended by limit: output (32MiB)",
        ),
        (json!({"argv": ["no-such"]}), "the command did not start"),
    ];
    for (arguments, said) in causes {
        let mut arguments = arguments;
        arguments["yield_ms"] = 50_000.into();
        for _ in 0..rounds {
            let calls: Vec<_> = (0..AT_ONCE)
                .map(|_| server.send_call("terminal_run", arguments.clone()))
                .collect();
            for call in calls {
                let reply = server.reply(call);
                assert!(
                    reply.text.starts_with(said),
                    "{said}: {}",
                    reply.text.lines().next().unwrap()
                );
            }
        }
        nothing_is_left(&mark);
    }
    for _ in 0..rounds {
        let line = hostile(&mark, "sleep 60");
        let reply = server.call("terminal_run", json!({"command": line, "yield_ms": 0}));
        server.call("terminal_close", json!({"session": reply.facts["session"]}));
        let call = server.send_call("terminal_run", json!({"command": line, "yield_ms": 50_000}));
        server.notify("notifications/cancelled", json!({"requestId": call}));
        until("nothing runs", || {
            !server.call("terminal_list", json!({})).text.contains(" running")
        });
    }
    nothing_is_left(&mark);
    // One more is that of the sandbox that waits for the next call.
    until("all descriptors are closed", || descriptors(&server) <= before + 1);
    let zygote = children(server.pid());
    assert_eq!(zygote.len(), 1, "{zygote:?}");
    // The one that waits for the next call has run nothing.
    until("no other launcher is left", || children(zygote[0]).len() <= 1);
    assert!(ipc() <= ipc_before || ipc_before == 0, "System V IPC is left; see ipcs");
}

/// Clients often leave descriptors open for their children. The zygote lives as long as the server and
/// is the parent of every sandbox: it keeps none.
#[test]
fn the_zygote_keeps_nothing_that_the_client_left_open() {
    let kept = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).unwrap();
    let mut server = Server::start(Era::Modern);
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::CLOEXEC).unwrap();
    server.call("terminal_run", json!({"command": "true"}));
    let open = |pid: u32| -> Vec<String> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let links = descriptors.filter_map(|d| fs::read_link(d.path()).ok());
        links.map(|l| l.to_string_lossy().into_owned()).collect()
    };
    assert!(
        open(server.pid()).iter().any(|l| l == "/etc/hostname"),
        "the server was not given it"
    );
    let zygotes = open(children(server.pid())[0]);
    assert!(!zygotes.iter().any(|l| l == "/etc/hostname"), "{zygotes:?}");
}

/// What ends in a test: the server by its client, or processes by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Input,
    Signal(Signal),
    Server,
    Zygote,
    Launchers,
    Inits,
    LaunchersAndInits,
    ServerAndLaunchers,
}

fn end(pretend: &[&str], what: End) {
    for _ in 0..times().div_ceil(AT_ONCE) {
        let mark = mark();
        let mut server = Server::start_with(Era::Modern, pretend);
        let calls: Vec<_> = (0..AT_ONCE)
            .map(|n| {
                let line = hostile(&mark, &format!(": > up{n}; sleep {mark}"));
                server.send_call("terminal_run", json!({"command": line, "yield_ms": 50_000}))
            })
            .collect();
        let workspace = server.workspace().to_owned();
        until("all run", || {
            let told = server.unclaimed();
            assert!(told.is_empty(), "not all run: {told:?}");
            (0..AT_ONCE).all(|n| workspace.join(format!("up{n}")).exists())
        });
        let zygote = children(server.pid());
        let launchers: Vec<u32> = zygote.iter().flat_map(|pid| children(*pid)).collect();
        let inits: Vec<u32> = launchers.iter().flat_map(|pid| children(*pid)).collect();
        // One more may be built for the next call.
        let expected = AT_ONCE..=AT_ONCE + 1;
        assert_eq!(zygote.len(), 1);
        assert!(expected.contains(&launchers.len()), "{launchers:?}");
        assert!(expected.contains(&inits.len()), "{inits:?}");
        let own = vec![server.pid()];
        let (killed, signal) = match what {
            End::Input => (Vec::new(), Signal::SIGKILL),
            End::Signal(signal) => (own, signal),
            End::Server => (own, Signal::SIGKILL),
            End::Zygote => (zygote, Signal::SIGKILL),
            End::Launchers => (launchers, Signal::SIGKILL),
            End::Inits => (inits, Signal::SIGKILL),
            End::LaunchersAndInits => ([launchers, inits].concat(), Signal::SIGKILL),
            End::ServerAndLaunchers => ([own, launchers].concat(), Signal::SIGKILL),
        };
        for pid in killed {
            kill(Pid::from_raw(pid.cast_signed()), signal).ok(); // pid 1 may have gone with its launcher
        }
        if matches!(what, End::Launchers | End::Inits | End::LaunchersAndInits) {
            for call in calls {
                let text = server.reply(call).text;
                // A launcher may be lost before it has told of what runs already.
                let said = [
                    "ended by the loss of a process of terrarium",
                    "the command did not start: the launcher was killed before",
                ];
                assert!(said.iter().any(|said| text.starts_with(said)), "{text}");
            }
            nothing_is_left(&mark);
        }
        if matches!(what, End::Launchers | End::Inits | End::LaunchersAndInits | End::Zygote) {
            let reply = server.call("terminal_run", json!({"command": "echo again"}));
            assert_eq!(reply.section("stdout"), Some("again"), "{}", reply.text);
        }
        server.end_input();
        server.ended();
        nothing_is_left(&mark);
    }
}

const ALL: [End; 9] = [
    End::Input,
    End::Signal(Signal::SIGTERM),
    End::Signal(Signal::SIGINT),
    End::Server,
    End::Zygote,
    End::Launchers,
    End::Inits,
    End::LaunchersAndInits,
    End::ServerAndLaunchers,
];

#[test]
fn the_end_of_any_process_of_ours_leaves_nothing() {
    ALL.into_iter().for_each(|what| end(&[], what));
}

#[test]
fn nor_without_a_process_namespace() {
    ALL.into_iter().for_each(|what| end(&["--pretend", "pid"], what));
}

#[test]
fn nor_without_user_namespaces() {
    ALL.into_iter().for_each(|what| end(&["--pretend", "user"], what));
}
