//! `terrarium install` and `terrarium uninstall`: Terrarium as a service of the system.
//!
//! What is written is in `packaging/` and in the program. Everything is looked at before anything is changed: a file that
//! is there and differs, or a step that cannot be taken, leaves the system as it was.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::model::plain::plain_lines;

/// What is written as it is but for the program's path.
const FILES: [(&str, &str); 5] = [
    (
        "etc/sysusers.d/terrarium.conf",
        include_str!("../../packaging/systemd/sysusers.conf"),
    ),
    (
        "etc/tmpfiles.d/terrarium.conf",
        include_str!("../../packaging/systemd/tmpfiles.conf"),
    ),
    (
        "etc/systemd/system/terrarium.socket",
        include_str!("../../packaging/systemd/terrarium.socket"),
    ),
    (
        "etc/systemd/system/terrarium@.service",
        include_str!("../../packaging/systemd/terrarium@.service"),
    ),
    (
        "etc/systemd/system/terrarium-http.service",
        include_str!("../../packaging/systemd/terrarium-http.service"),
    ),
];
/// Needed where user namespaces are for programs with a profile only.
const APPARMOR: (&str, &str) = (
    "etc/apparmor.d/terrarium",
    include_str!("../../packaging/apparmor/terrarium"),
);
/// Where AppArmor keeps what its profiles include, if it knows user namespaces.
const APPARMOR_ABI: &str = "etc/apparmor.d/abi/4.0";
/// Where the program goes, and where the files in `packaging/` have it.
const PROGRAM: &str = "usr/local/bin/terrarium";
/// Where a package of the distribution puts it; the AppArmor profile covers both.
const PACKAGED: &str = "usr/bin/terrarium";
/// A program is larger than this only by mistake.
const LARGEST_PROGRAM: u64 = 512 << 20;

/// The arguments of both.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium install --system --dry-run           # what would be written and run
  sudo terrarium install --system                # it refuses to overwrite files that differ
  sudo systemctl enable --now terrarium.socket   # then start it
  sudo terrarium uninstall --system              # refuses if a file was changed since
  terrarium install --system --root ./image      # into the directory of an image; runs nothing")]
pub(super) struct Install {
    /// As a service of the system, with a user of its own. There is no other kind: for one user, put the program's path
    /// into the client's configuration.
    #[arg(long, required = true)]
    system: bool,
    /// Says what would be done and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// Works on the system in this directory, as for an image, and runs nothing.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Why nothing was installed or taken away.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("only root can do this; hint: sudo, or --dry-run to see what would be done")]
    NotRoot,
    #[error("{} is there and is not what would be written; hint: compare, and move it away", path.display())]
    Differs { path: PathBuf },
    #[error(
        "{} is there as it would be written, but with mode {mode:o} and owner {owner}, so that others may change it; hint: \
         move it away, and find out who did that", path.display()
    )]
    Loose { path: PathBuf, mode: u32, owner: u32 },
    #[error("{} is not what was written; hint: remove it yourself if nothing in it is yours", path.display())]
    Changed { path: PathBuf },
    #[error("{} is larger than any program", path.display())]
    TooLarge { path: PathBuf },
    #[error("cannot look at {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write or remove {}; what came before it was done", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write what would be done")]
    Print(#[source] io::Error),
    #[error("`{command}` failed; what came before it was done; hint: run it yourself to see why")]
    Command { command: String },
}

/// A file to write or to remove.
struct Piece {
    path: PathBuf,
    content: Vec<u8>,
    mode: u32,
    /// Whether it is there already, byte for byte.
    there: bool,
    /// Mode and owner of what is there, where they are others than would be written.
    loose: Option<(u32, u32)>,
}

impl Install {
    /// Installs.
    pub(super) fn install(&self) -> Result<ExitCode, Error> {
        self.check_root()?;
        let pieces = self.pieces()?;
        if let Some(other) = pieces.iter().find(|piece| !piece.there && exists(&piece.path)) {
            return Err(Error::Differs {
                path: other.path.clone(),
            });
        }
        if let Some((piece, (mode, owner))) = pieces.iter().find_map(|piece| Some((piece, piece.loose?))) {
            let path = piece.path.clone();
            return Err(Error::Loose { path, mode, owner });
        }
        for piece in &pieces {
            let word = if piece.there { "there" } else { "write" };
            self.say(&format!("{word}  {} ({:o})", piece.path.display(), piece.mode))?;
            if !piece.there && !self.dry_run {
                piece.write()?;
            }
        }
        let mut commands = vec![
            vec!["systemd-sysusers", "/etc/sysusers.d/terrarium.conf"],
            vec!["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/terrarium.conf"],
            vec!["systemctl", "daemon-reload"],
        ];
        if pieces.iter().any(|piece| piece.path.ends_with(APPARMOR.0)) {
            commands.push(vec!["apparmor_parser", "--replace", "/etc/apparmor.d/terrarium"]);
        }
        self.run_all(&commands)?;
        self.say("next   systemctl enable --now terrarium.socket")?;
        self.say("next   usermod --append --groups terrarium-operators USER")?;
        Ok(ExitCode::SUCCESS)
    }

