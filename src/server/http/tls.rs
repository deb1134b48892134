//! TLS by rustls with ring. Certificates are read again when their files change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::yaml::{self, FileError};

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// A file holds something else.
    #[error("{} holds no {what} in PEM", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        #[source]
        source: pem::Error,
    },
    /// Everybody could read the key.
    #[error("everybody may read or somebody else write the key {} (mode {mode:03o}); hint: chmod o=,g-w", path.display())]
    OpenKey {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Certificate and key do not fit, or are of no use.
    #[error("the certificate and its key cannot be used")]
    Unusable {
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// TLS as it is now.
pub(super) struct Tls {
    files: TlsFiles,
    now: Mutex<(Seen, TlsAcceptor)>,
}

/// Tells one pair of files from the next.
type Seen = [Option<(u64, u64, i64, i64)>; 2];

impl Tls {
    pub(super) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let now = (look(&files), acceptor(&files)?);
        Ok(Self {
            files,
            now: Mutex::new(now),
        })
    }

    pub(super) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.1.accept(stream)
    }

    /// Takes other files if they are good; keeps what there is if not.
    pub(super) fn renew(&self) {
        let seen = look(&self.files);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == seen {
            return;
        }
        now.0 = seen;
        match acceptor(&self.files) {
            Ok(acceptor) => now.1 = acceptor,
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the new certificate cannot be used; the old one stays"
            ),
        }
    }
}

/// TLS with these files: the certificate that they hold, HTTP/1.1 and nothing older than TLS 1.2.
fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let text = yaml::read(&files.certificate)?;
    let wrong = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, what, source }
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = chain.map_err(wrong(&files.certificate, "certificate"))?;
    let mode = std::fs::metadata(&files.key).map_err(|source| FileError::Read {
        path: files.key.clone(),
        source,
    })?;
    let mode = mode.mode() & 0o777;
    if mode & 0o027 != 0 {
        return Err(TlsError::OpenKey {
            path: files.key.clone(),
            mode,
        });
    }
    let key = PrivateKeyDer::from_pem_slice(yaml::read(&files.key)?.as_bytes()).map_err(wrong(&files.key, "key"))?;
    let unusable = |source| TlsError::Unusable { source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn look(files: &TlsFiles) -> Seen {
    let of = |metadata: Metadata| (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec());
    [&files.certificate, &files.key].map(|path| std::fs::metadata(path).ok().map(of))
}
