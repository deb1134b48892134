//! Drives the real program over real pipes. One binary for all, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test that panics fails, which is what it should do")]
#![expect(clippy::indexing_slicing, reason = "the same")]
#![expect(clippy::print_stderr, reason = "a test that skips something says so")]

mod ahead;
mod answers;
mod attach;
mod audit;
mod audit_settings;
mod bounds;
mod chores;
mod command;
mod compat;
mod confirm;
mod console;
mod container;
mod directories;
mod docs;
mod elicitation;
mod ends;
mod escape;
mod exact;
mod faults;
mod floods;
mod full;
mod harness;
mod hf;
mod hf_fake;
mod hf_operator;
mod hf_spared;
mod hidden;
mod hostile_client;
mod http;
mod interactive;
mod limits;
mod operating;
mod oracle;
mod outside;
mod packaging;
mod policy;
mod programs;
mod prompts;
mod protocol;
mod quiet;
mod replaced;
mod resources;
mod run;
mod run_terminal;
mod secrets;
mod sessions;
mod side_doors;
mod spoilt;
mod style;
mod survivors;
mod terminal;
mod tty;
mod work;
