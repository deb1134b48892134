//! The HTTP half of `terrarium serve`: its options, and where it listens.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::place::there;
use super::token::TokensPlace;
use crate::server::http::{Exposure, HostName, HttpOptions, Metrics, TlsFiles};
use crate::server::{ServeHttpError, serve_terminals};
use crate::tokens::{TokenFileError, Tokens};
use crate::tools::Services;

/// The arguments.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct Http {
    /// Serves many callers over HTTP at http://ADDRESS/mcp instead of one on standard input and output.
    ///
    /// Port 0 lets the kernel choose; the address is printed to standard error. Each caller needs a token from
    /// `terrarium token create NAME`, sent as `Authorization: Bearer TOKEN`, and a rule of the policy that names it.
    /// SIGTERM lets running calls end for 3 s, then ends all.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    http: Option<SocketAddr>,
    /// A name that the server is reached by, with or without a port; may be given again. Its own address and localhost
    /// always count; requests under other names, and from pages of other origins, are refused.
    #[arg(long, value_name = "NAME", requires = "http")]
    allow_host: Vec<HostName>,
    /// The certificate for TLS and those that vouch for it, in PEM. Read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key", value_parser = there())]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM, for nobody else to read.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_parser = there())]
    tls_key: Option<PathBuf>,
    /// Listens without TLS also where other machines could connect, because a proxy that speaks TLS stands in front and
    /// nobody else can reach the address. Connections then count as the proxy's, not as a caller's.
    #[arg(long, requires = "http", conflicts_with = "tls_cert")]
    behind_proxy: bool,
    #[command(flatten)]
    tokens: TokensPlace,
}

/// Why there is no HTTP front end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("--tls-cert and --tls-key say how HTTP is served; hint: give --http ADDRESS too")]
    TlsAlone,
    #[error("--tokens says who may call over HTTP; hint: give --http ADDRESS too")]
    TokensAlone,
    #[error("--tokens {} lies in no directory that is there", path.display())]
    NoDirectory { path: PathBuf },
    #[error("there is no place for tokens; hint: set HOME or XDG_STATE_HOME, or give --tokens FILE")]
    NoPlace,
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    #[error(transparent)]
    Serve(#[from] ServeHttpError),
}

impl Http {
    /// What lies apart from workspaces, and from what sandboxes read.
    pub(super) fn own_paths(&self) -> Vec<PathBuf> {
        let tokens = self.http.and_then(|_| self.tokens.path());
        let tls = [self.tls_cert.clone(), self.tls_key.clone()];
        tokens.into_iter().chain(tls.into_iter().flatten()).collect()
    }

    /// A file that was named may be made later, but not in a directory that is not there.
    fn look_for_tokens(path: &Path) -> Result<(), Error> {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if whole.exists() {
            return Ok(());
        }
        if !whole.parent().is_some_and(Path::is_dir) {
            return Err(Error::NoDirectory { path: path.to_owned() });
        }
        let path = path.display();
        tracing::warn!(%path, "there are no tokens: nobody can call until `terrarium token create` makes one there");
        Ok(())
    }

    /// What is to be served, if it is.
    pub(super) fn options(&self) -> Result<Option<HttpOptions>, Error> {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        let Some(address) = self.http else {
            return match (tls, self.tokens.given()) {
                (Some(_), _) => Err(Error::TlsAlone),
                (None, Some(_)) => Err(Error::TokensAlone),
                (None, None) => Ok(None),
            };
        };
        if let Some(path) = self.tokens.given() {
            Self::look_for_tokens(path)?;
        }
        let exposure = match tls {
            Some((certificate, key)) => Exposure::Tls(TlsFiles { certificate, key }),
            None if self.behind_proxy => Exposure::BehindProxy,
            None => Exposure::Loopback,
        };
        Ok(Some(HttpOptions {
            address,
            hosts: self.allow_host.clone(),
            exposure,
            tokens: Tokens::open(self.tokens.path().ok_or(Error::NoPlace)?)?,
        }))
    }
}

/// An IP address with a port: names could become another machine's.
pub(super) fn address(text: &str) -> Result<SocketAddr, AddressError> {
    text.parse().map_err(|_| AddressError { text: text.to_owned() })
}

/// Why something is no address to listen on.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no address; hint: write an IP address and a port, as in 127.0.0.1:7717 or [::1]:7717")]
pub(super) struct AddressError {
    text: String,
}

/// Serves until a signal ends us.
pub(super) async fn serve(services: Arc<Services>, options: HttpOptions, metrics: Arc<Metrics>) -> Result<(), Error> {
    let scheme = match options.exposure {
        Exposure::Tls(_) => "https",
        Exposure::Loopback | Exposure::BehindProxy => "http",
    };
    let say = |address: SocketAddr| {
        writeln!(io::stderr(), "terrarium: listening on {scheme}://{address}/mcp").ok(); // nowhere left to say it
    };
    Ok(serve_terminals(services, options, metrics, say).await?)
}
