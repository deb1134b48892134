//! A server with a console, and browsers that write their requests by hand.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::command::with_state;
use crate::harness::{Era, Server, fresh_directory};
use crate::http::client::{Answer, Connection};
use crate::tty::Tty;

/// State and configuration of one server, and how to reach its console.
pub(super) struct Place {
    pub(super) state: PathBuf,
    /// Where the console is.
    pub(super) address: String,
    /// The operator's, if there is one.
    pub(super) passphrase: Option<&'static str>,
}

/// A browser that has logged in.
pub(super) struct Browser {
    pub(super) address: String,
    pub(super) token: String,
}

/// What a browser is told, as long as it listens.
pub(super) struct Feed {
    connection: Connection,
    /// Everything so far.
    pub(super) told: Vec<Value>,
}

impl Place {
    /// A server on pipes with a console.
    pub(super) fn start(policy: &str) -> (Self, Server) {
        Self::new().with_server(policy)
    }

    pub(super) fn new() -> Self {
        Self {
            state: fresh_directory(),
            address: String::new(),
            passphrase: None,
        }
    }

    pub(super) fn with_server(mut self, policy: &str) -> (Self, Server) {
        let state = &self.state;
        let config = state.join("terrarium.yaml");
        std::fs::write(&config, policy).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
        let options = ["--config", config.to_str().unwrap(), "--console", "127.0.0.1:0"];
        let environment: [(&str, &Path); 2] = [("XDG_STATE_HOME", state), ("XDG_RUNTIME_DIR", state)];
        let mut server = Server::start_in(Era::Modern, &options, &environment);
        server.call("terminal_list", json!({})); // it is up
        let link = self.link();
        let (address, _) = link.strip_prefix("http://").unwrap().split_once("/#").unwrap();
        self.address = address.to_owned();
        (self, server)
    }

    /// A fresh link, as soon as there is a server that gives one.
    fn link(&self) -> String {
        let mut said = String::new();
        crate::command::until("a console", || {
            let (status, shown) = match &self.passphrase {
                None => {
                    let output = self.terrarium(&["console"]).output().unwrap();
                    (output.status.code(), String::from_utf8(output.stdout).unwrap())
                }
                Some(passphrase) => {
                    let mut tty = Tty::start(&self.terrarium(&["console"]));
                    tty.type_secret("Operator's passphrase: ", passphrase);
                    tty.end()
                }
            };
            said = shown;
            status == Some(0)
        });
        let start = said.find("http://").unwrap();
        said[start..].trim_end().to_owned()
    }

    pub(super) fn terrarium(&self, arguments: &[&str]) -> Command {
        with_state(&self.state, arguments)
    }

    /// The code of a fresh link.
    pub(super) fn code(&self) -> String {
        let link = self.link();
        let start = format!("http://{}/#code=", self.address);
        link.strip_prefix(&start).unwrap().to_owned()
    }

    pub(super) fn login(&self) -> Browser {
        let answer = self.post("/api/login", &[], &json!({"code": self.code()}));
        assert_eq!(answer.status, 200, "{answer:?}");
        Browser {
            address: self.address.clone(),
            token: answer.message()["token"].as_str().unwrap().to_owned(),
        }
    }

    /// A request to the page, as JSON.
    pub(super) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("Content-Type", "application/json")], headers].concat();
        self.request("POST", path, &self.address, &headers, &body.to_string())
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &self.address, &[], "")
    }

    /// One request on a connection of its own.
    pub(super) fn request(&self, method: &str, path: &str, host: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        Connection::to(&self.address).request(method, path, host, headers, body)
    }

    /// What is on record about this.
    pub(super) fn record(&self, event: &str) -> Vec<Value> {
        let output = self.terrarium(&["audit", "export", "--json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.state).ok(); // what is left is in target/tmp
    }
}

impl Browser {
    /// Asks for something that only the operator may.
    pub(super) fn ask(&self, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        Connection::to(&self.address).request("POST", path, &self.address, &headers, &body.to_string())
    }

    /// Begins to listen.
    pub(super) fn watch(&self) -> Feed {
        let mut connection = Connection::to(&self.address);
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        connection.begin("POST", "/api/events", &self.address, &headers, "{}");
        let status = connection.line().unwrap();
        assert!(status.contains("200"), "{status}");
        while connection.line().is_some_and(|line| !line.is_empty()) {}
        let told = Vec::new();
        Feed { connection, told }
    }
}

impl Feed {
    /// The next thing that is told; nothing at the end.
    pub(super) fn next(&mut self) -> Option<Value> {
        let size = usize::from_str_radix(&self.connection.line()?, 16).unwrap();
        let line = self.connection.line().filter(|_| size > 0)?;
        assert_eq!(line.len() + 1, size, "one line in each chunk");
        self.connection.line()?; // the end of the chunk
        let event: Value = serde_json::from_str(&line).unwrap();
        self.told.push(event.clone());
        Some(event)
    }

    /// Listens until something of this kind is as wanted.
    pub(super) fn until(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self
                .next()
                .unwrap_or_else(|| panic!("the feed ended before {kind}: {:?}", self.told));
            if event["kind"] == kind && wanted(&event) {
                return event;
            }
        }
    }

    /// The one session that there is.
    pub(super) fn session(&mut self) -> Value {
        let list = self.until("sessions", |event| event["sessions"].as_array().unwrap().len() == 1);
        list["sessions"][0].clone()
    }

    /// Listens until the screen shows this.
    pub(super) fn shows(&mut self, text: &str) -> Value {
        self.until("screen", |event| rows(event).contains(text))
    }
}

/// The text of the rows that came with this event.
pub(super) fn rows(event: &Value) -> String {
    let mut text = String::new();
    for line in event["lines"].as_array().unwrap() {
        for run in line[1].as_array().unwrap() {
            text.push_str(run["text"].as_str().unwrap());
        }
        text.push('\n');
    }
    text
}
