//! A client that writes JSON-RPC by hand, in either era of the protocol.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How a client opens a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize`, up to 2025-11-25.
    Legacy,
    /// Everything in each request, from 2026-07-28.
    Modern,
}

/// No test waits longer for anything, on a machine of ordinary speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// `time` as it is on this machine: `TERRARIUM_TEST_SLOW=10` on one that is ten times slower, as emulated ones are.
pub(crate) fn patience(time: Duration) -> Duration {
    let slow = std::env::var("TERRARIUM_TEST_SLOW")
        .ok()
        .and_then(|text| text.parse().ok());
    time * slow.unwrap_or(1)
}

/// Between two looks at something that nobody reports: looking without a pause takes a processor from what is waited for.
pub(crate) fn pause() {
    std::thread::park_timeout(Duration::from_millis(2));
}

/// A server on pipes, with a workspace of its own.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// What came while something else was waited for.
    early: VecDeque<Value>,
    era: Era,
    last_id: u64,
    workspace: PathBuf,
    /// What the client says that it can.
    capabilities: Value,
}

impl Server {
    /// Starts one and, in the legacy era, shakes hands.
    pub(crate) fn start(era: Era) -> Self {
        Self::start_with(era, &[])
    }

    /// The same with further options.
    pub(crate) fn start_with(era: Era, options: &[&str]) -> Self {
        Self::start_in(era, options, &[])
    }

    /// The same in another environment.
    pub(crate) fn start_in(era: Era, options: &[&str], environment: &[(&str, &Path)]) -> Self {
        Self::start_as(program(), era, options, environment, json!({}))
    }

    /// The same for a client that can ask the person before it.
    pub(crate) fn start_for_a_person(era: Era, options: &[&str], environment: &[(&str, &Path)]) -> Self {
        let capabilities = json!({"elicitation": {}});
        Self::start_as(program(), era, options, environment, capabilities)
    }

    /// The same, executed by another program that becomes it.
    pub(crate) fn start_under(wrapper: &[&str], era: Era) -> Self {
        Self::start_as(under(wrapper), era, &[], &[], json!({}))
    }

    /// The same in another environment.
    pub(crate) fn start_under_in(wrapper: &[&str], environment: &[(&str, &Path)]) -> Self {
        Self::start_as(under(wrapper), Era::Modern, &[], environment, json!({}))
    }

    /// The same from a shell, after this command of it.
    pub(crate) fn start_below(line: &str, environment: &[(&str, &Path)]) -> Self {
        let own = program();
        let mut command = host_program("bash");
        let line = format!("{line}; exec \"$0\" \"$@\"");
        command.args(["-c", &line]).arg(own.get_program());
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::start_as(command, Era::Modern, &[], environment, json!({}))
    }

