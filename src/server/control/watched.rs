//! A session as the operator sees it: told in a list, and followed picture by picture.
//!
//! Pictures are drawn from the screen as the agent sees it, so that nothing a program prints reaches the operator's
//! terminal but text and colours. A watcher that reads slowly misses pictures and holds nobody up.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::listen::Desk;
use super::{Attach, Picture, REQUEST, RESPONSE, Request, Response, Running, receive, send};
use crate::audit::Event;
use crate::model::SessionId;
use crate::policy::Caller;
use crate::session::screen::{Region, Row, Size, Snapshot};
use crate::session::{Gone, Session};

/// A watcher gets no more pictures than one in this time.
const FRAME: Duration = Duration::from_millis(50);

/// What a watcher has room for, and what it is told.
#[derive(Clone, Debug)]
struct View {
    columns: u16,
    rows: u16,
    note: Option<String>,
}

impl View {
    /// The size that a terminal takes which is to fill it.
    fn size(&self) -> Size {
        let columns = self.columns.clamp(Size::COLUMNS.0, Size::COLUMNS.1);
        let rows = self.rows.clamp(Size::ROWS.0, Size::ROWS.1);
        Size::new(columns, rows).unwrap_or_default()
    }
}

impl Desk {
    /// All sessions, oldest first.
    pub(super) async fn sessions(&self) -> Vec<Running> {
        let mut all = Vec::new();
        for (caller, session) in self.services.sessions.everyone() {
            all.push(Running::of(&caller, &session).await);
        }
        all
    }

    /// Shows a session until it ends or the peer goes. Whoever may type is on record before the first byte.
    pub(super) async fn attach(&self, stream: &mut UnixStream, attach: Attach, by: &str) -> io::Result<()> {
        let write = attach.write;
        let (caller, session) = match self.admit(&attach, by).await {
            Ok(found) => found,
            Err(why) => return send(stream, &Response::Refused(why), RESPONSE).await,
        };
        let (view, seen) = watch::channel(View {
            columns: attach.columns.max(1),
            rows: attach.rows.max(1),
            note: None,
        });
        let before = session.progress().size.filter(|_| write);
        if write {
            fit(&session, &view).await;
        }
        let mut typed = 0;
        let (mut from, mut to) = stream.split();
        let ended = tokio::select! {
            read = obey(&mut from, &session, &view, write, &mut typed) => read,
            drawn = draw(&mut to, &session, seen) => drawn,
        };
        if let Some(before) = before {
            session.terminal(move |terminal, _| terminal.resize(before)).await.ok(); // it may have ended
        }
        if write {
            let id = session.about().id.to_string();
            let why = format!("{typed} bytes typed");
            let noted = self
                .services
                .audit
                .note_session(Event::Detached, by, &caller, &id, &why);
            if let Err(error) = noted.await {
                tracing::error!(target: "audit", %error, "that the operator no longer types is not on record");
            }
        }
        ended
    }

    /// The session, if it is there and this operator may do with it what they want.
    async fn admit(&self, attach: &Attach, by: &str) -> Result<(Caller, Session), String> {
        if attach.write {
            self.check(attach.passphrase.clone()).await?;
        }
        let id = SessionId::parse(&attach.session);
        let all = self.services.sessions.everyone();
        let found = all.into_iter().find(|(_, session)| Some(session.about().id) == id);
        let (caller, session) = found.ok_or("there is no such session; hint: terrarium sessions")?;
        if attach.write {
            if !session.has_terminal() {
                return Err("it has no terminal that could be typed into; hint: leave out --write".to_owned());
            }
            let id = session.about().id.to_string();
            let noted = self
                .services
                .audit
                .note_session(Event::Attached, by, &caller, &id, "to type");
            noted.await.map_err(|error| error.to_string())?;
        }
        Ok((caller, session))
    }
}

