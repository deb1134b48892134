//! What a command leaves running ends with it, also where no process namespace sees to that.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::command::until;
use crate::harness::{fresh_directory, program};
use crate::processes::{asleep, children};

/// A tree that ignores what can be ignored and leaves its parent in each way there is.
fn stubborn(mark: u32, last: &str) -> String {
    format!(
        "(setsid sleep {mark} &); nohup sleep {mark} >/dev/null 2>&1 & (trap '' HUP TERM; sleep {mark} & sleep {mark}) & \
         {last}"
    )
}

fn start(workspace: &Path, options: &[&str], line: &str) -> Child {
    let mut command = program();
    command.arg("run").arg("--workspace").arg(workspace);
    command.args(options);
    command.args(["--", "bash", "-c", line]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn nothing_outlives_its_command_without_a_process_namespace() {
    for (number, pretend) in [&["--pretend", "pid"][..], &["--pretend", "pid", "--pretend", "cgroup"]]
        .into_iter()
        .enumerate()
    {
        let inside = fresh_directory();
        let mark = 200_000 + std::process::id() * 10 + u32::try_from(number).unwrap();
        let mut server = start(&inside, pretend, &stubborn(mark, "until [ -e go ]; do :; done"));
        until("four processes", || asleep(&mark.to_string()) >= 4);
        fs::write(inside.join("go"), "").unwrap();
        let status = server.wait().unwrap();
        assert!(status.success(), "{status} {pretend:?}");
        assert_eq!(asleep(&mark.to_string()), 0, "{pretend:?}");
        fs::remove_dir_all(&inside).unwrap();
    }
}

#[test]
fn nothing_outlives_our_processes_without_a_process_namespace() {
    // From the server down: 0 server, 1 zygote, 2 launcher, 3 pid 1.
    for (number, victims) in [&[2][..], &[3], &[0, 2], &[0, 2, 3]].into_iter().enumerate() {
        for pretend in [&["--pretend", "pid"][..], &["--pretend", "pid", "--pretend", "cgroup"]] {
            let inside = fresh_directory();
            let mark = 300_000 + std::process::id() * 10 + u32::try_from(number).unwrap();
            let mut server = start(&inside, pretend, &stubborn(mark, &format!("sleep {mark}")));
            let what = format!("{victims:?} {pretend:?}");
            until(&what, || asleep(&mark.to_string()) >= 4);
            let mut ours = vec![server.id()];
            for above in 0..3 {
                ours.push(children(ours[above])[0]);
            }
            for victim in victims {
                let pid = nix::unistd::Pid::from_raw(i32::try_from(ours[*victim]).unwrap());
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok(); // the one before may have taken it along
            }
            until(&what, || asleep(&mark.to_string()) == 0);
            server.wait().unwrap();
            fs::remove_dir_all(&inside).unwrap();
        }
    }
}

#[test]
fn more_processes_than_allowed_end_the_command_where_the_kernel_does_not_count() {
    let inside = fresh_directory();
    // As root the kernel counts, unless the sandbox is a user that others may be as well.
    let options: &[&str] = if nix::unistd::geteuid().is_root() {
        &["--pretend", "user", "--pretend", "cgroup", "--run-as", "54321"]
    } else {
        &["--pretend", "user", "--pretend", "cgroup"]
    };
    let line = |count: u32| format!("for i in $(seq {count}); do sleep 30 & done; sleep 1; touch up; kill $(jobs -p)");
    start(&inside, options, &line(100)).wait().unwrap();
    assert!(inside.join("up").exists());
    fs::remove_file(inside.join("up")).unwrap();
    let status = start(&inside, options, &line(160)).wait().unwrap();
    assert!(!status.success() && !inside.join("up").exists(), "{status}");
    fs::remove_dir_all(&inside).unwrap();
}
