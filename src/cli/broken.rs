//! What is said and done where the program itself breaks: one line, and the status of its own failures.
//!
//! A panic in one call ends that call and no other; the runtime sees to that.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use super::status::FAILED;
use crate::model::plain::plain_lines;

/// How the runtime's panic for a thread that cannot be started begins (`tokio::task::spawn_blocking`).
const NO_THREAD: &str = "OS can't spawn worker thread";

/// Does it, and is the program's own failure where that panics.
pub(super) fn guard(act: impl FnOnce() -> ExitCode) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        say(panic);
        // The first thread takes all with it, and would wait for a runtime whose threads were not all started.
        let first = std::thread::current().name() == Some("main");
        if first && is_no_thread(panic) {
            std::process::exit(FAILED.into());
        }
    }));
    catch_unwind(AssertUnwindSafe(act)).unwrap_or(ExitCode::from(FAILED))
}

/// In one line, with the way to it where `RUST_BACKTRACE` asks for that.
fn say(panic: &PanicHookInfo<'_>) {
    let what = words(panic).unwrap_or("no reason was given");
    let said = match (is_no_thread(panic), panic.location()) {
        (true, _) => format!("cannot start a thread: {what}; hint: check the limit on processes (ulimit -u)"),
        (false, Some(place)) => format!("internal error at {place}: {what}; hint: please report it"),
        (false, None) => format!("internal error: {what}; hint: please report it"),
    };
    let way = std::backtrace::Backtrace::capture();
    let way = match way.status() {
        std::backtrace::BacktraceStatus::Captured => format!("\n{way}"),
        _ => String::new(),
    };
    writeln!(
        std::io::stderr(),
        "terrarium: {}{way}",
        plain_lines(&said.replace('\n', " "))
    )
    .ok(); // nowhere left to say it
}

fn is_no_thread(panic: &PanicHookInfo<'_>) -> bool {
    words(panic).is_some_and(|what| what.starts_with(NO_THREAD))
}

/// The text that it was given, as `panic!` gives it.
fn words<'a>(panic: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    let payload = panic.payload();
    let formatted = payload.downcast_ref::<String>().map(String::as_str);
    formatted.or_else(|| payload.downcast_ref::<&str>().copied())
}
