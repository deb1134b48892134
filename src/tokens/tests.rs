use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use super::*;
use crate::kernel::own_file::FileError;

/// A directory that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("terrarium-tokens-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }

    fn file(&self) -> TokensFile {
        TokensFile::new(self.0.join("tokens.json"))
    }

    fn tokens(&self) -> Tokens {
        Tokens::open(self.file().path).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn a_token_opens_until_it_is_revoked_and_a_running_server_sees_both() {
    let place = Place::new("revoked");
    let (file, tokens) = (place.file(), place.tokens());
    let token = file.create(name("ci"), Use::Tools, None).unwrap().reveal();
    let holder = tokens.check(&token).unwrap();
    assert_eq!((holder.name.to_string(), holder.may), ("ci".to_owned(), Use::Tools));
    assert!(tokens.is_still(&holder));

    let taken = file.create(name("ci"), Use::Tools, None).unwrap_err();
    assert!(matches!(taken, TokenFileError::NameTaken { .. }), "{taken}");
    file.revoke(&name("ci")).unwrap();
    assert!(matches!(tokens.check(&token), Err(Refused::Unknown)));
    assert!(!tokens.is_still(&holder));

    // The same name again is another token.
    let again = file.create(name("ci"), Use::Tools, None).unwrap().reveal();
    assert!(matches!(tokens.check(&token), Err(Refused::Unknown)));
    assert!(!tokens.is_still(&holder) && tokens.check(&again).is_ok());
}

#[test]
fn an_expired_token_opens_nothing_and_frees_its_name() {
    let place = Place::new("expired");
    let (file, tokens) = (place.file(), place.tokens());
    let old = file.create(name("a"), Use::Tools, Some(Duration::ZERO)).unwrap();
    assert!(matches!(tokens.check(&old.reveal()), Err(Refused::Unknown)));
    let new = file
        .create(name("a"), Use::Tools, Some(Duration::from_secs(3600)))
        .unwrap();
    assert!(tokens.check(&new.reveal()).is_ok());
    assert_eq!(file.list().unwrap().len(), 1);
}

#[test]
fn what_is_kept_is_private_and_does_not_hold_the_token() {
    let place = Place::new("private");
    let file = place.file();
    let token = file.create(name("a"), Use::Metrics, None).unwrap();
    let metadata = std::fs::metadata(&file.path).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file.path).unwrap();
    let secret = token.reveal();
    assert!(!text.contains(secret.strip_prefix("terrarium_").unwrap()), "{text}");
    assert_eq!(format!("{token:?}"), "[redacted]");
}

#[test]
fn what_others_may_read_or_write_is_not_trusted() {
    let place = Place::new("trust");
    let (file, tokens) = (place.file(), place.tokens());
    let token = file.create(name("a"), Use::Tools, None).unwrap().reveal();
    let set = |path: &std::path::Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o620] {
        set(&file.path, mode);
        assert!(matches!(
            tokens.check(&token),
            Err(Refused::Unreadable(TokenFileError::File(FileError::Open { .. })))
        ));
    }
    set(&file.path, 0o600);
    assert!(tokens.check(&token).is_ok());
    set(&place.0, 0o770);
    assert!(matches!(file.list(), Err(TokenFileError::File(FileError::Open { .. }))));
    set(&place.0, 0o700);
    std::fs::write(&file.path, "{}").unwrap();
    assert!(matches!(
        tokens.check(&token),
        Err(Refused::Unreadable(TokenFileError::Content { .. }))
    ));
}

#[test]
fn what_is_no_token_is_unknown() {
    let place = Place::new("none");
    let tokens = place.tokens();
    let good = place.file().create(name("a"), Use::Tools, None).unwrap().reveal();
    for text in [
        "",
        "terrarium_",
        "a",
        &good[..good.len() - 1],
        &good.to_uppercase(),
        &format!("{good}0"),
    ] {
        assert!(matches!(tokens.check(text), Err(Refused::Unknown)), "{text:?}");
    }
}

#[test]
fn tokens_made_at_once_are_all_there() {
    let place = Place::new("at-once");
    std::thread::scope(|scope| {
        for at in 0..8 {
            let file = place.file();
            scope.spawn(move || file.create(name(&format!("t{at}")), Use::Tools, None).unwrap());
        }
    });
    assert_eq!(place.file().list().unwrap().len(), 8);
}
