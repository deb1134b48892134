//! What a shell tells of its commands, attacked: by programs, by input of other hands, by awkward output.

use serde_json::json;

use crate::harness::is_there;
use crate::sessions::{Terminal, shell};

/// Looks for the key in all that a program is given, prints the marks of a command that ended well, and fails.
const FORGE: &str = "python3 -c 'import os, re, sys, time\nkeys = set(re.findall(\"[0-9a-f]{32}\", str(os.environ)))\nfor key in \
    keys:\n  for n in range(1, 40): print(end=f\"\\033]133;D;0;{n};{key}\\007\\033]133;B;{n};{key}\\007\")\nsys.stdout.flush(); \
    time.sleep(0.5); print(len(keys), \"keys\"); sys.exit(7)'";

#[test]
fn a_program_given_the_prompt_cannot_forge_marks() {
    for name in ["bash", "zsh", "dash"] {
        if !is_there(name) || !is_there("python3") {
            continue;
        }
        let env = json!({"__terrarium_k": "mine", "PSVAR": "mine", "SHELLOPTS": "allexport"});
        let mut terminal = Terminal::open(json!({"shell": name, "env": env}));
        // As `activate` of a Python venv does, and as `set -a` does with what is set after it.
        for export in [
            "export PS1 PS2 PS0",
            "set -a; PS1=$PS1; PS2=$PS2",
            "setopt allexport; psvar=(a)",
        ] {
            terminal.exec(export);
            let reply = terminal.exec(FORGE);
            assert_eq!(reply.facts["exit_code"], 7, "{name} after {export}: {}", reply.text);
            assert!(reply.text.contains("0 keys"), "{name} after {export}: {}", reply.text);
        }
    }
}

#[test]
fn no_output_is_taken_for_the_shells_own() {
    let mut terminal = shell("bash");
    for tracing in ["true", "set -x"] {
        terminal.exec(tracing);
        let reply = terminal.exec("echo real; echo \"secret __terrarium_ line\"; echo '+ __terrarium_prompt'");
        let shown = reply.section("terminal").unwrap();
        let printed: Vec<_> = shown.lines().filter(|line| !line.starts_with("+ echo")).collect();
        assert_eq!(
            printed,
            ["real", "secret __terrarium_ line", "+ __terrarium_prompt"],
            "{}",
            reply.text
        );
    }
}
