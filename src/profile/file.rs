//! A profile as written: the keys of a file in `sandbox-profiles/` or in the operator's directory.
//!
//! Nothing is checked here but the shape. What the values mean is found out in `resolve`, and every key that
//! may be left out is inherited through `extends`, never defaulted. The documentation of the fields is what
//! `terrarium profile schema` and `sandbox-profiles/README.md` show.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::profile::{Enforcement, Home, Network, WorkspaceAccess, WriteAndExecute};
use crate::yaml::{At, Setting};

/// A sandbox profile: what the programs of a session see, may change, reach and use up.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// Its name: small letters, digits and hyphens; the file is called `NAME.yaml`.
    pub name: At<String>,
    /// One line that tells people and agents what it is for.
    pub summary: At<String>,
    /// A profile whose settings hold wherever this file says nothing. What the file says may be wider or narrower.
    #[serde(default)]
    pub extends: Setting<String>,
    /// What the sandbox sees of the file system and may change.
    #[serde(default)]
    pub filesystem: FilesystemFile,
    /// What it may connect to: `none` is its own loopback only, `host` is whatever the host reaches.
    #[serde(default)]
    pub network: Setting<Network>,
    /// Whether a machine without the namespaces beyond the floor is refused (`required`) or used and named as degraded
    /// (`preferred`).
    #[serde(default)]
    pub isolation: Setting<Enforcement>,
    /// Which system calls work.
    #[serde(default)]
    pub syscalls: SyscallsFile,
    /// What all processes of a sandbox may use together, unless the limit says otherwise.
    #[serde(default)]
    pub limits: LimitsFile,
    /// Which environment variables programs get; no others are passed on.
    #[serde(default)]
    pub environment: EnvironmentFile,
}

/// Files and directories. What is not listed is not there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilesystemFile {
    /// What the workspace may be used for.
    pub workspace: Setting<WorkspaceAccess>,
    /// Files and directories that may be read. A list replaces the inherited one, `{add: [...]}` adds to it.
    pub read: Setting<Listed<PathEntry>>,
    /// Files and directories whose programs may be run; readable too. A list replaces, `{add: [...]}` adds.
    pub execute: Setting<Listed<PathEntry>>,
    /// Paths inside the workspace that the host may run later, kept from change; a component `*` is every directory there. A list replaces, `{add: [...]}` adds.
    pub protect: Setting<Listed<WorkspaceText>>,
    /// Where `HOME` is: `private` is empty at start and gone at the end, `kept` is a directory for each caller and
    /// workspace.
    pub home: Setting<Home>,
    /// Where `/tmp` is: `private` is empty at start and gone at the end. There is no other choice.
    pub tmp: Setting<Tmp>,
    /// Whether what was written can be executed: `allowed` (the default where nothing is inherited), or `denied`, which
    /// also keeps memory from being writable and executable at once.
    pub write_and_execute: Setting<WriteAndExecute>,
}

/// Where `/tmp` is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Tmp {
    /// Empty at start, gone at the end.
    Private,
}

/// System calls: a base, and changes on top of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyscallsFile {
    /// A list in `sandbox-profiles/syscalls/` that decides every system call: `default`, `build` or `strict`. Left out,
    /// the rules of the extended profile hold, its changes included.
    pub base: Setting<String>,
    /// System calls that work besides those of the base.
    pub allow: Setting<Vec<At<SyscallChange>>>,
    /// System calls of the base that are refused with `EPERM`.
    pub deny: Setting<Vec<At<SyscallChange>>>,
}

/// One system call and why it is decided differently here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyscallChange {
    /// Its name as in the kernel's table, such as `ptrace`.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Limits of a sandbox. Sizes are written `512MiB`, times `30s`, `10min` or `8h`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsFile {
    /// Memory of all processes together, files in `/tmp` and a private `HOME` included; 16MiB to 1TiB.
    pub memory: Setting<SizeText>,
    /// Processes and threads at a time, 2 to 32768.
    pub processes: Setting<Count>,
    /// Share of the machine's processors, 1% to 100%; at least one whole processor.
    pub cpu: Setting<ShareText>,
    /// Processor time of all processes together, 1s to 30 days (720h), or `none`.
    pub cpu_time: Setting<TimeOrNone>,
    /// Open files of one process, 16 to 1048576.
    pub open_files: Setting<Count>,
    /// Size of one file, 4KiB to 1TiB.
    pub file_size: Setting<SizeText>,
    /// Size of `/tmp`, 1MiB to 256GiB. Together with a private home and 64MiB it must stay below `memory`.
    pub tmp: Setting<SizeText>,
    /// Size of `HOME`, 1MiB to 256GiB.
    pub home: Setting<SizeText>,
    /// Bytes by which the workspace may grow, 0B to 16TiB.
    pub workspace_growth: Setting<SizeText>,
    /// Files and directories by which the workspace may grow, 0 to 10000000.
    pub workspace_files: Setting<Count>,
    /// What a command without a terminal may print, 4KiB to 64GiB.
    pub output: Setting<SizeText>,
    /// Time from start to end, 1s to 30 days (720h).
    pub wall_time: Setting<TimeText>,
    /// Time without input, output or work after which the session ends, 1s to 30 days (720h).
    pub idle_time: Setting<TimeText>,
    /// Whether a machine that cannot enforce memory, processes and processors in the kernel is refused (`required`) or
    /// used with supervision in its place (`preferred`).
    pub enforcement: Setting<Enforcement>,
}

