//! A server on pipes and the smallest client that can talk to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A server with a workspace of its own, spoken to in the era that begins with `initialize`.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    workspace: PathBuf,
    started_in: Duration,
    last_id: u64,
}

impl Server {
    /// Starts one and greets it.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_with(options, &[])
    }

    /// The same with variables.
    pub(crate) fn start_with(options: &[&str], environment: &[(&str, &Path)]) -> Self {
        let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compare-{}", std::process::id()));
        fs::create_dir_all(&workspace).unwrap();
        let since = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_terrarium"))
            .args(["serve", "--workspace"])
            .arg(&workspace)
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            workspace,
            started_in: Duration::ZERO,
            last_id: 0,
        };
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "compare", "version": "1"},
        });
        server.request("initialize", hello);
        server.started_in = since.elapsed();
        server.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    /// From its start to its answer to `initialize`.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
    }

    pub(crate) fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kibibytes * 1024.0
    }

    /// The result of a request.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server is gone");
            let mut message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{message}");
                return message["result"].take();
            }
        }
    }

    /// The facts that a tool answers with.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.call_text(tool, arguments).0
    }

    /// The facts and the text that a tool answers with.
    pub(crate) fn call_text(&mut self, tool: &str, arguments: Value) -> (Value, String) {
        let mut result = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert_ne!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        (result["structuredContent"].take(), text)
    }

    /// Ends the input, and says how long the server and all below it took to be gone.
    pub(crate) fn end_with_all(mut self) -> Duration {
        let below = descendants(self.child.id());
        let since = Instant::now();
        self.stdin = None;
        std::io::copy(&mut self.stdout, &mut std::io::sink()).unwrap();
        while below.iter().any(|pid| is_running(*pid)) {
            std::thread::yield_now();
        }
        since.elapsed()
    }

    fn write(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok(); // its sandboxes end with it
        self.child.wait().ok();
        fs::remove_dir_all(&self.workspace).ok(); // the next one makes it again
    }
}

/// The processes below one, whose numbers are not used again so soon.
fn descendants(of: u32) -> Vec<u32> {
    let (mut found, mut parents) = (Vec::new(), vec![of]);
    while let Some(parent) = parents.pop() {
        for task in fs::read_dir(format!("/proc/{parent}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
            parents.extend(&children);
            found.extend(children);
        }
    }
    found
}

/// There, and no zombie.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
