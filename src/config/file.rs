//! A configuration as written: the keys of `terrarium.yaml`.
//!
//! Nothing is checked here but the shape. The documentation of the fields is what `terrarium config schema` and
//! `docs/configuration.md` show.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::hf::HfFile;
use crate::policy::file::PolicyFile;
use crate::yaml::{At, Setting};

/// Terrarium's configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// The directory that commands work in: absolute, `~/...`, or relative to the directory of this file. Default: the
    /// server's current directory where that may be one, else a private one that is removed at the end. `--workspace` comes
    /// before it.
    pub workspace: Setting<String>,
    /// A directory with sandbox profiles, `NAME.yaml` each; written like `workspace`. Default: none but the shipped ones.
    /// `--profiles` comes before it.
    pub profiles: Setting<String>,
    /// What the server itself may use.
    pub server: ServerFile,
    /// How much may be going on at a time, all callers together unless it says otherwise.
    pub limits: LimitsFile,
    /// How the record of what was asked, decided and done is kept.
    pub audit: AuditFile,
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

/// How the record of what was asked, decided and done is kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditFile {
    /// The directory of the record; written like the workspace. It and its files are closed to other users, and no workspace may
    /// hold it, nor what a profile lets sandboxes read. Default: `audit` in `$XDG_STATE_HOME/terrarium`.
    pub path: Setting<String>,
    /// What a record waits for before anything is done. Default: write.
    pub sync: Setting<SyncFile>,
    /// Size after which the record goes on in another file: 64KiB to 1GiB. Default: 16MiB.
    pub rotate: Setting<String>,
    /// How much of the record is kept. What is older or more goes, oldest first, and the record says so.
    pub keep: KeepFile,
    /// Who is told of the end of the record from time to time. Only against that can it be seen that lines at the end were cut off.
    /// Default: nobody.
    pub anchor: Setting<AnchorFile>,
}

/// What a record waits for before anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SyncFile {
    /// Until the kernel has it: it survives every end of the server, not one of the machine.
    Write,
    /// Until it is on the disk, where something is done; calls at the same time wait together.
    Group,
    /// Until it is on the disk, each line.
    Every,
}

/// How much of the record is kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeepFile {
    /// Size of all files together: 1MiB to 1TiB, and at least that of one. Default: 1GiB.
    pub size: Setting<String>,
    /// Days since a file was last written to. Default: 90.
    #[schemars(range(min = 1, max = 3650))]
    pub days: Setting<u64>,
}

/// Who is told of the end of the record.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnchorFile {
    /// The journal of the system, or a command that gets a line on its standard input.
    pub to: At<AnchorTo>,
    /// The command: the absolute path of a program, and its arguments. It has 30 seconds.
    #[serde(default)]
    pub command: Setting<Vec<String>>,
    /// How often, while something is recorded: 1s to 24h, and once when the server ends. Default: 1min.
    #[serde(default)]
    pub every: Setting<String>,
}

/// Through what an anchor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorTo {
    /// journald, as `terrarium-audit`.
    Journald,
    /// A program.
    Command,
}

/// How much may be going on at a time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsFile {
    /// Calls of any kind. Default: 1024. Over stdio 2048 requests at the most wait for their answers, whatever this says;
    /// the next is read when one of them has it.
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
    /// The same for one caller. Default: 224, or seven eighths of `sessions`. Over HTTP one caller has at most a quarter of
    /// `sessions` whatever this says.
    #[schemars(range(min = 1, max = 4096))]
    pub sessions_per_caller: Setting<u64>,
}
