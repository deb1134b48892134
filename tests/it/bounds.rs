//! Each limit of a profile: just under it nothing happens, a little over it is named. With a cgroup and without.

use crate::command::{Run, text};
use crate::harness::not_tested;

/// With all that this machine offers, and as on a machine without cgroups.
const MODES: [&[&str]; 2] = [&[], &["--pretend", "cgroup"]];

/// Runs `under`, which must print `had` and succeed, and `over`, which must not, and must say one of `said`, parted by bars.
fn limit(limits: &str, under: &str, over: &str, said: &str) {
    for mode in MODES {
        for (line, expected) in [(under, None), (over, Some(said))] {
            let mut run = Run::limited(limits);
            run.options(mode);
            let output = match line.strip_prefix("python:") {
                Some(program) => run.python(program),
                None => run.bash(line),
            };
            let shown = text(&output);
            match expected {
                None => assert!(
                    output.status.success() && shown.ends_with("had\n"),
                    "{mode:?} {limits}: {shown}"
                ),
                Some(said) => {
                    assert!(!output.status.success(), "{mode:?} {limits}: {shown}");
                    assert!(
                        said.split('|').any(|said| shown.contains(said)) && !had(&shown),
                        "{mode:?} {limits}: {shown}"
                    );
                }
            }
        }
    }
}

fn had(shown: &str) -> bool {
    shown.lines().any(|line| line == "had")
}

#[test]
fn memory_of_one_process() {
    limit(
        "memory: 128MiB, tmp: 8MiB, home: 8MiB",
        "python:x = b'x' * (90 << 20); print('had')",
        "python:x = b'x' * (150 << 20); print('had')",
        "128MiB",
    );
}

#[test]
fn memory_of_all_processes_together() {
    let each = |size: u32, held: u32| {
        format!(
            "python:import os, time\nfor i in range(3):\n  if os.fork() == 0:\n    x = b'x' * ({size} << 20); \
             time.sleep({held}); os._exit(0)\nassert all(os.wait()[1] == 0 for i in range(3))\nprint('had')"
        )
    };
    let limits = "memory: 160MiB, tmp: 8MiB, home: 8MiB";
    limit(limits, &each(20, 1), &each(70, 30), "limit: memory (160MiB)");
}

#[test]
fn memory_behind_files_counts_or_cannot_be_had() {
    // Held: a supervised limit is looked at every 20 ms, and later on a busy machine.
    let bombs = [
        "import os, time\nfor n in range(80): os.write(os.memfd_create('a'), b'x' * (3 << 20))\ntime.sleep(30)\nprint('had')",
        "import mmap, time\nm = mmap.mmap(-1, 200 << 20)\nfor n in range(0, 200 << 20, 4096): m[n] = 1\ntime.sleep(30)\nprint('had')",
        "import time\nfor n in range(80): open(f'/dev/shm/{n}', 'wb').write(b'x' * (3 << 20))\ntime.sleep(30)\nprint('had')",
    ];
    for mode in MODES {
        for bomb in bombs {
            let mut run = Run::limited("memory: 160MiB, tmp: 8MiB, home: 8MiB, file_size: 4MiB");
            run.options(mode);
            let output = run.python(bomb);
            let shown = text(&output);
            let contained = [
                "limit: memory (160MiB)",
                "Function not implemented",
                "No space left on device",
            ];
            assert!(contained.iter().any(|words| shown.contains(words)), "{mode:?}: {shown}");
            assert!(!output.status.success() && !had(&shown), "{mode:?}: {shown}");
        }
    }
}

#[test]
fn processes_to_the_last_one() {
    let start = |count: u32| {
        format!(
            "python:import subprocess\np = [subprocess.Popen(['sleep', '9']) for n in range({count})]\nprint('had')"
        )
    };
    // The one that starts them counts too.
    limit(
        "processes: 20",
        &start(19),
        &start(20),
        "limit: processes (20)|allows 20 processes",
    );
}

#[test]
fn threads_are_processes() {
    let start = |count: u32| {
        format!(
            "python:import threading, time\nthreading.stack_size(1 << 16)\nfor n in range({count}): \
             threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\nprint('had')"
        )
    };
    limit(
        "processes: 20",
        &start(19),
        &start(20),
        "limit: processes (20)|allows 20 processes",
    );
}

#[test]
fn open_files_to_the_last_one() {
    let open = |count: u32| format!("python:import os\n[os.dup(0) for n in range({count})]\nprint('had')");
    limit("open_files: 64", &open(61), &open(62), "allows 64 open files");
}

