//! What a shell's commands came to: their numbers, exit codes, and where in the output each is.

use std::time::{Duration, Instant};

use super::marks::{Event, Follow, Mark, ShellState};
use super::output::Place;
use super::shell::ShellKind;

/// What is known about a shell's commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// What the shell is doing.
    pub shell: ShellState,
    /// Commands that were started so far, which is the last one's number.
    pub started: u64,
    /// Commands that ended so far.
    pub ended: u64,
    /// The last command that ended.
    pub last: Command,
    /// Where the output of the present command starts.
    pub start: Place,
    /// The shell has begun with it.
    pub began: bool,
}

/// A command that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// What it exited with, as the shell reports it.
    pub exit_code: u8,
    /// Where its output starts.
    pub start: Place,
    /// Where its output ends.
    pub end: Place,
    /// Whether anything ran.
    pub ran: Ran,
}

/// Whether a shell ran anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ran {
    /// An empty line and what it does not understand run nothing.
    #[default]
    Nothing,
    /// It told that it began.
    Something,
    /// It told of no beginning, and cannot tell of each.
    Unknown,
}

/// What was typed and the shell has not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// A line that it is about to read.
    Line,
    /// The interrupt of what was typed at its prompt.
    Interrupt,
}

/// Follows a shell by its marks.
#[derive(Debug, Default)]
pub(super) struct Commands {
    follow: Follow,
    now: Prompt,
    /// Lines that were typed for the present command and that the shell has not asked for more after.
    lines: u64,
    /// Lines that were typed and that no mark has answered yet, and when that last changed.
    ahead: u64,
    changed: Option<Instant>,
    /// What is on the line at the prompt.
    line: Line,
    /// The last that was typed at a line that was not empty is an interrupt, which drops it; the shell tells when it has.
    interrupted: bool,
    /// Since when, and where in the output, the shell was seen to wait with nothing to read.
    waits: Option<(Instant, Place)>,
    /// What is typed is in a bracketed paste.
    in_paste: bool,
    /// The shell drops a line that is interrupted before it was read, and tells nothing of it.
    drops_unread: bool,
    /// It tells of each command that it begins, and before it waits for anything.
    tells_at_once: bool,
    /// It does not tell by itself that it begins.
    is_told_to_tell: bool,
}

/// A line that is being typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    /// So many characters, with the cursor behind them.
    Text(usize),
    /// Keys that move or do something else were typed in it.
    Edited,
}

/// A shell at its prompt has read what was typed before within this time; what it has not read by then, another
/// program has. So it is where nothing else tells.
const READ_AHEAD: Duration = Duration::from_millis(500);
/// A shell that has nothing to read, waits, and prints nothing for so long has read nothing at its prompt: it would have told. The time is
/// for what its user has it run before it tells, and for output that is on its way to us.
const WAITS: Duration = Duration::from_millis(20);
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";
pub(super) const INTERRUPT: u8 = 0x03;
/// C-u and Backspace.
const KILL: u8 = 0x15;
const ERASE: u8 = 0x7F;
/// Keys that leave the line as it is: C-d, at the end of input; C-l, which draws the screen anew; C-q and C-s, which go to the terminal.
const HARMLESS: [u8; 4] = [0x04, 0x0C, 0x11, 0x13];

impl Line {
    /// With another byte that is no line end and no interrupt.
    fn with(self, byte: u8, in_paste: bool) -> Self {
        match (self, byte) {
            (Self::Edited, _) => Self::Edited,
            (Self::Empty, ERASE | KILL) if !in_paste => Self::Empty,
            (Self::Text(_), KILL) if !in_paste => Self::Empty,
            (Self::Text(1), ERASE) if !in_paste => Self::Empty,
            (Self::Text(characters), ERASE) if !in_paste => Self::Text(characters - 1),
            (line, 0x80..=0xBF) => line, // goes on with a character (RFC 3629)
            (Self::Text(characters), b' '..=b'~' | 0xC0..) => Self::Text(characters.saturating_add(1)),
            (Self::Empty, b' '..=b'~' | 0xC0..) => Self::Text(1),
            (line, byte) if HARMLESS.contains(&byte) => line,
            _ => Self::Edited,
        }
    }
}

impl Commands {
    /// For a shell of this kind.
    pub(super) fn of(kind: ShellKind) -> Self {
        Self {
            drops_unread: kind == ShellKind::Fish,
            tells_at_once: kind.tells_at_once(),
            is_told_to_tell: !kind.marks_begin(),
            ..Self::default()
        }
    }

    /// What is known now.
    pub(super) fn prompt(&self) -> Prompt {
        self.now
    }

