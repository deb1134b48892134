//! Keeping the client's name and secret.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use super::Error;
use crate::hf::Hf;
use crate::hf::oauth::{ClientSecret, needed_scopes};

/// Bytes of a secret; more is something else.
const MAX_SECRET: u64 = 4096;

pub(super) fn run(hf: &Hf, state: &Path, id: String, out: &mut impl Write) -> Result<ExitCode, Error> {
    // Both go into addresses and forms, and the name onto terminals.
    let plain = |what, text: &str| match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Error::NoClient { what }),
    };
    plain("name", &id)?;
    let secret = secret()?;
    if secret.is_empty() {
        return Err(Error::NoSecret);
    }
    plain("secret", &secret)?;
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

/// One line of standard input; asked for, and not shown, where that is a terminal.
fn secret() -> io::Result<String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(super::super::secret::ask("The client's secret: ")?.trim().to_owned());
    }
    let mut line = String::new();
    io::Read::take(stdin.lock(), MAX_SECRET).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