    /// Takes away what `install` brought, but users and what they own.
    pub(super) fn uninstall(&self) -> Result<ExitCode, Error> {
        self.check_root()?;
        let pieces = self.pieces()?;
        if let Some(changed) = pieces.iter().find(|piece| !piece.there && exists(&piece.path)) {
            return Err(Error::Changed {
                path: changed.path.clone(),
            });
        }
        let there: Vec<&Piece> = pieces.iter().filter(|piece| piece.there).collect();
        if there.is_empty() {
            self.say("nothing of an installation is there")?;
            return Ok(ExitCode::SUCCESS);
        }
        if there.iter().any(|piece| piece.path.ends_with("terrarium.socket")) {
            self.run_all(&[
                vec!["systemctl", "disable", "--now", "terrarium.socket"],
                vec!["systemctl", "stop", "terrarium@*.service"],
            ])?;
        }
        if there.iter().any(|piece| piece.path.ends_with("terrarium-http.service")) {
            self.run_all(&[vec!["systemctl", "disable", "--now", "terrarium-http.service"]])?;
        }
        if there.iter().any(|piece| piece.path.ends_with(APPARMOR.0)) {
            self.run_all(&[vec!["apparmor_parser", "--remove", "/etc/apparmor.d/terrarium"]])?;
        }
        for piece in there {
            self.say(&format!("remove {}", piece.path.display()))?;
            if !self.dry_run {
                fs::remove_file(&piece.path).map_err(|source| unwritten(&piece.path, source))?;
            }
        }
        self.run_all(&[vec!["systemctl", "daemon-reload"]])?;
        self.say("kept   user terrarium, group terrarium-operators, /srv/terrarium, /var/lib/terrarium")?;
        self.say("next   userdel terrarium; groupdel terrarium-operators; rm -r /srv/terrarium /var/lib/terrarium")?;
        Ok(ExitCode::SUCCESS)
    }

    /// Says what is done or planned. What is done does not depend on whether that can be written; a plan is nothing else.
    fn say(&self, text: &str) -> Result<(), Error> {
        match writeln!(io::stdout(), "{}", plain_lines(text)) {
            Err(error) if self.dry_run => Err(Error::Print(error)),
            _ => Ok(()),
        }
    }

    fn check_root(&self) -> Result<(), Error> {
        if self.dry_run || self.root.is_some() || rustix::process::geteuid().is_root() {
            return Ok(());
        }
        Err(Error::NotRoot)
    }

    fn pieces(&self) -> Result<Vec<Piece>, Error> {
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        let mut pieces = Vec::new();
        let packaged = self.root.is_none() && own_path()? == Path::new("/").join(PACKAGED);
        if !packaged {
            pieces.push(Piece::new(root.join(PROGRAM), read_program(&own_path()?)?, 0o755)?);
        }
        for (path, text) in FILES {
            let text = if packaged {
                text.replace(PROGRAM, PACKAGED)
            } else {
                text.to_owned()
            };
            pieces.push(Piece::new(root.join(path), text.into_bytes(), 0o644)?);
        }
        // The distribution's package brings its own.
        if !packaged && exists(&root.join(APPARMOR_ABI)) {
            pieces.push(Piece::new(
                root.join(APPARMOR.0),
                APPARMOR.1.as_bytes().to_vec(),
                0o644,
            )?);
        }
        Ok(pieces)
    }

    /// Says each command and, on the running system, runs it.
    fn run_all(&self, commands: &[Vec<&str>]) -> Result<(), Error> {
        for command in commands {
            let line = command.join(" ");
            let idle = self.dry_run || self.root.is_some();
            self.say(&format!("{}    {line}", if idle { "then" } else { "run " }))?;
            if !idle && !run(command) {
                return Err(Error::Command { command: line });
            }
        }
        Ok(())
    }
}

impl Piece {
    fn new(path: PathBuf, content: Vec<u8>, mode: u32) -> Result<Self, Error> {
        let mut loose = None;
        let there = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.len() == content.len() as u64 => {
                let (is, owner) = (found.mode() & 0o7777, found.uid());
                // Who writes it may be an ordinary user, where it is for an image.
                let ours = owner == 0 || owner == rustix::process::geteuid().as_raw();
                loose = (is != mode || !ours).then_some((is, owner));
                fs::read(&path).map_err(|source| unread(&path, source))? == content
            }
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(unread(&path, source)),
        };
        Ok(Self {
            path,
            content,
            mode,
            there,
            loose,
        })
    }

    /// Whole or not at all, and never through a link.
    fn write(&self) -> Result<(), Error> {
        let unwritten = |source| unwritten(&self.path, source);
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(unwritten)?;
        let beside = self.path.with_extension("terrarium-new");
        let mut file = fs::File::create_new(&beside).map_err(unwritten)?;
        let done = file
            .write_all(&self.content)
            .and_then(|()| file.set_permissions(fs::Permissions::from_mode(self.mode)))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &self.path));
        if done.is_err() {
            fs::remove_file(&beside).ok(); // the first failure is the one to tell
        }
        done.map_err(unwritten)
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Where this program is, and not what it was started as.
fn own_path() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|source| unread(Path::new("/proc/self/exe"), source))
}

fn read_program(path: &Path) -> Result<Vec<u8>, Error> {
    let size = fs::metadata(path).map_err(|source| unread(path, source))?.len();
    if size > LARGEST_PROGRAM {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    fs::read(path).map_err(|source| unread(path, source))
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

fn unwritten(path: &Path, source: io::Error) -> Error {
    Error::Write {
        path: path.to_owned(),
        source,
    }
}

/// Runs a program of the system to its end; whether it was content.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts the system's own tools"
)]
fn run(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return true;
    };
    let status = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