    /// A command of so many lines is sent, with the output at `place`. Gives its number.
    pub(super) fn sent(&mut self, place: Place, lines: u64) -> u64 {
        (self.lines, self.ahead) = (lines, lines);
        self.busy(place);
        self.now.started += 1;
        self.now.started
    }

    fn busy(&mut self, place: Place) {
        self.follow.sent();
        self.now.shell = self.follow.shell();
        self.now.start = place;
        self.now.began = false;
    }

    /// Something is typed by hand, with the output at `place`. A line that is typed at the prompt is the shell's, which is
    /// busy with it from then on; who reads one that is typed while a program runs is seen only afterwards.
    pub(super) fn typed(&mut self, bytes: &[u8], place: Place, now: Instant) {
        let (mut lines, mut interrupts, mut dropped) = (0, 0, self.interrupted);
        let mut line = match self.now.shell {
            ShellState::Ready => self.line,
            _ => Line::Empty,
        };
        let mut bytes = bytes;
        while let Some((byte, after)) = bytes.split_first() {
            let mark = if self.in_paste { PASTE_ENDS } else { PASTE_BEGINS };
            if let Some(after) = bytes.strip_prefix(mark) {
                (self.in_paste, bytes) = (!self.in_paste, after);
                continue;
            }
            match *byte {
                b'\r' | b'\n' if !self.in_paste => (lines, line, dropped) = (lines + 1, Line::Empty, false),
                INTERRUPT if !self.in_paste => {
                    (interrupts, dropped) = (interrupts + 1, dropped || line != Line::Empty);
                    line = Line::Empty;
                }
                byte => line = line.with(byte, self.in_paste),
            }
            bytes = after;
        }
        (self.changed, self.waits) = (Some(now), None);
        self.ahead = self.ahead.saturating_add(lines);
        if self.now.shell != ShellState::Busy {
            self.ahead = self.ahead.saturating_add(interrupts);
        }
        if self.now.shell != ShellState::Ready {
            return;
        }
        self.line = line;
        self.interrupted = line == Line::Empty && dropped && !(self.drops_unread && interrupts > 0);
        if lines > 0 {
            (self.lines, self.line, self.interrupted) = (0, Line::Empty, false);
            self.busy(place);
        }
    }

    /// The shell has given the foreground to a job, with the output at `place`: one that does not tell that it begins has begun with what
    /// was typed ahead, and tells of the end.
    pub(super) fn saw_job(&mut self, place: Place) {
        if self.is_told_to_tell && self.now.shell == ShellState::Ready {
            self.lines = 0;
            self.busy(place);
        }
    }

    /// Whether a look at the shell would tell who reads what was typed while a program ran.
    pub(super) fn wants_a_look(&self, now: Instant) -> bool {
        self.tells_at_once && self.now.shell == ShellState::Ready && self.ahead(now) == Some(Ahead::Line)
    }

    /// It was looked, with the output at `place`: whether the shell waits and nothing that was typed waits to be read.
    pub(super) fn looked(&mut self, waits: bool, place: Place, now: Instant) {
        match self.waits.filter(|(_, at)| waits && *at == place) {
            Some((since, _)) if now.saturating_duration_since(since) >= WAITS => self.ahead = 0,
            Some(_) => {}
            None => self.waits = waits.then_some((now, place)),
        }
    }

    /// What the shell is about to answer. A line that it has not read for some time another program has.
    pub(super) fn ahead(&self, now: Instant) -> Option<Ahead> {
        let since = self.changed.map(|changed| now.saturating_duration_since(changed))?;
        match self.interrupted {
            true => Some(Ahead::Interrupt),
            false => (self.ahead > 0 && since < READ_AHEAD).then_some(Ahead::Line),
        }
    }

    /// Whether something was typed at the prompt and not ended by Enter.
    pub(super) fn is_half_typed(&self) -> bool {
        self.line != Line::Empty || self.interrupted
    }

