//! Character sets: line drawing in place of letters, as old programs draw their boxes.

/// Which sets are chosen (VT220: G0 to G3, and the one of them in use).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charsets {
    drawing: [bool; 4],
    active: usize,
}

impl Charsets {
    /// Handles `ESC ( 0` and its like (SCS): intermediate and final byte.
    pub(super) fn designate(&mut self, intermediate: u8, last: u8) {
        let slot = usize::from(intermediate.wrapping_sub(b'('));
        if let Some(slot) = self.drawing.get_mut(slot) {
            *slot = last == b'0';
        }
    }

    /// Puts one of the sets in use.
    pub(super) fn shift(&mut self, slot: usize) {
        self.active = slot;
    }

    /// The set in use draws lines.
    pub(super) fn is_drawing(&self) -> bool {
        self.drawing.get(self.active).copied().unwrap_or(false)
    }
}

/// What a character is in the set for line drawing (VT100 user guide, table 3-9).
pub(super) fn drawn(c: char) -> char {
    const DRAWN: [char; 32] = [
        ' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├',
        '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
    ];
    let at = u32::from(c)
        .checked_sub(0x5F)
        .and_then(|n| DRAWN.get(usize::try_from(n).ok()?));
    at.copied().unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_become_lines_in_the_set_for_drawing_only() {
        let mut sets = Charsets::default();
        assert!(!sets.is_drawing());
        sets.designate(b'(', b'0');
        assert!(sets.is_drawing());
        sets.designate(b')', b'0');
        sets.designate(b'(', b'B');
        assert!(!sets.is_drawing());
        sets.shift(1);
        assert!(sets.is_drawing());
        let text: String = "lqk_~aA\u{7f}".chars().map(drawn).collect();
        assert_eq!(text, "┌─┐ ·▒A\u{7f}");
    }
}
