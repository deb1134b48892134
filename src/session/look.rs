//! What somebody who watches a session sees: its screen, or the end of its output painted as one.

use super::handle::{Gone, Session, Stream};
use super::screen::{Screen, Size, Snapshot};

/// Bytes of the end of each stream that are painted where there is no terminal.
const TAIL: usize = 64 << 10;

impl Session {
    /// The screen at present, unnumbered. A command without a terminal has none: the end of its standard output,
    /// and below it that of its standard error, are painted on one of this size.
    pub async fn look(&self, size: Size) -> Result<Snapshot, Gone> {
        if self.has_terminal() {
            let looked = self.terminal(|terminal, _| terminal.screen().look()).await?;
            return looked.ok_or(Gone);
        }
        let mut screen = Screen::new(size);
        let progress = self.progress();
        for (stream, printed) in [(Stream::Main, progress.main), (Stream::Error, progress.error)] {
            let chunk = self.read(stream, printed.saturating_sub(TAIL as u64), TAIL).await?;
            let turn = super::aside::turn().await;
            turn.work(|| screen.replay(&with_returns(&chunk.bytes)));
        }
        Ok(screen.look())
    }
}

/// As a terminal prints what a program writes: with a carriage return before each line feed.
fn with_returns(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if *byte == b'\n' {
            text.push(b'\r');
        }
        text.push(*byte);
    }
    text
}
