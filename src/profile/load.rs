//! The profiles there are: five in the binary, and those of the operator's directory.
//!
//! The shipped ones are parsed when first asked for. The operator's are all read and checked at once: a mistake is
//! found when the server starts, not when an agent asks. Whose directory may be trusted is [`crate::yaml`]'s business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::bounds::{MAX_DEPTH, MAX_FILES};
use super::error::{Problem, ProfileError, invalid, parse};
use super::file::ProfileFile;
use super::profile::{HostPath, Profile};
use super::resolve::{is_name, resolve};
use crate::yaml::{self, At, Setting, nearest};

/// The profiles that callers can be given.
#[derive(Clone, Debug)]
pub struct Profiles {
    sources: BTreeMap<String, Source>,
}

impl Profiles {
    /// Those in the binary; nothing is parsed yet.
    pub fn embedded() -> Self {
        let shipped = |(name, text): &(&str, &'static str)| {
            let file = format!("sandbox-profiles/{name}.yaml");
            ((*name).to_owned(), Source::new(file, Text::Shipped(text)))
        };
        Self {
            sources: SHIPPED.iter().map(shipped).collect(),
        }
    }

    /// Those in the binary, and every `*.yaml` of a directory that only its owner may write.
    pub fn with_directory(directory: &Path) -> Result<Self, ProfileError> {
        let mut profiles = Self::embedded();
        let files = profiles_in(directory)?;
        let mut names = Vec::new();
        for path in files {
            let stem = stem(&path)?;
            if is_shipped(&stem) {
                return Err(ProfileError::ShippedName { path, name: stem });
            }
            let text = yaml::read_own(&path)?;
            let source = Source::new(path.display().to_string(), Text::Operator(text));
            profiles.sources.insert(stem.clone(), source);
            names.push(stem);
        }
        for name in names {
            profiles.get(&name)?;
        }
        Ok(profiles)
    }

    /// The profile of that name.
    pub fn get(&self, name: &str) -> Result<Arc<Profile>, ProfileError> {
        match self.sources.get(name) {
            Some(source) => Ok(self.resolved(name, source, &mut Vec::new())?.profile),
            None => Err(ProfileError::NoSuchProfile {
                name: name.chars().take(64).collect(),
                nearest: nearest(name, self.names()),
                names: self.owned_names(),
            }),
        }
    }

    /// Their names: the shipped ones first, in the order in which they are explained, then the operator's.
    pub fn names(&self) -> Vec<&str> {
        let operator = self.sources.keys().map(String::as_str).filter(|name| !is_shipped(name));
        SHIPPED.iter().map(|(name, _)| *name).chain(operator).collect()
    }

    /// The names of those that may have a rule for such a path; the shipped ones are all among them or none. Of these only
    /// the text is looked at, which takes less than a tenth of the time that parsing them takes.
    pub fn that_may_name(&self, path: impl Fn(&HostPath) -> bool) -> Vec<&str> {
        let in_text = |text: &str| {
            let words = text.split(|c: char| c.is_whitespace() || "{}[],\"'".contains(c));
            words
                .filter_map(|word| HostPath::new(word).ok())
                .any(|word| path(&word))
        };
        let shipped = SHIPPED.iter().any(|(_, text)| in_text(text));
        let names = self.names().into_iter();
        names.filter(|name| shipped || !is_shipped(name)).collect()
    }

    /// Reads one file as if it were in the operator's directory, wherever it is and whoever owns it.
    pub fn check_file(&self, path: &Path) -> Result<Profile, ProfileError> {
        self.check_text(&stem(path)?, path, yaml::read(path)?)
    }

    /// The same with the text at hand.
    pub(super) fn check_text(&self, stem: &str, path: &Path, text: String) -> Result<Profile, ProfileError> {
        let source = Source::new(path.display().to_string(), Text::Operator(text));
        // A shipped name is fine for the file that it ships from, and for no other.
        if is_shipped(stem) && !SHIPPED.iter().any(|(_, text)| *text == source.text()) {
            return Err(ProfileError::ShippedName {
                path: path.to_owned(),
                name: stem.to_owned(),
            });
        }
        let resolved = self.read(stem, &source, &mut Vec::new())?;
        Ok(Profile::clone(&resolved.profile))
    }

