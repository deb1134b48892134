//! Calls of two clients in any order, through the whole server but for the kernel: the input plays what runs in the sandboxes,
//! the operator, and the clock.

mod client;
mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt as _;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::client::{Client, HOUR};
use self::stage::{Shared, play, stage};
use crate::audit::read::{lines, verify};
use crate::audit::{Audit, Event, Redactor, Settings};
use crate::confirm::lockdown::State;
use crate::confirm::{Answer, Confirm, Lockdown};
use crate::model::{InstanceId, Name};
use crate::policy::{Caller, Channel, Current, Policy};
use crate::sandbox::fake::Play;
use crate::sandbox::{Launchers, Status};
use crate::server::handler::Handler;
use crate::server::opening::Opening;
use crate::tools::{self, Compat, Services};

/// Lines that are looked at.
const LINES: usize = 64;
/// Bytes that may wait on a connection: more than all answers to one input.
const WAITING: usize = 64 << 20;
const POLICY: &str = "revision: fuzz
rules:
- {id: asked, effect: confirm, callers: [local, \"token:*\"], tools: [terminal_signal], confirm: {by: [operator], within: 5min}}
- {id: rest, effect: allow, callers: [local, \"token:*\"], tools: [\"terminal_*\"], profiles: [default, read-only]}";

/// What happens, a line each. The first byte says what:
///
/// - `a`, `b`: that client calls the tool of a digit with arguments in JSON, and waits for the answer; `A`, `B`: it does not wait.
///   In place of the digit: `h` and a digit name a tool of ht-mcp, `l` lists tools, `r` reads what of the sessions the rest names. `@0`
///   is the number of the session that was opened first, by anybody;
/// - `p`: the youngest program prints the rest, after a word that is for its owner only; `e`: the oldest ends with this code;
/// - `t`: so many milliseconds pass; `c`: the youngest call that nobody waits for is cancelled;
/// - `y`, `n`: the operator answers the oldest question; `l`, `u`: locks down, and unlocks.
///
/// Every call is answered once, and is in a record that verifies, with one end. Nothing that a program printed reaches a client who did
/// not start it. Nothing starts under lockdown, and nothing outlives the server.
pub fn calls(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    let text = String::from_utf8_lossy(bytes);
    runtime.expect("a runtime").block_on(async {
        // Rust's own `main` ignores it, libFuzzer's does not, and a program may close what is written to.
        let _survives = signal(SignalKind::pipe()).expect("a handler");
        let mut world = World::new().await;
        for line in text.lines().take(LINES) {
            world.step(line).await;
        }
        world.end().await;
    });
}

struct World {
    directory: PathBuf,
    services: Arc<Services>,
    stage: Shared,
    clients: [Client; 2],
    sessions: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok(); // nothing may have been written
    }
}

fn random() -> InstanceId {
    InstanceId::random().expect("random numbers")
}

impl World {
    async fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("terrarium-fuzz-{}", random()));
        let stage = Shared::default();
        let plays = Arc::clone(&stage);
        let redactor = Redactor::default();
        let services = tools::fuzz::services();
        let policy = Policy::parse(POLICY, &tools::known(&services.profiles)).expect("a policy");
        let instance = random();
        let services = Arc::new(Services {
            policy: Current::new(policy),
            audit: Audit::to_files(instance, Settings::new(directory.join("audit")), redactor.clone(), None),
            confirm: Confirm::new(instance, redactor),
            lockdown: Lockdown::in_directory(&directory),
            launchers: Launchers::played(Play::new(move |grant| play(&plays, grant))),
            compat: Some(Compat::HtMcp),
            ..services
        });
        services.confirm.operator_listens();
        let secrets = [random().to_string(), random().to_string()];
        let guest = Name::new("guest").expect("a name");
        let callers = [Caller::Local { uid: 1 }, Caller::Token { name: guest }];
        let clients = [0, 1].map(|at: usize| {
            let (near, far) = tokio::io::duplex(WAITING);
            let (input, output) = tokio::io::split(far);
            let handler = Handler::new(Arc::clone(&services), callers[at].clone(), CancellationToken::new());
            tokio::spawn(async move {
                if let Ok(running) = handler.serve(Opening::new(input, output)).await {
                    running.waiting().await.ok(); // it ends with the input
                }
            });
            Client::new(near, &callers[at], at == 1, [&secrets[at], &secrets[1 - at]])
        });
        let mut world = Self {
            directory,
            services,
            stage,
            clients,
            sessions: Vec::new(),
        };
        let legacy = &mut world.clients[0];
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}});
        let hello = legacy.request("initialize", hello).await;
        legacy.answer(hello).await;
        legacy
            .write(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        world
    }

    async fn step(&mut self, line: &str) {
        let mut rest = line.chars();
        match rest.next() {
            Some(who @ ('a' | 'b' | 'A' | 'B')) => self.ask(who, rest.as_str()).await,
            Some('p') => self.print(rest.as_str()),
            Some('e') => {
                let first = stage(&self.stage).programs.pop_first();
                if let Some((_, program)) = first {
                    program.end(Status::Code(rest.as_str().parse().unwrap_or(0)), None);
                }
            }
            Some('t') => {
                let time = rest.as_str().parse().unwrap_or(0).min(600_000);
                tokio::time::sleep(Duration::from_millis(time)).await;
            }
            Some('c') => {
                let [one, other] = &mut self.clients;
                if !one.cancel().await {
                    other.cancel().await;
                }
            }
            Some(said @ ('y' | 'n')) => {
                let (answer, confirm) = (
                    if said == 'y' { Answer::Yes } else { Answer::No },
                    &self.services.confirm,
                );
                if let Some(asked) = confirm.list().first() {
                    let action = asked.action.to_string();
                    confirm
                        .answer(asked.id, &action, answer, Channel::Operator, "fuzz")
                        .ok(); // answered already
                }
            }
            Some('l') => {
                let state = State {
                    since: String::new(),
                    by: "fuzz".to_owned(),
                    reason: rest.as_str().to_owned(),
                };
                self.services.lockdown.begin(&state).expect("lockdown");
                // What was allowed before may still begin.
                stage(&self.stage).closed = self.clients.iter().all(|client| client.unanswered.is_empty());
            }
            Some('u') => {
                stage(&self.stage).closed = false;
                self.services.lockdown.end().expect("no lockdown");
            }
            _ => {}
        }
    }

    async fn ask(&mut self, who: char, what: &str) {
        let client = &mut self.clients[usize::from(who.eq_ignore_ascii_case(&'b'))];
        let mut what = what.to_owned();
        for (number, session) in self.sessions.iter().enumerate() {
            what = what.replace(&format!("@{number}"), session);
        }
        let mut rest = what.chars();
        let request = match rest.next() {
            Some('l') => client.request("tools/list", json!({})).await,
            Some('r') => {
                let uri = format!("terrarium://sessions/{}", rest.as_str());
                client.request("resources/read", json!({"uri": uri})).await
            }
            Some(digit) => {
                let name = match digit {
                    'h' => tools::fuzz::tool_of_ht(rest.next().unwrap_or_default()),
                    digit => tools::fuzz::tool_of(u8::try_from(digit).unwrap_or_default()),
                };
                let Ok(arguments) = serde_json::from_str::<Value>(rest.as_str()) else {
                    return;
                };
                client
                    .request("tools/call", json!({"name": name, "arguments": arguments}))
                    .await
            }
            None => return,
        };
        if who.is_ascii_lowercase() {
            for session in client.answer(request).await {
                if !self.sessions.contains(&session) {
                    self.sessions.push(session);
                }
            }
        }
    }

    fn print(&self, text: &str) {
        if let Some(mut last) = stage(&self.stage).programs.last_entry() {
            let program = last.get_mut();
            let owner = self.clients.iter().find(|client| client.caller == program.owner);
            let secret = &owner.expect("a client").secret;
            program.output.write_all(format!("{secret} {text}\n").as_bytes()).ok(); // nobody has read the last
        }
    }

    async fn end(mut self) {
        self.services.lockdown.end().expect("no lockdown");
        stage(&self.stage).closed = false;
        for client in &mut self.clients {
            while let Some(request) = client.unanswered.first().copied() {
                client.answer(request).await;
            }
            let list = json!({"name": "terminal_list", "arguments": {}});
            let list = client.request("tools/call", list).await;
            client.answer(list).await;
        }
        self.services.end(Duration::from_millis(40), HOUR).await;
        assert!(stage(&self.stage).programs.is_empty(), "a program outlives its server");
        self.services.audit.end();
        let record = self.directory.join("audit");
        let report = verify(&record, &[]).expect("a record");
        assert!(report.wrong.is_empty() && report.torn.is_empty(), "{report:?}");
        let mut open = BTreeSet::new();
        for (_, line) in lines(&record).expect("a record") {
            let call = line.call.as_deref().unwrap_or_default().to_owned();
            match line.event {
                Event::Asked => assert!(open.insert(call), "asked twice"),
                Event::Refused | Event::Denied | Event::Done => assert!(open.remove(&call), "ended twice: {line:?}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "calls without an end: {open:?}");
    }
}
