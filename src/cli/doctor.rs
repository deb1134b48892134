//! `terrarium doctor`: what this machine offers, found out by trying it, and what each profile makes of it.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::confirm::passphrase::Verifier;
use crate::model::{Argument, CommandError, Program};
use crate::policy::{Asked, Caller, Grant, Judgement, LaunchRequest, Policy, Terminal};
use crate::profile::{ProfileError, Profiles};
use crate::sandbox::workspace::{self, WorkspaceError};
use crate::sandbox::{LaunchOptions, Launchers, Protection, State, private};
use crate::server::control::listen;

/// The arguments of `terrarium doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium doctor                                # what holds, why the rest does not, what to do
  terrarium doctor --json | jq '.strict.result'   # for scripts
  terrarium doctor --clean                        # after a crash or kill -9

Exit status: 1 when a profile is refused on this machine, 0 otherwise. docs/operating.md says more.")]
pub(super) struct Doctor {
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Only removes what servers that were killed left behind.
    #[arg(long)]
    clean: bool,
    /// Treats a feature of this machine as missing, for tests of degraded modes.
    #[arg(long, value_name = "FEATURE", hide = true)]
    pretend: Vec<String>,
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot start to look, or write what was found")]
    Io(#[from] io::Error),
    #[error("cannot remove what servers left in {}", directory.display())]
    Sweep {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Launch(#[from] crate::sandbox::LaunchError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("cannot write the report as JSON")]
    Json(#[from] serde_json::Error),
}

impl Doctor {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let runtime = super::runtime()?;
        let code = runtime.block_on(self.examine());
        runtime.shutdown_background();
        code
    }

    async fn examine(self) -> Result<ExitCode, Error> {
        let launchers = Launchers::new(LaunchOptions {
            run_as: None,
            pretend: self.pretend.clone(),
            ahead: false,
            joined: false,
        });
        launchers.support().await?; // starting sweeps
        if self.clean {
            for directory in workspace::runtime_directories() {
                match listen::sweep(&directory) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    swept => swept.map_err(|source| Error::Sweep { directory, source })?,
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
        let (workspace, _held) = workspace::scratch()?;
        let profiles = Profiles::embedded();
        let mut examined = Vec::new();
        for name in profiles.names() {
            let request = LaunchRequest {
                tool: "doctor",
                profile: profiles.get(name)?,
                workspace: workspace.clone(),
                program: Program::argv(vec![Argument::new("true")?])?,
                cwd: None,
                env: Vec::new(),
                terminal: Terminal::None,
                timeout: None,
                cpu_time: None,
            };
            examined.push((name, try_profile(&launchers, request).await));
        }
        if self.json {
            as_json(&examined)?;
        } else {
            as_text(&examined)?;
        }
        let refused = examined.iter().any(|(_, outcome)| outcome.is_err());
        Ok(ExitCode::from(u8::from(refused)))
    }
}

/// What protected a command under a profile, or why it did not run.
type Outcome = Result<Vec<Protection>, String>;

fn as_json(examined: &[(&str, Outcome)]) -> Result<(), Error> {
    let mut report = serde_json::Map::new();
    for (name, outcome) in examined {
        let entry = serde_json::json!({
            "result": verdict(outcome),
            "protections": outcome.as_deref().unwrap_or_default(),
        });
        report.insert((*name).to_owned(), entry);
    }
    let (state, why, fix) = confirmation();
    let confirmation = serde_json::json!({"state": state, "why": why, "fix": fix});
    report.insert("confirmation".to_owned(), confirmation);
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    report.insert("kernel".to_owned(), kernel.into());
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}

fn as_text(examined: &[(&str, Outcome)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, outcome) in examined {
        writeln!(out, "{name}: {}", verdict(outcome))?;
        for found in outcome.as_deref().unwrap_or_default() {
            let state = format!("{:?}", found.state).to_lowercase();
            writeln!(out, "  {:<22} {state:<12} {}", found.name, found.why)?;
            if let Some(fix) = &found.fix {
                writeln!(out, "  {:<22} fix: {fix}", "")?;
            }
        }
    }
    let (state, why, fix) = confirmation();
    writeln!(out, "confirmation: {state}: {why}")?;
    fix.map_or(Ok(()), |fix| writeln!(out, "  fix: {fix}"))
}

/// Who can say yes as the operator: in short, in words, and what would be better.
fn confirmation() -> (&'static str, String, Option<&'static str>) {
    match private::state_directory().map(|directory| Verifier::read(&directory)) {
        Some(Ok(Some(_))) => ("active", "a yes needs the operator's passphrase".to_owned(), None),
        Some(Ok(None)) => (
            "degraded",
            "every program of this user outside a sandbox can say yes as the operator".to_owned(),
            Some("terrarium passphrase set, or run the server as a user of its own"),
        ),
        Some(Err(error)) => ("refused", error.to_string(), None),
        None => (
            "refused",
            format!("there is no place for state{}", workspace::homeless()),
            Some("set HOME or XDG_STATE_HOME"),
        ),
    }
}

fn verdict(outcome: &Outcome) -> String {
    // What is watched on every machine there is nothing to be done about.
    let holds = |found: &Protection| match found.state {
        State::Active => true,
        State::Supervised => found.fix.is_none(),
        State::Degraded | State::Unavailable => false,
    };
    let whole = |found: &[Protection]| found.iter().all(holds);
    match outcome {
        Ok(found) if whole(found) => "runs".to_owned(),
        Ok(_) => "runs, degraded".to_owned(),
        Err(why) => format!("refused: {why}"),
    }
}

/// Runs `true` under a profile; what protected it, or why it did not run.
async fn try_profile(launchers: &Launchers, request: LaunchRequest) -> Outcome {
    let caller = Caller::Operator {
        uid: rustix::process::geteuid().as_raw(),
    };
    let grant = match Policy::without_rules().judge(&caller, &Asked::by_operator(request), None) {
        Judgement::Allowed(Grant::Launch(grant)) => grant,
        Judgement::Allowed(_) | Judgement::Confirm(_) => return Err("not a launch".to_owned()),
        Judgement::Denied(reason) => return Err(reason.to_string()),
    };
    let sandbox = launchers.launch(grant).await.map_err(|error| error.to_string())?;
    let ended = sandbox.control.ended().await;
    match ended.status {
        crate::sandbox::Status::Code(0) => Ok(sandbox.protections),
        other => Err(format!("`true` ended with {other:?}")),
    }
}
