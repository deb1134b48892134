//! TLS of our own: only what is good is taken, and a renewed certificate is used.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::Server;
use crate::harness::fresh_directory;

/// Writes a certificate for localhost and its key, readable for the owner alone.
fn certify(place: &Path) -> CertificateDer<'static> {
    use std::os::unix::fs::PermissionsExt as _;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(place.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(place.join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(place.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

/// What the server answers to somebody who trusts this certificate alone.
fn ask(server: &Server, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(&server.address)?);
    let host = format!("localhost:{}", server.port());
    stream.write_all(format!("GET /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn a_certificate_is_used_and_a_renewed_one_too() {
    let place = fresh_directory();
    let first = certify(&place);
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    let options = ["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")];
    let mut server = Server::start_with(&options, None);
    let said = ask(&server, &first).unwrap();
    assert!(said.starts_with("HTTP/1.1 401"), "{said}");
    // Whoever does not speak TLS is told nothing.
    assert!(
        !server
            .raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .contains("HTTP/1.1")
    );

    let second = certify(&place);
    while ask(&server, &second).is_err() {
        std::thread::yield_now(); // it looks once a second
    }
    assert!(ask(&server, &first).is_err(), "the old certificate is still in use");
    // What is no certificate changes nothing.
    std::fs::write(place.join("cert.pem"), "nothing").unwrap();
    assert!(ask(&server, &second).is_ok());
    server.terminate();
    assert!(server.ended().0.success());
    std::fs::remove_dir_all(place).unwrap();
}
