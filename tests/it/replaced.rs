//! What is replaced while a sandbox is being built: another that works in the same directory can do so at any time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::harness::{Era, Reply, Server, fresh_directory};

/// A directory of the host's with a key in it.
struct Victim(PathBuf);

impl Victim {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        // Not below /tmp, which the root of a sandbox covers while it is built.
        let name = fresh_directory();
        let victim = Path::new("/var/tmp").join(format!("terrarium-{}", name.file_name().unwrap().display()));
        fs::remove_dir(name).unwrap();
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("key"), "this-is-the-secret").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o777)).unwrap(); // whoever gets there may write
        Self(victim)
    }

    fn is_untouched(&self) -> bool {
        fs::read_dir(&self.0).unwrap().count() == 1
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Swaps what these two names stand for until it is told to stop.
fn swap(one: &Path, two: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE).unwrap();
    }
}

#[test]
fn a_protected_directory_that_is_swapped_with_a_link_leads_nowhere() {
    let mut server = Server::start(Era::Modern);
    let victim = Victim::new();
    for protected in [".cargo", ".git"] {
        let (one, two) = (server.workspace().join(protected), server.workspace().join("other"));
        fs::create_dir(&one).unwrap();
        symlink(&victim.0, &two).unwrap();
        let stop = AtomicBool::new(false);
        let replies: Vec<Reply> = std::thread::scope(|scope| {
            scope.spawn(|| swap(&one, &two, &stop));
            let command = format!("for d in {protected} other; do cat $d/key; touch $d/touched; done; echo ran");
            let run = |_| server.call("terminal_run", json!({"command": command}));
            let replies = (0..100).map(run).collect();
            stop.store(true, Ordering::Relaxed);
            replies
        });
        let leaked = replies
            .iter()
            .filter(|reply| reply.text.contains("this-is-the-secret"))
            .count();
        assert_eq!((leaked, victim.is_untouched()), (0, true), "of {}", replies.len());
        for reply in &replies {
            assert!(
                !reply.is_error || reply.text.contains("was replaced while"),
                "{}",
                reply.text
            );
        }
        assert!(replies.iter().any(|reply| !reply.is_error), "{}", replies[0].text);
        let (link, directory) = if one.is_symlink() { (one, two) } else { (two, one) };
        fs::remove_file(link).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn a_workspace_that_was_replaced_is_used_no_more() {
    for options in [&[][..], &["--pretend", "ahead"], &["--pretend", "mount"]] {
        let mut server = Server::start_with(Era::Modern, options);
        let reply = server.call("terminal_run", json!({"command": "echo here"}));
        assert_eq!(reply.section("stdout"), Some("here"), "{options:?}: {}", reply.text);
        let (victim, workspace) = (Victim::new(), server.workspace().to_owned());
        let moved = workspace.with_extension("moved");
        fs::rename(&workspace, &moved).unwrap();
        for link in [true, false] {
            if link {
                symlink(&victim.0, &workspace).unwrap();
            } else {
                fs::remove_file(&workspace).unwrap();
                fs::create_dir(&workspace).unwrap();
            }
            let reply = server.call("terminal_run", json!({"command": "touch touched; cat key; echo ran"}));
            assert!(
                reply.is_error && reply.text.contains("start the server again"),
                "{}",
                reply.text
            );
        }
        assert!(victim.is_untouched() && !moved.join("touched").exists(), "{options:?}");
        fs::remove_dir(&workspace).unwrap();
        fs::rename(&moved, &workspace).unwrap();
    }
}