/// Environment variables.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentFile {
    /// Names that are taken over from the server's environment where they are set there. A list replaces the inherited
    /// one.
    pub pass: Setting<Vec<At<String>>>,
    /// Names and values. They are added to the inherited ones, and win over `pass`.
    pub set: Setting<BTreeMap<String, At<String>>>,
}

/// A list that replaces the inherited one, or adds to it.
#[derive(Clone, Debug)]
pub enum Listed<T> {
    /// `[...]`
    Replace(Vec<At<T>>),
    /// `{add: [...]}`
    Add(Vec<At<T>>),
}

/// `{add: [...]}`: what is added to an inherited list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddTo<T> {
    /// The entries that are added.
    add: Vec<At<T>>,
}

/// A path of the host: the path alone, or an object.
#[derive(Clone, Debug)]
pub struct PathEntry {
    /// The path as written.
    pub path: String,
    /// Why the sandbox needs it.
    pub reason: Option<String>,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A path of the host with what is to be said about it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PathObject {
    /// Absolute, or `~/...` for a path below the home directory of the server's user; no `..`.
    path: HostText,
    /// Why the sandbox needs it.
    #[serde(default)]
    reason: Option<String>,
    /// Whether a machine without it is fine; otherwise the launch is refused.
    #[serde(default)]
    optional: bool,
}

/// Text with a rule of its own in the schema.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline, extend("pattern" = $pattern))]
        pub struct $name(pub String);
    };
}

text!(
    /// A path of the host: absolute or `~/...`.
    HostText, "^(/|~/)"
);
text!(
    /// A path relative to the workspace.
    WorkspaceText, "^[^/~]"
);
text!(
    /// A size with its unit, such as `512MiB`.
    SizeText, "^[0-9]+(B|KiB|MiB|GiB|TiB)?$"
);
text!(
    /// A time with its unit, such as `30s`.
    TimeText, "^[0-9]+(ms|s|min|h)$"
);
text!(
    /// A time with its unit, or `none`.
    TimeOrNone, "^([0-9]+(ms|s|min|h)|none)$"
);
text!(
    /// A share in percent, such as `25%`.
    ShareText, "^([1-9][0-9]?|100)%$"
);

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number without a sign, a unit or quotes")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Count, E> {
                Ok(Count(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Count, E> {
                u64::try_from(value)
                    .map(Count)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

impl<'de> Deserialize<'de> for PathEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;

        impl<'de> Visitor<'de> for Entry {
            type Value = PathEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or an object with `path`, `reason` and `optional`")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<PathEntry, E> {
                Ok(PathEntry {
                    path: path.to_owned(),
                    reason: None,
                    optional: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathEntry, A::Error> {
                let object = PathObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PathEntry {
                    path: object.path.0,
                    reason: object.reason,
                    optional: object.optional,
                })
            }
        }

        deserializer.deserialize_any(Entry)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Listed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, or `{add: [...]}` to add to the inherited one")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Listed<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Listed::Replace)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listed<T>, A::Error> {
                AddTo::deserialize(MapAccessDeserializer::new(map)).map(|list| Listed::Add(list.add))
            }
        }

        deserializer.deserialize_any(List(std::marker::PhantomData))
    }
}

impl JsonSchema for PathEntry {
    fn schema_name() -> Cow<'static, str> {
        "PathEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A path of the host: the path alone, or an object.",
            "anyOf": [generator.subschema_for::<HostText>(), generator.subschema_for::<PathObject>()]
        })
    }
}

impl<T: JsonSchema> JsonSchema for Listed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [generator.subschema_for::<Vec<At<T>>>(), generator.subschema_for::<AddTo<T>>()]
        })
    }
}