    fn resolved(&self, name: &str, source: &Source, trail: &mut Vec<String>) -> Result<Resolved, ProfileError> {
        if let Some(resolved) = source.resolved.get() {
            return Ok(resolved.clone());
        }
        let resolved = self.read(name, source, trail)?;
        Ok(source.resolved.get_or_init(|| resolved).clone())
    }

    /// `trail` holds the names that extend this one, the first one first.
    fn read(&self, name: &str, source: &Source, trail: &mut Vec<String>) -> Result<Resolved, ProfileError> {
        let file: ProfileFile = parse(source.text()).map_err(|fault| invalid(fault, &source.file))?;
        if file.name.value != name && is_name(&file.name.value) {
            let fault = file.name.fault(Problem::NameDiffers {
                stem: name.to_owned(),
                name: file.name.value.clone(),
            });
            return Err(invalid(fault, &source.file));
        }
        trail.push(name.to_owned());
        let parent = match &file.extends {
            Setting::Inherited => None,
            Setting::Given(extends) => Some(self.parent(extends, source, trail)?),
        };
        let profile = resolve(&file, parent.as_ref().map(|parent| &*parent.profile));
        Ok(Resolved {
            depth: parent.map_or(0, |parent| parent.depth + 1),
            profile: Arc::new(profile.map_err(|fault| invalid(fault, &source.file))?),
        })
    }

    fn parent(&self, extends: &At<String>, source: &Source, trail: &mut Vec<String>) -> Result<Resolved, ProfileError> {
        let name = &extends.value;
        if trail.contains(name) {
            let chain = trail.iter().chain([name]).cloned().collect();
            return Err(invalid(extends.fault(Problem::Cycle { chain }), &source.file));
        }
        let Some(of) = self.sources.get(name) else {
            let problem = Problem::UnknownParent {
                name: name.chars().take(64).collect(),
                nearest: nearest(name, self.names()),
                known: self.owned_names(),
            };
            return Err(invalid(extends.fault(problem), &source.file));
        };
        let parent = self.resolved(name, of, trail)?;
        if parent.depth >= MAX_DEPTH {
            let problem = Problem::TooDeep {
                depth: parent.depth + 1,
                limit: MAX_DEPTH,
            };
            return Err(invalid(extends.fault(problem), &source.file));
        }
        Ok(parent)
    }

    fn owned_names(&self) -> Vec<String> {
        self.names().into_iter().map(str::to_owned).collect()
    }
}

/// One file and, once asked for, what it means.
#[derive(Clone, Debug)]
struct Source {
    file: String,
    text: Text,
    resolved: OnceLock<Resolved>,
}

/// A profile and how many it extends, one through the other.
#[derive(Clone, Debug)]
struct Resolved {
    depth: usize,
    profile: Arc<Profile>,
}

#[derive(Clone, Debug)]
enum Text {
    Shipped(&'static str),
    Operator(String),
}

impl Source {
    fn new(file: String, text: Text) -> Self {
        let resolved = OnceLock::new();
        Self { file, text, resolved }
    }

