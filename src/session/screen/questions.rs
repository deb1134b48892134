//! What a program can ask its terminal, and what it is told. The words are in [`super::replies`].

use super::interpreter::Interpreter;
use super::replies;
use crate::session::modes::{MouseEncoding, MouseReports};

impl Interpreter {
    /// DA, DSR, DECRQM, XTVERSION.
    pub(super) fn question(&mut self, intermediates: &[u8], action: char, first: u16) {
        match (intermediates, action, first) {
            ([], 'c', 0) => self.replies.give(replies::PRIMARY),
            (b">", 'c', 0) => self.replies.give(replies::SECONDARY),
            (b"=", 'c', 0) => self.replies.give(replies::TERTIARY),
            (b">", 'q', 0) => self.replies.give(replies::VERSION),
            ([], 'n', 5) => self.replies.give(replies::READY),
            ([] | b"?", 'n', 6) => {
                let (row, column) = self.position();
                let top = self.margins.filter(|_| self.origin).map_or(1, |(top, _)| top);
                let row = (row + 2).saturating_sub(top);
                self.replies
                    .give(&replies::position(!intermediates.is_empty(), row, column + 1));
            }
            (b"$", 'p', mode) => {
                let set = match mode {
                    4 => Some(self.insert),
                    20 => Some(self.newline),
                    _ => None,
                };
                self.replies.give(&replies::mode(false, mode, set));
            }
            (b"?$", 'p', mode) => {
                let set = self.dec_mode_set(mode);
                self.replies.give(&replies::mode(true, mode, set));
            }
            _ => {}
        }
    }

    fn dec_mode_set(&mut self, mode: u16) -> Option<bool> {
        let engine = self.engine_settled();
        let (modes, alternate, hidden) = (engine.modes(), engine.is_alternate(), engine.is_cursor_hidden());
        match mode {
            1 => Some(modes.application_cursor),
            6 => Some(self.origin),
            7 => Some(self.autowrap),
            9 => Some(modes.mouse == MouseReports::Presses),
            25 => Some(!hidden),
            47 | 1047 | 1049 => Some(alternate),
            1000 => Some(modes.mouse == MouseReports::Buttons),
            1002 => Some(modes.mouse == MouseReports::Drags),
            1003 => Some(modes.mouse == MouseReports::Moves),
            1004 => Some(self.focus_reports),
            1005 => Some(modes.mouse_encoding == MouseEncoding::Utf8),
            1006 => Some(modes.mouse_encoding == MouseEncoding::Sgr),
            2004 => Some(modes.bracketed_paste),
            _ => None,
        }
    }

    pub(super) fn tell_setting(&mut self, question: &[u8]) {
        let reply = match question {
            b"m" => {
                let mut looks = String::new();
                self.engine_settled().style().write(&mut looks);
                replies::setting(looks.trim_start_matches("\x1b["))
            }
            b"r" => {
                let (top, bottom) = self.margins.unwrap_or((1, self.engine.size().rows()));
                replies::setting(&format!("{top};{bottom}r"))
            }
            b" q" => {
                let style = self.engine_settled().cursor_style();
                replies::setting(&format!("{style} q"))
            }
            _ => replies::NO_SETTING.to_owned(),
        };
        self.replies.give(&reply);
    }
}
