//! What a new size makes of what was drawn before.

use super::tests::{feed_all, size};
use super::*;

#[test]
fn lines_wrap_anew_when_the_width_changes() {
    let mut screen = Screen::new(size(40, 6));
    let line = "0123456789 abcdefghij ABCDEFGHIJ 0123456789 the end";
    feed_all(&mut screen, format!("first\r\n\x1b[31m{line}\x1b[m\r\n$ ls").as_bytes());
    screen.resize(size(20, 6));
    let narrow = screen.snapshot();
    assert_eq!(
        narrow.text(),
        "first\n0123456789 abcdefghi\nj ABCDEFGHIJ 0123456\n789 the end\n$ ls"
    );
    assert_eq!((narrow.cursor.row, narrow.cursor.column), (4, 4));
    assert_eq!(narrow.rows[3].runs[0].style.foreground, Color::Index(1));
    screen.resize(size(60, 6));
    let wide = screen.snapshot();
    assert_eq!(wide.text(), format!("first\n{line}\n$ ls"));
    assert_eq!((wide.cursor.row, wide.cursor.column), (2, 4));
    feed_all(&mut screen, b"!");
    assert!(screen.snapshot().text().ends_with("$ ls!"));
}

#[test]
fn lines_of_wide_characters_are_whole_again_after_an_odd_width() {
    let line = "日本語".repeat(12);
    let narrow = "日本語日本語日本語日\n本語日本語日本語日本\n語日本語日本語日本語\n日本語日本語";
    let end = "01234567890123456789\r\n日本";
    let mut screen = Screen::new(size(80, 5));
    feed_all(&mut screen, line.as_bytes());
    screen.resize(size(21, 5));
    assert_eq!(screen.snapshot().text(), narrow);
    screen.resize(size(80, 5));
    assert_eq!(screen.snapshot().text(), line);
    let mut screen = Screen::new(size(21, 5));
    feed_all(&mut screen, format!("{line}\r\n{end}").as_bytes());
    let drawn = screen.snapshot();
    let rows: Vec<(u16, bool)> = drawn.rows.iter().map(|row| (row.columns(), row.wrapped)).collect();
    assert_eq!(rows, [(20, true), (20, true), (12, false), (20, false), (4, false)]);
    screen.resize(size(80, 5));
    assert_eq!(screen.snapshot().text(), format!("{line}\n01234567890123456789\n日本"));
    // What is shifted or drawn over is no longer left to it.
    let mut screen = Screen::new(size(21, 5));
    feed_all(
        &mut screen,
        format!("{}\x1b[1;1H\x1b[2P\x1b[2;1H", "日".repeat(11)).as_bytes(),
    );
    assert_eq!(screen.snapshot().text(), format!("{}\n日", "日".repeat(9)));
    feed_all(&mut screen, "\x1b[1;21Hx".as_bytes());
    assert_eq!(screen.snapshot().text(), format!("{}  x\n日", "日".repeat(9)));
}

#[test]
fn a_new_size_keeps_history_the_main_screen_and_the_modes() {
    let mut screen = Screen::new(size(30, 4));
    let lines: String = (0..20).map(|n| format!("line {n}\r\n")).collect();
    feed_all(&mut screen, lines.as_bytes());
    feed_all(
        &mut screen,
        b"$ vi\x1b[?1049h\x1b[?1h\x1b[?2004h\x1b[7mINSIDE\x1b[2;2Hx",
    );
    screen.resize(size(25, 4));
    let inside = screen.snapshot();
    assert!(inside.alternate && inside.modes.application_cursor && inside.modes.bracketed_paste);
    assert_eq!((inside.cursor.row, inside.cursor.column), (1, 2));
    assert!(inside.text().contains("INSIDE"));
    feed_all(&mut screen, b"\x1b[?1049l");
    let after = screen.snapshot();
    assert_eq!(after.text(), "line 17\nline 18\nline 19\n$ vi");
    assert_eq!((after.cursor.row, after.cursor.column, after.history), (3, 4, 17));
    screen.resize(size(25, 6));
    assert_eq!(
        screen.snapshot().text(),
        "line 15\nline 16\nline 17\nline 18\nline 19\n$ vi"
    );
}

#[test]
fn a_saved_cursor_outlives_a_new_size() {
    let there = |before: &str, new: Size, after: &str| {
        let mut screen = Screen::new(size(40, 12));
        feed_all(&mut screen, before.as_bytes());
        screen.resize(new);
        feed_all(&mut screen, after.as_bytes());
        let drawn = screen.snapshot();
        (
            drawn.cursor.row,
            drawn.cursor.column,
            screen.interpreter.engine.style().foreground,
        )
    };
    let (red, usual) = (Color::Index(1), Color::Default);
    let saved = "\x1b[31m\x1b[10;30H\x1b7\x1b[m\x1b[1;1H";
    assert_eq!(there(saved, size(50, 14), "\x1b8"), (9, 29, red));
    assert_eq!(there(saved, size(20, 5), "\x1b8"), (4, 19, red));
    assert_eq!(there("$ ", size(50, 14), "\x1b8"), (0, 0, usual));
    // It goes with what is on the screen.
    let lines = "line\r\n".repeat(20);
    let below = format!("{lines}\x1b7\x1b[3;3H");
    assert_eq!(there(&below, size(40, 15), "\x1b8"), (14, 0, usual));
    assert_eq!(there(&lines, size(40, 15), "\x1b8"), (0, 0, usual));
    // Each screen has its own.
    let both = format!("{saved}\x1b[5;5H\x1b7\x1b[?47h\x1b[7;7H\x1b7\x1b[2;2H");
    assert_eq!(there(&both, size(50, 14), "\x1b8"), (6, 6, usual));
    assert_eq!(there(&both, size(50, 14), "\x1b[?47l\x1b8"), (4, 4, usual));
    let inside = format!("{lines}\x1b[?1049h\x1b[7;7H");
    assert_eq!(there(&inside, size(40, 15), "\x1b8"), (0, 0, usual));
    assert_eq!(there(&inside, size(40, 15), "\x1b[?1049l"), (14, 0, usual));
    // Rows count from the top again.
    let origin = "\x1b[3;6r\x1b[?6h\x1b[2;2H\x1b7";
    assert_eq!(there(origin, size(50, 14), "\x1b8\x1b[4;7r\x1b[1;1H"), (0, 0, usual));
    assert_eq!(there(origin, size(50, 14), "\x1b8\x1b[4;7r\x1b[1d"), (0, 0, usual));
}
