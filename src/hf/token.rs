//! The token that lets us in, and the client's name and secret: from the environment or private files, never printed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::operations::{Act, Operation, Scope};
use crate::kernel::own_file::{self, FileError};

/// The variable that holds a token. It wins over the file.
pub const TOKEN_VARIABLE: &str = "TERRARIUM_HF_TOKEN";
/// The variable that holds the client's name.
pub const CLIENT_ID_VARIABLE: &str = "TERRARIUM_HF_CLIENT_ID";
/// The variable that holds the client's secret.
pub const CLIENT_SECRET_VARIABLE: &str = "TERRARIUM_HF_CLIENT_SECRET";
/// Bytes of a token: a header must hold it.
const MAX_TOKEN: usize = 4096;
const MAX_FILE: u64 = 64 * 1024;

/// A token and what is known about it.
#[derive(Clone, Debug)]
pub struct Token {
    secret: SecretString,
    /// What it is allowed to do, as far as was said; empty when nothing was.
    pub scopes: BTreeSet<Scope>,
    /// The account.
    pub uid: Option<String>,
    /// Until when it is good, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Where it comes from.
    pub source: Source,
}

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The variable [`TOKEN_VARIABLE`].
    Environment,
    /// The file.
    File,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nobody logged in.
    #[error("auth: there is no token for Hack Forums; nothing was sent; hint: the operator runs `terrarium hf login`")]
    None,
    /// It was good until some time ago.
    #[error("auth: the token expired at {when}; nothing was sent; hint: the operator runs `terrarium hf login`")]
    Expired {
        /// When.
        when: String,
    },
    /// No header can hold it.
    #[error("auth: the token of {place} is empty, too long, or holds characters that no token has; nothing was sent")]
    Characters {
        /// Where it is.
        place: &'static str,
    },
    /// The file cannot be used.
    #[error("auth: the token file cannot be used; nothing was sent")]
    File(#[from] FileError),
}

/// The file, which hf-mcp reads too but for `uid` and `expires_at`.
#[derive(Serialize, Deserialize)]
struct TokenFile {
    access_token: String,
    #[serde(default = "bearer")]
    token_type: String,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

fn bearer() -> String {
    "Bearer".to_owned()
}

/// Where tokens are kept.
#[derive(Clone, Debug)]
pub struct TokenStore {
    path: PathBuf,
}

impl TokenStore {
    /// In this directory.
    pub fn new(state: &Path) -> Self {
        Self {
            path: state.join("token.json"),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The token as it is now: that of the environment, else that of the file. A call reads it in place: it is one page,
    /// and writing it, which waits for a disk, is the command line's alone.
    pub fn token(&self) -> Result<Token, TokenError> {
        let token = match std::env::var(TOKEN_VARIABLE) {
            Ok(secret) if !secret.is_empty() => Token::bare(secret.into(), Source::Environment)?,
            _ => self.of_file()?,
        };
        match token.expires_at {
            Some(at) if at <= Timestamp::now().as_second() => Err(TokenError::Expired { when: when(at) }),
            _ => Ok(token),
        }
    }

    /// The token of the file, expired or not.
    pub fn of_file(&self) -> Result<Token, TokenError> {
        let bytes = match own_file::read(&self.path, MAX_FILE) {
            Err(error) if error.is_missing() => return Err(TokenError::None),
            other => other?,
        };
        let file: TokenFile = serde_json::from_slice(&bytes).map_err(FileError::content(&self.path))?;
        Token::of(file)
    }

    /// Keeps a token in the place of an earlier one.
    pub fn keep(&self, token: &Token) -> Result<(), TokenError> {
        if let Some(directory) = self.path.parent() {
            own_file::make_directory(directory)?;
        }
        let file = TokenFile {
            access_token: token.secret.expose_secret().to_owned(),
            token_type: bearer(),
            scope: token.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            uid: token.uid.clone(),
            expires_at: token.expires_at,
        };
        let json = serde_json::to_vec_pretty(&file).map_err(FileError::content(&self.path))?;
        Ok(own_file::replace(&self.path, &json)?)
    }

    /// Forgets the token; says whether there was one.
    pub fn forget(&self) -> Result<bool, TokenError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(FileError::io("delete", &self.path)(error).into()),
        }
    }
}

impl Token {
    /// One of which nothing else is known.
    pub fn bare(secret: SecretString, source: Source) -> Result<Self, TokenError> {
        let text = secret.expose_secret();
        if text.is_empty() || text.len() > MAX_TOKEN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            let place = match source {
                Source::Environment => TOKEN_VARIABLE,
                Source::File => "the token file",
            };
            return Err(TokenError::Characters { place });
        }
        Ok(Self {
            secret,
            scopes: BTreeSet::new(),
            uid: None,
            expires_at: None,
            source,
        })
    }