/// Takes what the watcher sends until it goes.
async fn obey(
    from: &mut (impl AsyncRead + Unpin),
    session: &Session,
    view: &watch::Sender<View>,
    write: bool,
    typed: &mut usize,
) -> io::Result<()> {
    while let Some(request) = receive::<Request>(from, REQUEST).await? {
        match request {
            Request::Resize { columns, rows } => {
                view.send_modify(|view| (view.columns, view.rows) = (columns.max(1), rows.max(1)));
                if write {
                    fit(session, view).await;
                }
            }
            Request::Type(bytes) if write => {
                let count = bytes.0.len();
                let taken = session.terminal(move |terminal, _| terminal.type_bytes(&bytes.0)).await;
                let note = match taken {
                    Ok(Some(Ok(()))) => {
                        *typed += count;
                        None
                    }
                    Ok(Some(Err(error))) => Some(error.to_string()),
                    Ok(None) | Err(Gone) => Some(Gone.to_string()),
                };
                view.send_if_modified(|view| std::mem::replace(&mut view.note, note.clone()) != note);
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Ok(())
}

/// Gives the session's terminal the size that the watcher has room for.
async fn fit(session: &Session, view: &watch::Sender<View>) {
    let size = view.borrow().size();
    let resized = session.terminal(move |terminal, _| terminal.resize(size)).await;
    if let Ok(Some(Err(error))) = resized {
        view.send_modify(|view| view.note = Some(error.to_string()));
    }
}

/// Sends a picture whenever there is another one, until the session ends.
async fn draw(
    to: &mut (impl AsyncWrite + Unpin),
    session: &Session,
    mut view: watch::Receiver<View>,
) -> io::Result<()> {
    let mut last = None;
    loop {
        let progress = session.progress();
        let shown = view.borrow_and_update().clone();
        let Ok(snapshot) = session.look(shown.size()).await else {
            return send(to, &Response::Refused(Gone.to_string()), RESPONSE).await;
        };
        let since = Instant::now();
        let picture = Picture::of(&snapshot, &shown, session.about().ended(&progress));
        if last.as_ref() != Some(&picture) {
            send(to, &Response::Picture(picture.clone()), RESPONSE).await?;
        }
        if picture.ended {
            return Ok(());
        }
        last = Some(picture);
        tokio::select! {
            changed = session.changed_from(&progress) => drop(changed), // one that is gone is found to be so above
            changed = view.changed() => changed.map_err(io::Error::other)?,
        }
        tokio::time::sleep_until(since + FRAME).await;
    }
}

impl Picture {
    /// The part with the cursor, where there is no room for all.
    fn of(snapshot: &Snapshot, view: &View, ended: Option<String>) -> Self {
        let cursor = snapshot.cursor;
        let top = (cursor.row + 1).saturating_sub(view.rows);
        let left = (cursor.column + 1).saturating_sub(view.columns);
        let part = snapshot.part(Region {
            top,
            left,
            rows: view.rows,
            columns: view.columns,
        });
        Self {
            size: (snapshot.size.columns(), snapshot.size.rows()),
            rows: part.into_iter().map(harmless).collect(),
            cursor: cursor.visible.then(|| (cursor.row - top, cursor.column - left)),
            ended: ended.is_some(),
            state: state(ended),
            note: view.note.clone(),
        }
    }
}

/// The row as text and colours. The emulator keeps no controls; an outer terminal must not depend on that.
fn harmless(mut row: Row) -> String {
    for run in &mut row.runs {
        if run.text.contains(char::is_control) {
            run.text = run.text.replace(char::is_control, "\u{fffd}");
        }
    }
    row.ansi()
}

impl Running {
    async fn of(caller: &Caller, session: &Session) -> Self {
        let about = session.about();
        let progress = session.progress();
        let ended = about.ended(&progress);
        let program = if ended.is_some() {
            None
        } else {
            let looked = session.terminal(|terminal, _| terminal.foreground()).await;
            looked.ok().flatten().flatten() // one that is gone has none
        };
        Self {
            session: about.id.to_string(),
            alias: about.alias.clone(),
            caller: caller.to_string(),
            profile: about.profile.name.clone(),
            command: about.command.clone(),
            program,
            ended: ended.is_some(),
            state: state(ended),
            size: progress.size.map(|size| (size.columns(), size.rows())),
            age_s: about.started.elapsed().as_secs(),
        }
    }
}

fn state(ended: Option<String>) -> String {
    ended.unwrap_or_else(|| "running".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::screen::Screen;

    fn picture(printed: &str, columns: u16, rows: u16) -> Picture {
        let mut screen = Screen::new(Size::new(40, 10).unwrap());
        screen.replay(printed.as_bytes());
        let view = View {
            columns,
            rows,
            note: None,
        };
        Picture::of(&screen.look(), &view, None)
    }

    #[test]
    fn where_there_is_less_room_the_part_with_the_cursor_is_shown() {
        let lines: Vec<String> = (1..=9)
            .map(|n| format!("line {n} of nine lines that are long"))
            .collect();
        let printed = format!("{}\r\n12345678901234567890", lines.join("\r\n"));
        let whole = picture(&printed, 100, 30);
        assert_eq!((whole.rows.len(), whole.cursor), (10, Some((9, 20))));
        let part = picture(&printed, 11, 3);
        assert_eq!(part.rows, ["nine lines", "nine lines", "1234567890"]);
        assert_eq!((part.cursor, part.size), (Some((2, 10)), (40, 10)));
    }

    #[test]
    fn nothing_that_a_program_prints_comes_through_but_text_and_colours() {
        let hostile =
            "\x1b]0;title\x07\x1b]52;c;QQ==\x07\x1b[31mred\x1b[m \u{9b}6n\x1b[6n\x1bP1$r\x1b\\\x05\x0e\u{85}\u{90}end";
        let picture = picture(hostile, 80, 24);
        for row in &picture.rows {
            let mut rest = row.as_str();
            while let Some((before, after)) = rest.split_once('\x1b') {
                assert!(!before.contains(char::is_control), "{row:?}");
                let (sequence, left) = after.split_once('m').unwrap();
                assert!(sequence.bytes().all(|b| b"[0123456789;".contains(&b)), "{row:?}");
                rest = left;
            }
            assert!(!rest.contains(char::is_control), "{row:?}");
        }
        assert!(
            picture.rows[0].contains("\x1b[0;31mred") || picture.rows[0].contains("31mred"),
            "{picture:?}"
        );
    }
}
