//! `terrarium completions`: a script that completes this command line in a shell, made from its definition.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::aot::{self, Shell};

/// The arguments of `terrarium completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium completions bash > ~/.local/share/bash-completion/completions/terrarium
  terrarium completions zsh > \"${fpath[1]}/_terrarium\"
  terrarium completions fish > ~/.config/fish/completions/terrarium.fish")]
pub(super) struct Completions {
    /// The shell that the script is for.
    shell: Shell,
}

impl Completions {
    /// Prints the script for `command`, the whole program.
    pub(super) fn run(self, command: &Command) -> io::Result<ExitCode> {
        let name = command.get_name().to_owned();
        let mut command = shown(command);
        // By way of memory: the generator panics where the reader has gone.
        let mut script = Vec::new();
        aot::generate(self.shell, &mut command, name, &mut script);
        io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The command without what is hidden, which the generator would offer.
fn shown(command: &Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    Command::new(command.get_name().to_owned())
        .about(about)
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()))
        .subcommands(command.get_subcommands().filter(|c| !c.is_hide_set()).map(shown))
}
