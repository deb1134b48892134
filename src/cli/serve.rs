//! `terrarium serve`: the MCP server, on standard input and output or over HTTP.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::console::{ConsoleOptions, Running};
use super::http::{self, Http};
use super::place::Place;
use crate::audit::redact::Redacted;
use crate::audit::{Event, Redactor};
use crate::config::{Config, ConfigError};
use crate::confirm::passphrase::{Checker, PassphraseError, Verifier};
use crate::confirm::{Confirm, Lockdown};
use crate::hf::Hf;
use crate::hf::features::HfProfile;
use crate::kernel::process::allow_many_files;
use crate::limits::{Alerts, Among, Budget, Limits};
use crate::model::Workspace;
use crate::policy::{Caller, Current};
use crate::profile::ProfileError;
use crate::sandbox::workspace::{self, WorkspaceError};
use crate::sandbox::{LaunchOptions, Launchers, private};
use crate::server::console::{Bound, ConsoleError, Desk, Door};
use crate::server::control::About;
use crate::server::control::listen::{self, Control};
use crate::server::http::Metrics;
use crate::server::{self, ServeError};
use crate::session::Sessions;
use crate::tools::{self, Compat, Services};

/// What is logged unless somebody asks for more: what goes wrong, of the audit too, and neither what is on record nor what a client was
/// told it did wrong.
const LOG: &str = "warn,audit=warn,rmcp=error";

/// The arguments of `terrarium serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium serve --workspace ~/project                     # for a client: docs/clients.md
  terrarium serve --workspace ~/project --log warn,audit=info 2>audit.log
  terrarium serve --profiles ~/.config/terrarium/profiles   # with profiles of your own

It ends when its input does, and with it all that it started.")]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) place: Place,
    /// What to log to standard error, as in `info` or `warn,audit=info`.
    #[arg(long, value_name = "FILTER", env = "TERRARIUM_LOG", default_value = LOG)]
    log: String,
    /// Offers the tools of another server besides ours, for clients that were written for it.
    #[arg(long, value_name = "SERVER", value_enum)]
    compat: Option<CompatName>,
    /// Offers, of the Hack Forums tools that the configuration turns on, only those that this profile holds too.
    #[arg(long, value_name = "PROFILE", value_parser = hf_profile())]
    hf_profile: Option<HfProfile>,
    /// The user whom commands run as, when the server runs as root.
    #[arg(long, value_name = "UID")]
    run_as: Option<u32>,
    /// Treats a feature of this machine as missing, for tests of degraded modes.
    #[arg(long, value_name = "FEATURE", hide = true)]
    pretend: Vec<String>,
    // Last: their headings hold for what follows.
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    console: ConsoleOptions,
}

/// A server that clients may have been written for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CompatName {
    /// ht-mcp 0.1.3: the six ht_* tools.
    HtMcp,
}

