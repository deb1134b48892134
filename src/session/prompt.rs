//! What a shell's commands came to: their numbers, exit codes, and where in the output each is.

use super::marks::{Event, Follow, Mark, ShellState};
use super::output::Place;

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
    /// Whether anything ran: an empty line and a syntax error do not.
    pub ran: bool,
}

/// Follows a shell by its marks.
#[derive(Debug, Default)]
pub(super) struct Commands {
    follow: Follow,
    now: Prompt,
    /// Lines that were typed for the present command and that the shell has not asked for more after.
    typed: u64,
}

impl Commands {
    /// What is known now.
    pub(super) fn prompt(&self) -> Prompt {
        self.now
    }

    /// A command of so many lines is sent, with the output at `place`. Gives its number.
    pub(super) fn sent(&mut self, place: Place, lines: u64) -> u64 {
        self.typed = lines;
        self.follow.sent();
        self.now.shell = self.follow.shell();
        self.now.started += 1;
        self.now.start = place;
        self.now.began = false;
        self.now.started
    }

    /// The shell printed a mark, with the output at `place`.
    pub(super) fn on(&mut self, mark: Mark, place: Place) {
        if mark == Mark::More && self.typed > 1 {
            self.typed -= 1; // the rest of it is on its way
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
            Some(Event::Unfinished) | None => {}
        }
        self.now.shell = self.follow.shell();
    }

    fn end(&mut self, exit_code: u8, end: Place, ran: bool) {
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
        commands.on(Mark::End { status: 0 }, at(0));
        commands.on(Mark::Prompt, at(2));
        commands
    }

    #[test]
    fn a_command_has_its_code_and_its_output() {
        let mut commands = at_prompt();
        assert_eq!(commands.sent(at(2), 1), 1);
        commands.on(Mark::Begin, at(12));
        commands.on(Mark::Begin, at(14)); // a second command of the same paste
        assert_eq!(commands.prompt().ended, 0);
        commands.on(Mark::End { status: 3 }, at(20));
        commands.on(Mark::Prompt, at(22));
        let expected = Command {
            exit_code: 3,
            start: at(12),
            end: at(20),
            ran: true,
        };
        assert_eq!((commands.prompt().ended, commands.prompt().last), (1, expected));
    }

    #[test]
    fn an_empty_line_ran_nothing() {
        let mut commands = at_prompt();
        commands.sent(at(2), 1);
        commands.on(Mark::End { status: 2 }, at(9));
        commands.on(Mark::Prompt, at(11));
        let prompt = commands.prompt();
        assert_eq!((prompt.last.ran, prompt.last.exit_code, prompt.ended), (false, 2, 1));
    }

    #[test]
    fn what_is_typed_by_hand_counts_as_well() {
        let mut commands = at_prompt();
        commands.on(Mark::Begin, at(5));
        assert_eq!(
            (commands.prompt().shell, commands.prompt().started),
            (ShellState::Busy, 1)
        );
    }

    #[test]
    fn lines_that_are_on_their_way_are_no_unfinished_command() {
        let mut commands = at_prompt();
        commands.sent(at(2), 3);
        commands.on(Mark::More, at(3));
        commands.on(Mark::More, at(4));
        assert_eq!(commands.prompt().shell, ShellState::Busy);
        commands.on(Mark::More, at(5));
        assert_eq!(commands.prompt().shell, ShellState::Unfinished);
    }
}
