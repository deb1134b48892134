//! A client as the input plays it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};

use crate::policy::Caller;

/// Longer than any wait of a tool, and than a person may take.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
/// No answer takes longer; a millisecond of ours each.
const HOURS: u32 = 1000;

/// A client that speaks one of the eras.
pub(super) struct Client {
    input: WriteHalf<DuplexStream>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    pub(super) caller: Caller,
    modern: bool,
    /// Stands in all that its programs print.
    pub(super) secret: String,
    /// The other's.
    foreign: String,
    next: u64,
    pub(super) unanswered: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
}

impl Client {
    /// One whose programs print the first secret and who must never see the second.
    pub(super) fn new(near: DuplexStream, caller: &Caller, modern: bool, secrets: [&str; 2]) -> Self {
        let (output, input) = tokio::io::split(near);
        let [secret, foreign] = secrets.map(str::to_owned);
        Self {
            input,
            output: BufReader::new(output).lines(),
            caller: caller.clone(),
            modern,
            secret,
            foreign,
            next: 0,
            unanswered: BTreeSet::new(),
            cancelled: BTreeSet::new(),
        }
    }

    /// Takes the youngest request back; says whether there was one.
    pub(super) async fn cancel(&mut self) -> bool {
        let Some(request) = self.unanswered.pop_last() else {
            return false;
        };
        self.cancelled.insert(request);
        let params = json!({"requestId": request});
        self.write(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
            .await;
        true
    }

    pub(super) async fn request(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if self.modern
            && let Some(params) = params.as_object_mut()
        {
            let meta = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "1"},
            });
            params.insert("_meta".to_owned(), meta);
        }
        self.unanswered.insert(self.next);
        self.write(json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}))
            .await;
        self.next
    }

    pub(super) async fn write(&mut self, message: Value) {
        let line = format!("{message}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("a server that reads");
    }

    async fn line(&mut self) -> String {
        // The clock goes on where nothing is to be done, and does not wait for the thread that syncs the record.
        for _ in 0..HOURS {
            if let Ok(line) = tokio::time::timeout(HOUR, self.output.next_line()).await {
                return line.ok().flatten().expect("a server that goes on");
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        panic!("no answer");
    }

    /// Reads until this request has its answer; says what sessions it heard of.
    pub(super) async fn answer(&mut self, request: u64) -> Vec<String> {
        let mut sessions = Vec::new();
        while self.unanswered.contains(&request) {
            let line = self.line().await;
            assert!(!line.contains(&self.foreign), "another's output: {line}");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if let Some(id) = message["id"].as_u64() {
                let first = self.unanswered.remove(&id);
                assert!(first || self.cancelled.remove(&id), "answered twice: {line}");
            }
            let session = &message["result"]["structuredContent"]["session"];
            sessions.extend(session.as_str().map(str::to_owned));
        }
        sessions
    }
}
