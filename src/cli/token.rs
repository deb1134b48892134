//! `terrarium token`: who may knock on the HTTP front end.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};

use super::passphrase;
use crate::model::Name;
use crate::sandbox::workspace::homeless;
use crate::tokens::{Record, TokenFileError, TokensFile, Use};

/// The longest time that a token may be given: ten years. One without an end is asked for by giving none.
const MAX_DAYS: u64 = 3650;
const DAY: u64 = 24 * 3600;

/// Makes, lists and revokes the bearer tokens of HTTP callers.
///
/// A token's name is the caller that policies speak of: without a rule for it, its holder can do nothing. Running
/// servers see a change at once.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  terrarium token create ci --expires 30d\n  terrarium serve --http 127.0.0.1:7717")]
pub(super) struct TokenCommand {
    #[command(flatten)]
    file: TokensPlace,
    #[command(subcommand)]
    action: Action,
}

/// Where tokens are kept.
#[derive(Clone, Debug, Args)]
pub(super) struct TokensPlace {
    /// The file of tokens. Default: `tokens.json` in `$XDG_STATE_HOME/terrarium`.
    #[arg(long = "tokens", value_name = "FILE", global = true)]
    tokens: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a token and shows it, once. Asks for the operator's passphrase where there is one.
    #[command(after_help = "Example:\n  terrarium token create ci --expires 30d")]
    Create {
        /// Its name: small letters, digits and hyphens.
        #[arg(value_parser = Name::new)]
        name: Name,
        /// When it stops to be good, as in 12h or 30d; never when not given.
        #[arg(long, value_name = "TIME", value_parser = lifetime)]
        expires: Option<Duration>,
        /// For reading /metrics, and nothing else.
        #[arg(long)]
        metrics: bool,
    },
    /// Lists tokens: name, use, age, expiry.
    #[command(after_help = "Example:\n  terrarium token list")]
    List,
    /// Revokes a token: its connections and sessions end.
    #[command(after_help = "Example:\n  terrarium token revoke ci")]
    Revoke {
        /// Its name.
        #[arg(value_parser = Name::new)]
        name: Name,
    },
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    File(#[from] TokenFileError),
    #[error(
        "there is no place for tokens{}; hint: set HOME or XDG_STATE_HOME, or give --tokens FILE",
        homeless()
    )]
    NoPlace,
    #[error(transparent)]
    Passphrase(#[from] passphrase::Error),
    #[error("nobody could see the token, so it was revoked: {0}")]
    Unseen(io::Error),
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

impl TokensPlace {
    /// The file that was named.
    pub(super) fn given(&self) -> Option<&Path> {
        self.tokens.as_deref()
    }

    /// The file.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let state = || crate::sandbox::private::state_directory().map(|state| state.join("tokens.json"));
        self.tokens.clone().or_else(state)
    }
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        let file = TokensFile::new(self.file.path().ok_or(Error::NoPlace)?);
        let (mut out, mut err) = (io::stdout(), io::stderr());
        match self.action {
            Action::Create { name, expires, metrics } => {
                passphrase::required(passphrase::OPERATORS)?;
                let may = if metrics { Use::Metrics } else { Use::Tools };
                let token = file.create(name.clone(), may, expires)?;
                let shown = writeln!(out, "{}", token.reveal()).and_then(|()| out.flush());
                if let Err(error) = shown {
                    file.revoke(&name)?;
                    return Err(Error::Unseen(error));
                }
                let then = match may {
                    Use::Tools => "it can do nothing until a rule of the policy names it under `callers`",
                    Use::Metrics => "it reads /metrics and nothing else",
                };
                writeln!(err, "token {name}: shown once, kept only as a digest; {then}")?;
            }
            Action::List => {
                let now = SystemTime::now();
                for record in file.list()? {
                    writeln!(out, "{}", line(&record, now))?;
                }
            }
            Action::Revoke { name } => {
                file.revoke(&name)?;
                writeln!(err, "token {name}: revoked")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(record: &Record, now: SystemTime) -> String {
    let may = match record.may {
        Use::Tools => "tools",
        Use::Metrics => "metrics",
    };
    let age = short(now.duration_since(record.created).unwrap_or_default());
    let expires = match record.expires {
        None => "never expires".to_owned(),
        Some(at) => match at.duration_since(now) {
            Ok(left) => format!("expires in {}", short(left)),
            Err(_) => "expired".to_owned(),
        },
    };
    format!("{}\t{may}\tmade {age} ago\t{expires}", record.name)
}

/// The largest whole unit.
fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        DAY.. => format!("{}d", seconds / DAY),
        3600.. => format!("{}h", seconds / 3600),
        60.. => format!("{}min", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn lifetime(text: &str) -> Result<Duration, LifetimeError> {
    let wrong = || LifetimeError { text: text.to_owned() };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "min" => 60,
        "h" => 3600,
        "d" => DAY,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        Some(total @ 1..) if total <= MAX_DAYS * DAY => Ok(Duration::from_secs(total)),
        _ => Err(wrong()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no lifetime; hint: write a whole number and min, h or d, as in 30d, at most {MAX_DAYS}d")]
struct LifetimeError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_needs_a_unit_and_an_end() {
        assert_eq!(lifetime("30d").unwrap(), Duration::from_secs(30 * DAY));
        assert_eq!(lifetime("90min").unwrap(), Duration::from_secs(5400));
        for text in [
            "",
            "30",
            "d",
            "0d",
            "-1d",
            "1.5h",
            "3651d",
            "99999999999999999999d",
            "1w",
        ] {
            assert!(lifetime(text).is_err(), "{text:?}");
        }
    }
}
