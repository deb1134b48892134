//! What the terminal answers to a program's questions, as bytes for the program to read.
//!
//! Answered: who it is, where the cursor is, which modes are set, how text looks, which colours the
//! terminal has. Not answered, because an answer would tell or type what a program chose: titles,
//! the clipboard, window operations.

use std::fmt::Write as _;

/// Bytes of answers that may wait to be sent; more than a program that reads can be behind.
pub const MAX_WAITING: usize = 4096;

/// Answers that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: String,
    /// How many were given since the start.
    pub(super) given: u64,
    /// How many more there would have been, had there been room.
    pub(super) dropped: u64,
    /// Nothing is answered: what is fed was fed before.
    pub(super) muted: bool,
}

impl Replies {
    /// Answers, or counts what could not be answered.
    pub(super) fn give(&mut self, reply: &str) {
        if self.muted {
            return;
        }
        if self.waiting.len() + reply.len() > MAX_WAITING {
            self.dropped += 1;
        } else {
            self.given += 1;
            self.waiting.push_str(reply);
        }
    }

    /// The answers so far, to be sent now.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.waiting).into_bytes()
    }
}

/// DA1: a VT220 that knows colours, as the emulator does.
pub(super) const PRIMARY: &str = "\x1b[?62;22c";
/// DA2: no xterm of a certain age, so that programs ask rather than assume.
pub(super) const SECONDARY: &str = "\x1b[>1;10;0c";
/// DA3: no unit number.
pub(super) const TERTIARY: &str = "\x1bP!|00000000\x1b\\";
/// DSR: no malfunction.
pub(super) const READY: &str = "\x1b[0n";
/// XTVERSION.
pub(super) const VERSION: &str = concat!("\x1bP>|Terrarium(", env!("CARGO_PKG_VERSION"), ")\x1b\\");
/// DECRQSS: no such setting.
pub(super) const NO_SETTING: &str = "\x1bP0$r\x1b\\";
/// XTGETTCAP: no such capability; terminfo has them.
pub(super) const NO_CAPABILITY: &str = "\x1bP0+r\x1b\\";

/// CPR, or DECXCPR with the mark. Row and column from 1.
pub(super) fn position(private: bool, row: u16, column: u16) -> String {
    match private {
        false => format!("\x1b[{row};{column}R"),
        true => format!("\x1b[?{row};{column};1R"),
    }
}

/// DECRPM: 1 is set, 2 reset, 0 not known.
pub(super) fn mode(private: bool, mode: u16, set: Option<bool>) -> String {
    let state = match set {
        Some(true) => 1,
        Some(false) => 2,
        None => 0,
    };
    format!("\x1b[{}{mode};{state}$y", if private { "?" } else { "" })
}

/// DECRPSS.
pub(super) fn setting(value: &str) -> String {
    format!("\x1bP1$r{value}\x1b\\")
}

/// The colours of the terminal: light grey on black, a bright cursor. `number` is OSC's.
pub(super) fn color(number: u8, bel: bool) -> Option<String> {
    let color = match number {
        10 => "e5e5/e5e5/e5e5",
        11 => "0000/0000/0000",
        12 => "ffff/ffff/ffff",
        _ => return None,
    };
    let mut reply = String::new();
    let end = if bel { "\x07" } else { "\x1b\\" };
    write!(reply, "\x1b]{number};rgb:{color}{end}").ok(); // writing to a String does not fail
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_read_does_not_cost_memory() {
        let mut replies = Replies::default();
        for _ in 0..10_000 {
            replies.give(PRIMARY);
        }
        assert_eq!(replies.given + replies.dropped, 10_000);
        assert_eq!(replies.take().len(), MAX_WAITING / PRIMARY.len() * PRIMARY.len());
        replies.give(READY);
        assert_eq!(replies.take(), READY.as_bytes());
        replies.muted = true;
        replies.give(READY);
        assert_eq!(replies.take(), b"");
    }

    #[test]
    fn colours_are_told_as_they_were_asked_for() {
        assert_eq!(color(11, true).unwrap(), "\x1b]11;rgb:0000/0000/0000\x07");
        assert_eq!(color(10, false).unwrap(), "\x1b]10;rgb:e5e5/e5e5/e5e5\x1b\\");
        assert_eq!(color(52, true), None);
    }
}
