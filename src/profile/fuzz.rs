//! What must hold for every byte that a profile, a base of system calls or a path is made of.

use std::path::{Component, Path};
use std::str::from_utf8;
use std::sync::LazyLock;

use serde_json::Value;

use super::error::parse;
use super::explain::{Act, Question, Surroundings, Verdict, explain};
use super::load::Profiles;
use super::paths::{MADE_ANEW, in_workspace};
use super::profile::{HostPath, Profile};
use super::{show, syscall_table, syscalls};

/// The longest message about a file.
const MESSAGE: usize = 4096;

/// A profile file either has a fault at a place, or means something that can be shown.
pub fn profile(bytes: &[u8]) {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(Profiles::embedded);
    let Ok(text) = from_utf8(bytes) else { return };
    match PROFILES.check_text("x", Path::new("x.yaml"), text.to_owned()) {
        Ok(profile) => sound(&profile),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < MESSAGE, "{} bytes of message", message.len());
        }
    }
}

fn sound(profile: &Profile) {
    let filesystem = &profile.filesystem;
    for rule in filesystem.read.iter().chain(&filesystem.execute) {
        if let HostPath::Absolute(path) = &rule.path {
            assert!(path.is_absolute() && plain(path), "{path:?}");
        }
    }
    assert!(filesystem.protect.iter().all(|path| path.is_relative() && plain(path)));
    assert_eq!(profile.syscalls.rules.len(), syscall_table::SYSCALLS.len());
    let yaml = show::to_yaml(profile);
    match parse::<Value>(&yaml) {
        Ok(value) => assert_eq!(value, show::resolved(profile), "{yaml}"),
        Err(fault) => panic!("what is shown is no YAML: {} in {yaml}", fault.problem),
    }
}

/// A base of system calls either has a fault, or decides every call.
pub fn syscall_base(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    match syscalls::read(text) {
        Ok(rules) => assert_eq!(rules.len(), syscall_table::SYSCALLS.len()),
        Err(fault) => assert!(fault.problem.to_string().len() < MESSAGE),
    }
}

/// A path is refused, or stays below where it starts; and nothing but the workspace and `/tmp` is ever written.
pub fn path(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    let home = Path::new("/home/user");
    if let Ok(path) = HostPath::new(text) {
        assert_eq!(
            HostPath::new(&path.to_string()).ok(),
            Some(path.clone()),
            "written and read again"
        );
        if let Some(full) = path.under(Some(home)) {
            assert!(full.is_absolute() && plain(&full), "{full:?}");
            match path {
                HostPath::Home(_) => assert!(full.starts_with(home)),
                HostPath::Absolute(_) => assert!(MADE_ANEW.iter().all(|top| !full.starts_with(top))),
            }
        }
    }
    if let Ok(path) = in_workspace(text) {
        assert!(path.is_relative() && plain(&path), "{path:?}");
    }
    let at = Surroundings {
        home: Some(home.to_owned()),
        workspace: Some("/srv/p".into()),
    };
    if !Path::new(text).is_absolute() || !plain(Path::new(text)) {
        return; // the command line refuses it
    }
    static STRICT: LazyLock<Profiles> = LazyLock::new(Profiles::embedded);
    let Ok(profile) = STRICT.get("default") else { return };
    if let Ok(answer) = explain(&profile, &Question::File(Act::Write, text.into()), &at) {
        let ours = ["/srv/p", "/tmp"].iter().any(|top| Path::new(text).starts_with(top));
        assert!(ours || answer.verdict != Verdict::Allowed, "{text:?}: {answer:?}");
    }
}

/// No component that leads elsewhere.
fn plain(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::RootDir))
}
