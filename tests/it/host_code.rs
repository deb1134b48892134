//! What the host runs later, by itself: it stays as it is, or is reported. Needs a working sandbox.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::command::{Run, text};
use crate::side_doors::without;

#[test]
fn what_a_protected_link_leads_to_is_protected_too() {
    let run = Run::profile("default");
    run.write("tools/pre-commit", "true\n");
    run.write("shared/deep/settings.json", "{}\n");
    fs::create_dir(run.workspace.join(".git")).unwrap();
    symlink("../tools", run.workspace.join(".git/hooks")).unwrap();
    symlink("shared/deep", run.workspace.join(".claude")).unwrap();
    symlink("/etc", run.workspace.join(".vscode")).unwrap();
    let output = run.bash(
        "echo evil >> tools/pre-commit; echo evil > .git/hooks/post-commit; echo evil > .claude/settings.json; \
         mv shared other; mv tools others; touch shared/fine && echo done",
    );
    let shown = text(&output);
    assert!(shown.contains("done") && !shown.contains("appeared"), "{shown}");
    let read = |path: &str| fs::read_to_string(run.workspace.join(path)).unwrap();
    assert_eq!(
        (read("tools/pre-commit"), read("shared/deep/settings.json")),
        ("true\n".to_owned(), "{}\n".to_owned())
    );
    assert!(!run.workspace.join("tools/post-commit").exists());
    let shown = text(&run.bash("rm .git/hooks && mkdir .git/hooks && rm .vscode"));
    for path in [".git/hooks", ".vscode"] {
        assert!(shown.contains(&format!("\"{path}\" appeared or changed")), "{shown}");
    }
}

#[test]
fn what_makes_git_and_cargo_run_something_is_reported() {
    let run = Run::profile("default");
    let paths = [
        ".git/commondir",
        ".git/config.worktree",
        ".git/modules",
        ".cargo/config",
        "rust-toolchain.toml",
    ];
    let shown = text(&run.bash(
        "mkdir .git .cargo; echo x | tee .git/{commondir,config.worktree,modules} .cargo/config rust-toolchain.toml",
    ));
    for path in paths {
        assert!(
            shown.contains(&format!("\"{path}\" appeared or changed")),
            "{path}: {shown}"
        );
    }
}

#[test]
fn a_file_that_leads_git_elsewhere_is_protected_or_reported() {
    let lead = "echo 'gitdir: .evil' > .git && echo written";
    // One that appears.
    let shown = text(&Run::profile("default").bash(lead));
    assert!(shown.contains("\".git\" appeared or changed"), "{shown}");
    // That of a worktree or of a submodule.
    let worktree = Run::profile("default");
    worktree.write(".git", "gitdir: ../repository/.git/worktrees/w\n");
    let shown = text(&worktree.bash(lead));
    assert!(
        !shown.contains("written") && shown.contains("Read-only file system"),
        "{shown}"
    );
    // Those by which a repository leads to its worktrees, now and later.
    let main = Run::profile("default");
    for name in ["commondir", "gitdir"] {
        main.write(&format!(".git/worktrees/w/{name}"), "../..\n");
    }
    let shown =
        text(&main.bash("cd .git/worktrees; for f in w/*; do echo evil > $f && echo written; done; mv w v; echo $?"));
    assert!(!shown.contains("written") && shown.contains("cannot move"), "{shown}");
    let shown =
        text(&main.bash("mkdir .git/worktrees/new; echo evil > .git/worktrees/new/commondir; echo evil > HEAD"));
    for path in [".git/worktrees/new/commondir", "HEAD"] {
        assert!(
            shown.contains(&format!("\"{path}\" appeared or changed")),
            "{path}: {shown}"
        );
    }
}

#[test]
fn without_a_view_changes_inside_of_protected_directories_are_reported() {
    let run = without(Run::profile("default"), &["mount"]);
    run.write(".git/hooks/pre-commit", "true\n");
    fs::set_permissions(
        run.workspace.join(".git/hooks/pre-commit"),
        fs::Permissions::from_mode(0o666),
    )
    .unwrap();
    let shown = text(&run.bash("echo evil >> .git/hooks/pre-commit"));
    assert!(shown.contains("\".git/hooks\" appeared or changed"), "{shown}");
    let shown = text(&run.bash("cat .git/hooks/pre-commit"));
    assert!(!shown.contains("appeared"), "{shown}");
}

/// More directories than a pattern stands for are protected as the one that they lie in.
#[test]
fn directories_without_number_hide_no_protected_file() {
    let run = Run::profile("default");
    run.write(".git/worktrees/real/commondir", "../..\n");
    let shown = text(&run.bash("for n in {1000..1220}; do mkdir .git/worktrees/!$n; done"));
    assert!(shown.contains("\".git/worktrees\" appeared or changed"), "{shown}");
    let attack = "cd .git/worktrees; echo evil > real/commondir && echo written; mkdir new && echo made";
    let shown = text(&run.bash(attack));
    assert!(!shown.contains("written") && !shown.contains("made\n"), "{shown}");
    let kept = fs::read_to_string(run.workspace.join(".git/worktrees/real/commondir")).unwrap();
    assert_eq!(kept, "../..\n");
}

