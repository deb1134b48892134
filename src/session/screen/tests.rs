use super::*;
use proptest::prelude::*;

pub(super) fn size(columns: u16, rows: u16) -> Size {
    Size::new(columns, rows).unwrap()
}

fn fed(bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(size(20, 5));
    feed_all(&mut screen, bytes);
    screen
}

pub(super) fn feed_all(screen: &mut Screen, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let taken = screen.feed(bytes);
        assert!(taken > 0);
        bytes = &bytes[taken..];
    }
}

fn text(bytes: &[u8]) -> String {
    fed(bytes).snapshot().text()
}

fn replies(bytes: &[u8]) -> String {
    String::from_utf8(fed(bytes).take_replies()).unwrap()
}

#[test]
fn what_the_emulator_lacks_is_drawn_too() {
    let table: &[(&str, &str)] = &[
        ("a\x1bDb\x1bEc", "a\n b\nc"),
        ("\x1b(0lqk\x1b(B lqk", "┌─┐ lqk"),
        ("\x1b)0\x0ex\x0fx", "│x"),
        ("ab\x1b[sXY\x1b[uc", "abcY"),
        ("a\x1b[2Ib\x1b[Zc", "a               c"),
        ("\x1b[3g\x1b[1;5H\x1bH\r\tx", "    x"),
        ("01234567890123456789\tX", "01234567890123456789\nX"),
        ("01234567890123456789\t\t\x1b[1mX\tY", "01234567890123456789\nX       Y"),
        ("01234567890123456789\x1b[2IX", "01234567890123456789\nX"),
        (
            "\x1b[3g\x1b[1;5H\x1bH\r01234567890123456789\tX",
            "01234567890123456789\nX",
        ),
        ("01234567890123456789\x1b[ZX", "0123456789012345X789"),
        ("abc\x1b[2D\x1b[4hXY\x1b[4lZ", "aXYZc"),
        ("\x1b[?7l0123456789012345678901234\x1b[?7h", "01234567890123456784"),
        ("\x1b[?7l\x1b[1;20Ha\x1b[b", "                   a"),
        ("\x1b[?7l\x1b[1;20Ha\x1b[8b", "                   a"),
        ("\x1b[?7l\x1b[1;18Ha\x1b[8b", "                 aaa"),
        ("\x1b[20ha\nb\x1b[20l\nc", "a\nb\n c"),
        ("x\x1b[500b", "xxxxxxxxxxxxxxxxxxxx\nx"),
        ("a\x1b[3ab", "a   b"),
        ("a\x1b[2eb", "a\n\n b"),
        ("a\u{fe0f}b", "ab"),
        ("e\u{301}x", "e\u{301}x"),
        ("界界\x1b[2G!", " !界"),
        ("01234567890123456789\x08!", "012345678901234567!9"),
        ("01234567890123456789\x1b[K", "01234567890123456789"),
        ("a\x1b[58;5;1;4mb", "ab"),
        ("\x1b[2;4r\x1b[1;1H\x1b[9Bx", "\n\n\nx"),
        ("\x1b[2;4r\x1b[5;1H\x1b[9Ax", "\nx"),
        ("\x1b[2;4r\x1b[5;3H\x1b[9Bx\x1b[9Ey", "\n\n\n\ny x"),
        ("\x1b[2;3r\x1b[1;1H\x1b[9Ax\x1b[4F\x1b[2;3Hy\x1b[Fz", "x\nz y"),
    ];
    for (bytes, expected) in table {
        assert_eq!(text(bytes.as_bytes()), *expected, "{bytes:?}");
    }
    assert_eq!(text("\x1bPz\u{201c}\n\u{201d}\x1b\\x".as_bytes()), "x");
    assert_eq!(text(b"a\xff\xe2\x82b"), "a\u{FFFD}\u{FFFD}b");
    assert_eq!(text(b"\x1b#8").lines().count(), 5);
    assert!(text(b"\x1b#8").lines().all(|line| line == "E".repeat(20)));
}

