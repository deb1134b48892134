//! What can be waited for in a session: a text or a pattern in the output or on the screen, quiet,
//! a command's end, the program's end; whichever comes first.
//!
//! No clocks and no tasks here: whoever waits says what happened and at what time. A line of output
//! is looked at when it ends, and the unfinished last one after each read, for prompts have no end;
//! as lines are bounded, so is the work for each byte and each read.

use std::ops::Range;
use std::time::{Duration, Instant};

use regex::bytes::{Regex, RegexBuilder};

use super::lines::{Lines, around};

/// Longest text or pattern, in bytes.
pub const MAX_PATTERN: usize = 1000;
/// Bytes of a line that are told where it was found; of a longer one it is what is around the match.
pub const MAX_SHOWN: usize = 1000;
/// Things that one wait can be for.
pub const MAX_CONDITIONS: usize = 8;
/// Memory of a compiled pattern. Larger ones are refused: `\w{500}{500}` is no pattern but an attack.
const MAX_COMPILED: usize = 1 << 20;

/// Something to wait for.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A text or a pattern.
    Found {
        /// What to look for, in a line.
        pattern: Pattern,
        /// Where to look.
        scope: Scope,
    },
    /// No output for so long.
    Idle {
        /// How long.
        quiet: Duration,
        /// Whether the time runs before there is any output.
        from: IdleFrom,
    },
    /// The command that runs in the shell has ended.
    CommandEnd,
}

impl Condition {
    /// Whether it is quiet.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Idle { .. })
    }
}

/// Where to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// In what is printed from now on, or from a position on: escape sequences and all but the last
    /// state of progress lines left out.
    #[default]
    Output,
    /// On the screen as it is; what has scrolled off does not count.
    Screen,
}

/// When quiet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleFrom {
    /// With the first output: a program that has not started is not idle.
    #[default]
    FirstOutput,
    /// At once.
    Now,
}

/// A text, or a regular expression in linear time, looked for in single lines.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Why something cannot be waited for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PatternError {
    /// Nothing to look for.
    #[error("the pattern is empty; hint: it would be found at once")]
    Empty,
    /// Too long.
    #[error("a pattern has at most {MAX_PATTERN} bytes, this has {bytes}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A line end in it.
    #[error("a pattern cannot hold a line end: it is looked for in single lines; hint: wait for the last line")]
    LineEnd,
    /// Not a regular expression, or one that takes too much.
    #[error("not a usable regular expression")]
    Regex {
        /// What is wrong with it.
        #[source]
        source: regex::Error,
    },
}

/// A wait for more than [`MAX_CONDITIONS`] things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "one wait is for at most {MAX_CONDITIONS} things, this is for {0}; hint: one pattern can have alternatives, a|b"
)]
pub struct TooManyConditions(usize);

impl Pattern {
    /// A text, as it is.
    pub fn text(text: &str) -> Result<Self, PatternError> {
        Self::compiled(text, &regex::escape(text))
    }

    /// A regular expression. `^` and `$` are the ends of a line, the last of which may still grow.
    pub fn regex(pattern: &str) -> Result<Self, PatternError> {
        Self::compiled(pattern, pattern)
    }

    fn compiled(written: &str, pattern: &str) -> Result<Self, PatternError> {
        if written.is_empty() {
            return Err(PatternError::Empty);
        }
        if written.len() > MAX_PATTERN {
            return Err(PatternError::TooLong { bytes: written.len() });
        }
        if written.contains(['\n', '\r']) {
            return Err(PatternError::LineEnd);
        }
        let built = RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .build();
        built.map(Self).map_err(|source| PatternError::Regex { source })
    }

    /// Where in this line it is.
    pub fn find(&self, line: &[u8]) -> Option<Range<usize>> {
        self.0.find(line).map(|found| found.range())
    }
}

/// What ended a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Which condition, by its place in the list.
    pub condition: usize,
    /// The line in which the text or pattern is, as far as it is there.
    pub line: Option<String>,
}

/// A wait for the first of several conditions.
#[derive(Debug)]
pub struct Wait {
    conditions: Vec<Condition>,
    lines: Lines,
    started: Instant,
    last_output: Option<Instant>,
}