/// Why the server does not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{filter:?} is no filter for the log; hint: write `info`, or `warn,audit=info`")]
    Log {
        filter: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error(
        "{word:?} is no level of the log; hint: error, warn, info, debug, trace or off, or a target with one, as in audit=info"
    )]
    LogLevel { word: String },
    #[error("cannot start the runtime")]
    Runtime {
        #[source]
        source: io::Error,
    },
    #[error("cannot tell which user this is; hint: /proc must be mounted")]
    User {
        #[source]
        source: io::Error,
    },
    #[error("cannot listen for signals")]
    Signals {
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(
        "there is no directory to keep what Hack Forums needs; hint: set HOME or XDG_STATE_HOME to an absolute path"
    )]
    State,
    #[error(
        "--hf-profile narrows the Hack Forums tools of the configuration, which has none; hint: add a section `hf`, as \
         docs/hack-forums.md shows"
    )]
    NoHackForums,
    #[error(transparent)]
    Secret(#[from] tools::ToolError),
    #[error(transparent)]
    Audit(#[from] super::record::Error),
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error(transparent)]
    Server(#[from] ServeError),
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error(transparent)]
    Console(#[from] ConsoleError),
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let redactor = Redactor::default();
        log_to_stderr(&self.log, &redactor)?;
        if let Err(error) = allow_many_files() {
            tracing::warn!(%error, "the limit on open files stays low; connections and launches may be refused");
        }
        let uid = std::fs::metadata("/proc/self")
            .map_err(|source| Error::User { source })?
            .uid();
        let config = self.place.config()?;
        let (workspace, instead) = self.place.workspace(&config, &self.http.own_paths())?;
        if let Some(instead) = &instead {
            let why = std::error::Error::source(instead).map(ToString::to_string);
            tracing::warn!(why, "{instead}");
        }
        let http = self.http.options()?;
        let among = if http.is_some() { Among::Many } else { Among::One };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|source| Error::Runtime { source })?;
        let inside = runtime.enter();
        let services = Arc::new(self.services(&config, workspace, redactor, among)?);
        services.hide_token()?;
        let ended = runtime.block_on(async {
            self.reload_on_hangup(&services)?;
            let metrics = Arc::new(Metrics::new());
            let passphrase = Arc::new(passphrase()?);
            let console = self.console.bind().await?;
            let _control = control(&services, &passphrase, console.as_ref().map(Bound::door));
            let console = console.map(|bound| {
                let desk = Desk {
                    services: Arc::clone(&services),
                    passphrase,
                    uid,
                };
                Running::start(bound, desk, Arc::clone(&metrics))
            });
            let ended = match http {
                Some(options) => http::serve(Arc::clone(&services), options, metrics)
                    .await
                    .map_err(Error::from),
                None => server::serve(Arc::clone(&services), Caller::Local { uid })
                    .await
                    .map_err(Error::from),
            };
            if let Some(console) = console {
                console.end().await;
            }
            ended
        });
        // A thread that reads a terminal or a file must not hold us back.
        drop(inside);
        runtime.shutdown_background();
        services.audit.end();
        ended.map(|()| ExitCode::SUCCESS)
    }

    fn services(
        &self,
        config: &Config,
        workspace: Workspace,
        redactor: Redactor,
        among: Among,
    ) -> Result<Services, Error> {
        let profiles = self.place.profiles(config)?;
        let policy = config.policy(&tools::known(&profiles))?;
        let audit = super::record::keep(
            &config.audit,
            &workspace,
            &profiles,
            redactor.clone(),
            &self.http.own_paths(),
        )?;
        Ok(Services {
            limits: Limits::new(config.caps, among, policy.rates()),
            policy: Current::new(policy),
            budget: Budget::in_directory(private::state_directory()),
            alerts: Alerts::default(),
            confirm: Confirm::new(audit.instance(), redactor),
            lockdown: lockdown(),
            audit,
            sessions: Sessions::new(config.memory),
            profiles,
            launchers: Launchers::new(LaunchOptions {
                run_as: self.run_as,
                pretend: self.pretend.clone(),
                ahead: true,
                joined: false,
            }),
            workspace,
            compat: self.compat.map(|CompatName::HtMcp| Compat::HtMcp),
            hf: hack_forums(config, self.hf_profile)?,
        })
    }

    /// SIGHUP puts the policy in force that the configuration has then; one that cannot be read changes nothing.
    fn reload_on_hangup(&self, services: &Arc<Services>) -> Result<(), Error> {
        let mut hangup = signal(SignalKind::hangup()).map_err(|source| Error::Signals { source })?;
        let (place, services, more) = (self.place.clone(), Arc::clone(services), self.http.own_paths());
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                match reloaded(&place, &services, &more) {
                    Ok(revision) => {
                        tracing::warn!(revision, "the policy was read anew and is in force");
                        let by = format!("operator:{}", rustix::process::geteuid().as_raw());
                        let noted = services.audit.note(Event::Policy, &by, &revision).await;
                        if let Err(error) = noted {
                            tracing::error!(target: "audit", %error, "another policy is not on record");
                        }
                    }
                    Err(error) => {
                        let why = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::error!(%error, why, "the policy was not read anew; the old one stays in force");
                    }
                }
            }
        });
        Ok(())
    }
}