    /// Reads a token file's content, of ours or of hf-mcp.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenError> {
        let file: TokenFile = serde_json::from_slice(bytes).map_err(FileError::content(Path::new("token.json")))?;
        Self::of(file)
    }

    fn of(file: TokenFile) -> Result<Self, TokenError> {
        let scopes = Scope::all_in(&file.scope.join(" "));
        Ok(Self {
            scopes,
            uid: file.uid,
            expires_at: file.expires_at,
            ..Self::bare(file.access_token.into(), Source::File)?
        })
    }

    /// The secret itself, for the one header that holds it and for redaction.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// How long it is still good, if that is known.
    pub fn seconds_left(&self) -> Option<i64> {
        Some(self.expires_at?.saturating_sub(Timestamp::now().as_second()))
    }

    /// What the token lacks for an operation; nothing where its permissions are not known.
    pub fn lacks(&self, operation: &Operation, fields: &[&str]) -> Vec<&'static str> {
        if self.scopes.is_empty() {
            return Vec::new();
        }
        let advanced = matches!(operation.act, Act::Read { endpoint: "me", .. }) && fields.contains(&"unreadpms");
        let needed = operation.scopes.iter().chain(advanced.then_some(&Scope::AdvancedInfo));
        needed
            .filter(|scope| !self.scopes.contains(scope))
            .map(|scope| scope.name())
            .collect()
    }
}

impl Scope {
    /// The permissions that a text names, however it separates and writes them.
    pub fn all_in(text: &str) -> BTreeSet<Self> {
        let text = text.to_lowercase();
        let words = ["basic", "advanced", "post", "user", "byte", "contract"];
        let named = Self::ALL.into_iter().zip(words);
        named
            .filter(|(_, word)| text.contains(word))
            .map(|(scope, _)| scope)
            .collect()
    }
}

/// A time in Unix seconds, as people read it.
pub fn when(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hf::operations::operation;
    use crate::kernel::scratch::Scratch;

    #[test]
    fn a_token_is_kept_and_never_printed() {
        let scratch = Scratch::new();
        let store = TokenStore::new(&scratch.path().join("hf"));
        assert!(matches!(store.of_file(), Err(TokenError::None)));
        let mut token = Token::bare("tok_FAKE_0123456789".into(), Source::File).unwrap();
        token.uid = Some("7".to_owned());
        token.expires_at = Some(32_503_680_000);
        token.scopes = [Scope::Posts].into();
        store.keep(&token).unwrap();
        let kept = store.of_file().unwrap();
        assert_eq!(kept.secret.expose_secret(), "tok_FAKE_0123456789");
        assert_eq!((kept.uid.as_deref(), kept.expires_at), (Some("7"), token.expires_at));
        assert!(!format!("{kept:?}").contains("FAKE"));
        assert!(store.forget().unwrap() && !store.forget().unwrap());
    }

    #[test]
    fn what_a_token_lacks_is_known_before_a_call() {
        let mut token = Token::bare("t0k3n".into(), Source::File).unwrap();
        let posts = operation("hf_posts_read").unwrap();
        assert!(token.lacks(posts, &[]).is_empty(), "nothing is known");
        token.scopes = Scope::all_in("Basic Info, Users");
        assert_eq!(token.lacks(posts, &[]), ["Posts"]);
        let me = operation("hf_me_read").unwrap();
        assert!(token.lacks(me, &["uid"]).is_empty());
        assert_eq!(token.lacks(me, &["uid", "unreadpms"]), ["Advanced Info"]);
    }

    #[test]
    fn no_header_is_made_of_anything_else() {
        for text in ["", "a b", "a\r\nb", "é", &"x".repeat(5000)] {
            assert!(Token::bare(text.into(), Source::Environment).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_file_of_hf_mcp_is_read() {
        let json = br#"{"access_token": "abc", "scope": ["Posts", "Basic Info"], "token_type": "Bearer"}"#;
        let token = Token::from_json(json).unwrap();
        assert_eq!(token.scopes, [Scope::BasicInfo, Scope::Posts].into());
    }
}
