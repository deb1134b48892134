//! What is there and what is missing. Asks Hack Forums nothing.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::{Error, Section};
use crate::hf::Hf;
use crate::hf::oauth::{ClientSecret, needed_scopes};
use crate::hf::operations::Scope;
use crate::hf::token::{Source, TOKEN_VARIABLE, Token, when};
use crate::model::words::with_causes;

/// What is known about the token.
pub(super) fn status(hf: &Hf, out: &mut impl Write) -> Result<ExitCode, Error> {
    if let Some(left) = hf.rate().back_off() {
        writeln!(out, "calls: none for {} s, as Hack Forums wants", left.as_secs())?;
    }
    match hf.tokens().token() {
        Ok(token) => {
            about(&token, out)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(out, "token: {}", with_causes(&error))?;
            Ok(ExitCode::from(1))
        }
    }
}

/// All that a token says of itself, but itself.
pub(super) fn about(token: &Token, out: &mut impl Write) -> std::io::Result<()> {
    let source = match token.source {
        Source::Environment => TOKEN_VARIABLE,
        Source::File => "the token file",
    };
    writeln!(out, "token: there, from {source}")?;
    writeln!(out, "account: {}", token.uid.as_deref().unwrap_or("not known"))?;
    let until = token.expires_at.map_or_else(|| "not known".to_owned(), when);
    writeln!(out, "good until: {until}")?;
    writeln!(out, "permissions: {}", names(token.scopes.iter()))
}

/// What a token is allowed and what it needs.
pub(super) fn compare_scopes(hf: &Hf, token: &Token, out: &mut impl Write) -> std::io::Result<bool> {
    if token.scopes.is_empty() {
        writeln!(
            out,
            "note: Hack Forums did not say what the token is allowed; calls will tell"
        )?;
        return Ok(true);
    }
    let needed = needed_scopes(hf);
    let missing: Vec<&Scope> = needed.iter().filter(|scope| !token.scopes.contains(scope)).collect();
    let beyond: Vec<&Scope> = token.scopes.iter().filter(|scope| !needed.contains(scope)).collect();
    if !missing.is_empty() {
        writeln!(
            out,
            "missing: permissions {}; give them to the application at Hack Forums, then log in again",
            names(missing.iter().copied())
        )?;
    }
    if !beyond.is_empty() {
        writeln!(
            out,
            "note: the token is allowed more than is turned on: {}; take that away at Hack Forums",
            names(beyond.into_iter())
        )?;
    }
    Ok(missing.is_empty())
}

fn names<'a>(scopes: impl Iterator<Item = &'a Scope>) -> String {
    let names: Vec<&str> = scopes.map(|scope| scope.name()).collect();
    if names.is_empty() {
        "not known".to_owned()
    } else {
        names.join(", ")
    }
}

/// Whether everything is there.
pub(super) fn run(hf: &Hf, section: &Section, state: &Path, out: &mut impl Write) -> Result<ExitCode, Error> {
    let settings = hf.settings();
    let mut ready = match section {
        Section::There => true,
        Section::Missing(source) => {
            writeln!(
                out,
                "configuration: {source} has no section `hf`, so no server offers these tools; add one, as \
                 docs/hack-forums.md shows. With an empty one it would be:"
            )?;
            false
        }
    };
    writeln!(out, "API: {}", settings.base.as_str())?;
    if !settings.base.is_the_service() {
        writeln!(out, "note: this is not Hack Forums itself")?;
    }
    writeln!(out, "profile: {}", settings.profile.name())?;
    let tools: Vec<&str> = hf.offered().map(|operation| operation.tool).collect();
    writeln!(out, "tools: {}", tools.join(", "))?;
    for note in settings.features.notes() {
        writeln!(out, "note: {note}")?;
    }
    let writes = hf.offered().any(|operation| operation.writes());
    if writes {
        writeln!(out, "note: writes are turned on; each still needs a rule of the policy")?;
    }
    match ClientSecret::find(state) {
        Ok(_) => writeln!(out, "client: there")?,
        Err(error) => writeln!(out, "client: {} (only needed to log in)", with_causes(&error))?,
    }
    match hf.tokens().token() {
        Ok(token) => {
            about(&token, out)?;
            ready &= compare_scopes(hf, &token, out)?;
            soon(&token, out)?;
        }
        Err(error) => {
            writeln!(out, "token: {}", with_causes(&error))?;
            ready = false;
        }
    }
    let unknown = hf.journal().list()?.len();
    if unknown > 0 {
        writeln!(
            out,
            "journal: {unknown} writes without a known outcome; see terrarium hf journal list"
        )?;
    }
    if let Some(left) = hf.rate().back_off() {
        writeln!(out, "calls: none for {} s, as Hack Forums wants", left.as_secs())?;
    }
    writeln!(out, "ready: {}", if ready { "yes" } else { "no" })?;
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A week before its end a token is worth a word.
fn soon(token: &Token, out: &mut impl Write) -> std::io::Result<()> {
    const WEEK: i64 = 7 * 24 * 3600;
    match token.seconds_left() {
        Some(left) if left < WEEK => writeln!(
            out,
            "note: the token expires in {} hours; log in again before",
            left / 3600
        ),
        _ => Ok(()),
    }
}
