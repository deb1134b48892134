//! `terrarium policy`: checks the policy, explains one decision, and tries a table of them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::{self, understood};
use super::place::Place;
use crate::config::Config;
use crate::hf::drafts::Drafts;
use crate::policy::file::RuleEffect;
use crate::policy::{Caller, Explanation, Policy};
use crate::profile::{ProfileError, Profiles};
use crate::sandbox::private;
use crate::tools::{self, Around, ToolError};
use crate::yaml::{self, At, Fault, FileError, Setting, Syntax};

/// Looks at the policy.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium policy check
  terrarium policy explain --tool terminal_run --arguments '{\"command\":\"make\"}'
  terrarium policy test cases.yaml   # docs/policy.md says how to write them")]
pub(super) struct PolicyCommand {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Whether the policy in use is right, and if not, where it is wrong.
    #[command(after_help = "Example:\n  terrarium policy check --config ./terrarium.yaml")]
    Check,
    /// What becomes of one call, by which rule and why. Ends with 0 if it is allowed, 1 if denied, 2 if a person is asked.
    #[command(
        after_help = "Example:\n  terrarium policy explain --tool terminal_run --arguments '{\"command\":\"make\"}'"
    )]
    Explain(Explain),
    /// Whether calls come out as a file says. Ends with 1 if one does not.
    #[command(after_help = "Example:\n  terrarium policy test cases.yaml")]
    Test {
        /// A YAML list of calls, each with caller, tool, arguments, perhaps session_profile, decision and perhaps rule.
        cases: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Explain {
    /// Who asks: `local`, or `token:NAME`.
    #[arg(long, value_name = "CALLER", default_value = "local")]
    caller: String,
    /// The tool.
    #[arg(long, value_name = "TOOL")]
    tool: String,
    /// Its arguments as a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// The profile of the session that the call is about.
    #[arg(long, value_name = "PROFILE")]
    session_profile: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// One call and what should become of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    caller: String,
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    session_profile: Setting<String>,
    decision: RuleEffect,
    #[serde(default)]
    rule: Setting<String>,
}

/// Why the command could not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("no caller is called {name:?}; hint: write local or token:NAME")]
    Caller { name: String },
    #[error("the arguments are no JSON object; hint: quote them for the shell, as in '{{\"command\":\"make\"}}'")]
    Arguments {
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(
        "what becomes of this depends on the profile that the session was opened with: {some} gives {one}, {other} gives \
         {another}; hint: say which, with --session-profile, or session_profile in a file of cases"
    )]
    Session {
        some: String,
        one: String,
        other: String,
        another: String,
    },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} holds no cases, so nothing would be tried", path.display())]
    NoCases { path: PathBuf },
    #[error("{}:{line}: {source}", path.display())]
    Case {
        path: PathBuf,
        line: u64,
        source: Box<Error>,
    },
    #[error("{}:{}:{}: {}", path.display(), fault.place.line, fault.place.column, fault.problem)]
    Cases { path: PathBuf, fault: Fault<Syntax> },
    #[error("cannot write the answer")]
    Print(#[from] io::Error),
}

impl PolicyCommand {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let (config, profiles, policy) = understood(&self.place)?;
        let judge = Judge::new(&config, &profiles, &policy);
        let mut out = io::stdout().lock();
        let code = match self.action {
            Action::Check => {
                let (revision, digest) = (policy.revision(), policy.digest());
                writeln!(
                    out,
                    "{} is right: policy revision {revision:?}, digest {digest}",
                    config.source()
                )?;
                0
            }
            Action::Explain(explain) => explain.answer(&judge, &mut out)?,
            Action::Test { cases } => test(&judge, cases, &mut out)?,
        };
        out.flush()?;
        Ok(ExitCode::from(code))
    }
}

impl Explain {
    fn answer(&self, judge: &Judge<'_>, out: &mut dyn Write) -> Result<u8, Error> {
        let arguments = serde_json::from_str(&self.arguments).map_err(|source| Error::Arguments { source })?;
        let session = self.session_profile.as_deref();
        let found = judge.explain(&self.caller, &self.tool, arguments, session)?;
        match self.json {
            true => writeln!(out, "{}", as_json(&found))?,
            false => writeln!(out, "{}", as_text(&found))?,
        }
        Ok(match found.effect {
            RuleEffect::Allow => 0,
            RuleEffect::Deny => 1,
            RuleEffect::Confirm => 2,
        })
    }
}

/// A policy, and what the arguments that it judges are made with.
struct Judge<'a> {
    policy: &'a Policy,
    around: Around<'a>,
}

