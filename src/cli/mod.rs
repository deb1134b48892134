//! The command line: one file for each subcommand.

mod approvals;
mod attach;
mod audit;
mod broken;
mod call;
mod completions;
mod config;
mod console;
mod doctor;
mod filter;
mod hf;
mod http;
mod install;
mod lockdown;
mod man;
mod output;
mod passphrase;
mod place;
mod policy;
mod profile;
mod record;
mod relay;
mod run;
mod secret;
mod serve;
mod servers;
mod sessions;
mod status;
mod token;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::Mode;
use tokio::runtime::Runtime;

use self::status::FAILED;
use crate::model::plain::plain_lines;
use crate::model::words::with_causes;
use crate::sandbox::zygote;

/// Real terminals for AI agents, inside a sandbox that the Linux kernel enforces.
#[derive(Debug, Parser)]
#[command(name = "terrarium", version, max_term_width = 100)]
#[command(after_help = "Examples:
  terrarium run -- bash                                       # a shell in a sandbox, right here
  terrarium doctor                                            # what protects you on this machine
  claude mcp add terrarium -- terrarium serve --workspace .   # to an agent; see docs/clients.md

Exit status: 0, or what the subcommand's own help says; 125 when Terrarium itself failed.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Speaks MCP: on standard input and output until the client is gone, or over HTTP.
    Serve(serve::Serve),
    /// Runs one command in a sandbox.
    Run(run::Run),
    /// Tries each protection on this machine, and says why one is missing and what to do.
    Doctor(doctor::Doctor),
    /// Lists, shows, checks and explains sandbox profiles.
    Profile(profile::ProfileCommand),
    /// Checks and shows the configuration.
    Config(config::ConfigCommand),
    /// Writes a configuration with comments.
    Init(config::Init),
    /// Checks, explains and tries the policy.
    Policy(policy::PolicyCommand),
    /// Makes, lists and revokes the bearer tokens of HTTP callers.
    Token(token::TokenCommand),
    /// Sets up and looks after the Hack Forums tools.
    Hf(hf::HfCommand),
    /// Lists the sessions of every server of yours.
    Sessions(sessions::SessionsCommand),
    /// Watches a session, and types into it if that is wanted.
    Attach(attach::AttachCommand),
    /// Lists, shows and answers the questions that wait for the operator.
    Approvals(approvals::ApprovalsCommand),
    /// Prints a link that lets a browser into the operator's console.
    Console(console::ConsoleCommand),
    /// Refuses everything in every server of this user, until it is lifted.
    Lockdown(lockdown::LockdownCommand),
    /// Sets or clears the operator's passphrase.
    Passphrase(passphrase::PassphraseCommand),
    /// Verifies, shows and exports the record of what was asked, decided and done.
    Audit(audit::AuditCommand),
    /// The process that sandboxes are forked from; the server starts it.
    #[command(hide = true)]
    Zygote,
    /// Calls one tool through a server of its own and prints the answer.
    Call(call::Call),
    /// Prints a script that completes this command line in a shell.
    Completions(completions::Completions),
    /// Prints the manual page, or writes all of them into a directory.
    Man(man::Man),
    /// Makes Terrarium a service of the system that members of a group may connect to.
    Install(install::Install),
    /// Takes away what `install` brought; refuses if any of it was changed.
    Uninstall(install::Install),
}

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Serve(#[from] serve::Error),
    #[error(transparent)]
    Call(#[from] call::Error),
    #[error(transparent)]
    Run(#[from] run::Error),
    #[error(transparent)]
    Doctor(#[from] doctor::Error),
    #[error(transparent)]
    Servers(#[from] servers::Error),
    #[error(transparent)]
    Attach(#[from] attach::Error),
    #[error(transparent)]
    Approvals(#[from] approvals::Error),
    #[error(transparent)]
    Console(#[from] console::Error),
    #[error(transparent)]
    Lockdown(#[from] lockdown::Error),
    #[error(transparent)]
    Passphrase(#[from] passphrase::Error),
    #[error(transparent)]
    Audit(#[from] audit::Error),
    #[error(transparent)]
    Profile(#[from] profile::ProfileCliError),
    #[error(transparent)]
    Hf(#[from] hf::Error),
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Policy(#[from] policy::Error),
    #[error("cannot write the script")]
    Completions(#[source] std::io::Error),
    #[error(transparent)]
    Man(#[from] man::Error),
    #[error(transparent)]
    Install(#[from] install::Error),
    #[error(transparent)]
    Token(#[from] token::Error),
    #[error("the zygote failed")]
    Zygote(#[from] std::io::Error),
}

/// Runs the program with these arguments, the program's name among them.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    broken::guard(|| act(arguments))
}

/// What all subcommands run in that do few things at a time: it needs no thread of its own.
fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn act(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // What is ours we can use ourselves, whatever the umask of whoever starts us.
    let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(mask & (Mode::RWXG | Mode::RWXO));
    let parsed = without_empty_variables(Arguments::command())
        .try_get_matches_from(arguments)
        .and_then(|found| Arguments::from_arg_matches(&found));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            let printed = error.print();
            return match error.use_stderr() {
                true => ExitCode::from(FAILED), // nowhere left to say it
                false => shown(printed),
            };
        }
    };
    let result = match arguments.command {
        Some(Command::Serve(serve)) => serve.run().map_err(CliError::from),
        Some(Command::Call(call)) => call.run().map_err(CliError::from),
        Some(Command::Run(run)) => run.run().map_err(CliError::from),
        Some(Command::Doctor(doctor)) => doctor.run().map_err(CliError::from),
        Some(Command::Profile(command)) => profile::run(command).map_err(CliError::from),
        Some(Command::Hf(command)) => hf::run(command).map_err(CliError::from),
        Some(Command::Config(command)) => command.run().map_err(CliError::from),
        Some(Command::Init(init)) => init.run().map_err(CliError::from),
        Some(Command::Policy(command)) => command.run().map_err(CliError::from),
        Some(Command::Completions(completions)) => {
            completions.run(&Arguments::command()).map_err(CliError::Completions)
        }
        Some(Command::Man(man)) => man.run(Arguments::command()).map_err(CliError::from),
        Some(Command::Install(install)) => install.install().map_err(CliError::from),
        Some(Command::Uninstall(install)) => install.uninstall().map_err(CliError::from),
        Some(Command::Token(command)) => command.run().map_err(CliError::from),
        Some(Command::Sessions(command)) => sessions::run(&command).map_err(CliError::from),
        Some(Command::Attach(command)) => attach::run(&command).map_err(CliError::from),
        Some(Command::Approvals(command)) => approvals::run(command).map_err(CliError::from),
        Some(Command::Console(command)) => console::run(&command).map_err(CliError::from),
        Some(Command::Lockdown(command)) => lockdown::run(command).map_err(CliError::from),
        Some(Command::Passphrase(command)) => passphrase::run(command).map_err(CliError::from),
        Some(Command::Audit(command)) => audit::run(command).map_err(CliError::from),
        Some(Command::Zygote) => zygote::run().map(|()| ExitCode::SUCCESS).map_err(CliError::from),
        None => {
            let help = Arguments::command().render_help();
            let mut out = io::stdout();
            return shown(write!(out, "{help}").and_then(|()| out.flush()));
        }
    };
    result.unwrap_or_else(|error| {
        if error.is_of_a_reader_that_left() {
            return ExitCode::SUCCESS;
        }
        say(&error);
        ExitCode::from(FAILED)
    })
}

/// The status of help: where nobody reads it that is no failure.
fn shown(printed: io::Result<()>) -> ExitCode {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&Unshown(error));
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot print the help")]
struct Unshown(#[source] io::Error);

/// A variable that is set to nothing is as good as none, as the XDG base directories have it.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env().is_some_and(empty) {
            true => argument.env(Resettable::<clap::builder::OsStr>::Reset),
            false => argument,
        })
        .mut_subcommands(without_empty_variables)
}

impl CliError {
    /// Whether it is but that nobody reads our output any more: whoever did has seen enough, as with `| head`.
    fn is_of_a_reader_that_left(&self) -> bool {
        // What these lose is a command's output, or a client's answers.
        if matches!(self, Self::Run(_) | Self::Serve(_) | Self::Zygote(_)) {
            return false;
        }
        let mut causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        let broken = causes.any(|cause| {
            let cause = cause.downcast_ref::<io::Error>();
            cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        });
        broken && nobody_reads()
    }
}

/// Standard output is a pipe without a reader (poll(2), POLLERR): another one may have broken instead.
fn nobody_reads() -> bool {
    let stdout = io::stdout();
    let mut looked_at = [PollFd::new(std::os::fd::AsFd::as_fd(&stdout), PollFlags::empty())];
    let found = poll(&mut looked_at, PollTimeout::ZERO);
    let [stdout] = looked_at;
    let gone = |events: PollFlags| events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP);
    found.is_ok() && stdout.revents().is_some_and(gone)
}

/// Says on standard error what went wrong, with its causes.
fn say(error: &dyn std::error::Error) {
    let text = format!("terrarium: {}", with_causes(error));
    writeln!(io::stderr(), "{}", plain_lines(&text)).ok(); // nowhere left to say it
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The subcommands that are shown, with how they are called.
    fn shown(command: &clap::Command, called: &str, all: &mut Vec<(String, clap::Command)>) {
        all.push((called.to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            shown(below, &format!("{called} {}", below.get_name()), all);
        }
    }

    #[test]
    fn the_help_of_each_subcommand_shows_how_it_is_used() {
        let mut all = Vec::new();
        shown(&Arguments::command(), "terrarium", &mut all);
        assert!(all.len() > 10, "only {} were found", all.len());
        for (called, mut command) in all {
            let help = command.render_long_help().to_string();
            let (_, examples) = help
                .split_once("\nExample")
                .unwrap_or_else(|| panic!("{called}: no example"));
            assert!(examples.contains(&called), "{called}: {examples}");
            let longest = examples.lines().map(str::len).max().unwrap();
            assert!(longest <= 100, "{called}: a line of {longest}");
        }
    }

    #[test]
    fn the_command_line_is_defined_without_contradictions() {
        Arguments::command().debug_assert();
    }
}
