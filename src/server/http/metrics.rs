//! What is counted. Names and meanings are listed in docs/operating.md.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::recorder::Recorder;
use crate::server::web::counts::Counts;

/// Upper bounds of the durations of calls, in seconds.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0];

/// Everything that is counted. Cheap to count in.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    calls: Family<Call, Counter>,
    seconds: Family<Tool, Histogram, fn() -> Histogram>,
    /// At our own door.
    pub(super) http: Counts,
    /// At the console's.
    pub(in crate::server) console: Counts,
    pub(super) in_flight: Gauge,
    pub(super) callers: Gauge,
    pub(super) mcp_sessions: Gauge,
    sessions: Gauge,
    started: Gauge<f64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    path: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    tool: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tool {
    tool: &'static str,
}

impl Metrics {
    /// With everything at nought.
    pub fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("terrarium"),
            requests: Family::default(),
            calls: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            http: Counts::default(),
            console: Counts::default(),
            in_flight: Gauge::default(),
            callers: Gauge::default(),
            mcp_sessions: Gauge::default(),
            sessions: Gauge::default(),
            started: Gauge::default(),
        };
        metrics.register();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        metrics.started.set(now.unwrap_or_default().as_secs_f64());
        metrics
    }

    fn register(&mut self) {
        let elsewhere = Recorder::default();
        elsewhere.listen();
        let all = &mut self.registry;
        all.register_collector(Box::new(elsewhere));
        all.register("http_requests", "Requests that were answered", self.requests.clone());
        for (door, counts) in [("http", &self.http), ("console", &self.console)] {
            all.register(
                format!("{door}_refused"),
                "Requests and connections that were turned away",
                counts.turned_away.clone(),
            );
            all.register(
                format!("{door}_strangers"),
                "Connections that have not said who they are",
                counts.strangers.clone(),
            );
            all.register(
                format!("{door}_connections"),
                "Connections of those who have",
                counts.connections.clone(),
            );
        }
        all.register(
            "http_calls_in_flight",
            "MCP requests that are not answered yet",
            self.in_flight.clone(),
        );
        all.register(
            "callers",
            "Callers that asked for something and may ask on",
            self.callers.clone(),
        );
        all.register(
            "mcp_sessions",
            "MCP sessions of clients before 2026-07-28",
            self.mcp_sessions.clone(),
        );
        all.register("tool_calls", "Tool calls by how they ended", self.calls.clone());
        all.register("tool_call_seconds", "How long tool calls took", self.seconds.clone());
        all.register(
            "sessions",
            "Terminal sessions with a live command",
            self.sessions.clone(),
        );
        all.register(
            "start_time_seconds",
            "When the server started, in Unix time",
            self.started.clone(),
        );
    }

    /// A request was answered.
    pub(super) fn answered(&self, path: &'static str, status: u16) {
        self.requests.get_or_create(&Request { path, status }).inc();
    }

    /// A tool call ended. `tool` is one of the listed names.
    pub(crate) fn called(&self, tool: &'static str, outcome: &'static str, took: Duration) {
        self.calls.get_or_create(&Call { tool, outcome }).inc();
        self.seconds.get_or_create(&Tool { tool }).observe(took.as_secs_f64());
    }

    /// How many terminal sessions there are.
    pub(crate) fn set_sessions(&self, count: usize) {
        self.sessions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// MCP requests that are not answered yet.
    pub(super) fn calls_in_flight(&self) -> i64 {
        self.in_flight.get()
    }

    /// All as text.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
