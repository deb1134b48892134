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
