//! The report: the machine, the method, and a table.

use std::fmt::Write as _;
use std::fs;

use crate::samples::Samples;

/// What a figure should stay below.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// A median in milliseconds.
    Milliseconds(f64),
    /// A median in MiB.
    Mebibytes(f64),
    /// So many microseconds more than the plain thing.
    MoreMicroseconds(f64),
    /// So many times the plain thing.
    Times(f64),
    /// So many times the plain thing, of the 99th percentiles.
    TimesAtHigh(f64),
    /// The same of something that is not ours: the machine's share of it.
    Machine,
    /// A number of bytes.
    Bytes(f64),
}

/// One comparison.
pub(crate) struct Row {
    name: &'static str,
    ours: Samples,
    plain: Samples,
    budget: Budget,
}

impl Row {
    pub(crate) fn new(name: &'static str, ours: Samples, plain: Samples, budget: Budget) -> Self {
        Self {
            name,
            ours,
            plain,
            budget,
        }
    }

    fn write(&self, text: &mut String) {
        let show = |value: Option<f64>| match (value, self.budget) {
            (None, _) => "-".to_owned(),
            (Some(bytes), Budget::Mebibytes(_)) => format!("{:.1} MiB", bytes / 1_048_576.0),
            (Some(bytes), Budget::Bytes(_)) => format!("{bytes:.0} B"),
            (Some(seconds), Budget::MoreMicroseconds(_) | Budget::Machine) => format!("{:.0} µs", seconds * 1e6),
            (Some(seconds), _) if seconds >= 0.1 => format!("{:.0} ms", seconds * 1e3),
            (Some(seconds), _) => format!("{:.2} ms", seconds * 1e3),
        };
        let (ours, plain) = (
            self.ours.median().unwrap_or_default(),
            self.plain.median().unwrap_or_default(),
        );
        let at_high = self.ours.high().unwrap_or_default() / self.plain.high().unwrap_or_default();
        let (figure, limit, result) = match self.budget {
            Budget::Milliseconds(limit) => (ours * 1e3, limit, format!("{:.1} ms, of {limit} ms", ours * 1e3)),
            Budget::Mebibytes(limit) => {
                let figure = ours / 1_048_576.0;
                (figure, limit, format!("{figure:.1} MiB, of {limit} MiB"))
            }
            Budget::MoreMicroseconds(limit) => {
                let figure = (ours - plain) * 1e6;
                (figure, limit, format!("{figure:.0} µs more, of {limit} µs"))
            }
            Budget::Bytes(limit) => (ours, limit, format!("{ours:.0} B, of {limit} B")),
            Budget::TimesAtHigh(limit) => (at_high, limit, format!("{at_high:.2}x, of {limit}x")),
            Budget::Machine => (at_high, f64::INFINITY, format!("{at_high:.2}x, nothing of ours")),
            Budget::Times(limit) => (ours / plain, limit, format!("{:.2}x, of {limit}x", ours / plain)),
        };
        let verdict = if figure <= limit { "" } else { " **(missed)**" };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {result}{verdict} |",
            self.name,
            show(self.ours.median()),
            show(self.ours.high()),
            show(self.plain.median()),
            show(self.plain.high()),
            self.ours.count(),
        )
        .ok(); // writing to a string cannot fail
    }
}

/// The whole report as Markdown.
pub(crate) fn compose(rows: &[Row]) -> String {
    let mut text = format!(
        "# Performance\n\n\
         Written by `cargo bench --bench compare -- --write docs/performance.md`. Figures of one machine, for comparing\n\
         with the plain thing beside them, not with other machines.\n\n\
         Machine: {}.\n\n\
         Method: release build; the real server on pipes, one client, calls one after another; each figure is taken in\n\
         turns with the plain thing beside it, after a few rounds that do not count. The plain thing is `fork` and `exec`\n\
         by Rust's standard library, `ping` through the same pipe, or the same work in the same directory outside.\n\
         `p99` of fewer than 100 samples is the largest. Launches are whole calls: JSON, gate, sandbox, output and exit\n\
         code, ten of ours and ten plain ones in turns. What is done in steady state measures itself, under profile `build`, whose limits leave all processors.\n\n\
         | what | median | p99 | plain: median | plain: p99 | samples | result, of the budget |\n\
         |---|---|---|---|---|---|---|\n",
        machine()
    );
    for row in rows {
        row.write(&mut text);
    }
    text
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")
                .or_else(|| line.strip_prefix("CPU part"))
        })
        .map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let cgroup = if fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap_or(false) {
        "cgroup v2"
    } else {
        "cgroup v1"
    };
    let user = if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
        "root"
    } else {
        "an ordinary user"
    };
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{model}, {count} processors, Linux {}, {cgroup}, as {user}, load average {load}",
        kernel.trim()
    )
}
