//! The real shells, on a real terminal.

mod running;

use super::*;
use crate::session::marks::{Event, Piece, ShellState};
use running::*;

/// In all shells alike.
#[test]
fn commands_give_their_output_and_status() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        shell.check("echo hi", "hi\n", 0);
        shell.check("false", "", 1);
        shell.check("echo 'ä 界'; sh -c 'exit 42'", "ä 界\n", 42);
        shell.check("printf 'no newline'", "no newline", 0);
        shell.check("sh -c 'kill -9 $$'", shell_says_killed(kind), 137);
        shell.check("cat <&- 2>/dev/null; echo done", "done\n", 0);
        shell.check("seq 1 5000 | tail -n 1", "5000\n", 0);
        shell.check(&format!("echo {} | wc -c", "x".repeat(3000)), "3001\n", 0);
        shell.check("no-such-command 2>/dev/null; true", after_unknown(kind), 0);
        let many = shell.run("seq 1 10000");
        assert_eq!(
            many.output,
            (1..=10_000).map(|n| format!("{n}\n")).collect::<String>(),
            "{kind:?}"
        );
        assert!(!shell.start.exists(), "{kind:?} left its start file behind");
        shell.send("exit 3");
        shell.until(|_| false);
        assert_eq!(shell.child.wait().unwrap().exit_code(), 3, "{kind:?}");
    }
}

fn shell_says_killed(kind: ShellKind) -> &'static str {
    match kind {
        ShellKind::Bash | ShellKind::Sh => "Killed\n",
        ShellKind::Zsh => "zsh: killed     sh -c 'kill -9 $$'\n",
        ShellKind::Fish => "fish: Job 1, 'sh -c 'kill -9 $$'' terminated by signal SIGKILL (Forced quit)\n",
    }
}

/// fish writes about it to the terminal.
fn after_unknown(kind: ShellKind) -> &'static str {
    match kind {
        ShellKind::Fish => "fish: Unknown command: no-such-command\n",
        _ => "",
    }
}

/// A command of several lines, and what its output is.
fn several_lines(kind: ShellKind) -> Vec<(&'static str, &'static str, u8)> {
    let mut all = vec![
        ("echo a\necho b", "a\nb\n", 0),
        ("echo 'one\ntwo'", "one\ntwo\n", 0),
        ("echo a\nfalse", "a\n", 1),
    ];
    if kind == ShellKind::Fish {
        all.push(("for i in 1 2\n    echo $i\nend", "1\n2\n", 0));
    } else {
        all.push(("for i in 1 2\ndo\n\techo $i\ndone", "1\n2\n", 0));
        all.push(("cat <<'END'\n$x\n  two\nEND", "$x\n  two\n", 0));
        all.push(("if true; then\n  (exit 7)\nfi", "", 7));
    }
    all
}

#[test]
fn commands_of_several_lines_are_one_command() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        for (text, output, status) in several_lines(kind) {
            shell.check(text, output, status);
        }
        shell.check("echo after", "after\n", 0);
    }
}

#[test]
fn lines_that_run_nothing_are_told_from_commands() {
    for kind in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Sh] {
        let mut shell = Running::start(kind);
        for text in ["# a comment", "   # another"] {
            let ran = shell.run(text);
            assert_eq!(ran.output, "");
            // zsh takes some for commands that do nothing.
            let ended = ran.events.iter().any(|e| matches!(e, Event::Ended { .. }));
            assert!(!ended || kind == ShellKind::Zsh, "{kind:?} {ran:?}");
        }
        let wrong = shell.run("echo )");
        assert!(matches!(wrong.status, Some(1 | 2)), "{kind:?} {wrong:?}");
        shell.check("echo after", "after\n", 0);
    }
}

#[test]
fn an_unfinished_command_is_told_and_can_be_left() {
    for kind in [ShellKind::Bash, ShellKind::Zsh, ShellKind::Sh] {
        let mut shell = Running::start(kind);
        for text in ["echo 'open", "for i in 1 2; do", "cat <<END"] {
            shell.send(text);
            shell.until(|events| events.contains(&Event::Unfinished));
            assert_eq!(shell.follow.shell(), ShellState::Unfinished, "{kind:?} {text}");
            shell.interrupt();
        }
        shell.check("echo after", "after\n", 0);
    }
}

