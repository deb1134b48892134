//! MyCode, the markup of the forum: read into tokens in one pass, shown in other forms, and made from Markdown.
//!
//! Any member can write anything, so every step is linear in the text: a tag ends at the first bracket or line end, the
//! end of a code block is looked for once when there is none, and closing tags count what is open before they look.

mod check;
mod render;
mod write;

pub use check::{Issue, Severity, check};
pub use render::{clean, markdown};
pub use write::from_markdown;

/// A tag that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Bold,
    Italic,
    Underline,
    Strike,
    Quote,
    Url,
    Image,
    List,
    Item,
    Spoiler,
    Code,
    Php,
    /// One that only says how text looks.
    Look,
}

/// A piece of MyCode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Text(&'t str),
    /// A tag and what follows its `=`.
    Open(Tag, &'t str),
    Close(Tag),
    /// What stands between `[code]` and `[/code]`.
    Verbatim(&'t str),
    /// A `[code]` or `[php]` without its end, as written.
    Unclosed(&'t str),
}

/// How many kinds of tags there are.
pub(super) const TAGS: usize = Tag::Look as usize + 1;

const NAMES: [(&str, Tag); 26] = [
    ("b", Tag::Bold),
    ("strong", Tag::Bold),
    ("i", Tag::Italic),
    ("em", Tag::Italic),
    ("u", Tag::Underline),
    ("s", Tag::Strike),
    ("strike", Tag::Strike),
    ("quote", Tag::Quote),
    ("url", Tag::Url),
    ("img", Tag::Image),
    ("uimg", Tag::Image),
    ("list", Tag::List),
    ("*", Tag::Item),
    ("spoiler", Tag::Spoiler),
    ("code", Tag::Code),
    ("php", Tag::Php),
    ("color", Tag::Look),
    ("size", Tag::Look),
    ("font", Tag::Look),
    ("align", Tag::Look),
    ("center", Tag::Look),
    ("left", Tag::Look),
    ("right", Tag::Look),
    ("email", Tag::Look),
    ("video", Tag::Look),
    ("hr", Tag::Look),
];

/// Reads MyCode.
pub(super) struct Tokens<'t> {
    rest: &'t str,
    /// Whether `[/code]` or `[/php]` cannot be found any more.
    no_more: [bool; 2],
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            no_more: [false; 2],
        }
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (head, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        head
    }

    /// What stands before the end of a code block, which is passed over.
    fn verbatim(&mut self, tag: Tag) -> Option<&'t str> {
        let (end, index) = if tag == Tag::Code {
            ("[/code]", 0)
        } else {
            ("[/php]", 1)
        };
        let missing = self.no_more.get_mut(index)?;
        if *missing {
            return None;
        }
        let found = self.rest.match_indices("[/").map(|(at, _)| at).find(|at| {
            let here = self.rest.get(*at..at + end.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(end))
        });
        let Some(at) = found else {
            *missing = true;
            return None;
        };
        let body = self.take(at);
        self.take(end.len());
        Some(body)
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut from = 0;
        loop {
            let Some(at) = self.rest.get(from..)?.find('[').map(|at| from + at) else {
                return Some(Token::Text(self.take(self.rest.len())));
            };
            let Some((tag, closes, value, length)) = self.rest.get(at..).and_then(head) else {
                from = at + 1;
                continue;
            };
            if at > 0 {
                return Some(Token::Text(self.take(at))); // the tag is read again, from its start
            }
            let whole = self.take(length);
            return Some(match (tag, closes) {
                (tag, true) => Token::Close(tag),
                (Tag::Code | Tag::Php, false) => match self.verbatim(tag) {
                    Some(body) => Token::Verbatim(body),
                    None => Token::Unclosed(whole),
                },
                (tag, false) => Token::Open(tag, value),
            });
        }
    }
}

/// The known tag that a text begins with: which, whether it closes, its value, and its length.
fn head(text: &str) -> Option<(Tag, bool, &str, usize)> {
    let inside = text.get(1..)?;
    let end = inside.find([']', '[', '\n'])?;
    let whole = inside.get(..end)?;
    if inside.as_bytes().get(end) != Some(&b']') {
        return None;
    }
    let (name, closes) = match whole.strip_prefix('/') {
        Some(name) => (name, true),
        None => (whole, false),
    };
    let (name, value) = name.split_once('=').unwrap_or((name, ""));
    let (_, tag) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some((*tag, closes, value.trim_matches(['"', '\'']), end + 2))
}

#[cfg(test)]
mod tests;