    fn text(&self) -> &str {
        match &self.text {
            Text::Shipped(text) => text,
            Text::Operator(text) => text,
        }
    }
}

fn is_shipped(name: &str) -> bool {
    SHIPPED.iter().any(|(shipped, _)| *shipped == name)
}

/// Every `*.yaml` of a directory, sorted; hidden files are passed over, as editors leave them.
fn profiles_in(directory: &Path) -> Result<Vec<PathBuf>, ProfileError> {
    let mut files = Vec::new();
    for path in yaml::directory_entries(directory)? {
        let path = path?;
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        files.push(path);
        if files.len() > MAX_FILES {
            return Err(ProfileError::TooMany {
                path: directory.to_owned(),
                limit: MAX_FILES,
            });
        }
    }
    files.sort();
    Ok(files)
}

/// The name that a file gives its profile.
fn stem(path: &Path) -> Result<String, ProfileError> {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml");
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match stem.filter(|stem| yaml && is_name(stem)) {
        Some(stem) => Ok(stem.to_owned()),
        None => Err(ProfileError::NotAProfile {
            path: PathBuf::from(path),
        }),
    }
}

/// In the order in which they are explained.
static SHIPPED: [(&str, &str); 5] = [
    ("default", include_str!("../../sandbox-profiles/default.yaml")),
    ("read-only", include_str!("../../sandbox-profiles/read-only.yaml")),
    ("build", include_str!("../../sandbox-profiles/build.yaml")),
    ("network", include_str!("../../sandbox-profiles/network.yaml")),
    ("strict", include_str!("../../sandbox-profiles/strict.yaml")),
];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::profile::{Enforcement, Network, Presence, SyscallAction, WorkspaceAccess, WriteAndExecute};

