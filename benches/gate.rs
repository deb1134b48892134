//! What the gate costs a call: from the arguments to the grant, with 10 and with 1000 rules. Run with
//! `cargo bench --bench gate`.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use terrarium::audit::{Audit, Redactor, Settings};
use terrarium::confirm::{Confirm, Lockdown};
use terrarium::hf::drafts::Drafts;
use terrarium::limits::{Alerts, Among, Budget, Caps, Limits};
use terrarium::model::InstanceId;
use terrarium::policy::{Arguments, Caller, Current, Policy};
use terrarium::profile::Profiles;
use terrarium::sandbox::{LaunchOptions, Launchers};
use terrarium::session::Sessions;
use terrarium::tools::{self, Services, ToolCall};

const LOCAL: Caller = Caller::Local { uid: 1000 };
/// Callers in turns: each makes at most 60 000 calls a minute.
const CALLERS: u32 = 200;

/// A policy of that many rules. The tool in question is the business of the last of them, and of its share of the others.
fn policy(rules: usize) -> String {
    let tools = [
        "terminal_list",
        "terminal_read",
        "terminal_wait",
        "terminal_close",
        "terminal_snapshot",
    ];
    let mut text = "revision: bench\nrules:\n".to_owned();
    for (number, tool) in (1..rules).zip(tools.iter().cycle()) {
        let caller = match number % 4 {
            0 => "local".to_owned(),
            _ => format!("token:t{number}"),
        };
        let argument = if *tool == "terminal_list" {
            "{}"
        } else {
            "{session: {pattern: \"s[0-9]+x\"}}"
        };
        writeln!(
            text,
            "  - {{id: r{number}, effect: allow, callers: [\"{caller}\"], tools: [{tool}], arguments: {argument}}}"
        )
        .ok(); // a string takes it
    }
    text + "  - {id: last, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [default]}\n"
}

fn call(name: &str, arguments: Value) -> (String, Map<String, Value>) {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    (name.to_owned(), arguments)
}

fn gate(c: &mut Criterion) {
    let profiles = Profiles::embedded();
    let around = tools::Around {
        profiles: &profiles,
        settings: None,
        drafts: Drafts::new("/nonexistent".into()),
    };
    let known = tools::known(&profiles);
    for rules in [1, 10, 1000] {
        let Ok(policy) = Policy::parse(&policy(rules), &known) else {
            continue;
        };
        let limits = Limits::new(Caps::default(), Among::One, &[]);
        for (name, arguments) in [
            call("terminal_run", json!({"command": "make -j2 test", "cwd": "src"})),
            call("terminal_read", json!({"session": "s1"})),
        ] {
            c.bench_function(
                &format!("{rules} rules, {name}: canonical, counted, admitted, judged"),
                |b| {
                    b.iter(|| {
                        let arguments = tools::canonical(&name, black_box(arguments.clone()), &around);
                        let arguments = arguments.unwrap_or_else(|_| Arguments::none());
                        limits.count(&LOCAL, &name).ok(); // there are no rates
                        let permit = limits.admit(&LOCAL);
                        let found = policy.explain(&LOCAL, &name, &arguments, Some("default"));
                        black_box((found, permit.is_ok()))
                    });
                },
            );
        }
    }
}

/// A whole call that does next to nothing, so that the gate is what is seen.
fn whole_call(c: &mut Criterion) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    let Ok((workspace, _held)) = terrarium::sandbox::workspace::scratch() else {
        return;
    };
    let known = tools::known(&Profiles::embedded());
    for rules in [1, 10, 1000] {
        let Ok(policy) = Policy::parse(&policy(rules), &known) else {
            continue;
        };
        let records = std::env::temp_dir().join(format!("terrarium-bench-{}-{rules}", std::process::id()));
        let settings = Settings::new(records.clone());
        let services = Services {
            policy: Current::new(policy),
            limits: Limits::default(),
            budget: Budget::in_directory(None),
            alerts: Alerts::default(),
            audit: Audit::to_files(InstanceId::default(), settings, Redactor::default(), None),
            confirm: Confirm::default(),
            lockdown: Lockdown::default(),
            sessions: Sessions::default(),
            profiles: Profiles::embedded(),
            launchers: Launchers::new(LaunchOptions::default()),
            workspace: workspace.clone(),
            compat: None,
            hf: None,
        };
        let mut uid = 0;
        c.bench_function(&format!("{rules} rules, a whole call of terminal_list"), |b| {
            b.iter(|| {
                let call = ToolCall {
                    name: "terminal_list".to_owned(),
                    arguments: Map::new(),
                };
                uid = (uid + 1) % CALLERS;
                let reply = runtime.block_on(tools::run(
                    &services,
                    &Caller::Local { uid },
                    call,
                    None,
                    tokio_util::sync::CancellationToken::new(),
                ));
                assert!(reply.is_ok(), "a refusal is not what is measured");
            });
        });
        std::fs::remove_dir_all(records).ok(); // it is in the temporary directory
    }
}

criterion_group!(benches, gate, whole_call);
criterion_main!(benches);
