//! `terrarium profile`: lists, shows, checks, compares and explains profiles.
//!
//! What it prints comes from [`crate::profile`]; nothing here decides anything, and nothing runs in a sandbox.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};

use super::place::{ConfigOption, there};
use crate::config::{Config, ConfigError};
use crate::profile::error::Problem;
use crate::profile::explain::{Act, Answer, Question, Surroundings, Verdict, explain};
use crate::profile::{ProfileError, Profiles, schema, show};

/// Looks at sandbox profiles.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium profile list
  terrarium profile explain default --read /etc/shadow     # by which rule, and why
  terrarium profile check my-tests.yaml                    # docs/profiles.md says how to write one")]
pub(super) struct ProfileCommand {
    /// A directory with profiles of your own, `NAME.yaml` each. Default: the configuration's.
    #[arg(long, value_name = "DIR", global = true, value_parser = there())]
    profiles: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigOption,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The profiles there are.
    #[command(after_help = "Example:\n  terrarium profile list --profiles ~/.config/terrarium/profiles")]
    List,
    /// A profile with everything that it inherits filled in.
    #[command(after_help = "Example:\n  terrarium profile show build")]
    Show {
        /// Its name.
        name: String,
        /// As JSON instead of YAML.
        #[arg(long)]
        json: bool,
    },
    /// Whether a file is a profile, and if not, why.
    #[command(after_help = "Example:\n  terrarium profile check my-tests.yaml   # file, line and column of a mistake")]
    Check {
        /// The file.
        file: PathBuf,
    },
    /// The JSON Schema of a profile file.
    #[command(after_help = "Example:\n  terrarium profile schema > profile.schema.json   # for an editor")]
    Schema,
    /// What differs between two profiles. Ends with 1 if anything does.
    #[command(after_help = "Example:\n  terrarium profile diff default build")]
    Diff {
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
    /// Whether a profile allows something, by which rule and why. Ends with 1 if it is denied.
    Explain(Explain),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium profile explain default --write /etc/passwd
  terrarium profile explain build --syscall ptrace
  terrarium profile explain network --connect example.org:443")]
#[command(group = ArgGroup::new("question").required(true))]
struct Explain {
    /// The profile's name.
    name: String,
    /// Reading a file or listing a directory of the host.
    #[arg(long, value_name = "PATH", group = "question")]
    read: Option<PathBuf>,
    /// Changing, creating or removing a file of the host.
    #[arg(long, value_name = "PATH", group = "question")]
    write: Option<PathBuf>,
    /// Running a program of the host.
    #[arg(long, value_name = "PATH", group = "question")]
    exec: Option<PathBuf>,
    /// Connecting to a host.
    #[arg(long, value_name = "HOST:PORT", group = "question")]
    connect: Option<String>,
    /// A system call.
    #[arg(long, value_name = "NAME", group = "question")]
    syscall: Option<String>,
    /// The workspace that the sandbox would have.
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

/// Why the command could not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileCliError {
    /// Where profiles are.
    #[error("cannot tell which profiles there are, which --profiles DIR would say")]
    Config(#[from] ConfigError),
    /// A profile is wrong or missing.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The question is about nothing that exists.
    #[error(transparent)]
    Question(#[from] Problem),
    /// A relative path could be anywhere.
    #[error("{} cannot be asked about; hint: write a path from / or ~/, without . and ..", path.display())]
    Path {
        /// As written.
        path: PathBuf,
    },
    /// No port.
    #[error("{text:?} is no HOST:PORT; hint: as in example.org:443 or [::1]:8080")]
    Address {
        /// As written.
        text: String,
    },
    /// Nobody reads.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

/// Does what was asked and prints it.
pub(super) fn run(command: ProfileCommand) -> Result<ExitCode, ProfileCliError> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let profiles = command.profiles()?;
    let mut out = io::stdout().lock();
    let code = answer(command.action, &profiles, home, &mut out)?;
    out.flush()?;
    Ok(code)
}

impl ProfileCommand {
    /// The profiles that a server would have; a schema needs none.
    fn profiles(&self) -> Result<Profiles, ProfileCliError> {
        let directory = match (&self.profiles, &self.action) {
            (Some(directory), _) => Some(directory.clone()),
            (None, Action::Schema) => None,
            (None, _) => Config::find(self.config.path.as_deref())?.profiles,
        };
        Ok(match directory {
            Some(directory) => Profiles::with_directory(&directory)?,
            None => Profiles::embedded(),
        })
    }
}

fn answer(
    action: Action,
    profiles: &Profiles,
    home: Option<PathBuf>,
    out: &mut dyn Write,
) -> Result<ExitCode, ProfileCliError> {
    match action {
        Action::List => {
            for name in profiles.names() {
                writeln!(out, "{name:<12} {}", profiles.get(name)?.summary)?;
            }
        }
        Action::Show { name, json: true } => writeln!(out, "{:#}", show::resolved(&*profiles.get(&name)?))?,
        Action::Show { name, json: false } => write!(out, "{}", show::to_yaml(&*profiles.get(&name)?))?,
        Action::Check { file } => {
            let profile = profiles.check_file(&file)?;
            writeln!(
                out,
                "{}: profile {} is right: {}",
                file.display(),
                profile.name,
                profile.summary
            )?;
        }
        Action::Schema => writeln!(out, "{:#}", schema::schema())?,
        Action::Diff { first, second } => {
            let lines = show::diff(&*profiles.get(&first)?, &*profiles.get(&second)?);
            for line in &lines {
                writeln!(out, "{line}")?;
            }
            return Ok(ExitCode::from(u8::from(!lines.is_empty())));
        }
        Action::Explain(asked) => {
            let profile = profiles.get(&asked.name)?;
            let workspace = asked
                .workspace
                .as_deref()
                .map(|path| absolute(path, None))
                .transpose()?;
            let question = question(&asked, home.as_deref())?;
            let answer = explain(&profile, &question, &Surroundings { home, workspace })?;
            print(&answer, out)?;
            return Ok(ExitCode::from(u8::from(answer.verdict == Verdict::Denied)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn question(asked: &Explain, home: Option<&Path>) -> Result<Question, ProfileCliError> {
    let files = [
        (Act::Read, &asked.read),
        (Act::Write, &asked.write),
        (Act::Execute, &asked.exec),
    ];
    for (act, path) in files {
        if let Some(path) = path {
            return Ok(Question::File(act, absolute(path, home)?));
        }
    }
    match (&asked.connect, &asked.syscall) {
        (Some(text), _) => connect(text),
        (None, name) => Ok(Question::Syscall(name.clone().unwrap_or_default())),
    }
}

/// The path from the root; `~/` is replaced where a shell has not done so.
fn absolute(path: &Path, home: Option<&Path>) -> Result<PathBuf, ProfileCliError> {
    let full = match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path.to_owned(),
    };
    let up = full
        .components()
        .any(|part| matches!(part, std::path::Component::ParentDir));
    match full.is_absolute() && !up {
        true => Ok(full),
        false => Err(ProfileCliError::Path { path: path.to_owned() }),
    }
}

fn connect(text: &str) -> Result<Question, ProfileCliError> {
    let wrong = || ProfileCliError::Address { text: text.to_owned() };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    match (host.is_empty() || bare, port.parse::<u16>()) {
        (false, Ok(1..)) => Ok(Question::Connect { host: host.to_owned() }),
        _ => Err(wrong()),
    }
}

fn print(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let verdict = match answer.verdict {
        Verdict::Allowed => "allowed",
        Verdict::Denied => "denied",
        Verdict::AtRunTime => "decided at run time",
    };
    writeln!(out, "{verdict}\nrule:   {}\nreason: {}", answer.rule, answer.reason)?;
    answer.notes.iter().try_for_each(|note| writeln!(out, "note:   {note}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        command: ProfileCommand,
    }

    fn ask(line: &str) -> (String, Result<ExitCode, ProfileCliError>) {
        let words = std::iter::once("profile").chain(line.split_whitespace());
        let command = Cli::try_parse_from(words).unwrap().command;
        let mut out = Vec::new();
        let code = answer(command.action, &Profiles::embedded(), Some("/home/u".into()), &mut out);
        (String::from_utf8(out).unwrap(), code)
    }

    fn is(code: Result<ExitCode, ProfileCliError>, expected: u8) -> bool {
        format!("{:?}", code.unwrap()) == format!("{:?}", ExitCode::from(expected))
    }

    #[test]
    fn an_explanation_names_rule_and_reason_and_ends_with_1_when_denied() {
        let (text, code) = ask("explain default --read /etc/shadow --workspace /srv");
        assert_eq!(
            text,
            "denied\nrule:   no rule\nreason: neither filesystem.read nor filesystem.execute lists it: it is not there\n"
        );
        assert!(is(code, 1));
        let (text, code) = ask("explain build --exec ~/.cargo/bin/cargo --workspace /srv");
        assert!(
            text.starts_with("allowed\nrule:   filesystem.execute: ~/.cargo/bin\n"),
            "{text}"
        );
        assert!(is(code, 0));
        let (text, code) = ask("explain default --connect [::1]:8080");
        assert!(
            text.starts_with("decided at run time\nrule:   network: none\n"),
            "{text}"
        );
        assert!(is(code, 0));
    }

    #[test]
    fn a_question_about_nothing_is_an_error() {
        for (line, message) in [
            (
                "explain default --read etc",
                "etc cannot be asked about; hint: write a path from / or ~/, without . and ..",
            ),
            (
                "explain default --connect example.org",
                "\"example.org\" is no HOST:PORT; hint: as in example.org:443 or [::1]:8080",
            ),
            (
                "explain default --connect ::1:80",
                "\"::1:80\" is no HOST:PORT; hint: as in example.org:443 or [::1]:8080",
            ),
            (
                "explain default --syscall opne",
                "no system call is called \"opne\"; hint: did you mean \"open\"?",
            ),
            (
                "show defautl",
                "no profile is called \"defautl\"; hint: did you mean \"default\"?",
            ),
        ] {
            assert_eq!(ask(line).1.unwrap_err().to_string(), message);
        }
        assert!(Cli::try_parse_from(["profile", "explain", "default"]).is_err());
        assert!(Cli::try_parse_from("profile explain default --read /a --write /a".split(' ')).is_err());
    }

    #[test]
    fn all_profiles_are_listed_with_their_summaries() {
        let (text, _) = ask("list");
        assert_eq!(text.lines().count(), 5);
        assert!(text.starts_with("default      Work in the workspace; read the system; no network.\n"));
    }

    #[test]
    fn a_profile_is_shown_as_yaml_or_json_and_compared() {
        assert!(ask("show strict").0.contains("\nisolation: required\n"));
        let json: serde_json::Value = serde_json::from_str(&ask("show strict --json").0).unwrap();
        assert_eq!(json["limits"]["processes"], 64);
        let (text, code) = ask("diff default network");
        assert!(text.contains("- network: none\n+ network: host\n"), "{text}");
        assert!(is(code, 1));
        assert!(is(ask("diff default default").1, 0));
        assert!(serde_json::from_str::<serde_json::Value>(&ask("schema").0).is_ok());
    }
}
