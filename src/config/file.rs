//! A configuration as written: the keys of `terrarium.yaml`.
//!
//! Nothing is checked here but the shape. The documentation of the fields is what `terrarium config schema` and
//! `docs/configuration.md` show.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::hf::HfFile;
use crate::policy::file::PolicyFile;
use crate::yaml::Setting;

/// Terrarium's configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// The directory that commands work in: absolute, `~/...`, or relative to the directory of this file. Default: the
    /// server's current directory where that may be one, else a private one. `--workspace` comes before it.
    pub workspace: Setting<String>,
    /// A directory with sandbox profiles, `NAME.yaml` each; written like `workspace`. Default: none but the shipped ones.
    /// `--profiles` comes before it.
    pub profiles: Setting<String>,
    /// What the server itself may use.
    pub server: ServerFile,
    /// How much may be going on at a time, all callers together unless it says otherwise.
    pub limits: LimitsFile,
    /// Who may ask for what. Default: the local caller may use the terminal tools with the profiles default, read-only and
    /// build.
    pub policy: Setting<PolicyFile>,
    /// The tools of Hack Forums, as docs/hack-forums.md describes them. Default: there are none.
    pub hf: Setting<HfFile>,
}

/// What the server itself may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerFile {
    /// Memory for the output and the screens of all sessions together: 16MiB to 64GiB. The oldest that are finished go for new
    /// ones; then no more are opened. Default: 512MiB.
    pub memory: Setting<String>,
}

/// How much may be going on at a time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsFile {
    /// Calls of any kind. Default: 1024.
    #[schemars(range(min = 1, max = 65_536))]
    pub calls: Setting<u64>,
    /// Commands. Default: 32.
    #[schemars(range(min = 1, max = 4096))]
    pub commands: Setting<u64>,
    /// Calls that wait for a command to end before theirs starts. Default: 256.
    #[schemars(range(min = 1, max = 65_536))]
    pub queue: Setting<u64>,
    /// Sessions with a live command. Default: 256.
    #[schemars(range(min = 1, max = 4096))]
    pub sessions: Setting<u64>,
    /// The same for one caller. Default: 224, or seven eighths of `sessions`.
    #[schemars(range(min = 1, max = 4096))]
    pub sessions_per_caller: Setting<u64>,
}