#[test]
fn a_running_command_reads_what_is_typed_and_ends_by_ctrl_c() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        shell.send(if kind == ShellKind::Fish {
            "head -n 1 | tr a-z A-Z"
        } else {
            "read line; echo $line | tr a-z A-Z"
        });
        if kind.marks_begin() {
            shell.until(|events| events.contains(&Event::Began));
        }
        shell.type_in(b"hello\r");
        let ran = shell.until(|events| events.contains(&Event::Ready));
        assert!(shell.screen.snapshot().text().contains("HELLO"), "{kind:?} {ran:?}");
        shell.send("sh -c 'echo started; exec sleep 600'");
        while !shell.screen.snapshot().text().contains("\nstarted") {
            let before = shell.screen.counts();
            let piece = shell
                .output
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{kind:?} {before:?}"));
            let mut rest = &piece[..];
            while let Some(piece) = shell.marks.next(&mut rest) {
                match piece {
                    Piece::Output(output) => shell.screen.replay(output),
                    Piece::Mark(mark) => drop(shell.follow.take(mark)),
                }
            }
        }
        shell.type_in(b"\x03");
        let ran = shell.until(|events| events.contains(&Event::Ready));
        assert_eq!(ran.status, Some(130), "{kind:?}");
    }
}

#[test]
fn what_the_user_sets_keeps_working_in_bash() {
    let mut bash = Running::start(ShellKind::Bash);
    bash.check("set -x 2>/dev/null", "", 0);
    let traced = bash.run("echo hi");
    assert_eq!(traced.output, "+ echo hi\nhi\n");
    assert!(
        !bash.screen.snapshot().text().contains(&bash.key),
        "tracing shows the secret"
    );
    bash.run("set +x");
    bash.check("PS1='new> '; PS2='more> '; unset PS0", "", 0);
    bash.check("echo hi", "hi\n", 0);
    assert!(
        bash.screen.snapshot().text().ends_with("new>"),
        "{}",
        bash.screen.snapshot().text()
    );
    bash.check("PROMPT_COMMAND='x=$((x+1))'", "", 0);
    bash.check("echo $x", "1\n", 0);
    bash.check("set -u; echo ok; set +u", "ok\n", 0);
    bash.check("IFS=0123456789abcdef; false", "", 1);
    bash.check("unset IFS; trap 'echo trapped' ERR; false", "trapped\n", 1);
    bash.check("trap - ERR; echo a!b 'c!!'", "a!b c!!\n", 0);
    bash.check("stty -echo; echo x; stty sane", "x\n", 0);
    bash.check("(exit 5); echo $?", "5\n", 0);
    let job = bash.run("sleep 0 & wait; echo waited");
    assert!(
        job.output.starts_with("[1] ") && job.output.ends_with("\nwaited\n"),
        "{job:?}"
    );
    bash.check("set -e; ! true", "", 1);
    bash.check("echo still here", "still here\n", 0);
    bash.send("false");
    bash.until(|_| false);
    assert_eq!(bash.child.wait().unwrap().exit_code(), 1);

    let mut debug = Running::start(ShellKind::Bash);
    debug.run("trap 'echo dbg' DEBUG");
    let ran = debug.run("echo hi");
    assert!(ran.output.starts_with("dbg\nhi\n") && ran.status == Some(0), "{ran:?}");
}