#[test]
fn blanks_that_can_be_seen_are_seen() {
    let back = Color::Index(1);
    for drawn in [
        &b"\x1b[41m\x1b[2K"[..],
        b"\x1b[1;41m\x1b[2J",
        b"\x1b[48;5;1m\x1b[K",
        b"\x1b[48:5:1m\x1b[5X",
    ] {
        let mut screen = fed(b"\r\n");
        assert!(screen.look().rows.iter().all(Row::is_blank));
        feed_all(&mut screen, drawn);
        let rows = screen.look().rows;
        let seen = rows.get(1).and_then(|row| row.runs.first());
        assert_eq!(seen.map(|run| run.style.background), Some(back), "{drawn:?}: {rows:?}");
        feed_all(&mut screen, b"\x1b[m\x1b[2J");
        assert!(screen.look().rows.iter().all(Row::is_blank), "{drawn:?}");
    }
}

#[test]
fn the_alternate_screen_comes_and_goes_with_one_cursor() {
    let mut screen = fed(b"one\r\ntwo\x1b[?1049hX");
    let inside = screen.snapshot();
    assert!(inside.alternate);
    assert_eq!(inside.text(), "\n   X");
    feed_all(&mut screen, b"\x1b[2;3r\x1b[?1049l!");
    let after = screen.snapshot();
    assert!(!after.alternate);
    assert_eq!(after.text(), "one\ntwo!");
}

#[test]
fn margins_and_origin_are_those_of_both_screens() {
    let lines = "a\r\nb\r\nc\r\nd";
    for (before, after, shown) in [
        (lines, "\x1b[2;3r\x1b[?1049h\x1b[?1049l\x1b[3;1H\nX", "a\nc\nX\nd"),
        (lines, "\x1b[2;3r\x1b[?47h\x1b[2Je\x1b[?47l\x1b[3;1H\nX", "a\nc\nX\nd"),
        ("\x1b[2;3r\x1b[?1049h", lines, "a\nc\nd"),
        ("\x1b[?1049h\x1b[2;3r\x1b[?1049l", lines, "a\nc\nd"),
        (
            "one\r\ntwo\x1b[?1049hX\x1b[2;3r",
            "\x1b[?1049l!\r\na\r\nb\r\nc\r\nd",
            "one\nc\nd",
        ),
        ("\x1b[2;4r\x1b[?6h", "\x1b[?47hX\x1b[1;1HY", "\nY"),
        ("\x1b[2;4r\x1b[?6h\x1b[2;3H", "\x1b[?47hX", "\n\n  X"),
        (
            "\x1b[2;4r\x1b[?6h",
            "\x1b[?1049hX\x1b[1;1HY\x1b[?1049l\x1b[1;1HZ",
            "\nZ",
        ),
        (
            "\x1b[2;4r\x1b[2;2H",
            "\x1b[?1049h\x1b[?6h\x1b[1;1HY\x1b[?1049lX\x1b[1;1HZ",
            "Z\n X",
        ),
    ] {
        let bytes = [before, after].concat();
        assert_eq!(text(bytes.as_bytes()), shown, "{bytes:?}");
    }
}