    /// A directory that is gone at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let id = crate::model::SessionId::random().unwrap();
            let path = std::env::temp_dir().join(format!("terrarium-profiles-{id}"));
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
            Self(path)
        }

        fn with(self, name: &str, text: &str) -> Self {
            let path = self.0.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            self
        }

        /// The error of loading it, without the directory's own name.
        fn error(&self) -> String {
            let error = Profiles::with_directory(&self.0).unwrap_err().to_string();
            error.replace(&format!("{}/", self.0.display()), "")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok(); // a test that failed has said more already
        }
    }

    /// The error of a file `x.yaml` that extends `default` and says this besides.
    fn error(text: &str) -> String {
        Directory::new().with("x.yaml", &child(text)).error()
    }

    fn child(text: &str) -> String {
        format!("name: x\nsummary: s\nextends: default\n{text}")
    }

    fn profile(text: &str) -> Arc<Profile> {
        let directory = Directory::new().with("x.yaml", &child(text));
        Profiles::with_directory(&directory.0).unwrap().get("x").unwrap()
    }

    #[test]
    fn nothing_is_parsed_before_it_is_asked_for_and_then_once() {
        let profiles = Profiles::embedded();
        assert_eq!(profiles.names(), ["default", "read-only", "build", "network", "strict"]);
        assert!(profiles.sources.values().all(|source| source.resolved.get().is_none()));
        let first = profiles.get("network").unwrap();
        assert!(Arc::ptr_eq(&first, &profiles.get("network").unwrap()));
        assert!(profiles.sources["build"].resolved.get().is_none());
    }

    #[test]
    fn every_path_of_the_shipped_profiles_is_found_in_their_text() {
        let profiles = Profiles::embedded();
        assert!(profiles.that_may_name(|_| false).is_empty());
        for name in profiles.names() {
            let files = &profiles.get(name).unwrap().filesystem;
            for rule in files.read.iter().chain(&files.execute) {
                let found = profiles.that_may_name(|path| *path == rule.path);
                assert_eq!(found, profiles.names(), "{name}: {}", rule.path);
            }
        }
    }

    #[test]
    fn every_shipped_rule_has_its_reason() {
        let profiles = Profiles::embedded();
        for name in profiles.names() {
            let profile = profiles.get(name).unwrap();
            for rule in profile.filesystem.read.iter().chain(&profile.filesystem.execute) {
                assert!(rule.reason.is_some(), "{name}: {}", rule.path);
            }
            assert!(
                profile.syscalls.rules.values().all(|rule| !rule.reason.is_empty()),
                "{name}"
            );
            assert!(profile.filesystem.protect.contains(&".git/hooks".into()), "{name}");
        }
    }

    #[test]
    fn the_shipped_profiles_mean_what_their_summaries_say() {
        let profiles = Profiles::embedded();
        let get = |name| profiles.get(name).unwrap();
        let (default, strict, build) = (get("default"), get("strict"), get("build"));
        assert_eq!(default.filesystem.workspace, WorkspaceAccess::ReadWriteExecute);
        assert_eq!(
            (default.network, get("network").network),
            (Network::None, Network::Host)
        );
        assert_eq!((default.limits.processes, default.limits.cpu_time), (128, None));
        assert_eq!(get("read-only").filesystem.workspace, WorkspaceAccess::Read);
        assert_eq!(build.limits.processes, 2048);
        assert_eq!(build.syscalls.rules["ptrace"].action, SyscallAction::Allow);
        assert_eq!(build.filesystem.read.len(), default.filesystem.read.len() + 2);
        assert_eq!(
            (strict.isolation, strict.limits.enforcement),
            (Enforcement::Required, Enforcement::Required)
        );
        assert_eq!(strict.filesystem.write_and_execute, WriteAndExecute::Denied);
        assert_eq!(strict.filesystem.workspace, WorkspaceAccess::ReadWrite);
        let secrets = [
            "/etc/shadow",
            "/etc/sudoers",
            "/etc/ssh/ssh_host_ed25519_key",
            "/home",
            "/root",
            "/var",
        ];
        for secret in secrets.map(Path::new) {
            for rule in default.filesystem.read.iter().chain(&default.filesystem.execute) {
                let top = rule.path.under(None).unwrap();
                assert!(!secret.starts_with(&top), "{} shows {}", rule.path, secret.display());
                assert!(
                    rule.presence == Presence::IfThere || top == Path::new("/usr"),
                    "{}",
                    rule.path
                );
            }
        }
    }

    #[test]
    fn a_child_replaces_lists_or_adds_to_them() {
        let replaced = profile("filesystem: {read: [/srv], execute: {add: [{path: ~/bin, optional: true}]}}");
        assert_eq!(replaced.filesystem.read.len(), 1);
        assert_eq!(replaced.filesystem.execute.last().unwrap().path.to_string(), "~/bin");
        assert_eq!(replaced.filesystem.execute[0].path.to_string(), "/usr");
        let variables = &profile("environment: {set: {EDITOR: vi}}").environment;
        assert_eq!(variables.set.len(), 4);
    }

    #[test]
    fn changes_of_system_calls_are_made_on_top_of_what_is_inherited() {
        let change = "syscalls: {allow: [{name: ptrace, reason: gdb}], deny: [{name: socket, reason: none}]}";
        let rules = &profile(change).syscalls.rules;
        assert_eq!(rules["ptrace"].action, SyscallAction::Allow);
        assert_eq!(
            (rules["socket"].action, rules["socket"].reason.as_str()),
            (SyscallAction::Deny, "none")
        );
        assert_eq!(rules["memfd_create"].action, SyscallAction::Allow);
    }

    #[test]
    fn keys_and_words_that_mean_nothing_are_answered_with_the_nearest() {
        for (text, message) in [
            (
                "limits: {procesess: 4}",
                "x.yaml:4:10: unknown key \"procesess\"; hint: did you mean \"processes\"?",
            ),
            (
                "network: hots",
                "x.yaml:4:10: unknown value \"hots\"; hint: did you mean \"host\"?",
            ),
            (
                "syscalls: {allow: [{name: ptrcae, reason: r}]}",
                "x.yaml:4:20: no system call is called \"ptrcae\"; hint: did you mean \"ptrace\"?",
            ),
            (
                "syscalls: {base: strcit}",
                "x.yaml:4:18: no system call base is called \"strcit\"; hint: did you mean \"strict\"?",
            ),
            (
                "filesystem: {tmp: shared}",
                "x.yaml:4:19: unknown value \"shared\"; hint: there are private",
            ),
            (
                "filesystem: {read: [{path: /srv, optionl: true}]}",
                "x.yaml:4:34: unknown key \"optionl\"; hint: did you mean \"optional\"?",
            ),
        ] {
            assert_eq!(error(text), message);
        }
        let text = "name: x\nsummary: s\nextends: defalt\n";
        assert_eq!(
            Directory::new().with("x.yaml", text).error(),
            "x.yaml:3:10: cannot extend \"defalt\": no profile is called that; hint: did you mean \"default\"?"
        );
        assert_eq!(
            Profiles::embedded().get("biuld").unwrap_err().to_string(),
            "no profile is called \"biuld\"; hint: did you mean \"build\"?"
        );
    }

    /// A fourth line, and what is wrong with it.
    const OUT_OF_BOUNDS: [(&str, &str); 18] = [
        (
            "limits: {processes: true}",
            "x.yaml:4:10: invalid type: boolean `true`, expected a whole number without a sign, a unit or quotes",
        ),
        (
            "limits: {processes: -1}",
            "x.yaml:4:10: invalid value: integer `-1`, expected a whole number without a sign, a unit or quotes",
        ),
        (
            "limits: {processes: 1}",
            "x.yaml:4:21: limits.processes is 1; hint: it must be between 2 and 32768",
        ),
        (
            "limits: {memory: 1GB}",
            "x.yaml:4:18: limits.memory: \"1GB\" is no size; hint: write a whole number and B, KiB, MiB, GiB or TiB, as in 512MiB",
        ),
        (
            "limits: {memory: 2TiB}",
            "x.yaml:4:18: limits.memory is 2TiB; hint: it must be between 16MiB and 1TiB",
        ),
        (
            "limits: {memory: 512MiB}",
            "x.yaml:4:18: tmp (256MiB), a private home (256MiB) and 64MiB for /dev/shm and the like are memory too: together they must be below memory (512MiB)",
        ),
        (
            "limits: {cpu: 0%}",
            "x.yaml:4:15: limits.cpu: \"0%\" is no share of the processors; hint: write 1% to 100%",
        ),
        (
            "limits: {wall_time: 721h}",
            "x.yaml:4:21: limits.wall_time: \"721h\" is too large",
        ),
        (
            "limits: {cpu_time: 10ms}",
            "x.yaml:4:20: limits.cpu_time is 10ms; hint: it must be between 1s and 720h",
        ),
        ("summary: s", "x.yaml:4:1: the key \"summary\" is written twice"),
        (
            "filesystem: {read: [/usr/../etc]}",
            "x.yaml:4:21: path \"/usr/../etc\" has . or .. or an empty component; hint: write it without",
        ),
        (
            "filesystem: {read: [/a, /a/]}",
            "x.yaml:4:25: path \"/a/\" is listed twice",
        ),
        (
            "filesystem: {execute: {add: [/usr]}}",
            "x.yaml:4:30: path \"/usr\" is listed twice",
        ),
        (
            "filesystem: {protect: [/etc]}",
            "x.yaml:4:24: path \"/etc\" is not relative to the workspace; hint: write it without a leading / or ~",
        ),
        (
            "syscalls: {allow: [{name: clone3, reason: r}]}",
            "x.yaml:4:20: the system call clone3 cannot be allowed: it takes its orders from memory, where no filter can look; hint: programs fall back to others by themselves",
        ),
        (
            "syscalls: {allow: [{name: ptrace, reason: r}], deny: [{name: ptrace, reason: r}]}",
            "x.yaml:4:55: the system call ptrace is named twice",
        ),
        (
            "syscalls: {allow: [{name: ptrace, reason: ' '}]}",
            "x.yaml:4:20: reason must be one line of 1 to 300 characters",
        ),
        (
            "environment: {pass: [A=B]}",
            "x.yaml:4:22: \"A=B\" is no name of an environment variable; hint: use letters, digits and underscores, not starting with a digit",
        ),
    ];

    #[test]
    fn values_out_of_bounds_or_of_another_kind_are_refused() {
        for (text, message) in OUT_OF_BOUNDS {
            assert_eq!(error(text), message);
        }
    }

    #[test]
    fn yaml_that_hides_what_it_means_is_refused() {
        for (text, message) in [
            (
                "network: &a none\nisolation: *a",
                "4:13: anchors, aliases and merge keys are not read here; hint: write the value out",
            ),
            (
                "<<: {network: host}",
                "4:1: anchors, aliases and merge keys are not read here; hint: write the value out",
            ),
            (
                "network: !!python/object none",
                "4:26: unsupported tag `!!python/object`",
            ),
            (
                "limits: {processes: .nan}",
                "4:21: non-finite float `.nan` rejected by the configured policy",
            ),
            (
                "limits: {processes: null}",
                "4:10: invalid type: unit value, expected a whole number without a sign, a unit or quotes",
            ),
            (
                "limits: {memory: 4096}",
                "4:18: \"4096\" is read as text only in quotes",
            ),
            (
                "environment: {set: {A: 12}}",
                "4:24: \"12\" is read as text only in quotes",
            ),
            ("network: ~", "4:10: \"~\" is read as text only in quotes"),
            (
                "filesystem: {read: [{path: /srv, optional: yes}]}",
                "4:44: this is not true or false; hint: write true or false here",
            ),
            ("---\nname: x\n", "4:1: the file holds more than one YAML document"),
            ("\tnetwork: none", "3:10: while scanning a plain scalar, found a tab"),
            (
                "limits: [",
                "4:9: this is not names with values (`{name: value}`); hint: write names with values (`{name: value}`) here",
            ),
            (
                "environment: {pass: LANG}",
                "4:21: this is not a list (`[one, two]`); hint: write a list (`[one, two]`) here",
            ),
        ] {
            assert_eq!(error(text), format!("x.yaml:{message}"));
        }
        assert_eq!(
            Directory::new().with("x.yaml", "# nothing\n\n").error(),
            "x.yaml:1:1: the file is empty"
        );
        assert_eq!(
            Directory::new().with("x.yaml", "").error(),
            "x.yaml:1:1: the file is empty"
        );
    }

    #[test]
    fn a_security_setting_is_written_or_inherited_never_a_default() {
        let missing = |text: &str| Directory::new().with("x.yaml", text).error();
        assert_eq!(
            missing("name: x\nsummary: s\n"),
            "x.yaml:1:7: \"filesystem.tmp\" is missing; hint: write it, or inherit it with `extends: NAME`"
        );
        assert_eq!(
            missing("name: x\n"),
            "x.yaml:1:1: \"summary\" is missing; hint: write it"
        );
        // Every line of the default profile that sets something is needed.
        let (_, text) = SHIPPED[0];
        let text = text.replace("name: default", "name: x");
        for line in text
            .lines()
            .filter(|line| line.contains(": ") && !line.contains("- {") && !line.contains('#'))
        {
            let key = line.trim().split(':').next().unwrap();
            let error = Directory::new().with("x.yaml", &text.replace(&format!("{line}\n"), ""));
            match Profiles::with_directory(&error.0) {
                Ok(_) => assert_eq!(key, "write_and_execute"),
                Err(error) => assert!(
                    error.to_string().contains(&format!("{key}\" is missing")),
                    "{key}: {error}"
                ),
            }
        }
    }

    #[test]
    fn profiles_that_extend_one_another_end_somewhere() {
        let of = |name: &str, parent: &str| format!("name: {name}\nsummary: s\nextends: {parent}\n");
        let circle = Directory::new()
            .with("a.yaml", &of("a", "b"))
            .with("b.yaml", &of("b", "a"));
        assert_eq!(
            circle.error(),
            "b.yaml:3:10: profiles extend one another in a circle: a extends b extends a"
        );
        let own = Directory::new().with("a.yaml", &of("a", "a"));
        assert_eq!(
            own.error(),
            "a.yaml:3:10: profiles extend one another in a circle: a extends a"
        );
        let mut chain = Directory::new().with("p1.yaml", &of("p1", "default"));
        for level in 2..=8 {
            chain = chain.with(
                &format!("p{level}.yaml"),
                &of(&format!("p{level}"), &format!("p{}", level - 1)),
            );
        }
        assert!(Profiles::with_directory(&chain.0).is_ok());
        let chain = chain.with("p9.yaml", &of("p9", "p8"));
        assert_eq!(
            chain.error(),
            "p9.yaml:3:10: this would extend 9 profiles, one through the other: no more than 8 may"
        );
    }

    #[test]
    fn a_file_has_the_name_of_its_profile_and_no_shipped_one() {
        let directory = Directory::new().with("build.yaml", "");
        assert_eq!(
            directory.error(),
            "build.yaml takes the name of a profile that ships with terrarium; hint: choose another name and `extends: build`"
        );
        assert_eq!(
            Directory::new().with("y.yaml", &child("")).error(),
            "y.yaml:1:7: the file is called \"y\" and the profile \"x\"; hint: make them the same"
        );
        let directory = Directory::new().with("X.yaml", "");
        assert!(directory.error().starts_with("X.yaml cannot be a profile; hint: "));
        let directory = Directory::new().with("y.yaml", &child("").replace("name: x", "name: ../y"));
        assert_eq!(
            directory.error(),
            "y.yaml:1:7: \"../y\" is no name of a profile; hint: use small letters, digits and hyphens, at most 64"
        );
    }

    #[test]
    fn files_that_others_may_write_are_not_trusted() {
        let directory = Directory::new().with("x.yaml", &child(""));
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(&directory.0.join("x.yaml"), 0o664);
        assert_eq!(
            directory.error(),
            "others than its owner may write x.yaml (mode 664); hint: chmod go-w"
        );
        set(&directory.0.join("x.yaml"), 0o644);
        set(&directory.0, 0o777);
        assert!(directory.error().starts_with("others than its owner may write "));
        set(&directory.0, 0o755);
        assert!(Profiles::with_directory(&directory.0).is_ok());
        let missing = Profiles::with_directory(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read /nonexistent");
    }

    #[test]
    fn what_is_too_large_or_no_text_or_no_file_is_refused() {
        let large = Directory::new().with("x.yaml", &"#".repeat(2 << 20));
        assert_eq!(large.error(), "x.yaml holds more than 1MiB");
        let directory = Directory::new();
        std::fs::write(directory.0.join("x.yaml"), b"name: \xff").unwrap();
        set_private(&directory.0.join("x.yaml"));
        assert_eq!(directory.error(), "x.yaml is not UTF-8 text");
        let directory = Directory::new();
        std::fs::create_dir(directory.0.join("x.yaml")).unwrap();
        assert_eq!(directory.error(), "x.yaml is no file");
        let hidden = Directory::new()
            .with(".x.yaml", "nonsense")
            .with("x.yaml~", "")
            .with("README.md", "");
        assert_eq!(Profiles::with_directory(&hidden.0).unwrap().names().len(), 5);
    }

    fn set_private(path: &Path) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn the_example_of_the_documentation_is_a_profile() {
        let text = include_str!("../../docs/profiles.md");
        let example = text
            .split("```yaml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .unwrap();
        let directory = Directory::new().with("my-tests.yaml", example);
        let profile = Profiles::with_directory(&directory.0).unwrap().get("my-tests").unwrap();
        assert_eq!(profile.limits.wall_time.to_string(), "10min");
    }

    #[test]
    fn a_single_file_is_checked_wherever_it_is() {
        let directory = Directory::new()
            .with("x.yaml", &child("network: host"))
            .with("build.yaml", "");
        let profiles = Profiles::embedded();
        assert_eq!(
            profiles.check_file(&directory.0.join("x.yaml")).unwrap().network,
            Network::Host
        );
        let error = profiles.check_file(&directory.0.join("build.yaml")).unwrap_err();
        assert!(matches!(error, ProfileError::ShippedName { .. }));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox-profiles");
        for name in profiles.names() {
            assert_eq!(
                profiles.check_file(&shipped.join(format!("{name}.yaml"))).unwrap().name,
                name
            );
        }
    }
}
