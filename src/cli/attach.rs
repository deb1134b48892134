//! `terrarium attach`: watches a session, and types into it if that is wanted.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::passphrase;
use super::relay::{OuterTerminal, outer_size};
use super::servers;
use crate::confirm::quoted;
use crate::server::control::attached::{Attached, Keyboard, Manner};
use crate::server::control::reach::{ReachError, Reached};
use crate::server::control::{Picture, Running};

/// Watches a session.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  terrarium attach s1                 # the session of that name, if only one has it
  terrarium attach 3f9a               # the beginning of the number that `terrarium sessions` shows
  terrarium attach --write 3f9a       # and type into it; that is recorded

C-\\ detaches; the session goes on.")]
pub(super) struct AttachCommand {
    /// Its short name, or how its number begins.
    #[arg(value_name = "SESSION")]
    session: String,
    /// Types into it too. Its terminal takes the size of yours meanwhile. This is recorded, and asks for the
    /// operator's passphrase where one is set.
    #[arg(long)]
    write: bool,
    /// The key that detaches: `C-` and a letter, or one of [ \ ] ^ _
    #[arg(long, value_name = "KEY", default_value = r"C-\", value_parser = DetachKey::parse)]
    detach_key: DetachKey,
}

/// A key that is pressed with Ctrl.
#[derive(Clone, Debug)]
struct DetachKey {
    name: String,
    byte: u8,
}

impl DetachKey {
    fn parse(text: &str) -> Result<Self, String> {
        let key = text.strip_prefix("C-").and_then(|key| match key.as_bytes() {
            [key] => Some(key.to_ascii_uppercase()),
            _ => None,
        });
        match key {
            Some(key @ (b'A'..=b'Z' | b'[' | b'\\' | b']' | b'^' | b'_')) => Ok(Self {
                name: format!("C-{}", char::from(key.to_ascii_lowercase())),
                byte: key & 0x1f,
            }),
            _ => Err(r"it is C- and a letter, or one of [ \ ] ^ _; hint: C-\".to_owned()),
        }
    }
}

/// Why nothing is shown, or no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Passphrase(#[from] passphrase::Error),
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    #[error("a session is shown on a terminal only; hint: terrarium sessions --json tells about them")]
    NoTerminal,
    #[error("not attached")]
    Reach(#[from] ReachError),
    #[error(transparent)]
    Servers(#[from] servers::Error),
    #[error("the server is gone")]
    Gone,
}

/// How it came to an end.
enum End {
    /// The operator wanted that.
    Detached,
    /// The session ended.
    Ended(Box<Picture>),
}

pub(super) fn run(command: &AttachCommand) -> Result<ExitCode, Error> {
    outer_size().ok_or(Error::NoTerminal)?;
    let runtime = super::runtime()?;
    runtime.block_on(attach(command))?;
    Ok(ExitCode::SUCCESS)
}

async fn attach(command: &AttachCommand) -> Result<(), Error> {
    let (server, running) = servers::session(&command.session).await?;
    let passphrase = if command.write && server.about.passphrase {
        Some(passphrase::operators()?)
    } else {
        None
    };
    let title = title(command, &server, &running);
    servers::line(&title)?;
    let signals = Signals::listen()?;
    let manner = Manner {
        size: room()?,
        write: command.write,
    };
    let mut attached = server.attach(&running, &manner, passphrase).await?;
    // A refusal is shown before the terminal is changed.
    let first = attached.pictures.next().await?.ok_or(Error::Gone)?;
    let end = {
        let _raw = OuterTerminal::enter()?;
        let _screen = AlternateScreen::enter()?;
        let mut painter = Painter::new(title);
        painter.paint(&first)?;
        match first.ended {
            true => End::Ended(Box::new(first)),
            false => follow(command, attached, painter, first, signals).await?,
        }
    };
    let told = match end {
        End::Detached => "detached; the session goes on".to_owned(),
        End::Ended(picture) => format!("{}\r\n{}", last_rows(&picture), picture.state),
    };
    Ok(servers::line(&told)?)
}

/// What is watched, how, and how to stop; in one line.
fn title(command: &AttachCommand, server: &Reached, running: &Running) -> String {
    let number = running.session.get(..8).unwrap_or(&running.session);
    format!(
        "{} detaches; {} {} {number} of {}, profile {}, server {}",
        command.detach_key.name,
        if command.write { "TYPING INTO" } else { "watching" },
        quoted(&running.alias, 32),
        quoted(&running.caller, 64),
        quoted(&running.profile, 32),
        server.about.pid,
    )
}

/// Shows pictures and passes keys on until the session ends or the operator detaches.
async fn follow(
    command: &AttachCommand,
    attached: Attached,
    mut painter: Painter,
    mut picture: Picture,
    mut signals: Signals,
) -> Result<End, Error> {
    let Attached {
        mut pictures,
        mut keyboard,
    } = attached;
    let (shown, mut news) = mpsc::channel(1);
    // What has been read of a message must not be lost: a task of its own reads.
    tokio::spawn(async move {
        loop {
            let next = pictures.next().await;
            let more = matches!(next, Ok(Some(_)));
            if shown.send(next).await.is_err() || !more {
                return;
            }
        }
    });
    let mut keys = keys()?;
    loop {
        tokio::select! {
            next = news.recv() => {
                picture = next.unwrap_or(Ok(None))?.ok_or(Error::Gone)?;
                painter.paint(&picture)?;
                if picture.ended {
                    return Ok(End::Ended(Box::new(picture)));
                }
            }
            typed = keys.recv() => {
                let typed = typed.unwrap_or_default(); // the terminal is gone
                if typed.is_empty() || !pass(command, &mut keyboard, &typed).await? {
                    return Ok(End::Detached);
                }
            }
            _ = signals.resized.recv() => {
                // The next picture comes only if it is another one.
                painter.forget();
                painter.paint(&picture)?;
                keyboard.resize(room()?).await?;
            }
            _ = signals.terminate.recv() => return Ok(End::Detached),
            _ = signals.hangup.recv() => return Ok(End::Detached),
        }
    }
}

/// Passes keys on, up to the one that detaches; says whether there was none.
async fn pass(command: &AttachCommand, keyboard: &mut Keyboard, typed: &[u8]) -> io::Result<bool> {
    let end = typed.iter().position(|byte| *byte == command.detach_key.byte);
    let wanted = typed.get(..end.unwrap_or(typed.len())).unwrap_or_default();
    if command.write && !wanted.is_empty() {
        keyboard.type_in(wanted).await?;
    }
    Ok(end.is_none())
}

/// What is typed, until the terminal is gone.
fn keys() -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (tell, told) = mpsc::channel(16);
    std::thread::Builder::new().spawn(move || {
        let mut buffer = [0; 1024];
        let mut from = io::stdin().lock();
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let typed = buffer.get(..count).unwrap_or_default().to_vec();
            if tell.blocking_send(typed).is_err() {
                return;
            }
        }
    })?;
    Ok(told)
}