impl Wait {
    /// Starts to wait.
    pub fn new(conditions: Vec<Condition>, now: Instant) -> Result<Self, TooManyConditions> {
        if conditions.len() > MAX_CONDITIONS {
            return Err(TooManyConditions(conditions.len()));
        }
        Ok(Self {
            conditions,
            lines: Lines::default(),
            started: now,
            last_output: None,
        })
    }

    /// Output came, as it was printed. Gives what that ended.
    pub fn output(&mut self, bytes: &[u8], now: Instant) -> Option<Fired> {
        if bytes.is_empty() {
            return None;
        }
        self.last_output = Some(now);
        let patterns: Vec<(usize, &Pattern)> = patterns(&self.conditions, Scope::Output).collect();
        if patterns.is_empty() {
            return None;
        }
        let mut fired = None;
        let mut look = |line: &[u8]| {
            if fired.is_none() {
                fired = first_of(&patterns, line);
            }
        };
        let lines = &mut self.lines;
        lines.feed(bytes, |_, line, _| look(line));
        look(lines.unfinished().1);
        fired
    }

    /// The screen is as given, row by row.
    pub fn screen<'a>(&self, rows: impl Iterator<Item = &'a str>) -> Option<Fired> {
        let patterns: Vec<(usize, &Pattern)> = patterns(&self.conditions, Scope::Screen).collect();
        if patterns.is_empty() {
            return None;
        }
        rows.into_iter().find_map(|row| first_of(&patterns, row.as_bytes()))
    }

    /// The screen matters to it.
    pub fn needs_screen(&self) -> bool {
        patterns(&self.conditions, Scope::Screen).next().is_some()
    }

    /// The command in the shell has ended.
    pub fn command_ended(&self) -> Option<Fired> {
        let ends = |condition: &Condition| matches!(condition, Condition::CommandEnd);
        let condition = self.conditions.iter().position(ends)?;
        Some(Fired { condition, line: None })
    }

    /// When it has been quiet for long enough, unless there is output before.
    pub fn deadline(&self) -> Option<Instant> {
        let quiet = self.conditions.iter().filter_map(|condition| {
            let Condition::Idle { quiet, from } = condition else {
                return None;
            };
            let since = match from {
                IdleFrom::FirstOutput => self.last_output?,
                IdleFrom::Now => self.last_output.unwrap_or(self.started),
            };
            Some(since + *quiet)
        });
        quiet.min()
    }
}

fn first_of(patterns: &[(usize, &Pattern)], line: &[u8]) -> Option<Fired> {
    let mut found = patterns
        .iter()
        .filter_map(|(at, pattern)| Some((*at, pattern.find(line)?)));
    found.next().map(|(condition, place)| Fired {
        condition,
        line: Some(around(line, place, MAX_SHOWN)),
    })
}