    /// The shell printed a mark, with the output at `place`.
    pub(super) fn on(&mut self, mark: Mark, now: Instant, place: Place) {
        (self.changed, self.waits, self.in_paste) = (Some(now), None, false);
        let answers = self.ahead > 0;
        if matches!(mark, Mark::End { .. } | Mark::More) {
            self.ahead = self.ahead.saturating_sub(1);
        }
        // A prompt that is only drawn anew leaves the line as it is.
        if !matches!(mark, Mark::Prompt | Mark::More) {
            (self.line, self.interrupted) = (Line::Empty, false);
        }
        if mark == Mark::More && self.lines > 1 {
            self.lines -= 1; // the rest of it is on its way
            return;
        }
        let open = self.now.ended < self.now.started;
        match self.follow.take(mark) {
            Some(Event::Began) => {
                self.now.started += u64::from(!open); // typed by hand
                self.now.start = place;
                self.now.began = true;
            }
            Some(Event::Ended { status }) => self.end(status, place, true),
            Some(Event::Nothing { status }) => self.end(status, place, false),
            Some(Event::Ready) => self.now.ended = self.now.started,
            Some(Event::Unfinished) => {}
            // An interrupt at the prompt, which ran nothing.
            None => {
                if let Mark::End { status } = mark
                    && answers
                    && self.now.shell == ShellState::Ready
                {
                    self.now.start = place;
                    self.end(status, place, false);
                    self.now.started += 1;
                    self.now.ended = self.now.started;
                }
            }
        }
        self.now.shell = self.follow.shell();
    }

