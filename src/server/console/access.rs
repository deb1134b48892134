//! Who is the operator: one-time codes and the tokens they are exchanged for. Only digests are kept.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::tokens::{Token, TokenDigest};

/// How long a link is good for.
const CODE_FOR: Duration = Duration::from_secs(60);
/// How long a browser stays logged in.
const TOKEN_FOR: Duration = Duration::from_secs(12 * 3600);
/// Links and browsers at a time; the oldest goes first.
const MOST: usize = 16;

/// The codes and tokens that are good at present.
#[derive(Debug, Default)]
pub(super) struct Access {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    codes: Vec<Good>,
    tokens: Vec<Good>,
    last: u64,
}

#[derive(Debug)]
struct Good {
    digest: TokenDigest,
    until: Instant,
    browser: Browser,
}

/// One login. Others, and the same person's next, have other numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Browser(u64);

impl Access {
    /// The code of a link for somebody who has shown to be the operator. Good once, for a minute.
    pub(super) fn code(&self) -> Result<String, getrandom::Error> {
        let code = Token::random()?;
        let mut known = self.known();
        keep(&mut known.codes, &code, CODE_FOR, Browser::default());
        Ok(code.reveal())
    }

    /// The token for a code, which is then used up; none for any other text.
    pub(super) fn exchange(&self, code: &str) -> Result<Option<String>, getrandom::Error> {
        let token = Token::random()?;
        let Some(wanted) = Token::parse(code).map(|code| code.digest()) else {
            return Ok(None);
        };
        let mut known = self.known();
        let now = Instant::now();
        known.codes.retain(|code| code.until > now);
        let Some(used) = known.codes.iter().position(|code| code.digest.is(&wanted)) else {
            return Ok(None);
        };
        known.codes.remove(used);
        known.last += 1;
        let browser = Browser(known.last);
        keep(&mut known.tokens, &token, TOKEN_FOR, browser);
        Ok(Some(token.reveal()))
    }

    /// Whose token this is, if it is good. Digests are compared, so that time tells nothing about a token.
    pub(super) fn holder(&self, token: &str) -> Option<Browser> {
        let (wanted, now) = (Token::parse(token)?.digest(), Instant::now());
        let known = self.known();
        let found = known
            .tokens
            .iter()
            .find(|token| token.digest.is(&wanted) && token.until > now);
        found.map(|token| token.browser)
    }

    /// Whether the browser's token is good still.
    pub(super) fn is_in(&self, browser: Browser) -> bool {
        let now = Instant::now();
        let known = self.known();
        known
            .tokens
            .iter()
            .any(|token| token.browser == browser && token.until > now)
    }

    /// The browser's token is good no more.
    pub(super) fn leave(&self, browser: Browser) {
        self.known().tokens.retain(|token| token.browser != browser);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(list: &mut Vec<Good>, secret: &Token, lasts: Duration, browser: Browser) {
    let now = Instant::now();
    list.retain(|good| good.until > now);
    if list.len() >= MOST {
        list.remove(0);
    }
    list.push(Good {
        digest: secret.digest(),
        until: now + lasts,
        browser,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_gives_a_token() {
        let access = Access::default();
        let code = access.code().unwrap();
        assert_eq!(access.holder(&code), None, "a code is no token");
        let token = access.exchange(&code).unwrap().unwrap();
        let browser = access.holder(&token).unwrap();
        assert_eq!(access.exchange(&code).unwrap(), None);
        assert_eq!(access.exchange(&token).unwrap(), None);
        assert_eq!(access.holder(&token[1..]), None);

        let other = access.exchange(&access.code().unwrap()).unwrap().unwrap();
        assert_ne!(access.holder(&other), Some(browser));
        assert!(access.is_in(browser));
        access.leave(browser);
        assert!(!access.is_in(browser));
        assert_eq!(access.holder(&token), None);
        assert!(access.holder(&other).is_some());
    }

    #[test]
    fn old_codes_and_tokens_are_not_good_and_there_are_few() {
        let access = Access::default();
        let old = access.code().unwrap();
        access.known().codes[0].until = Instant::now();
        assert_eq!(access.exchange(&old).unwrap(), None);

        let token = access.exchange(&access.code().unwrap()).unwrap().unwrap();
        let browser = access.holder(&token).unwrap();
        access.known().tokens[0].until = Instant::now();
        assert_eq!((access.holder(&token), access.is_in(browser)), (None, false));

        let codes: Vec<String> = (0..=MOST).map(|_| access.code().unwrap()).collect();
        assert_eq!(access.known().codes.len(), MOST);
        assert_eq!(access.exchange(&codes[0]).unwrap(), None);
        assert!(access.exchange(&codes[MOST]).unwrap().is_some());
    }
}
