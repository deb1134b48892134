//! What subcommands say, where they look, and with what status they end.

use std::os::unix::fs::symlink;

use crate::command::text;
use crate::harness::{fresh_directory, program};

#[test]
fn a_configuration_that_cannot_be_looked_at_is_not_taken_for_none() {
    let directory = fresh_directory();
    // For root no directory is closed; a link to itself leads nobody anywhere.
    let config = directory.join("config");
    symlink(&config, &config).unwrap();
    for arguments in [&["config", "check"][..], &["audit", "verify"], &["run", "--", "true"]] {
        let mut command = program();
        let output = command
            .args(arguments)
            .env("XDG_CONFIG_HOME", &config)
            .output()
            .unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}: {said}");
        let file = config.join("terrarium/terrarium.yaml");
        let expected = format!(
            "cannot tell whether there is a configuration {}; hint: ",
            file.display()
        );
        assert!(said.contains(&expected), "{arguments:?}: {said}");
    }
    for nowhere in [directory.join("none"), std::path::PathBuf::from("/dev/null")] {
        let mut command = program();
        let output = command
            .args(["config", "check"])
            .env("XDG_CONFIG_HOME", &nowhere)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{nowhere:?}: {}", text(&output));
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