    fn end(&mut self, exit_code: u8, end: Place, began: bool) {
        let ran = match began {
            true => Ran::Something,
            false if self.is_told_to_tell => Ran::Unknown,
            false => Ran::Nothing,
        };
        self.now.last = Command {
            exit_code,
            start: self.now.start,
            end,
            ran,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: u64) -> Place {
        Place { bytes, lines: 0 }
    }

    fn at_prompt() -> Commands {
        let mut commands = Commands::default();
        commands.on(Mark::End { status: 0 }, Instant::now(), at(0));
        commands.on(Mark::Prompt, Instant::now(), at(2));
        commands
    }

    #[test]
    fn a_command_has_its_code_and_its_output() {
        let mut commands = at_prompt();
        assert_eq!(commands.sent(at(2), 1), 1);
        commands.on(Mark::Begin, Instant::now(), at(12));
        commands.on(Mark::Begin, Instant::now(), at(14)); // a second command of the same paste
        assert_eq!(commands.prompt().ended, 0);
        commands.on(Mark::End { status: 3 }, Instant::now(), at(20));
        commands.on(Mark::Prompt, Instant::now(), at(22));
        let expected = Command {
            exit_code: 3,
            start: at(12),
            end: at(20),
            ran: Ran::Something,
        };
        assert_eq!((commands.prompt().ended, commands.prompt().last), (1, expected));
    }

    #[test]
    fn an_empty_line_ran_nothing() {
        let mut commands = at_prompt();
        commands.sent(at(2), 1);
        commands.on(Mark::End { status: 2 }, Instant::now(), at(9));
        commands.on(Mark::Prompt, Instant::now(), at(11));
        let prompt = commands.prompt();
        assert_eq!(
            (prompt.last.ran, prompt.last.exit_code, prompt.ended),
            (Ran::Nothing, 2, 1)
        );
    }

    #[test]
    fn what_is_typed_by_hand_counts_as_well() {
        let mut commands = at_prompt();
        commands.on(Mark::Begin, Instant::now(), at(5));
        assert_eq!(
            (commands.prompt().shell, commands.prompt().started),
            (ShellState::Busy, 1)
        );
    }

    #[test]
    fn lines_that_are_on_their_way_are_no_unfinished_command() {
        let mut commands = at_prompt();
        commands.sent(at(2), 3);
        commands.on(Mark::More, Instant::now(), at(3));
        commands.on(Mark::More, Instant::now(), at(4));
        assert_eq!(commands.prompt().shell, ShellState::Busy);
        commands.on(Mark::More, Instant::now(), at(5));
        assert_eq!(commands.prompt().shell, ShellState::Unfinished);
    }

    #[test]
    fn a_line_that_is_typed_at_the_prompt_keeps_the_shell_busy_until_it_has_ended() {
        let mut commands = at_prompt();
        let now = Instant::now();
        commands.typed(b"\x0c\x1b[200~two\rlines\x1b[201~", at(2), now);
        assert!(commands.prompt().shell == ShellState::Ready && commands.is_half_typed());
        commands.typed(b"\r", at(9), now);
        assert_eq!(
            (
                commands.prompt().shell,
                commands.is_half_typed(),
                commands.prompt().started
            ),
            (ShellState::Busy, false, 0)
        );
        commands.on(Mark::End { status: 33 }, now, at(20));
        commands.on(Mark::Prompt, now, at(22));
        let prompt = commands.prompt();
        assert_eq!((prompt.shell, prompt.last.exit_code), (ShellState::Ready, 33));
        assert_eq!((prompt.last.start, prompt.last.end), (at(9), at(20)));
        assert!(commands.ahead(now).is_none());
    }

    #[test]
    fn a_line_that_was_interrupted_is_there_until_the_shell_tells() {
        let mut commands = at_prompt();
        let now = Instant::now();
        commands.typed(b"left", at(2), now);
        assert!(
            commands.is_half_typed() && commands.ahead(now).is_none(),
            "nothing will tell"
        );
        commands.typed(b"\x03", at(6), now);
        assert!(commands.is_half_typed());
        assert_eq!(
            commands.ahead(now + 4 * READ_AHEAD),
            Some(Ahead::Interrupt),
            "a busy machine"
        );
        commands.typed(b"more", at(6), now);
        assert_eq!(
            commands.ahead(now),
            Some(Ahead::Line),
            "what came later is not to be dropped"
        );
        commands.typed(b"\x03", at(6), now);
        for _ in 0..2 {
            commands.on(Mark::End { status: 130 }, now, at(8));
            commands.on(Mark::Prompt, now, at(10));
        }
        assert!(!commands.is_half_typed() && commands.ahead(now).is_none());
    }

    #[test]
    fn what_is_typed_while_a_command_runs_may_be_the_shells() {
        let mut commands = at_prompt();
        let now = Instant::now();
        commands.sent(at(2), 1);
        commands.on(Mark::Begin, now, at(4));
        commands.typed(b"(exit 33)\r", at(5), now);
        commands.on(Mark::End { status: 0 }, now, at(6));
        commands.on(Mark::Prompt, now, at(8));
        assert!(commands.prompt().shell == ShellState::Ready && commands.ahead(now).is_some());
        assert!(
            commands.ahead(now + READ_AHEAD).is_none(),
            "another program has read it"
        );
        commands.on(Mark::Begin, now, at(9));
        commands.on(Mark::End { status: 33 }, now, at(9));
        commands.on(Mark::Prompt, now, at(11));
        assert!(commands.prompt().shell == ShellState::Ready && commands.ahead(now).is_none());
    }

    #[test]
    fn a_line_is_empty_after_what_empties_it_and_not_after_what_may() {
        let now = Instant::now();
        for (typed, left) in [
            ("abc\x15", false),
            ("ab\u{e4}\x7f\x7f\x7f", false),
            ("\x15\x7f\x11\x13\x0c", false),
            ("\x1b[200~abc\x1b[201~\x15", false),
            ("abc\x7f\x7f", true),
            ("abc\x1b[D\x15", true), // what is behind the cursor stays
            ("\x1b", true),
            ("\t", true),
            ("\x1b[200~a\rb\x1b[201~\x15", true),
        ] {
            let mut commands = at_prompt();
            for byte in typed.as_bytes().chunks(typed.len() / 2 + 1) {
                commands.typed(byte, at(2), now);
            }
            assert_eq!(commands.is_half_typed(), left, "{typed:?}");
        }
    }

    #[test]
    fn a_shell_that_does_not_tell_is_busy_with_the_job_that_is_seen() {
        let now = Instant::now();
        for (kind, shell) in [
            (ShellKind::Sh, ShellState::Busy),
            (ShellKind::Bash, ShellState::Ready), // something of its line editor's
        ] {
            let mut commands = Commands::of(kind);
            commands.on(Mark::End { status: 0 }, now, at(0));
            commands.on(Mark::Prompt, now, at(2));
            commands.saw_job(at(2));
            assert_eq!(commands.prompt().shell, shell);
            commands.on(Mark::End { status: 9 }, now, at(6));
            commands.on(Mark::Prompt, now, at(8));
            assert_eq!(commands.prompt().shell, ShellState::Ready);
            assert!(kind != ShellKind::Sh || commands.prompt().last.exit_code == 9);
        }
    }

    #[test]
    fn a_shell_that_waits_and_has_nothing_to_read_has_read_nothing() {
        let now = Instant::now();
        for (looks, settled) in [
            (vec![(true, 0, 8), (true, 20, 8)], true),
            (vec![(true, 0, 8), (true, 10, 8)], false),
            (vec![(true, 0, 8), (false, 10, 8), (true, 20, 8)], false),
            (vec![(true, 0, 8), (true, 20, 9)], false),
        ] {
            let mut commands = Commands::of(ShellKind::Bash);
            commands.on(Mark::End { status: 0 }, now, at(0));
            commands.on(Mark::Prompt, now, at(2));
            commands.sent(at(2), 1);
            commands.on(Mark::Begin, now, at(4));
            commands.typed(b"quit\r", at(5), now);
            commands.on(Mark::End { status: 0 }, now, at(6));
            commands.on(Mark::Prompt, now, at(8));
            for (waits, after, place) in &looks {
                assert!(commands.wants_a_look(now));
                commands.looked(*waits, at(*place), now + Duration::from_millis(*after));
            }
            assert_eq!(commands.ahead(now).is_none(), settled, "{looks:?}");
        }
    }
}
