//! Why Hack Forums gave no answer: classes that say what to do.

use std::fmt;
use std::time::Duration;

use super::content;
use super::token::TokenError;
use crate::kernel::own_file::FileError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HfError {
    /// There is no token, or it cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is known not to be allowed this.
    #[error(
        "scope: the token lacks the permission {}; nothing was sent; hint: give the application this permission at Hack \
         Forums, then the operator runs `terrarium hf login` again", .missing.join(", ")
    )]
    MissingScope {
        /// What it lacks.
        missing: Vec<&'static str>,
    },
    /// Calls are over for some time; nothing was sent.
    #[error(
        "rate: Hack Forums takes no more calls for {} s; nothing was sent; hint: do something else until then",
        .left.as_secs().max(1)
    )]
    BackOff {
        /// How long.
        left: Duration,
    },
    /// An earlier write of the same kind to the same target has no known outcome.
    #[error(
        "unknown outcome: an earlier {operation} to {target} ({when}) may or may not have happened, so no other is sent; \
         hint: look at Hack Forums whether it did, then the operator runs `terrarium hf journal clear {id}`"
    )]
    Blocked {
        /// What was written.
        operation: &'static str,
        /// To whom or what.
        target: String,
        /// When.
        when: String,
        /// The entry's name.
        id: String,
    },
    /// The same write is under way.
    #[error("another {operation} to {target} is under way; hint: wait for its answer")]
    UnderWay {
        /// What is written.
        operation: &'static str,
        /// To whom or what.
        target: String,
    },
    /// The request went out and its outcome is not known.
    #[error(
        "unknown outcome: {}; the write may or may not have happened and is not tried again; hint: look at Hack \
         Forums whether it did, then the operator runs `terrarium hf journal clear {id}`; until then the same write is \
         refused", .failure.said()
    )]
    Unknown {
        /// What went wrong.
        failure: Failure,
        /// The journal's entry.
        id: String,
    },
    /// The request failed, and nothing happened at Hack Forums or nothing that matters.
    #[error("{failure}")]
    Failed {
        /// What went wrong.
        failure: Failure,
    },
    /// The journal cannot be kept, so nothing is written.
    #[error("cannot keep the journal of writes, and nothing is written without it")]
    Journal(#[source] FileError),
    /// A draft cannot be used.
    #[error(transparent)]
    Draft(#[from] super::drafts::DraftError),
    /// The HTTP client cannot be made.
    #[error("cannot make a TLS client")]
    Client(#[source] reqwest::Error),
    /// No random numbers.
    #[error("the kernel gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The server ends.
    #[error("the call ended before it was done")]
    Stopped,
    /// A grant for something else: our mistake.
    #[error("the grant does not fit the tool; this is a bug in terrarium")]
    WrongGrant,
}

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection: nothing was sent.
    Connect(String),
    /// The connection broke.
    Broken(&'static str),
    /// The answer was not there in time.
    Timeout(&'static str),
    /// The answer is larger than we take.
    TooLarge,
    /// It sends us somewhere else, where the token must not go.
    Redirect(u16),
    /// A page for a browser.
    Challenge(u16),
    /// Not JSON, or not the JSON that is expected.
    Malformed(u16, &'static str),
    /// The token is not taken.
    Auth(u16, Message),
    /// The token is not allowed this.
    Scope(u16, Message),
    /// Too many calls.
    Rate(u16, Message, Duration),
    /// It does not know what was asked for.
    Missing(Message),
    /// It says no for another reason.
    Refused(u16, Message),
    /// It is out of order.
    Server(u16, Message),
}

/// A message of the server, short and without anything hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// Cuts and cleans.
    pub fn new(text: &str) -> Self {
        let line: String = content::visible(text)
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .take(MAX_MESSAGE)
            .collect();
        Self(line.trim().to_owned())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters of a server's message: its codes are short, and pages are not wanted.
const MAX_MESSAGE: usize = 160;

impl Failure {
    /// One word.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Broken(_) => "connection",
            Self::Timeout(_) => "timeout",
            Self::TooLarge => "too large",
            Self::Redirect(_) => "redirect",
            Self::Challenge(_) => "challenge",
            Self::Malformed(..) => "malformed",
            Self::Auth(..) => "auth",
            Self::Scope(..) => "scope",
            Self::Rate(..) => "rate",
            Self::Missing(_) => "not found",
            Self::Refused(..) => "refused",
            Self::Server(..) => "server",
        }
    }

    /// Whether Hack Forums certainly did nothing: it said no itself, or never heard of it.
    pub fn is_a_no(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Auth(..) | Self::Scope(..) | Self::Rate(..) | Self::Missing(_) => true,
            // Others say that it took too long, that something was there already, or nothing that is known.
            Self::Refused(status, _) => matches!(status, 200..=299 | 400..=407 | 410..=499),
            // A front end that asks for a browser did not let the request through.
            Self::Challenge(status) => *status == 403,
            Self::Broken(_)
            | Self::Timeout(_)
            | Self::TooLarge
            | Self::Redirect(_)
            | Self::Malformed(..)
            | Self::Server(..) => false,
        }
    }
}

/// A failure without advice: what to do is another matter where something may have happened.
struct Said<'f>(&'f Failure);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.class())?;
        match self.0 {
            Failure::Connect(why) => write!(f, "no connection to Hack Forums ({why}); nothing was sent"),
            Failure::Broken(when) => write!(f, "the connection broke {when}"),
            Failure::Timeout(what) => write!(f, "Hack Forums took too long: {what}"),
            Failure::TooLarge => write!(
                f,
                "the answer is larger than {} bytes or {} values",
                super::transport::MAX_BODY,
                super::transport::MAX_VALUES
            ),
            Failure::Redirect(status) => write!(
                f,
                "Hack Forums answered {status} with another address, which is never followed"
            ),
            Failure::Challenge(status) => write!(f, "Hack Forums answered {status} with a page for browsers"),
            Failure::Malformed(status, what) => write!(f, "the answer ({status}) {what}"),
            Failure::Auth(status, message) => write!(f, "Hack Forums does not take the token ({status}{message})"),
            Failure::Scope(status, message) => write!(f, "the token is not allowed this ({status}{message})"),
            Failure::Rate(status, message, left) => {
                write!(
                    f,
                    "too many calls ({status}{message}); none is sent for {} s",
                    left.as_secs()
                )
            }
            Failure::Missing(message) => write!(f, "Hack Forums knows no such thing (404{message})"),
            Failure::Refused(status, message) => write!(f, "Hack Forums refused ({status}{message})"),
            Failure::Server(status, message) => write!(f, "Hack Forums is out of order ({status}{message})"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hint() {
            "" => write!(f, "{}", self.said()),
            hint => write!(f, "{}; hint: {hint}", self.said()),
        }
    }
}

impl Failure {
    fn said(&self) -> Said<'_> {
        Said(self)
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Connect(_) => "check the network and hf.api_base, then call again",
            Self::Timeout(_) | Self::Server(..) => "call again later; ask for fewer rows",
            Self::TooLarge => "ask for fewer rows with per_page",
            Self::Redirect(_) => "the operator checks hf.api_base",
            Self::Challenge(_) => {
                "the service in front of Hack Forums wants a browser; wait, or the operator sets hf.user_agent"
            }
            Self::Auth(..) => "the operator runs `terrarium hf login`",
            Self::Scope(..) => {
                "give the application the permission at Hack Forums, then the operator runs `terrarium hf login` again"
            }
            Self::Rate(..) => "do something else until then",
            Self::Missing(_) => "check the numbers; a private or deleted one fails a whole list",
            Self::Malformed(..) => "call again later",
            Self::Broken(_) | Self::Refused(..) => "",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, " {:?}", self.0)
        }
    }
}