/// Each link was a mount of its own, and compared with all others: 20000 of them took a launch a minute of the server's time.
#[test]
fn links_without_number_cost_no_launch_and_hide_no_protected_file() {
    let run = Run::profile("default");
    run.write("scripts/pre-commit", "true\n");
    run.write("settings", "{}\n");
    for directory in [".git/hooks", ".git/worktrees", "many"] {
        fs::create_dir_all(run.workspace.join(directory)).unwrap();
    }
    let at = |path: &str| run.workspace.join(path);
    symlink("../../scripts/pre-commit", at(".git/hooks/pre-commit")).unwrap();
    symlink("settings", at(".mcp.json")).unwrap();
    for tree in 0..45 {
        let links = at(&format!("links{tree}"));
        fs::create_dir(&links).unwrap();
        for n in 0..100 {
            let name = format!("{tree}-{n}");
            fs::write(at("many").join(&name), "").unwrap();
            symlink(format!("../many/{name}"), links.join(name)).unwrap();
        }
        let worktree = at(&format!(".git/worktrees/{tree}"));
        fs::create_dir(&worktree).unwrap();
        symlink(&links, worktree.join("commondir")).unwrap();
    }
    let attack = "for f in scripts/pre-commit settings many/0-0; do echo evil > $f && echo written; done; wc -l < /proc/self/mountinfo";
    let shown = text(&run.bash(attack));
    assert!(!shown.contains("written"), "{shown}");
    let mounts = shown.lines().find_map(|line| line.parse::<u32>().ok());
    assert!(mounts.is_some_and(|mounts| (1000..4500).contains(&mounts)), "{shown}");
}

#[test]
fn what_links_in_protected_directories_lead_to_is_protected_or_reported() {
    let run = Run::profile("default");
    run.write("scripts/pre-commit", "true\n");
    run.write("scripts/post-commit", "true\n");
    run.write("settings/tasks.json", "{}\n");
    for directory in [".git/hooks", ".vscode/more"] {
        fs::create_dir_all(run.workspace.join(directory)).unwrap();
    }
    let at = |path: &str| run.workspace.join(path);
    symlink("../../scripts/pre-commit", at(".git/hooks/pre-commit")).unwrap();
    symlink("../../settings", at(".vscode/more/settings")).unwrap();
    symlink("../../later", at(".git/hooks/post-merge")).unwrap();
    symlink("scripts", at("through")).unwrap();
    symlink("../../through/pre-commit", at(".git/hooks/pre-push")).unwrap();
    fs::hard_link(at("scripts/post-commit"), at(".git/hooks/post-commit")).unwrap();
    let shown = text(&run.bash(
        "echo evil > scripts/pre-commit && echo written; echo evil > settings/tasks.json && echo written; \
         mv scripts other && echo moved; touch scripts/fine settings/new; ls scripts",
    ));
    assert!(!shown.contains("written") && !shown.contains("moved"), "{shown}");
    assert!(shown.contains("fine") && !shown.contains("appeared"), "{shown}");
    // A file that has another name, a link on the way, and what a link leads to once it is there, are reported.
    for change in [
        "echo evil >> scripts/post-commit",
        "rm through; mkdir through; echo evil > through/pre-commit",
        "echo evil > later",
    ] {
        let shown = text(&run.bash(change));
        assert!(
            shown.contains("\".git/hooks\" appeared or changed"),
            "{change}: {shown}"
        );
    }
}

#[test]
fn a_repository_by_another_name_is_protected_like_one() {
    let attack = "for d in .bare . ; do test -e $d/hooks || continue; \
        echo evil > $d/hooks/pre-commit && echo written; echo evil >> $d/config && echo written; \
        mv $d/hooks $d/other && echo moved; echo evil > $d/config.worktree; done; touch .bare/index index";
    // A `.git` that leads to it, and one that leads to it as a worktree does; and the workspace itself.
    for (leads, place) in [
        ("gitdir: ./.bare\n", ".bare/"),
        ("gitdir: .bare/worktrees/w\n", ".bare/"),
        ("", ""),
    ] {
        let run = Run::profile("default");
        if !leads.is_empty() {
            run.write(".git", leads);
            run.write(".bare/worktrees/w/commondir", "../..\n");
        }
        run.write(&format!("{place}HEAD"), "ref: refs/heads/main\n");
        run.write(&format!("{place}config"), "[core]\n");
        for directory in ["objects", "refs", "hooks"] {
            fs::create_dir_all(run.workspace.join(place).join(directory)).unwrap();
        }
        let shown = text(&run.bash(attack));
        assert!(
            !shown.contains("written") && !shown.contains("moved"),
            "{leads}: {shown}"
        );
        let appeared = format!("\"{place}config.worktree\" appeared or changed");
        assert!(shown.contains(&appeared), "{leads}: {shown}");
        let kept = fs::read_to_string(run.workspace.join(place).join("config")).unwrap();
        assert_eq!(kept, "[core]\n", "{leads}");
    }
}
