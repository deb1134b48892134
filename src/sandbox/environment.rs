//! The command line, the environment and the small files of /etc that a sandbox gets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::places::{HOME, Places};
use super::shell::Shell;
use super::spec::{Bytes, CommandSpec, Entry};
use crate::model::Program;
use crate::policy::{LaunchRequest, Terminal};
use crate::profile::HostPath;

/// Where programs are looked up.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to execute, with which variables.
pub(super) fn command(
    request: &LaunchRequest,
    cwd: PathBuf,
    places: &Places,
    interactive: Option<&Shell>,
) -> CommandSpec {
    let shell = if Path::new("/bin/bash").exists() {
        "/bin/bash"
    } else {
        "/bin/sh"
    };
    let argv = match &request.program {
        Program::Shell(line) => {
            let line = line.as_argument().as_os_str().to_owned();
            vec![Bytes(shell.into()), Bytes("-c".into()), Bytes(line)]
        }
        Program::Interactive(_) => interactive.map(Shell::argv).unwrap_or_default(),
        Program::Argv(arguments) => arguments.iter().map(|a| Bytes(a.as_os_str().to_owned())).collect(),
    };
    let mut variables = ours(request, shell, &cwd, places);
    chosen(request, &mut variables);
    for (name, value) in interactive.into_iter().flat_map(|shell| &shell.startup.variables) {
        variables.insert(name.clone(), value.into());
    }
    let path = variables
        .get("PATH")
        .map(|p| std::env::split_paths(p).collect())
        .unwrap_or_default();
    let environment = variables.into_iter().map(|(name, value)| {
        let mut pair = OsString::from(name);
        pair.push("=");
        pair.push(value);
        Bytes(pair)
    });
    CommandSpec {
        program: interactive.map(|shell| shell.program.clone()),
        argv,
        environment: environment.collect(),
        path,
        cwd,
    }
}

/// What every sandbox is told about itself.
fn ours(request: &LaunchRequest, shell: &str, cwd: &Path, places: &Places) -> BTreeMap<String, OsString> {
    let term = match request.terminal {
        Terminal::None => "dumb",
        Terminal::Size { .. } => "xterm-256color",
    };
    let mut variables: BTreeMap<String, OsString> = [
        ("HOME", places.home.as_os_str()),
        ("USER", "user".as_ref()),
        ("LOGNAME", "user".as_ref()),
        ("SHELL", shell.as_ref()),
        ("TMPDIR", places.tmp.as_os_str()),
        ("TERM", term.as_ref()),
        ("PWD", cwd.as_os_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut path = OsString::from(PATH);
    for directory in tools_of_home(request) {
        if directory.ends_with(".rustup") {
            variables.insert("RUSTUP_HOME".to_owned(), directory.into_os_string()); // HOME is another here
        } else if directory.ends_with("bin") {
            path.push(":");
            path.push(directory);
        }
    }
    variables.insert("PATH".to_owned(), path);
    variables
}

/// Directories of the server's user that the profile lets programs run from, as far as they are there.
fn tools_of_home(request: &LaunchRequest) -> impl Iterator<Item = PathBuf> {
    let home = super::workspace::home();
    let rules = request.profile.filesystem.execute.iter();
    rules
        .filter_map(move |rule| match (&rule.path, &home) {
            (HostPath::Home(below), Some(home)) => Some(home.join(below)),
            _ => None,
        })
        .filter(|directory| directory.is_dir())
}

/// What the profile passes on or sets, and over that what the call sets.
fn chosen(request: &LaunchRequest, variables: &mut BTreeMap<String, OsString>) {
    let environment = &request.profile.environment;
    for name in &environment.pass {
        if let Some(value) = std::env::var_os(name.as_str()) {
            variables.insert(name.as_str().to_owned(), value);
        }
    }
    for (name, value) in environment.set.iter().chain(request.env.iter().map(|(n, v)| (n, v))) {
        variables.insert(name.as_str().to_owned(), value.expose().into());
    }
}

/// Files of /etc that say who and where this is: written anew, never the host's.
pub(super) fn files(identity: (u32, u32), network: bool) -> Vec<Entry> {
    let (uid, gid) = identity;
    let dns = if network { "files dns" } else { "files" };
    let text = [
        (
            "/etc/passwd",
            format!("user:x:{uid}:{gid}:user:{HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"),
        ),
        ("/etc/group", format!("user:x:{gid}:\nnogroup:x:65534:\n")),
        ("/etc/hostname", "terrarium\n".to_owned()),
        (
            "/etc/hosts",
            "127.0.0.1 localhost terrarium\n::1 localhost\n".to_owned(),
        ),
        ("/etc/machine-id", "00000000000000000000000000000000\n".to_owned()),
        (
            "/etc/nsswitch.conf",
            format!("passwd: files\ngroup: files\nhosts: {dns}\nservices: files\nprotocols: files\n"),
        ),
    ];
    text.into_iter()
        .map(|(path, text)| Entry::File {
            path: path.into(),
            text,
        })
        .collect()
}
