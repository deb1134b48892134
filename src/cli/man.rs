//! `terrarium man`: the manual pages, made from the definition of the command line.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man as Page;

/// The arguments of `terrarium man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium man | man -l -                              # read the page of the program
  terrarium man --dir ~/.local/share/man/man1           # install all pages
  man terrarium-run                                     # then each subcommand has its own")]
pub(super) struct Man {
    /// Writes all pages, one for each subcommand, into this directory instead.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot make the page")]
    Page(#[source] io::Error),
    #[error("cannot print the page")]
    Print(#[source] io::Error),
    #[error("cannot write {}; hint: the directory is made if it is missing, but must be yours", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Man {
    /// Prints or writes the pages of `command`, the whole program.
    pub(super) fn run(self, command: Command) -> Result<ExitCode, Error> {
        let pages = pages(command)?;
        if let Some(directory) = &self.dir {
            let write = |path: PathBuf, done: io::Result<()>| done.map_err(|source| Error::Write { path, source });
            write(directory.clone(), fs::create_dir_all(directory))?;
            for (name, text) in &pages {
                let path = directory.join(name);
                let done = fs::write(&path, text);
                write(path, done)?;
            }
        } else if let Some((_, text)) = pages.first() {
            io::stdout().write_all(text).map_err(Error::Print)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The pages by file name, the program's first.
fn pages(command: Command) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut command = without_help(command);
    // Subcommands are found under the name of what they belong to, as git's are.
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages).map_err(Error::Page)?;
    Ok(pages)
}

/// `help` would be named in each page, and has none.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// Examples are lines: filled, as roff(7) fills text, they would be one.
fn with_lines_as_they_are(page: Vec<u8>) -> Vec<u8> {
    const EXAMPLES: &str = ".SH EXTRA\n";
    let Ok(text) = String::from_utf8(page.clone()) else {
        return page;
    };
    let Some((before, after)) = text.split_once(EXAMPLES) else {
        return page;
    };
    let (examples, rest) = match after.find("\n.SH ") {
        Some(end) => after.split_at(end + 1),
        None => (after, ""),
    };
    format!("{before}{EXAMPLES}.nf\n{}\n.fi\n{rest}", examples.trim_end()).into_bytes()
}

fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let version = concat!("terrarium ", env!("CARGO_PKG_VERSION"));
    let page = Page::new(command.clone()).title(name.clone()).source(version);
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push((page.get_filename(), with_lines_as_they_are(text)));
    let below = command.get_subcommands();
    for subcommand in below.filter(|c| !c.is_hide_set()) {
        add(subcommand, pages)?;
    }
    Ok(())
}