    fn start_as(
        mut command: Command,
        era: Era,
        options: &[&str],
        environment: &[(&str, &Path)],
        capabilities: Value,
    ) -> Self {
        let workspace = fresh_directory();
        if options.contains(&"--pretend") && rustix::process::geteuid().is_root() {
            // Without a mount namespace ids of root's files cannot be mapped: an ordinary owner is served everywhere.
            std::os::unix::fs::chown(&workspace, Some(4321), Some(4321)).unwrap();
        }
        let mut child = command
            .args(["serve", "--workspace"])
            .arg(&workspace)
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // Anything else than JSON on standard output is a failure of the server.
                let message = serde_json::from_str(&line.unwrap()).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            stdin,
            lines,
            early: VecDeque::new(),
            era,
            last_id: 0,
            workspace,
            capabilities,
        };
        if era == Era::Legacy {
            server.shake_hands();
        }
        server
    }

    pub(crate) fn workspace(&self) -> &Path {
        &self.workspace
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn shake_hands(&mut self) {
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": self.capabilities,
            "clientInfo": {"name": "it", "version": "1"},
        });
        let answer = self.request("initialize", hello);
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        self.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    /// Sends a request and gives its id.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&self.message(method, params, &id.into()));
        id
    }

    /// A request as this era writes it.
    pub(crate) fn message(&self, method: &str, mut params: Value, id: &Value) -> Value {
        if self.era == Era::Modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "it", "version": "1"});
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// Answers a request of the server's.
    pub(crate) fn respond(&mut self, request: &Value, result: Value) {
        self.write(&json!({"jsonrpc": "2.0", "id": request["id"], "result": result}));
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The answer to the request with this id.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.answer_to(&id.into())
    }

    /// The same for an id of any kind.
    pub(crate) fn answer_to(&mut self, id: &Value) -> Value {
        self.wait_for(|message| message["id"] == *id && message.get("method").is_none())
    }

    /// The first message, past or to come, that fits.
    pub(crate) fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.early.iter().position(&fits) {
            return self.early.remove(at).unwrap();
        }
        let deadline = Instant::now() + patience(PATIENCE);
        loop {
            let message = self.lines.recv_timeout(deadline - Instant::now()).unwrap();
            if fits(&message) {
                return message;
            }
            self.early.push_back(message);
        }
    }

    /// All that came and was not waited for.
    pub(crate) fn unclaimed(&mut self) -> Vec<Value> {
        self.early.extend(self.lines.try_iter());
        self.early.drain(..).collect()
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Sends a tool call and gives its id.
    pub(crate) fn send_call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.send("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Reply {
        let id = self.send_call(tool, arguments);
        self.reply(id)
    }

    /// The result of a call.
    pub(crate) fn reply(&mut self, id: u64) -> Reply {
        let answer = self.answer(id);
        let result = answer.get("result").unwrap_or_else(|| panic!("{answer}"));
        Reply {
            text: result["content"][0]["text"].as_str().unwrap().to_owned(),
            facts: result["structuredContent"].clone(),
            is_error: result["isError"] == true,
        }
    }

    fn write(&mut self, message: &Value) {
        self.write_line(message.to_string().as_bytes());
    }

    /// Writes a line, whatever it holds.
    pub(crate) fn write_line(&mut self, line: &[u8]) {
        self.write_bytes(&[line, b"\n"].concat());
    }

    pub(crate) fn write_bytes(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How many answers have come that were not waited for, until the end of the server's output.
    pub(crate) fn answers(&mut self) -> usize {
        self.lines.iter().filter(|message| message.get("id").is_some()).count()
    }

    /// Ends the server's input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the server's end; says how it ended and how long that took.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, since.elapsed());
            }
            assert!(since.elapsed() < patience(PATIENCE), "the server does not end");
            pause(); // a child's end is an event of the kernel that std can wait for, but not with a bound
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stdin = None;
        self.child.kill().ok(); // ended already
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.workspace).ok(); // a test's leftovers are in target/tmp
    }
}

/// What a tool said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) facts: Value,
    pub(crate) is_error: bool,
}

impl Reply {
    /// The text below `--- NAME`, without the line end.
    pub(crate) fn section(&self, name: &str) -> Option<&str> {
        let start = format!("--- {name}\n");
        let text = &self.text[self.text.find(&start)? + start.len()..];
        let end = text.find("\n--- ").unwrap_or(text.len());
        Some(text[..end].trim_end_matches('\n'))
    }

    /// It is an error that says this.
    #[track_caller]
    pub(crate) fn refused(&self, why: &str) {
        assert!(self.is_error && self.text.contains(why), "{}", self.text);
    }
}

/// The program under test.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts the program under test"
)]
pub(crate) fn program() -> Command {
    let binary = std::env::var_os("TERRARIUM_TEST_BINARY").unwrap_or(env!("CARGO_BIN_EXE_terrarium").into());
    let mut command = Command::new(binary);
    command.env("XDG_STATE_HOME", state()).env("XDG_RUNTIME_DIR", state());
    command
}

/// The program under test, executed by another one.
fn under(wrapper: &[&str]) -> Command {
    let own = program();
    let mut command = host_program(wrapper[0]);
    command.args(&wrapper[1..]).arg(own.get_program());
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// Where the programs under test keep their audit: not where those of the person who runs the tests do.
fn state() -> &'static Path {
    static STATE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    STATE.get_or_init(|| {
        let state = temporary().join("state");
        std::fs::create_dir_all(&state).unwrap();
        state
    })
}

/// Where tests make their files.
fn temporary() -> PathBuf {
    std::env::var_os("TERRARIUM_TEST_TMP")
        .unwrap_or(env!("CARGO_TARGET_TMPDIR").into())
        .into()
}

/// A program of the host.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts the host's programs for tests"
)]
pub(crate) fn host_program(name: &str) -> Command {
    Command::new(name)
}

/// An empty directory that nothing else uses.
pub(crate) fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = temporary().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
}

/// Whether a program that a machine may lack is there. Where everything must be tested it must be.
pub(crate) fn is_there(program: &str) -> bool {
    let there = ["/usr/bin", "/usr/local/bin", "/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists());
    if !there {
        let why = format!("{program} is not installed");
        assert!(std::env::var_os("TERRARIUM_TEST_ALL").is_none(), "{why}");
        not_tested(&why);
    }
    there
}

/// Says what this machine cannot show.
pub(crate) fn not_tested(why: &str) {
    // Not to eprintln: what that prints is hidden where tests pass.
    let said = format!("NOT TESTED: {why}\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}
