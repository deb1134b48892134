//! The same output gives the same screen here and in Alacritty, in all that both support.
//!
//! Left out, because terminals differ there on purpose or Alacritty is known to: halves of wide
//! characters under erasing, moves up and down across margins, edits beyond the last column, colours
//! of blanks, bold and dim at once, and what a new size makes of old text.

use alacritty_terminal::event::VoidListener;
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Config, TermMode};
use alacritty_terminal::vte::ansi::{self, NamedColor, Processor, StdSyncHandler};
use alacritty_terminal::{Term, term};
use proptest::prelude::*;

use super::{Color, Screen, Size, Style};

struct Extent(Size);

impl Dimensions for Extent {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }
    fn screen_lines(&self) -> usize {
        self.0.rows().into()
    }
    fn columns(&self) -> usize {
        self.0.columns().into()
    }
}

/// Both terminals.
struct Pair {
    ours: Screen,
    theirs: Term<VoidListener>,
    parser: Processor<StdSyncHandler>,
    log: Vec<u8>,
}

/// What is compared: the cells that show something, by row and column, and the cursor.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    rows: Vec<String>,
    looks: Vec<(usize, String, Style)>,
    cursor: (u16, u16),
    alternate: bool,
}

impl Pair {
    fn new(size: Size) -> Self {
        let config = Config {
            scrolling_history: super::HISTORY,
            ..Config::default()
        };
        Self {
            ours: Screen::new(size),
            theirs: Term::new(config, &Extent(size), VoidListener),
            parser: Processor::new(),
            log: Vec::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.log.extend_from_slice(bytes);
        self.ours.replay(bytes);
        self.parser.advance(&mut self.theirs, bytes);
    }

    fn resize(&mut self, size: Size) {
        self.feed(b"\x1b[?6l\x1b[r\x1b[?1049l\x1b[4l\x1b[?7h\x1b(B\x0f\x1b[m\x1b[H\x1b[2J");
        self.ours.resize(size);
        self.theirs.resize(Extent(size));
        self.feed(b"\x1b[r\x1b[H\x1b[2J\x1b7\x1b[3g\x1bH\x1b[9G\x1bH\x1b[17G\x1bH\x1b[H");
    }

    fn ours(&mut self) -> Shown {
        let snapshot = self.ours.snapshot();
        let looks = snapshot.rows.iter().enumerate().flat_map(|(n, row)| {
            let runs = row
                .runs
                .iter()
                .flat_map(|run| run.text.split(' ').map(|t| (t, run.style)));
            runs.filter(|(text, _)| !text.is_empty())
                .map(move |(text, style)| (n, text.to_owned(), style))
                .collect::<Vec<_>>()
        });
        Shown {
            looks: merged(looks),
            rows: snapshot.rows.iter().map(super::Row::text).collect(),
            cursor: (snapshot.cursor.row, snapshot.cursor.column),
            alternate: snapshot.alternate,
        }
    }

    fn theirs(&self) -> Shown {
        let grid = self.theirs.grid();
        let mut rows = Vec::new();
        let mut looks = Vec::new();
        for n in 0..grid.screen_lines() {
            let line = &grid[Line(i32::try_from(n).unwrap())];
            let mut text = String::new();
            for column in 0..grid.columns() {
                let cell = &line[Column(column)];
                if cell.flags.contains(Flags::WIDE_CHAR_SPACER) {
                    continue;
                }
                let mut shown = String::from(if cell.c == '\t' { ' ' } else { cell.c });
                shown.extend(cell.zerowidth().into_iter().flatten());
                text.push_str(&shown);
                if shown != " " {
                    looks.push((n, shown, style(cell)));
                } else {
                    looks.push((n, String::new(), Style::default()));
                }
            }
            rows.push(text.trim_end_matches(' ').to_owned());
        }
        let point = grid.cursor.point;
        Shown {
            rows,
            looks: merged(looks.into_iter()),
            cursor: (
                u16::try_from(point.line.0).unwrap(),
                u16::try_from(point.column.0).unwrap(),
            ),
            alternate: self.theirs.mode().contains(TermMode::ALT_SCREEN),
        }
    }
}

/// Characters in order with their looks, one entry each; blanks between them do not matter.
fn merged(looks: impl Iterator<Item = (usize, String, Style)>) -> Vec<(usize, String, Style)> {
    let mut all: Vec<(usize, String, Style)> = Vec::new();
    for (row, text, style) in looks.filter(|(_, text, _)| !text.is_empty()) {
        match all.last_mut() {
            Some((last, before, same)) if *last == row && *same == style => before.push_str(&text),
            _ => all.push((row, text, style)),
        }
    }
    all
}

fn style(cell: &term::cell::Cell) -> Style {
    Style {
        foreground: color(cell.fg),
        background: color(cell.bg),
        bold: cell.flags.contains(Flags::BOLD),
        dim: cell.flags.contains(Flags::DIM),
        italic: cell.flags.contains(Flags::ITALIC),
        underline: cell.flags.intersects(Flags::ALL_UNDERLINES),
        inverse: cell.flags.contains(Flags::INVERSE),
    }
}

fn color(color: ansi::Color) -> Color {
    match color {
        ansi::Color::Named(NamedColor::Foreground | NamedColor::Background) => Color::Default,
        ansi::Color::Named(named) => Color::Index(u8::try_from(named as usize).unwrap()),
        ansi::Color::Indexed(n) => Color::Index(n),
        ansi::Color::Spec(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
    }
}

#[derive(Clone, Debug)]
enum Op {
    Bytes(String),
    Resize(u16, u16),
}

fn bytes(text: impl Into<String>) -> Op {
    Op::Bytes(text.into())
}

/// Text and the sequences that programs draw with. Places are within the smallest screen.
fn narrow() -> impl Strategy<Value = Op> {
    let place = (1u16..=6, 1u16..=19);
    let number = 1u16..8;
    prop_oneof![
        8 => "[ -~]{1,40}".prop_map(bytes),
        4 => Just(bytes("\r\n")),
        1 => Just(bytes("\r")),
        4 => place.clone().prop_map(|(r, c)| bytes(format!("\x1b[{r};{c}H"))),
        // Alacritty forgets a row of what is above.
        4 => (place.clone(), "[02]?J|[0-2]?K").prop_map(|((r, c), erase)| bytes(format!("\x1b[{r};{c}H\x1b[{erase}"))),
        // Alacritty clears too much where more is deleted than there is.
        4 => (1u16..=6, 1u16..=12, number.clone(), "[@PXLMST]")
            .prop_map(|(r, c, n, edit)| bytes(format!("\x1b[{r};{c}H\x1b[{n}{edit}"))),
        2 => (place.clone(), "[CDGd`ae]", number.clone())
            .prop_map(|((r, c), to, n)| bytes(format!("\x1b[?6l\x1b[r\x1b[{r};{c}H\x1b[{n}{to}"))),
        2 => (place.clone(), "[ABEF]", number.clone())
            .prop_map(|((r, c), to, n)| bytes(format!("\x1b[?6l\x1b[r\x1b[{r};{c}H\x1b[{n}{to}"))),
        2 => (1u16..5, 1u16..5).prop_map(|(top, more)| bytes(format!("\x1b[{top};{}r", top + more))),
        1 => Just(bytes("\x1b[r")),
        2 => (place.clone(), "[DEM]").prop_map(|((r, c), to)| bytes(format!("\x1b[{r};{c}H\x1b{to}"))),
        1 => place.clone().prop_map(|(r, c)| bytes(format!("\x1b[?6h\x1b[{r};{c}H"))),
        1 => Just(bytes("\x1b[?6l\x1b[H")),
        1 => (place.clone(), "[78]").prop_map(|((r, c), keep)| bytes(format!("\x1b[?6l\x1b[{r};{c}H\x1b{keep}"))),
        1 => (place.clone(), "[su]").prop_map(|((r, c), keep)| bytes(format!("\x1b[?6l\x1b[{r};{c}H\x1b[{keep}"))),
        3 => "\x1b\\[(0|1|3|4|7|22|23|24|27|3[0-79]|4[0-79]|9[0-7]|10[0-7]|38;5;[1-9][0-9]|48;2;1;2;3|4:3|38:5:7|58;5;1)m"
            .prop_map(bytes),
        2 => ("[0B]", "[a-z_~]{1,8}").prop_map(|(set, text)| bytes(format!("\x1b({set}{text}\x1b(B"))),
        1 => "[a-z]{1,8}".prop_map(|text| bytes(format!("\x1b)0\x0e{text}\x0f"))),
        1 => (1u16..=6, 1u16..=10, "[a-z]{1,6}")
            .prop_map(|(r, c, text)| bytes(format!("\x1b[{r};{c}H\x1b[4h{text}\x1b[4l"))),
        1 => (1u16..=6, "[a-z]{1,80}").prop_map(|(r, text)| bytes(format!("\x1b[{r}H\x1b[?7l{text}\r\x1b[?7h"))),
        1 => (1u16..=6, "[a-z]", 1u16..18).prop_map(|(r, c, n)| bytes(format!("\x1b[{r}H{c}\x1b[{n}b"))),
        1 => (1u16..=6, 2u16..=16, "\t{1,3}|\x1b\\[2I|\x1b\\[Z|\x1bH|\x1b\\[g")
            .prop_map(|(r, c, tab)| bytes(format!("\x1b[{r};{c}H{tab}"))),
        1 => "[hl]".prop_map(|to| alternate(to == "h")),
        1 => Just(bytes("\x1b[?6l\x1b[r\x1b[m\x1b#8\x1b[H")),
        1 => (20u16..50, 6u16..14).prop_map(|(c, r)| Op::Resize(c, r)),
    ]
}

/// To the alternate screen or back. Entered twice, xterm clears it and Alacritty does not.
fn alternate(enter: bool) -> Op {
    let leave = "\x1b[?6l\x1b[r\x1b[?1049l\x1b[m\x1b[H\x1b7";
    bytes(format!(
        "{leave}{}\x1b[H",
        if enter { "\x1b[?1049h\x1b[H\x1b7" } else { "" }
    ))
}

/// Characters of every width, and no more than moving about.
fn wide() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => "[ a-z界한é€😀ｱ]{1,20}".prop_map(bytes),
        2 => "[a-z界](\u{301}|\u{308}){1,2}".prop_map(bytes),
        3 => Just(bytes("\r\n")),
        // Onto empty rows: what is under a wide character that does not fit is left or cleared.
        2 => (1u16..=6, 1u16..=19).prop_map(|(r, c)| bytes(format!("\x1b[{r}H\x1b[J\x1b[{c}G"))),
        1 => "\x1b\\[(0|1|3|4|7|3[1-6])m".prop_map(bytes),
        1 => Just(bytes("\x1b[H\x1b[2J")),
        1 => (20u16..50, 6u16..14).prop_map(|(c, r)| Op::Resize(c, r)),
    ]
}

fn compare(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(Size::new(24, 7).unwrap());
    for op in &ops {
        match op {
            Op::Bytes(bytes) => pair.feed(bytes.as_bytes()),
            Op::Resize(columns, rows) => pair.resize(Size::new(*columns, *rows).unwrap()),
        }
        let (ours, theirs) = (pair.ours(), pair.theirs());
        prop_assert_eq!(ours, theirs, "after {:?}", String::from_utf8_lossy(&pair.log));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn drawing_gives_what_alacritty_gives(ops in prop::collection::vec(narrow(), 0..40)) {
        compare(ops)?;
    }

    #[test]
    fn characters_of_every_width_give_what_alacritty_gives(ops in prop::collection::vec(wide(), 0..40)) {
        compare(ops)?;
    }
}
