//! Configuration and policy through the real server: where it is found, what callers see of it, and what it holds back.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::text;
use crate::harness::{Era, Server, fresh_directory, program};

#[test]
fn the_cases_on_the_page_are_right_for_its_policy() {
    let page = include_str!("../../docs/policy.md");
    let block = |begins: &str| {
        let mut blocks = page
            .split("```yaml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next());
        blocks.find(|block| block.starts_with(begins)).unwrap().to_owned()
    };
    let home = Home::new(&block("policy:"));
    let cases = home.0.join("cases.yaml");
    std::fs::write(&cases, block("- {caller: ")).unwrap();
    let mut command = program();
    command
        .args(["policy", "test"])
        .arg(&cases)
        .arg("--config")
        .arg(home.file());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("4 of 4 as expected"), "{}", text(&output));
}

/// A directory with a configuration, its own state, and nothing of the user's.
pub(crate) struct Home(pub(crate) PathBuf);

impl Home {
    pub(crate) fn new(config: &str) -> Self {
        let home = Self(fresh_directory());
        std::fs::create_dir_all(home.0.join("config/terrarium")).unwrap();
        home.write(config);
        home
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("config/terrarium/terrarium.yaml")
    }

    pub(crate) fn write(&self, config: &str) {
        std::fs::write(self.file(), config).unwrap();
    }

    /// The variables that lead here.
    fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("XDG_CONFIG_HOME", self.0.join("config")),
            ("XDG_STATE_HOME", self.0.join("state")),
        ]
    }

    fn serve(&self, options: &[&str]) -> Server {
        let environment = self.environment();
        let environment: Vec<(&str, &Path)> = environment.iter().map(|(name, path)| (*name, path.as_path())).collect();
        Server::start_in(Era::Modern, options, &environment)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        program().args(arguments).envs(self.environment()).output().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok(); // a test's leftovers are in target/tmp
    }
}

/// A policy with these rules, each in one line.
pub(crate) fn policy(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("    - {{{rule}}}\n")).collect();
    format!("policy:\n  revision: test\n  rules:\n{rules}")
}

pub(crate) const LIST: &str = "id: list, effect: allow, callers: [local], tools: [terminal_list]";

