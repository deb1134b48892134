//! Keeping the client's name and secret.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::Error;
use crate::hf::Hf;
use crate::hf::oauth::{ClientSecret, needed_scopes};

/// Bytes of a secret; more is something else.
const MAX_SECRET: u64 = 4096;

pub(super) fn run(hf: &Hf, state: &Path, id: String, out: &mut impl Write) -> Result<ExitCode, Error> {
    let secret = secret(out)?;
    if secret.is_empty() {
        return Err(Error::NoSecret);
    }
    let client = ClientSecret {
        id,
        secret: secret.into(),
    };
    let path = client.keep(state)?;
    let scopes: Vec<&str> = needed_scopes(hf).into_iter().map(|scope| scope.name()).collect();
    writeln!(out, "Kept in {}.", path.display())?;
    writeln!(
        out,
        "At Hack Forums the application needs these permissions and no others: {}.",
        scopes.join(", ")
    )?;
    writeln!(out, "Its redirect address is {}.", hf.settings().oauth.redirect)?;
    writeln!(out, "Then: terrarium hf login")?;
    Ok(ExitCode::SUCCESS)
}

/// One line of standard input, not shown where that is a terminal.
fn secret(out: &mut impl Write) -> io::Result<String> {
    let stdin = io::stdin();
    let before = if stdin.is_terminal() {
        write!(out, "The client's secret: ")?;
        out.flush()?;
        let before = tcgetattr(&stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &silent)?;
        Some(before)
    } else {
        None
    };
    let mut line = String::new();
    let read = io::Read::take(stdin.lock(), MAX_SECRET).read_line(&mut line);
    if let Some(before) = before {
        tcsetattr(&stdin, OptionalActions::Now, &before)?;
        writeln!(out)?;
    }
    read?;
    Ok(line.trim().to_owned())
}
