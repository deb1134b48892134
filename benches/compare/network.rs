//! What the network adds: a call over HTTP beside the same over pipes, and a read from Hack Forums beside a bare request.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::hf_fake::Fake;
use crate::report::{Budget, Row};
use crate::samples::in_turns;
use crate::server::Server;

const ROUNDS: usize = 3_000;

pub(crate) fn rows() -> Vec<Row> {
    vec![over_http(), read_from_hf()]
}

/// `terminal_list` on a kept connection, beside the same through pipes.
fn over_http() -> Row {
    let place = Place::new(
        "http",
        "policy:\n  revision: bench\n  rules:\n    - {id: all, effect: allow, callers: [local, \
                                    \"token:*\"], tools: [terminal_list]}\n",
    );
    let remote = Remote::start(&place, 1);
    let caller = remote.caller(0);
    let local = Server::start_with(&["--config", place.config()], &place.environment());
    let params = json!({"name": "terminal_list", "arguments": {}});
    let (ours, plain) = in_turns(
        ROUNDS,
        &mut (caller, local),
        |(caller, _)| caller.call("tools/call", &params),
        |(_, local)| drop(local.request("tools/call", params.clone())),
    );
    Row::new(
        "`terminal_list` over HTTP, beside the same over pipes",
        ours,
        plain,
        Budget::MoreMicroseconds(100.0),
    )
}

/// `hf_me_read`, beside the request that it makes on a kept connection to the same fake.
fn read_from_hf() -> Row {
    let fake = Fake::start();
    let place = Place::new(
        "hf",
        &format!(
            "hf: {{profile: reader, api_base: {}}}\npolicy:\n  revision: bench\n  rules:\n    - {{id: all, effect: allow, \
             callers: [local], tools: [\"hf_*\"]}}\n",
            fake.base()
        ),
    );
    let mut server = Server::start_with(&["--config", place.config()], &place.environment());
    server.call("hf_me_read", json!({}));
    let asked = fake.requests().remove(0);
    let asks: Value = serde_json::from_slice(&asked.body).unwrap();
    let base = fake.base();
    let (address, _) = base.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let bare = Connection::to(address, &asked.path, "bench");
    let (ours, plain) = in_turns(
        ROUNDS,
        &mut (server, bare),
        |(server, _)| drop(server.call("hf_me_read", json!({}))),
        |(_, bare)| drop(bare.post(&asks)),
    );
    Row::new(
        "`hf_me_read`, beside its bare request to the same fake",
        ours,
        plain,
        Budget::MoreMicroseconds(300.0),
    )
}

/// A configuration, and state of its own.
pub(crate) struct Place {
    directory: PathBuf,
    config: PathBuf,
}

impl Place {
    pub(crate) fn new(name: &str, config: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compare-{name}-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .unwrap();
        let path = directory.join("terrarium.yaml");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(config.as_bytes()).unwrap();
        Self {
            directory,
            config: path,
        }
    }

    pub(crate) fn config(&self) -> &str {
        self.config.to_str().unwrap()
    }

    pub(crate) fn environment(&self) -> [(&str, &Path); 3] {
        let token = Path::new("not-a-real-token-0123456789");
        [
            ("XDG_STATE_HOME", &self.directory),
            ("XDG_RUNTIME_DIR", &self.directory),
            ("TERRARIUM_HF_TOKEN", token),
        ]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok(); // it is below target
    }
}

/// A server over HTTP, and tokens for it.
pub(crate) struct Remote {
    child: Child,
    address: String,
    tokens: Vec<String>,
}

impl Remote {
    /// Starts one for so many callers.
    pub(crate) fn start(place: &Place, callers: usize) -> Self {
        let program = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
            command.envs(place.environment());
            command
        };
        let workspace = place.directory.join("workspace");
        fs::create_dir_all(&workspace).unwrap();
        let create = |number| {
            let name = format!("bench-{number}");
            let created = program().args(["token", "create", &name]).output().unwrap();
            assert!(created.status.success(), "{created:?}");
            String::from_utf8(created.stdout).unwrap().trim_end().to_owned()
        };
        let tokens = (0..callers).map(create).collect();
        let mut child = program()
            .args(["serve", "--http", "127.0.0.1:0", "--config"])
            .arg(&place.config)
            .arg("--workspace")
            .arg(&workspace)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on ") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server does not listen");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()).ok()); // nobody reads its log
        let (_, address) = line.trim_end().split_once("http://").unwrap();
        Self {
            child,
            address: address.strip_suffix("/mcp").unwrap().to_owned(),
            tokens,
        }
    }

    /// A caller that has introduced itself, on a connection of its own.
    pub(crate) fn caller(&self, number: usize) -> Connection {
        let mut caller = Connection::to(&self.address, "/mcp", &self.tokens[number]);
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "compare", "version": "1"},
        });
        let (answer, session) =
            caller.post(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
        assert!(answer.contains("serverInfo"), "{answer}");
        caller.more = format!(
            "Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2025-11-25\r\n",
            session.unwrap()
        );
        caller.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        caller
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.child.kill().ok(); // it has no session
        self.child.wait().ok();
    }
}

/// A connection that is kept, with a client that costs next to nothing.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    /// More headers.
    more: String,
}

impl Connection {
    fn to(address: &str, path: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self {
            stream: BufReader::new(stream),
            head: format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept: application/json, \
                 text/event-stream\r\nContent-Type: application/json\r\n"
            ),
            more: String::new(),
        }
    }

    /// One call of MCP that must succeed.
    pub(crate) fn call(&mut self, method: &str, params: &Value) {
        let (answer, _) = self.post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        assert!(answer.contains("structuredContent"), "{answer}");
    }

    /// The body of the answer, and the MCP session that it names.
    fn post(&mut self, message: &Value) -> (String, Option<String>) {
        let body = message.to_string();
        let text = format!("{}{}Content-Length: {}\r\n\r\n{body}", self.head, self.more, body.len());
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        let status = self.line();
        assert!(status.contains(" 20"), "{status}");
        let (mut length, mut session) = (None, None);
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse::<usize>().unwrap()),
                "mcp-session-id" => session = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => self.take(length, &mut body),
            None if status.contains(" 200") => loop {
                let size = usize::from_str_radix(&self.line(), 16).unwrap();
                self.take(size, &mut body);
                self.line();
                if size == 0 {
                    break;
                }
            },
            None => {}
        }
        (String::from_utf8(body).unwrap(), session)
    }

    fn take(&mut self, bytes: usize, into: &mut Vec<u8>) {
        let at = into.len();
        into.resize(at + bytes, 0);
        self.stream.read_exact(&mut into[at..]).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(
            self.stream.read_line(&mut line).unwrap() > 0,
            "the connection has ended"
        );
        line.trim_end().to_owned()
    }
}
