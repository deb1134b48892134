//! How much a piece of output can ask for before others have their turn.

use super::*;

/// A large screen that takes this, over and over: how many bytes it takes in each turn, and that what it leaves to be drawn
/// is little work.
fn taken_at_once(before: &[u8], again: &[u8]) -> usize {
    let mut screen = Screen::new(Size::new(500, 300).unwrap());
    screen.replay(before);
    let flood = again.repeat((1 << 20) / again.len());
    let mut most = 0;
    for _ in 0..3 {
        most = most.max(screen.feed(&flood));
        assert!(screen.interpreter.owed < LITTLE, "{again:?}");
    }
    most
}

#[test]
fn what_a_turn_may_cost_is_counted_by_what_is_drawn() {
    let (cells, columns) = (500 * 300, 500);
    let table: [(&[u8], &[u8], usize); 13] = [
        (b"", b"\x1b[L", columns),
        (b"", b"\x1b[300L", cells),
        (b"", b"\x1b[9999M", cells),
        (b"", b"\x1b[99S", 5 * 99 * columns),
        (b"", b"\x1b[T", columns),
        (b"", b"\x1b[2J", cells),
        (b"\x1b[300H", b"\n", 5 * columns),
        (b"\x1b[2;300r\x1b[300H", b"\r\n", 5 * columns),
        (b"\x1b[300H", b"\x1bD", 5 * columns),
        (b"", b"\x1bM", 5 * columns),
        (b"", b"\x1b[K", 2 * columns),
        (b"", b"\x1b#8", 12 * cells),
        (b"\x1b[4h", b"x", columns),
    ];
    for (before, again, cost) in table {
        let piece = if again.first() == Some(&0x1B) { 0 } else { PIECE };
        let most = (WORK / cost + 2) * again.len() + piece;
        let taken = taken_at_once(before, again);
        assert!(
            taken <= most,
            "{again:?} after {before:?}: {taken} bytes at once, of {most}"
        );
    }
}

#[test]
fn plain_output_is_taken_at_once() {
    for line in [
        &b"y\r\n"[..],
        b"\x1b[32mgreen\x1b[m\r\n",
        b"a longer line of ordinary text\r\n",
    ] {
        assert!(taken_at_once(b"", line) > 100_000, "{line:?}");
        let mut screen = Screen::new(Size::new(80, 24).unwrap());
        for read in line.repeat(10_000).chunks(4095) {
            assert_eq!(screen.feed_little(read), read.len());
            assert_eq!(screen.interpreter.owed, 0, "{line:?}");
        }
    }
}

#[test]
fn strings_that_draw_nothing_are_counted_too() {
    let mut screen = Screen::new(Size::new(80, 24).unwrap());
    for (begin, end) in [("\x1b]0;", "\x07"), ("\x1bP", "\x1b\\"), ("\x1b_", "\x1b\\")] {
        let flood = format!("{begin}{}{end}", "T".repeat(200)).repeat(2_000).into_bytes();
        assert!(screen.feed_little(&flood) <= LITTLE / 4, "{begin:?}");
    }
}