/// Columns and rows that a session may fill: the last row is ours.
fn room() -> Result<(u16, u16), Error> {
    let (columns, rows) = outer_size().ok_or(Error::NoTerminal)?;
    Ok((columns, rows - 1))
}

/// What does not end us before the terminal is in order again.
struct Signals {
    resized: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// The second screen of the outer terminal, until it is dropped.
struct AlternateScreen;

impl AlternateScreen {
    fn enter() -> io::Result<Self> {
        write_out("\x1b[?1049h\x1b[?7l\x1b[H\x1b[2J")?;
        Ok(Self)
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        write_out("\x1b[?7h\x1b[?25h\x1b[?1049l").ok(); // nobody looks
    }
}

/// Paints what is different.
struct Painter {
    title: String,
    last: Vec<String>,
}

impl Painter {
    fn new(title: String) -> Self {
        Self {
            title,
            last: Vec::new(),
        }
    }

    /// Everything is painted the next time: the terminal has another size.
    fn forget(&mut self) {
        self.last.clear();
    }

    fn paint(&mut self, picture: &Picture) -> io::Result<()> {
        let (columns, rows) = outer_size().unwrap_or((80, 24));
        let whole = self.last.is_empty();
        let mut text = String::from(if whole { "\x1b[?25l\x1b[2J" } else { "\x1b[?25l" });
        let mut now: Vec<String> = picture.rows.iter().take(usize::from(rows - 1)).cloned().collect();
        now.resize(usize::from(rows - 1), String::new());
        now.push(self.status(picture, columns));
        for (number, row) in now.iter().enumerate() {
            if whole || self.last.get(number) != Some(row) {
                // Erased first: behind a full row that would take its last character.
                write!(text, "\x1b[{};1H\x1b[m\x1b[2K{row}\x1b[m", number + 1).ok(); // to a string: cannot fail
            }
        }
        if let Some((row, column)) = picture.cursor {
            write!(text, "\x1b[{};{}H\x1b[?25h", row + 1, column + 1).ok(); // the same
        }
        self.last = now;
        write_out(&text)
    }

    /// The row that is ours.
    fn status(&self, picture: &Picture, columns: u16) -> String {
        let (wide, high) = picture.size;
        let mut status = format!("{}; {}; {wide}x{high}", picture.state, self.title);
        if let Some(note) = &picture.note {
            status = format!("NOT TYPED: {}; {status}", quoted(note, 200));
        }
        let cut: String = status.chars().take(columns.into()).collect();
        format!("\x1b[7m{cut}")
    }
}

/// The screen as it was at the end, without the blank rows below.
fn last_rows(picture: &Picture) -> String {
    let end = picture
        .rows
        .iter()
        .rposition(|row| !row.is_empty())
        .map_or(0, |last| last + 1);
    picture.rows.get(..end).unwrap_or_default().join("\r\n")
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_detaches_is_pressed_with_ctrl() {
        for (text, byte) in [(r"C-\", 0x1c), ("C-]", 0x1d), ("C-a", 1), ("C-Q", 0x11), ("C-_", 0x1f)] {
            assert_eq!(DetachKey::parse(text).unwrap().byte, byte, "{text}");
        }
        for text in ["", "C-", "q", "C-1", "C-ab", "c-a", "M-a", "C-@"] {
            assert!(DetachKey::parse(text).is_err(), "{text}");
        }
    }
}
