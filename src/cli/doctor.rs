//! `terrarium doctor`: what this machine offers, found out by trying it, and what each profile makes of it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;

use crate::model::{Argument, CommandError, Program};
use crate::policy::{Caller, Grant, Judgement, LaunchRequest, Policy, Request, Terminal};
use crate::profile::{ProfileError, Profiles};
use crate::sandbox::workspace::{self, WorkspaceError};
use crate::sandbox::{LaunchOptions, Launchers, State};

/// The arguments of `terrarium doctor`.
#[derive(Debug, Args)]
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
    #[error("cannot start the runtime")]
    Runtime(#[from] io::Error),
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let code = runtime.block_on(self.examine());
        runtime.shutdown_background();
        code
    }

    #[expect(clippy::too_many_lines, reason = "one report, printed top to bottom")]
    async fn examine(self) -> Result<ExitCode, Error> {
        let launchers = Launchers::new(LaunchOptions {
            run_as: None,
            pretend: self.pretend.clone(),
        });
        launchers.support().await?; // starting sweeps
        if self.clean {
            return Ok(ExitCode::SUCCESS);
        }
        let (workspace, _held) = workspace::scratch()?;
        let profiles = Profiles::embedded();
        let mut report = serde_json::Map::new();
        let mut out = io::stdout().lock();
        let mut refused = 0;
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
            let outcome = try_profile(&launchers, request).await;
            let text = match &outcome {
                Ok(found)
                    if found
                        .iter()
                        .all(|p| matches!(p.state, State::Active | State::Supervised)) =>
                {
                    "runs".to_owned()
                }
                Ok(_) => "runs, degraded".to_owned(),
                Err(why) => format!("refused: {why}"),
            };
            refused += u32::from(outcome.is_err());
            if self.json {
                let protections = outcome.unwrap_or_default();
                report.insert(
                    name.to_owned(),
                    serde_json::json!({ "result": text, "protections": protections }),
                );
                continue;
            }
            writeln!(out, "{name}: {text}")?;
            for found in outcome.unwrap_or_default() {
                let state = format!("{:?}", found.state).to_lowercase();
                writeln!(out, "  {:<22} {state:<12} {}", found.name, found.why)?;
                if let Some(fix) = found.fix {
                    writeln!(out, "  {:<22} fix: {fix}", "")?;
                }
            }
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        }
        Ok(ExitCode::from(u8::from(refused > 0)))
    }
}

/// Runs `true` under a profile; what protected it, or why it did not run.
async fn try_profile(launchers: &Launchers, request: LaunchRequest) -> Result<Vec<crate::sandbox::Protection>, String> {
    let caller = Caller::Operator {
        uid: rustix::process::geteuid().as_raw(),
    };
    let grant = match Policy::embedded().judge(&caller, Request::Launch(Box::new(request))) {
        Judgement::Allowed(Grant::Launch(grant)) => grant,
        Judgement::Allowed(Grant::Session(_)) => return Err("not a launch".to_owned()),
        Judgement::Denied(reason) => return Err(reason.to_string()),
    };
    let sandbox = launchers.launch(grant).await.map_err(|error| error.to_string())?;
    let ended = sandbox.control.ended().await;
    match ended.status {
        crate::sandbox::Status::Code(0) => Ok(sandbox.protections),
        other => Err(format!("`true` ended with {other:?}")),
    }
}