impl<'a> Judge<'a> {
    fn new(config: &'a Config, profiles: &'a Profiles, policy: &'a Policy) -> Self {
        let state = private::state_directory().unwrap_or_default();
        Self {
            policy,
            around: Around {
                profiles,
                settings: config.hf.as_ref(),
                drafts: Drafts::new(state.join("hf/drafts")),
            },
        }
    }

    fn explain(
        &self,
        caller: &str,
        tool: &str,
        arguments: Map<String, Value>,
        session: Option<&str>,
    ) -> Result<Explanation, Error> {
        let name = || caller.chars().take(80).collect();
        let caller = Caller::in_words(caller).ok_or_else(|| Error::Caller { name: name() })?;
        let arguments = tools::canonical(tool, arguments, &self.around)?;
        if let Some(name) = session {
            self.around.profiles.get(name)?;
        } else if arguments.values().contains_key("session") {
            return self.of_any_session(|profile| self.policy.explain(&caller, tool, &arguments, profile));
        }
        Ok(self.policy.explain(&caller, tool, &arguments, session))
    }

    /// What is the same for a session of each profile: every session has one.
    fn of_any_session(&self, explain: impl Fn(Option<&str>) -> Explanation) -> Result<Explanation, Error> {
        let names = self.around.profiles.names();
        let mut all = names.into_iter().map(|name| (name, explain(Some(name))));
        let becomes = |found: &Explanation| format!("{} by {:?}", found.effect.name(), found.rule.as_str());
        let Some((some, first)) = all.next() else {
            return Ok(explain(None));
        };
        match all.find(|(_, found)| *found != first) {
            None => Ok(first),
            Some((other, found)) => Err(Error::Session {
                some: some.to_owned(),
                one: becomes(&first),
                other: other.to_owned(),
                another: becomes(&found),
            }),
        }
    }
}

fn as_text(found: &Explanation) -> String {
    let mut text = format!("{}, by rule {:?}", found.effect.name(), found.rule.as_str());
    if let Some((by, seconds)) = &found.asks {
        let names: Vec<&str> = by.iter().map(|channel| channel.name()).collect();
        text.push_str(&format!(
            "\nneeds the yes of: {}, within {seconds} s",
            names.join(" or ")
        ));
    }
    for quota in &found.takes {
        text.push_str(&format!(
            "\ntakes {} of rule {:?}: {quota}",
            quota.takes,
            quota.rule.as_str()
        ));
    }
    if let Some(why) = &found.why {
        text.push_str(&format!("\n{why}"));
    }
    text
}

fn as_json(found: &Explanation) -> Value {
    let asks = found.asks.as_ref();
    let quota = |quota: &crate::policy::Quota| json!({"rule": quota.rule.as_str(), "takes": quota.takes, "of": quota.to_string()});
    json!({
        "decision": found.effect.name(),
        "rule": found.rule.as_str(),
        "why": found.why.as_ref().map(ToString::to_string),
        "by": asks.map(|(by, _)| by.iter().map(|channel| channel.name()).collect::<Vec<_>>()),
        "within_s": asks.map(|(_, seconds)| seconds),
        "takes": found.takes.iter().map(quota).collect::<Vec<_>>(),
    })
}

fn test(judge: &Judge<'_>, path: PathBuf, out: &mut dyn Write) -> Result<u8, Error> {
    let cases: Vec<At<Case>> = yaml::parse(&yaml::read(&path)?).map_err(|fault| Error::Cases {
        path: path.clone(),
        fault,
    })?;
    if cases.is_empty() {
        return Err(Error::NoCases { path });
    }
    let mut wrong = 0;
    for At { value: case, place } in &cases {
        let session = case.session_profile.given().map(|at| at.value.as_str());
        let (decision, rule) = match judge.explain(&case.caller, &case.tool, case.arguments.clone(), session) {
            Ok(found) => (found.effect, found.rule.as_str().to_owned()),
            // What no tool takes never reaches the policy, and nothing is done. A name that nothing has is a slip.
            Err(Error::Tool(error)) if !error.is_about_a_name() => (RuleEffect::Deny, format!("the tool: {error}")),
            Err(error) => {
                let (line, source) = (place.line, Box::new(error));
                return Err(Error::Case { path, line, source });
            }
        };
        let wanted = case.rule.given().map(|at| at.value.as_str());
        if decision != case.decision || wanted.is_some_and(|wanted| wanted != rule) {
            wrong += 1;
            let (is, should) = (decision.name(), case.decision.name());
            let wanted = wanted.map(|rule| format!(" by {rule:?}")).unwrap_or_default();
            let line = place.line;
            writeln!(
                out,
                "{}:{line}: {} {}: {is} by {rule:?}, not {should}{wanted}",
                path.display(),
                case.caller,
                case.tool
            )?;
        }
    }
    writeln!(out, "{} of {} as expected", cases.len() - wrong, cases.len())?;
    Ok(u8::from(wrong > 0))
}