fn patterns(conditions: &[Condition], wanted: Scope) -> impl Iterator<Item = (usize, &Pattern)> {
    conditions
        .iter()
        .enumerate()
        .filter_map(move |(n, condition)| match condition {
            Condition::Found { pattern, scope } if *scope == wanted => Some((n, pattern)),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(pattern: Pattern) -> Condition {
        Condition::Found {
            pattern,
            scope: Scope::Output,
        }
    }

    fn waiting(conditions: Vec<Condition>, now: Instant) -> Wait {
        Wait::new(conditions, now).unwrap()
    }

    #[test]
    fn the_number_of_conditions_is_bounded() {
        let error = Wait::new(vec![Condition::CommandEnd; MAX_CONDITIONS + 1], Instant::now()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("one wait is for at most 8 things, this is for 9"),
            "{error}"
        );
    }

    fn after(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_text_is_found_wherever_reads_cut_it_and_whatever_colours_it() {
        let start = Instant::now();
        for pattern in [
            Pattern::text("port (80").unwrap(),
            Pattern::regex(r"^listening on port \(\d+$").unwrap(),
        ] {
            let bytes = b"starting\r\nlistening on \x1b[1mport (\x1b[m80";
            for cut in 1..bytes.len() {
                let mut wait = waiting(vec![Condition::CommandEnd, found(pattern.clone())], start);
                let fired: Vec<Fired> = bytes
                    .chunks(cut)
                    .filter_map(|piece| wait.output(piece, start))
                    .collect();
                let expected = Fired {
                    condition: 1,
                    line: Some("listening on port (80".to_owned()),
                };
                assert_eq!(fired.last(), Some(&expected), "{cut}");
            }
        }
    }

    #[test]
    fn a_prompt_without_a_line_end_is_found_and_old_progress_is_not() {
        let start = Instant::now();
        let mut wait = waiting(
            vec![
                found(Pattern::text("10%").unwrap()),
                found(Pattern::regex("[Pp]assword: $").unwrap()),
            ],
            start,
        );
        assert_eq!(wait.output(b" 10%\r 20%", start), None);
        assert_eq!(wait.output(b"\r\nPassword", start), None);
        assert_eq!(wait.output(b": ", start).unwrap().condition, 1);
    }

    #[test]
    fn quiet_counts_from_the_first_output_unless_asked_otherwise() {
        let start = Instant::now();
        let idle = |from| Condition::Idle {
            quiet: after(100),
            from,
        };
        let mut patient = waiting(vec![idle(IdleFrom::FirstOutput)], start);
        assert_eq!(patient.deadline(), None);
        patient.output(b"x", start + after(50));
        assert_eq!(patient.deadline(), Some(start + after(150)));
        patient.output(b"y", start + after(120));
        assert_eq!(patient.deadline(), Some(start + after(220)));
        let now = waiting(vec![Condition::CommandEnd, idle(IdleFrom::Now)], start);
        assert_eq!(now.deadline(), Some(start + after(100)));
    }

    #[test]
    fn the_screen_is_searched_only_if_asked_for() {
        let on_screen = Condition::Found {
            pattern: Pattern::text("INSERT").unwrap(),
            scope: Scope::Screen,
        };
        let mut wait = waiting(vec![on_screen], Instant::now());
        assert!(wait.needs_screen());
        assert_eq!(wait.output(b"INSERT\n", Instant::now()), None);
        assert_eq!(
            wait.screen(["~", "-- INSERT --"].into_iter()).unwrap().line.unwrap(),
            "-- INSERT --"
        );
        assert_eq!(wait.screen(["~"].into_iter()), None);
        let other = waiting(vec![found(Pattern::text("~").unwrap())], Instant::now());
        assert!(!other.needs_screen() && other.screen(["~"].into_iter()).is_none());
    }

    #[test]
    fn the_end_of_a_command_ends_what_waits_for_it() {
        let text = found(Pattern::text("x").unwrap());
        let wait = waiting(vec![text.clone(), Condition::CommandEnd], Instant::now());
        assert_eq!(wait.command_ended().unwrap().condition, 1);
        assert_eq!(waiting(vec![text], Instant::now()).command_ended(), None);
    }

    #[test]
    fn patterns_are_bounded_and_say_what_is_wrong() {
        let message = |error: PatternError| error.to_string();
        assert!(message(Pattern::text("").unwrap_err()).contains("empty"));
        assert!(message(Pattern::text("a\nb").unwrap_err()).contains("line end"));
        assert!(message(Pattern::regex(&"x".repeat(1001)).unwrap_err()).contains("at most 1000 bytes, this has 1001"));
        for bad in ["(", "(?=x)", r"(a)\1", r"(\w{100}){100}"] {
            assert!(matches!(Pattern::regex(bad), Err(PatternError::Regex { .. })), "{bad}");
        }
        assert!(Pattern::text("(").unwrap().find(b"(").is_some());
        assert!(
            Pattern::regex("(a+)+$")
                .unwrap()
                .find("a".repeat(4000).as_bytes())
                .is_some()
        );
    }

    proptest! {
        #[test]
        fn what_is_in_a_whole_line_is_found_however_it_is_cut(
            before in "[a-z\r\n ]{0,40}", wanted in "[A-Z]{1,10}", after in "[a-z ]{0,20}", cut in 1usize..20,
        ) {
            let bytes = format!("{before}\n{wanted}{after}\n");
            let mut wait = waiting(vec![found(Pattern::text(&wanted).unwrap())], Instant::now());
            let hit = bytes.as_bytes().chunks(cut).any(|piece| wait.output(piece, Instant::now()).is_some());
            prop_assert!(hit);
        }
    }
}
