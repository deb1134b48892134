//! A server over HTTP, and clients that write their requests by hand, right and wrong ones.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Reply, fresh_directory, program};
use crate::processes::signal;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server over HTTP with tokens of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) place: PathBuf,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Somebody with a token.
pub(crate) struct Caller {
    address: String,
    pub(crate) token: String,
    connection: Option<Connection>,
    session: Option<String>,
    last_id: u64,
}

/// A kept connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Server {
    /// Starts one on a port that the kernel chooses.
    pub(crate) fn start() -> Self {
        Self::start_with(&[], None)
    }

    /// The same with further options and a configuration.
    pub(crate) fn start_with(options: &[&str], config: Option<&str>) -> Self {
        let place = fresh_directory();
        std::fs::create_dir_all(place.join("workspace")).unwrap();
        private_directory(&place.join("own"));
        let mut command = program();
        command.args(["serve", "--http", "127.0.0.1:0", "--tokens"]);
        command
            .arg(place.join("own/tokens.json"))
            .arg("--workspace")
            .arg(place.join("workspace"));
        if let Some(config) = config {
            let path = place.join("own/terrarium.yaml");
            std::fs::write(&path, config).unwrap();
            command.env("TERRARIUM_CONFIG", path);
        }
        command.args(options).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server does not listen");
            if let Some((_, rest)) = line.split_once("listening on ") {
                let (_, rest) = rest.split_once("://").unwrap();
                break rest.trim_end().strip_suffix("/mcp").unwrap().to_owned();
            }
            eprint!("{line}");
        };
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()).ok()); // its log is the test's
        Self { child, address, place }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    /// `terrarium token` with these arguments; its standard output.
    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        let output = self.token_command(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn token_command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command
            .args(["token", "--tokens"])
            .arg(self.place.join("own/tokens.json"))
            .args(arguments);
        command
    }

    /// A new caller with a token of this name.
    pub(crate) fn caller(&self, name: &str) -> Caller {
        self.caller_with(&self.token(&["create", name]))
    }

    pub(crate) fn caller_with(&self, token: &str) -> Caller {
        Caller {
            address: self.address.clone(),
            token: token.to_owned(),
            connection: None,
            session: None,
            last_id: 0,
        }
    }

    /// The value of a metric, by the start of its line.
    pub(crate) fn metric(&self, reader: &str, name: &str) -> f64 {
        let answer = self.get("/metrics", &[("Authorization", &format!("Bearer {reader}"))]);
        assert_eq!(answer.status, 200, "{answer:?}");
        let line = answer.body.lines().find(|line| line.starts_with(name));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// One request on a connection of its own.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.connect().request("GET", path, &self.address, headers, "")
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    /// Sends bytes as they are and gives all that comes until the end; `None` if none came.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).ok(); // the server may have had enough
        let mut text = Vec::new();
        stream.read_to_end(&mut text).ok(); // a reset is an end
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        signal(self.child.id(), "TERM");
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, since.elapsed());
            }
            assert!(since.elapsed() < PATIENCE, "the server does not end");
            std::thread::yield_now();
        }
    }

    pub(crate) fn is_up(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none() && self.get("/healthz", &[]).body == "ok\n"
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.terminate();
            self.ended();
        }
        std::fs::remove_dir_all(&self.place).ok(); // a test's leftovers are in target/tmp
    }
}

fn private_directory(path: &std::path::Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path).unwrap();
}

impl Connection {
    pub(crate) fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        host: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.begin(method, path, host, headers, body);
        self.answer().unwrap()
    }

    /// Sends a request and does not wait.
    pub(crate) fn begin(&mut self, method: &str, path: &str, host: &str, headers: &[(&str, &str)], body: &str) {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.send(text.as_bytes());
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The answer, or nothing where the connection ended instead.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1)?.parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: String::new(),
        };
        let mut body = Vec::new();
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16).unwrap();
                let mut chunk = vec![0; size + 2];
                self.0.read_exact(&mut chunk).ok()?;
                body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = answer.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.0.read_exact(&mut body).ok()?;
        }
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    /// A line without its end, or nothing at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The JSON-RPC answer in it, be it JSON or the last event of a stream.
    pub(crate) fn message(&self) -> Value {
        let text = match self.header("content-type") {
            Some("text/event-stream") => {
                let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
                data.map(str::trim).rfind(|data| !data.is_empty()).unwrap_or_default()
            }
            _ => &self.body,
        };
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Caller {
    /// Opens an MCP session, as clients before 2026-07-28 do.
    pub(crate) fn shake_hands(&mut self) {
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "it", "version": "1"},
        });
        let answer = self.post(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
        assert_eq!(answer.status, 200, "{answer:?}");
        self.session = Some(answer.header("mcp-session-id").unwrap().to_owned());
        let ready = self.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        assert_eq!(ready.status, 202, "{ready:?}");
    }

    pub(crate) fn session(&self) -> &str {
        self.session.as_deref().unwrap()
    }

    pub(crate) fn set_session(&mut self, id: &str) {
        self.session = Some(id.to_owned());
    }

    /// Sends one message and gives the answer.
    pub(crate) fn post(&mut self, message: &Value) -> Answer {
        self.begin(message);
        let answer = self.connection.as_mut().unwrap().answer().unwrap();
        if answer.header("connection") == Some("close") {
            self.connection = None;
        }
        answer
    }

    /// Sends one message.
    pub(crate) fn begin(&mut self, message: &Value) {
        let token = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("Authorization", token.as_str()),
            ("Accept", "application/json, text/event-stream"),
            ("Content-Type", "application/json"),
        ];
        let method = message["method"].as_str().unwrap_or_default();
        let name = message["params"]["name"].as_str().unwrap_or_default();
        match &self.session {
            Some(session) => {
                headers.push(("Mcp-Session-Id", session));
                headers.push(("MCP-Protocol-Version", "2025-11-25"));
            }
            None if method == "initialize" => {}
            None => {
                headers.push(("MCP-Protocol-Version", "2026-07-28"));
                headers.push(("Mcp-Method", method));
                if !name.is_empty() {
                    headers.push(("Mcp-Name", name));
                }
            }
        }
        let connection = self.connection.get_or_insert_with(|| Connection::to(&self.address));
        connection.begin("POST", "/mcp", &self.address, &headers, &message.to_string());
    }

    /// The connection, to read on.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.get_or_insert_with(|| Connection::to(&self.address))
    }

    /// Sends a call of a tool.
    pub(crate) fn begin_call(&mut self, tool: &str, arguments: Value) {
        let message = self.message("tools/call", json!({"name": tool, "arguments": arguments}));
        self.begin(&message);
    }

    /// A request in this caller's era.
    pub(crate) fn message(&mut self, method: &str, mut params: Value) -> Value {
        self.last_id += 1;
        if self.session.is_none() {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "it", "version": "1"});
        }
        json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params})
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Answer {
        let message = self.message(method, params);
        self.post(&message)
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Reply {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert_eq!(answer.status, 200, "{answer:?}");
        reply(&answer)
    }
}

/// A tool's result.
pub(crate) fn reply(answer: &Answer) -> Reply {
    let message = answer.message();
    let result = message.get("result").unwrap_or_else(|| panic!("{message}"));
    Reply {
        text: result["content"][0]["text"].as_str().unwrap().to_owned(),
        facts: result["structuredContent"].clone(),
        is_error: result["isError"] == true,
    }
}