#[test]
fn the_size_of_a_file_to_the_byte() {
    let write = |size: u32| format!("head -c {size} /dev/zero > f; s=$?; [ $s = 0 ] && echo had; exit $s");
    limit("file_size: 4MiB", &write(4_194_304), &write(4_194_305), "files of 4MiB");
    let run = Run::limited("file_size: 4MiB");
    let output = run
        .command(&["dd", "if=/dev/zero", "of=f", "bs=1M", "count=5"])
        .output()
        .unwrap();
    assert!(text(&output).contains("ended by limit: file_size (4MiB)"), "{output:?}");
    assert_eq!(output.status.code(), Some(128 + 25));
}

#[test]
fn the_temporary_directory_and_the_home() {
    for (place, limits, said) in [
        ("/tmp", "tmp: 8MiB", "/tmp may hold 8MiB"),
        ("/home/user", "home: 8MiB", "HOME 8MiB"),
    ] {
        let fill = |count: u32| {
            format!("for n in $(seq {count}); do head -c 1M /dev/zero > {place}/$n || exit 1; done; echo had")
        };
        limit(limits, &fill(7), &fill(9), said);
    }
}

#[test]
fn growth_of_the_workspace_in_many_small_files() {
    let write = |count: u32, held: u32| {
        format!("for n in $(seq {count}); do head -c 1M /dev/zero > $n; done; read -t {held} <> <(:); echo had")
    };
    limit(
        "workspace_growth: 16MiB, file_size: 2MiB",
        &write(14, 1),
        &write(64, 30),
        "limit: workspace_growth (16MiB)",
    );
}

#[test]
fn files_in_the_workspace() {
    let write =
        |count: u32, held: u32| format!("for n in $(seq {count}); do : > $n; done; read -t {held} <> <(:); echo had");
    limit(
        "workspace_files: 100",
        &write(95, 5),
        &write(120, 30),
        "limit: workspace_files (100)",
    );
}

#[test]
fn files_in_the_temporary_directory_have_an_end() {
    let output = Run::profile("default").python("for n in range(60_000): open(f'/tmp/{n}', 'w').close()\nprint('had')");
    let shown = text(&output);
    assert!(
        shown.contains("No space left on device") && shown.contains("/tmp may hold 256MiB"),
        "{shown}"
    );
}

#[test]
fn output_to_the_byte() {
    let print = |size: u32, held: u32| format!("head -c {size} /dev/zero; sleep {held}; echo had");
    let limits = "output: 64KiB";
    limit(limits, &print(65_532, 1), &print(65_537, 30), "limit: output (64KiB)");
}

#[test]
fn wall_time_and_timeout() {
    limit(
        "wall_time: 4s",
        "sleep 0.5; echo had",
        "sleep 30; echo had",
        "limit: wall_time (4s)",
    );
    for mode in MODES {
        let mut run = Run::profile("default");
        run.options(mode);
        run.options(&["--timeout", "3s"]);
        assert_eq!(run.bash("sleep 0.2; exit 4").status.code(), Some(4));
        let output = run.bash("sleep 30");
        assert!(text(&output).contains("limit: timeout_s (3)"), "{output:?}");
        assert_eq!(output.status.code(), Some(124));
    }
}

#[test]
fn idle_time_ends_what_does_nothing_and_nothing_else() {
    let limits = "idle_time: 3s";
    let prints = "python:import time\nfor n in range(9): print(n); time.sleep(0.5)\nprint('had')";
    limit(limits, prints, "exec sleep 30", "limit: idle_time (3s)");
    limit(
        limits,
        "sleep 4; echo had",
        "exec tail -f /dev/null",
        "limit: idle_time (3s)",
    );
}

#[test]
fn processor_time_of_all_processes_together() {
    let burn = |seconds: f32| {
        format!(
            "python:import os, time\nfor n in range(3):\n  if os.fork() == 0:\n    while time.process_time() < {seconds}: \
             pass\n    os._exit(0)\n[os.wait() for n in range(3)]\nprint('had')"
        )
    };
    limit("cpu_time: 2s", &burn(0.2), &burn(2.0), "limit: cpu_time (2s)");
}

#[test]
fn the_share_of_the_processors() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        not_tested("a share of less than one processor is never given");
        return;
    }
    for (mode, share) in MODES.into_iter().zip(["1%"; 2]) {
        let mut run = Run::limited(&format!("cpu: {share}"));
        run.options(mode);
        run.options(&["--json"]);
        let burn =
            "import os, time\nfor n in range(4): os.fork()\nend = time.time() + 2\nwhile time.time() < end: pass";
        let output = run.python(burn);
        let ending: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        let seconds = |of: &serde_json::Value| of["secs"].as_f64().unwrap() + of["nanos"].as_f64().unwrap() / 1e9;
        // One processor at the least, and what a period of the kernel's allows too much.
        let used = seconds(&ending["usage"]["cpu"]) / seconds(&ending["duration"]);
        assert!(used < 1.3, "{mode:?}: {used} processors, {ending}");
    }
}