fn reloaded(place: &Place, services: &Services, more: &[PathBuf]) -> Result<String, Error> {
    let config = place.config()?;
    place.apart(&services.workspace, &config, more)?;
    let policy = config.policy(&tools::known(&services.profiles))?;
    let revision = policy.revision().to_owned();
    services.limits.set_rates(policy.rates());
    services.policy.replace(policy);
    Ok(revision)
}

/// The tools of Hack Forums, where the configuration has them.
fn hack_forums(config: &Config, profile: Option<HfProfile>) -> Result<Option<Hf>, Error> {
    let settings = match (config.hf.clone(), profile) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(Error::NoHackForums),
        (Some(settings), None) => settings,
        (Some(settings), Some(profile)) => settings.narrowed_to(profile),
    };
    for note in settings.features.notes() {
        tracing::warn!("hf: {note}");
    }
    let state = private::state_directory().ok_or(Error::State)?;
    Ok(Some(Hf::new(settings, &state.join("hf"), None)))
}

fn hf_profile() -> impl TypedValueParser<Value = HfProfile> {
    PossibleValuesParser::new(HfProfile::ALL.map(HfProfile::name))
        .try_map(|name| HfProfile::parse(&name).ok_or("there is no such profile"))
}

/// The lockdown of this user's servers.
pub(super) fn lockdown() -> Lockdown {
    let directory = private::state_directory();
    directory
        .map(|directory| Lockdown::in_directory(&directory))
        .unwrap_or_default()
}

/// What a yes of the operator needs.
fn passphrase() -> Result<Checker, Error> {
    let verifier = match private::state_directory() {
        Some(directory) => Verifier::read(&directory)?,
        None => None,
    };
    Ok(Checker::new(verifier))
}

/// Listens for the operator. Without a socket the server works, and refuses what the operator would have to allow.
fn control(services: &Arc<Services>, passphrase: &Arc<Checker>, console: Option<&Door>) -> Option<Control> {
    let about = About {
        instance: services.audit.instance().to_string(),
        pid: std::process::id(),
        workspace: services.workspace.path.display().to_string(),
        passphrase: passphrase.is_set(),
        console: console.map(|door| door.address().to_string()),
    };
    let Some(directory) = workspace::runtime_directories().into_iter().next() else {
        tracing::warn!(
            "there is no place for a control socket: nobody can be asked as the operator; hint: set HOME, XDG_STATE_HOME or \
             XDG_RUNTIME_DIR to an absolute path"
        );
        return None;
    };
    let passphrase = Arc::clone(passphrase);
    match listen::listen(&directory, services, about, passphrase, console.cloned()) {
        Ok(control) => Some(control),
        Err(error) => {
            let directory = directory.display();
            tracing::warn!(%error, %directory, "there is no control socket: nobody can be asked as the operator");
            None
        }
    }
}

fn log_to_stderr(filter: &str, redactor: &Redactor) -> Result<(), Error> {
    // Alone it would be taken for a target, of which everything is logged, and of the rest nothing.
    let is_level = |word: &&str| word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok();
    if let Some(word) = filter.split(',').find(|word| !word.is_empty() && !is_level(word)) {
        return Err(Error::LogLevel { word: word.to_owned() });
    }
    let parsed = EnvFilter::try_new(filter).map_err(|source| Error::Log {
        filter: filter.to_owned(),
        source,
    })?;
    let redactor = redactor.clone();
    let writer = move || Redacted {
        inner: io::stderr(),
        redactor: redactor.clone(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(writer)
        .with_ansi(false)
        .log_internal_errors(false) // it would be told on standard error too, with a panic where that is full
        .init();
    Ok(())
}