#[test]
fn questions_are_answered_and_dangerous_ones_are_not() {
    let table: &[(&str, &str)] = &[
        ("\x1b[c\x1b[0c\x1bZ", "\x1b[?62;22c\x1b[?62;22c\x1b[?62;22c"),
        ("\x1b[>c", "\x1b[>1;10;0c"),
        ("\x1b[=c", "\x1bP!|00000000\x1b\\"),
        ("\x1b[5n", "\x1b[0n"),
        ("ab\r\nc\x1b[6n", "\x1b[2;2R"),
        ("01234567890123456789\x1b[6n", "\x1b[1;20R"),
        ("\x1b[2;4r\x1b[?6h\x1b[6n\x1b[2;3H\x1b[?6n", "\x1b[1;1R\x1b[?2;3;1R"),
        (
            "\x1b[?2004h\x1b[?2004$p\x1b[?25$p\x1b[?1049$p",
            "\x1b[?2004;1$y\x1b[?25;1$y\x1b[?1049;2$y",
        ),
        ("\x1b[?2026$p\x1b[4$p", "\x1b[?2026;0$y\x1b[4;2$y"),
        ("\x1b]11;?\x07", "\x1b]11;rgb:0000/0000/0000\x07"),
        ("\x1b]10;?\x1b\\", "\x1b]10;rgb:e5e5/e5e5/e5e5\x1b\\"),
        ("\x1b[1;31m\x1bP$qm\x1b\\", "\x1bP1$r0;1;31m\x1b\\"),
        ("\x1b[2;4r\x1bP$qr\x1b\\", "\x1bP1$r2;4r\x1b\\"),
        ("\x1b[3 q\x1bP$q q\x1b\\", "\x1bP1$r3 q\x1b\\"),
        ("\x1bP$qx\x1b\\", "\x1bP0$r\x1b\\"),
        ("\x1bP+q544e\x1b\\", "\x1bP0+r\x1b\\"),
        // Titles, the clipboard, window operations, the answerback, keys of other protocols.
        (
            "\x1b]0;rm -rf\x07\x1b[21t\x1b[20t\x1b[18t\x1b[14t\x1b]52;c;?\x07\x05\x1b[?u\x1b]4;1;?\x07\x1b[8;9;9t",
            "",
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(replies(bytes.as_bytes()), *expected, "{bytes:?}");
    }
    assert!(replies(b"\x1b[>q").starts_with("\x1bP>|Terrarium("));
    let mut screen = fed(b"");
    screen.replay(b"\x1b[c");
    assert_eq!((screen.take_replies().len(), screen.counts().replies), (0, 0));
    assert_eq!(screen.size(), size(20, 5));
}

#[test]
fn questions_without_end_cost_no_memory() {
    let mut screen = fed(&b"\x1b[c".repeat(100_000));
    assert!(screen.take_replies().len() <= MAX_WAITING);
    let counts = screen.counts();
    assert_eq!(counts.replies + counts.replies_dropped, 100_000);
}

#[test]
fn titles_are_bounded_put_aside_and_hold_no_controls() {
    let title = |bytes: &[u8]| fed(bytes).snapshot().title;
    assert_eq!(title(b"\x1b]0;a;b\x07"), "a;b");
    assert_eq!(title(b"\x1b]2;x\ny\xff\x1b\\"), "xy\u{FFFD}");
    assert_eq!(title(b"\x1b]0;one\x07\x1b[22;0t\x1b]0;two\x07\x1b[23;0t"), "one");
    assert_eq!(title(format!("\x1b]0;{}\x07", "t".repeat(900)).as_bytes()).len(), 256);
    assert_eq!(title(format!("\x1b]0;{}\x07", "t".repeat(9000)).as_bytes()), "");
}

#[test]
fn modes_cursor_and_bells_are_told() {
    let mut screen = fed(b"\x1b[?1;2004;1004;1002;1006h\x1b=\x1b[5 q\x1b[?25l\x07\x07ab");
    let snapshot = screen.snapshot();
    let modes = snapshot.modes;
    assert!(modes.application_cursor && modes.application_keypad && modes.bracketed_paste && modes.focus_reports);
    assert_eq!(format!("{:?} {:?}", modes.mouse, modes.mouse_encoding), "Drags Sgr");
    let cursor = Cursor {
        row: 0,
        column: 2,
        visible: false,
        style: 5,
    };
    assert_eq!((snapshot.cursor, screen.counts().bells), (cursor, 2));
    feed_all(&mut screen, b"\x1b[!p\x1b[6n");
    assert!(screen.snapshot().cursor.visible && !screen.modes().application_cursor);
    assert_eq!(screen.take_replies(), b"\x1b[1;3R");
}

#[test]
fn rows_that_scrolled_away_can_be_read() {
    let lines: String = (0..3000).map(|n| format!("line {n}\r\n")).collect();
    let mut screen = fed(lines.as_bytes());
    let snapshot = screen.snapshot();
    assert_eq!(snapshot.history, HISTORY);
    assert_eq!(snapshot.text(), "line 2996\nline 2997\nline 2998\nline 2999");
    let texts = |rows: Vec<Row>| rows.iter().map(Row::text).collect::<Vec<_>>();
    let all = texts(screen.history(0..HISTORY));
    assert_eq!(
        (all.len(), all[0].as_str(), all[1999].as_str()),
        (2000, "line 996", "line 2995")
    );
    assert_eq!(texts(screen.history(1998..9000)), ["line 2994", "line 2995"]);
    assert_eq!(texts(screen.history(7..9)), ["line 1003", "line 1004"]);
    assert_eq!(screen.snapshot(), snapshot);
}

#[test]
fn a_flood_gives_the_same_screen_whether_or_not_it_is_skipped() {
    let mut flood = Vec::new();
    for n in 0..40_000u32 {
        flood.extend(format!("\x1b[3{}m{n} \u{20ac}{}\r\n", n % 8, "x".repeat(n as usize % 37)).into_bytes());
    }
    flood.extend(b"\x1b[1mend");
    let mut quick = Screen::new(size(30, 7));
    feed_all(&mut quick, &flood);
    let mut slow = Screen::new(size(30, 7));
    for piece in flood.chunks(1000) {
        feed_all(&mut slow, piece);
        slow.settle();
    }
    assert_eq!(quick.snapshot(), slow.snapshot());
    assert_eq!(quick.history(0..HISTORY), slow.history(0..HISTORY));
    assert!(
        quick.counts().history_lost < slow.counts().history_lost,
        "nothing was skipped"
    );
}

#[test]
fn changes_are_told_from_any_recent_picture() {
    let mut screen = fed(b"one\r\ntwo");
    let first = screen.snapshot();
    assert_eq!(screen.snapshot().frame, first.frame);
    assert_eq!(screen.changes(first.frame, &first), Changes::Nothing);
    feed_all(&mut screen, b"\x1b[1;1Hone\x1b[4;1H");
    let moved = screen.snapshot();
    assert_eq!(screen.changes(first.frame, &moved), Changes::Rows(vec![]));
    feed_all(&mut screen, b"x\x1b[2;1H\x1b[1mtwo");
    let drawn = screen.snapshot();
    assert_eq!(screen.changes(first.frame, &drawn), Changes::Rows(vec![1, 3]));
    assert_eq!(screen.changes(moved.frame, &drawn), Changes::Rows(vec![1, 3]));
    assert_eq!(screen.changes(99, &drawn), Changes::All);
    for n in 0..=FRAMES {
        feed_all(&mut screen, format!("\r{n}").as_bytes());
        screen.snapshot();
    }
    let last = screen.snapshot();
    assert_eq!(screen.changes(first.frame, &last), Changes::All);
    screen.resize(size(21, 5));
    let resized = screen.snapshot();
    assert_eq!(screen.changes(last.frame, &resized), Changes::All);
}

#[test]
fn a_region_is_cut_out() {
    let snapshot = fed("abcdef\r\n界界界\r\nxyz".as_bytes()).snapshot();
    let texts: Vec<String> = snapshot
        .part(Region {
            top: 0,
            left: 1,
            rows: 2,
            columns: 3,
        })
        .iter()
        .map(Row::text)
        .collect();
    assert_eq!(texts, ["bcd", " 界"]);
    assert_eq!(
        snapshot
            .part(Region {
                top: 4,
                left: 500,
                rows: 999,
                columns: u16::MAX
            })
            .len(),
        1
    );
}

#[test]
fn a_broken_emulator_is_replaced_by_one_that_shows_the_same() {
    for bytes in [
        &b"one\r\n\x1b[1;31mtwo\x1b[m \xe7\x95\x8c\r\n0123456789012345678901234567890123456789\x1b[?2004h\x1b[?25l$ "[..],
        b"main\r\n\x1b[?1049h\x1b[?1h\x1b[2;2H\x1b[7minside\x1b[3;3H",
        &b"line\r\n".repeat(50),
    ] {
        let mut screen = fed(bytes);
        let before = screen.snapshot();
        let history = screen.history(0..HISTORY);
        screen.interpreter.engine.fault();
        let after = screen.snapshot();
        assert_eq!(after, before);
        assert_eq!((screen.history(0..HISTORY), screen.counts().faults), (history, 1));
        feed_all(&mut screen, b"\x1b[?1049l!");
        assert!(screen.snapshot().text().contains('!'));
    }
}

#[test]
fn what_never_ends_does_not_grow() {
    let mut screen = fed(b"\x1b]0;");
    for _ in 0..64 {
        feed_all(&mut screen, &[b'x'; 1 << 16]);
    }
    feed_all(&mut screen, b"\x07after\r\n");
    feed_all(&mut screen, "e".as_bytes());
    feed_all(&mut screen, "\u{301}".repeat(100_000).as_bytes());
    let snapshot = screen.snapshot();
    assert!(snapshot.text().starts_with("after\ne\u{301}"));
    assert!(snapshot.text().len() < 200);
}

/// Pieces of output that make for more than noise.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[ -~]{0,30}".prop_map(String::into_bytes),
        2 => "[界e\u{301}\u{fe0f}\u{200d}👩❤ a\u{17d8}]{0,12}".prop_map(String::into_bytes),
        2 => Just(b"\r\n".to_vec()),
        1 => "[\u{8}\t\n\r\u{7}\u{e}\u{f}]{1,4}".prop_map(String::into_bytes),
        8 => "\u{1b}\\[[?>!$ ]?[0-9:;]{0,8}[ -~]".prop_map(String::into_bytes),
        2 => "\u{1b}[ -~]{1,2}".prop_map(String::into_bytes),
        1 => "\u{1b}\\[\\?(1049|47|1047|7|6|25)[hl]".prop_map(String::into_bytes),
        1 => "\u{1b}[\\]PX^_][ -~]{0,12}(\u{7}|\u{1b}\\\\)".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn nothing_breaks_it_and_it_does_not_matter_where_reads_cut(
        parts in prop::collection::vec((pieces(), prop::option::weighted(0.05, (20u16..60, 2u16..12))), 0..60),
        cut in 1usize..50,
    ) {
        let mut whole = Screen::new(size(22, 6));
        let mut split = Screen::new(size(22, 6));
        for (bytes, resize) in &parts {
            feed_all(&mut whole, bytes);
            for piece in bytes.chunks(cut) {
                feed_all(&mut split, piece);
            }
            if let Some((columns, rows)) = resize {
                whole.resize(size(*columns, *rows));
                split.resize(size(*columns, *rows));
            }
        }
        prop_assert_eq!(whole.counts().faults, 0, "the emulator broke");
        let snapshot = whole.snapshot();
        prop_assert_eq!(&snapshot, &split.snapshot());
        prop_assert_eq!(whole.take_replies(), split.take_replies());
        prop_assert!(snapshot.cursor.column < snapshot.size.columns() && snapshot.cursor.row < snapshot.size.rows());
        for row in &snapshot.rows {
            prop_assert!(row.columns() <= snapshot.size.columns());
            prop_assert!(!row.text().contains(|c: char| c.is_control()));
        }
        let history = whole.history(0..HISTORY);
        prop_assert_eq!(history.len(), snapshot.history);
    }
}