#[test]
fn what_the_user_sets_keeps_working_in_other_shells() {
    let mut zsh = Running::start(ShellKind::Zsh);
    zsh.check("set -x", "", 0);
    let traced = zsh.run("echo hi");
    assert_eq!(
        (traced.output.as_str(), traced.status),
        ("+/usr/bin/zsh:2> echo hi\nhi\n", Some(0))
    );
    zsh.run("set +x");
    assert!(
        !zsh.screen.snapshot().text().contains(&zsh.key),
        "tracing shows the secret"
    );
    zsh.check("PS1='new> '; echo a!b", "a!b\n", 0);
    zsh.check("false", "", 1);
    assert!(zsh.screen.snapshot().text().ends_with("new>"));
    zsh.check("setopt errexit; ! true", "", 1);
    zsh.check("setopt noerrexit", "", 0);

    let mut dash = Running::start(ShellKind::Sh);
    dash.check("set -x; echo hi; set +x", "+ echo hi\nhi\n+ set +x\n", 0);
    dash.check("set -u; echo ok", "ok\n", 0);

    let mut fish = Running::start(ShellKind::Fish);
    fish.check("function fish_prompt; echo 'new> '; end", "", 0);
    fish.check("false", "", 1);
}

#[test]
fn the_users_own_start_file_is_read() {
    let home = Directory::new();
    std::fs::write(
        home.0.join(".bashrc"),
        "PS1='mine> '\nPROMPT_COMMAND='y=1'\nalias hello='echo hello'\n",
    )
    .unwrap();
    let mut bash = Running::start_in(ShellKind::Bash, home);
    bash.check("hello", "hello\n", 0);
    bash.check("echo $y", "1\n", 0);
    assert!(bash.screen.snapshot().text().ends_with("mine>"));
    let home = Directory::new();
    std::fs::write(
        home.0.join(".zshrc"),
        "PS1='mine> '\nalias hello='echo hello'\nprecmd() { y=1 }\n",
    )
    .unwrap();
    let mut zsh = Running::start_in(ShellKind::Zsh, home);
    zsh.check("hello; echo $y", "hello\n1\n", 0);
}

#[test]
fn programs_cannot_find_the_secret_and_old_marks_mean_nothing() {
    for kind in ALL {
        let mut shell = Running::start(kind);
        let key = shell.key.clone();
        let found = shell.run("env; cat /proc/self/environ; tr '\\0' ' ' </proc/$PPID/cmdline");
        assert!(!found.output.contains(&key), "{kind:?}");
        let ran = shell.run(&format!(
            "printf '\\033]133;D;9;1;{key}\\007'; printf '\\033]133;D;9;500;bad\\007'; echo end"
        ));
        assert_eq!((ran.output.as_str(), ran.status), ("end\n", Some(0)), "{kind:?}");
    }
}

#[test]
fn a_command_is_text_without_controls() {
    assert_eq!(CommandText::new("\n \n"), Err(LineError::Empty));
    assert_eq!(
        CommandText::new("a\u{3}b"),
        Err(LineError::Control { character: '\u{3}' })
    );
    assert_eq!(
        CommandText::new("a\x1b[201~b"),
        Err(LineError::Control { character: '\x1b' })
    );
    assert_eq!(
        CommandText::new("a\u{9b}b"),
        Err(LineError::Control { character: '\u{9b}' })
    );
    assert_eq!(
        CommandText::new(&"x".repeat(MAX_COMMAND + 1)),
        Err(LineError::TooLong { bytes: MAX_COMMAND + 1 })
    );
    let command = CommandText::new("a\tb\r\nc\n\n").unwrap();
    let paste = Modes {
        bracketed_paste: true,
        ..Modes::default()
    };
    let typed = ShellKind::Bash.typing(&command, &paste);
    assert_eq!(typed, Typing::Line(b"\x1b[200~a\tb\rc\x1b[201~\r".to_vec()));
    assert_eq!(
        ShellKind::Sh.typing(&command, &Modes::default()),
        Typing::Lines("a\tb\nc\n".to_owned())
    );
    let tab = CommandText::new("a\tb").unwrap();
    assert_eq!(
        ShellKind::Sh.typing(&tab, &Modes::default()),
        Typing::Line(b"a\tb\r".to_vec())
    );
    assert_eq!(
        ShellKind::Bash.typing(&tab, &Modes::default()),
        Typing::Lines("a\tb\n".to_owned())
    );
    assert_eq!(
        [Shell::Sh, Shell::Dash].map(ShellKind::from),
        [ShellKind::Sh, ShellKind::Sh]
    );
}
