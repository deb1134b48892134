//! What the page is told: one JSON object in each line, as long as the browser listens.
//!
//! Screens are looked at twenty times a second and sent where they changed. A browser that reads slowly is told less
//! often: the next look waits until the last was taken.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::access::Browser;
use super::answer::Refusal;
use super::news::News;
use super::picture::Shown;
use super::{Console, about};
use crate::model::SessionId;
use crate::policy::Caller;
use crate::server::web::body::Body;
use crate::server::web::refused::Refused;
use crate::session::Session;

/// How often screens are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How many looks make a second: then the lists are sent, whatever happened.
const LISTS: u32 = 20;
/// Lines that may wait for the browser.
const WAITING: usize = 64;

impl Console {
    /// Follows everything until the browser is gone, its token is good no more, or the server ends.
    pub(super) fn events(self: &Arc<Self>, browser: Browser) -> Result<Response<Body>, Refusal> {
        let watcher = Arc::clone(&self.watchers)
            .try_acquire_owned()
            .map_err(|_| Refused::Watchers)?;
        let (lines, waiting) = mpsc::channel(WAITING);
        let console = Arc::clone(self);
        console.taken.watched(browser);
        tokio::spawn(async move {
            tokio::select! {
                _ = Feed::new(&console, browser, lines.clone()).run() => {}
                () = lines.closed() => {} // the browser is gone
                () = console.over.cancelled() => {}
            }
            drop(watcher);
            if console.taken.unwatched(browser) {
                console.give_back_of(browser).await;
            }
        });
        let mut response = Response::new(Lines(waiting).boxed());
        let kind = HeaderValue::from_static("application/x-ndjson");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }
}

/// A channel as the body of an answer.
struct Lines(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

/// The browser does not listen any more, or is logged out.
struct Gone;

struct Feed<'a> {
    console: &'a Console,
    browser: Browser,
    lines: mpsc::Sender<Bytes>,
    shown: HashMap<SessionId, Shown>,
    /// The sessions of the last list, and whether they had ended.
    listed: Vec<(SessionId, bool)>,
    news: News,
}

impl<'a> Feed<'a> {
    fn new(console: &'a Console, browser: Browser, lines: mpsc::Sender<Bytes>) -> Self {
        Self {
            console,
            browser,
            lines,
            shown: HashMap::new(),
            listed: Vec::new(),
            news: News::new(&console.desk),
        }
    }

    async fn run(mut self) -> Result<(), Gone> {
        let hello = self.console.hello();
        self.send(&hello).await?;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for count in (0..LISTS).cycle() {
            looks.tick().await;
            let sessions = self.console.desk.services.sessions.everyone();
            self.sessions(&sessions, count == 0).await?;
            for event in self.news.look(self.console, count == 0).await {
                self.send(&event).await?;
            }
            for (_, session) in &sessions {
                let shown = self.shown.entry(session.about().id).or_default();
                if let Some(update) = shown.update(session).await {
                    self.send(&update).await?;
                }
            }
        }
        Ok(())
    }

    /// The list, at its time or when there are others.
    async fn sessions(&mut self, sessions: &[(Caller, Session)], now: bool) -> Result<(), Gone> {
        let there: Vec<_> = sessions
            .iter()
            .map(|(_, session)| (session.about().id, session.progress().finished.is_some()))
            .collect();
        if !now && there == self.listed {
            return Ok(());
        }
        self.listed = there;
        let all: Vec<Value> = sessions
            .iter()
            .map(|(caller, session)| about::now(caller, session))
            .collect();
        let taken = self.console.taken.all();
        let own = taken.iter().filter(|(_, browser)| *browser == self.browser);
        let own: Vec<String> = own.map(|(id, _)| id.to_string()).collect();
        self.send(&json!({"kind": "sessions", "sessions": all, "taken": own}))
            .await?;
        self.shown
            .retain(|id, _| sessions.iter().any(|(_, session)| session.about().id == *id));
        for (_, session) in sessions {
            if !self.shown.contains_key(&session.about().id) {
                self.send(&about::once(session)).await?;
            }
        }
        Ok(())
    }

    /// The login is looked at last: what happens after a logout is not told, however long it took to gather.
    async fn send(&self, event: &Value) -> Result<(), Gone> {
        if !self.console.access.is_in(self.browser) {
            return Err(Gone); // logged out, or logged in for too long
        }
        let mut line = event.to_string();
        line.push('\n');
        self.lines.send(line.into()).await.map_err(|_| Gone)
    }
}