fn names(server: &mut Server) -> Vec<String> {
    let list = server.request("tools/list", json!({}));
    let tools = list["result"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_configuration_is_the_named_one_or_the_users_or_the_embedded_one() {
    let source = |home: &Home, arguments: &[&str], variable: Option<&Path>| {
        let mut command = program();
        command
            .args(["config", "show"])
            .args(arguments)
            .envs(home.environment());
        if let Some(file) = variable {
            command.env("TERRARIUM_CONFIG", file);
        }
        let output = command.output().unwrap();
        text(&output).lines().next().unwrap_or_default().to_owned()
    };
    let home = Home::new("limits: {}");
    let [one, two] = ["one.yaml", "two.yaml"].map(|name| home.0.join(name));
    for file in [&one, &two] {
        std::fs::write(file, "limits: {}").unwrap();
    }
    let named = ["--config", one.to_str().unwrap()];
    assert_eq!(source(&home, &named, Some(&two)), format!("# {}", one.display()));
    assert_eq!(source(&home, &[], Some(&two)), format!("# {}", two.display()));
    assert_eq!(source(&home, &[], None), format!("# {}", home.file().display()));
    std::fs::remove_file(home.file()).unwrap();
    assert_eq!(source(&home, &[], None), "# the embedded configuration");
    let missing = source(&home, &["--config", "/nonexistent.yaml"], None);
    assert!(
        missing.contains("the configuration is not used: cannot read /nonexistent.yaml"),
        "{missing}"
    );
}

#[test]
fn a_server_does_not_start_with_a_configuration_that_is_wrong_or_not_its_own() {
    let home = Home::new("polici: {}");
    let refused = |home: &Home, options: &[&str]| {
        let mut arguments = vec!["serve"];
        arguments.extend(options);
        let output = home.run(&arguments);
        assert!(!output.status.success(), "{}", text(&output));
        text(&output)
    };
    let workspace = fresh_directory();
    let place = ["--workspace", workspace.to_str().unwrap()];
    let said = refused(&home, &place);
    assert!(
        said.contains("terrarium.yaml:1:1: unknown key \"polici\"; hint: did you mean \"policy\"?"),
        "{said}"
    );
    home.write("limits: {}");
    let around = [home.0.clone(), home.file().parent().unwrap().to_owned()];
    for directory in around {
        let said = refused(&home, &["--workspace", directory.to_str().unwrap()]);
        assert!(said.contains("cannot be the workspace: it is or contains"), "{said}");
    }
    std::fs::create_dir_all(home.0.join("state/terrarium/w")).unwrap();
    let said = refused(
        &home,
        &["--workspace", home.0.join("state/terrarium/w").to_str().unwrap()],
    );
    assert!(said.contains("cannot be the workspace: it lies in"), "{said}");
    std::fs::remove_dir(workspace).unwrap();
}

#[test]
fn a_caller_is_shown_the_tools_and_profiles_that_rules_could_allow() {
    let home = Home::new(&policy(&[
        LIST,
        "id: run, effect: allow, callers: [local], tools: [terminal_run], profiles: [read-only, strict]",
    ]));
    let mut server = home.serve(&[]);
    assert_eq!(names(&mut server), ["terminal_run", "terminal_list"]);
    let list = server.request("tools/list", json!({}));
    let profile = &list["result"]["tools"][0]["inputSchema"]["properties"]["profile"];
    assert_eq!(profile["enum"], json!(["read-only", "strict"]), "{profile}");
    assert_eq!(profile["default"], Value::Null, "{profile}");
    let denied = server.call("terminal_open", json!({}));
    assert!(
        denied.is_error && denied.text.contains("no rule lets"),
        "{}",
        denied.text
    );
    let denied = server.call("terminal_run", json!({"command": "true"}));
    assert!(
        denied
            .text
            .contains("rule \"run\" does not allow the profile \"default\"; hint: use read-only, strict"),
        "{}",
        denied.text
    );
}

#[test]
fn a_session_s_own_output_is_meant_where_no_stream_is_given() {
    let home = Home::new(&policy(&[
        "id: all, effect: allow, callers: [local], tools: [\"terminal_*\"], profiles: [default]",
        "id: no-terminal, effect: deny, tools: [terminal_read], arguments: {stream: {const: terminal}}",
    ]));
    let mut server = home.serve(&[]);
    let open = server.call("terminal_open", json!({"command": "sleep 60"}));
    let session = open.facts["session"].clone();
    for given in [
        json!({"session": session}),
        json!({"session": session, "stream": "terminal"}),
    ] {
        server.call("terminal_read", given).refused("no-terminal");
    }
    let run = server.call("terminal_run", json!({"command": "sleep 60", "yield_ms": 0}));
    let session = run.facts["session"].clone();
    let read = server.call("terminal_read", json!({"session": session}));
    assert_eq!(read.facts["stream"], "stdout", "{}", read.text);
}

#[test]
fn what_nobody_can_be_asked_about_is_refused_with_the_reason() {
    let home = Home::new(&policy(&[
        "id: ask, effect: confirm, tools: [terminal_list], confirm: {by: [user], within: 1min}",
    ]));
    let reply = home.serve(&[]).call("terminal_list", json!({}));
    reply.refused("\"ask\"");
}

#[test]
fn a_bound_holds_over_calls_servers_and_restarts() {
    let home = Home::new(&policy(&[&format!("{LIST}, at_most: {{times: 3, per: hour}}")]));
    let mut one = home.serve(&[]);
    assert!(!one.call("terminal_list", json!({})).is_error);
    let mut other = home.serve(&[]);
    assert!(!other.call("terminal_list", json!({})).is_error);
    drop(one);
    let mut again = home.serve(&[]);
    assert!(!again.call("terminal_list", json!({})).is_error);
    for server in [&mut again, &mut other] {
        let refused = server.call("terminal_list", json!({}));
        assert!(
            refused.is_error
                && refused.text.contains(
                    "rule \"list\" allows 3 times in an hour, this takes 1 and 0 are left; hint: try again in 3"
                ),
            "{}",
            refused.text
        );
    }
}

#[test]
fn a_rate_is_refused_with_the_seconds_to_wait_and_denials_raise_an_alert() {
    let config = policy(&[LIST]) + "  rates:\n    - {tools: [terminal_list], limit: 2/h}\n";
    let home = Home::new(&config);
    let mut server = home.serve(&[]);
    for _ in 0..2 {
        assert!(!server.call("terminal_list", json!({})).is_error);
    }
    let refused = server.call("terminal_list", json!({}));
    let expected = "terminal_list may be called 2 times in 3600 s, which is the limit; hint: try again in 3";
    assert!(refused.is_error && refused.text.contains(expected), "{}", refused.text);
}

#[test]
fn sighup_puts_a_new_policy_in_force_and_a_wrong_one_changes_nothing() {
    let home = Home::new(&policy(&[LIST]));
    let mut server = home.serve(&[]);
    assert!(!server.call("terminal_list", json!({})).is_error);
    let pid = rustix::process::Pid::from_raw(server.pid().cast_signed()).unwrap();
    let reload = |config: &str| {
        home.write(config);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    };
    let until = |server: &mut Server, denied: bool| {
        let since = Instant::now();
        while names(server).is_empty() != denied {
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "the policy was not read anew"
            );
        }
        assert_eq!(server.call("terminal_list", json!({})).is_error, denied);
    };
    reload(&policy(&["id: no, effect: deny, tools: [\"*\"]"]));
    until(&mut server, true);
    assert_eq!(names(&mut server), [""; 0]);
    reload("policy: {revision: broken, rules: [{}]}");
    reload(&policy(&[LIST]));
    until(&mut server, false);
    reload("policy: nonsense");
    for _ in 0..50 {
        assert!(!server.call("terminal_list", json!({})).is_error);
    }
}

#[test]
fn init_writes_a_configuration_that_is_right_and_never_over_another() {
    let home = Home::new("");
    std::fs::remove_dir_all(home.0.join("config")).unwrap();
    let output = home.run(&["init"]);
    assert!(output.status.success(), "{}", text(&output));
    let output = home.run(&["config", "check"]);
    assert!(
        output.status.success() && text(&output).contains("is right"),
        "{}",
        text(&output)
    );
    std::fs::write(home.file(), "# mine").unwrap();
    let output = home.run(&["init"]);
    assert!(
        !output.status.success() && text(&output).contains("nothing is written over it"),
        "{}",
        text(&output)
    );
    assert_eq!(std::fs::read_to_string(home.file()).unwrap(), "# mine");
    std::fs::remove_file(home.file()).unwrap();
    std::os::unix::fs::symlink(home.0.join("elsewhere"), home.file()).unwrap();
    assert!(!home.run(&["init"]).status.success());
    assert!(!home.0.join("elsewhere").exists());
}
