use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixStream;

use super::reach::{ReachError, Reached};
use super::*;
use crate::confirm::passphrase::{Checker, Verifier};
use crate::model::InstanceId;
use crate::tools::tests::services;

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let mut random = [0; 4];
        getrandom::fill(&mut random).unwrap();
        let name = format!("terrarium-test-control-{:08x}", u32::from_le_bytes(random));
        Self(std::env::temp_dir().join(name))
    }

    fn listen(&self, verifier: Option<Verifier>) -> listen::Control {
        let about = About {
            instance: InstanceId::random().unwrap().to_string(),
            pid: std::process::id(),
            workspace: "/w".to_owned(),
            passphrase: verifier.is_some(),
            console: None,
        };
        listen::listen(
            &self.0,
            &Arc::new(services()),
            about,
            Arc::new(Checker::new(verifier)),
            None,
        )
        .unwrap()
    }

    fn file(&self, extension: &str) -> PathBuf {
        let paths = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        paths
            .into_iter()
            .find(|path| path.extension().is_some_and(|found| found == extension))
            .unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn all(directory: &Path) -> Vec<Result<Reached, ReachError>> {
    let mut reached = Vec::new();
    for secret in reach::live(directory) {
        reached.push(reach::reach(&secret).await);
    }
    reached
}

#[tokio::test]
async fn an_operator_reaches_every_server_and_nothing_is_left_when_they_end() {
    let place = Place::new();
    let controls = [place.listen(None), place.listen(None)];
    let mut reached = all(&place.0).await;
    assert_eq!(reached.len(), 2);
    for server in &mut reached {
        assert_eq!(server.as_mut().unwrap().questions().await.unwrap(), []);
    }
    for entry in fs::read_dir(&place.0).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(controls);
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 0);
}

#[tokio::test]
async fn a_peer_without_the_secret_hears_nothing() {
    let place = Place::new();
    let _control = place.listen(None);
    let secret = fs::read_to_string(place.file("key")).unwrap();
    for (secret, version, heard) in [
        ("", VERSION, false),
        (&*"0".repeat(64), VERSION, false),
        (&secret, VERSION + 1, true),
        (&secret, VERSION, true),
    ] {
        let mut stream = UnixStream::connect(place.file("sock")).await.unwrap();
        let secret = secret.to_owned();
        send(&mut stream, &Hello { version, secret }, REQUEST).await.unwrap();
        let response = receive::<Response>(&mut stream, RESPONSE).await.ok().flatten();
        assert_eq!(response.is_some(), heard, "{response:?}");
        assert_eq!(
            matches!(response, Some(Response::Welcome(_))),
            heard && version == VERSION
        );
    }
    // A length that no message has.
    let mut stream = UnixStream::connect(place.file("sock")).await.unwrap();
    stream.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
    assert!(
        receive::<Response>(&mut stream, RESPONSE)
            .await
            .ok()
            .flatten()
            .is_none()
    );
}

#[tokio::test]
async fn strangers_cannot_keep_the_operator_out() {
    let place = Place::new();
    let _control = place.listen(None);
    let mut strangers = Vec::new();
    for _ in 0..100 {
        strangers.push(UnixStream::connect(place.file("sock")).await.unwrap());
    }
    assert!(all(&place.0).await.remove(0).is_ok());
}

#[tokio::test]
async fn a_yes_needs_the_passphrase_that_was_set_when_the_server_started() {
    let place = Place::new();
    let _control = place.listen(Some(Verifier::new("correct horse").unwrap()));
    let mut server = all(&place.0).await.remove(0).unwrap();
    assert!(server.about.passphrase);
    let asked = Asked::numbered(&"0".repeat(32));
    let wanted = [
        (true, None, "this needs the operator's passphrase"),
        (true, Some("wrong horse"), "the passphrase is another"),
        (
            true,
            Some("correct horse"),
            "there is no such question, or it has expired",
        ),
        (false, None, "there is no such question, or it has expired"),
    ];
    for (yes, passphrase, said) in wanted {
        let passphrase = passphrase.map(str::to_owned);
        let error = server.say(&asked, yes, passphrase).await.unwrap_err();
        assert_eq!(error.to_string(), said);
    }
}
