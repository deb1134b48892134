//! MyCode as plain text or as Markdown.
//!
//! Links are kept as links only where they lead to the web, and pictures never become pictures: a client that shows
//! Markdown must not fetch what a stranger chose.

use super::{TAGS, Tag, Token, Tokens};
use crate::hf::content::{decoded, visible};

/// The text without tags.
pub fn clean(text: &str) -> String {
    render(text, Form::Clean)
}

/// The text as Markdown.
pub fn markdown(text: &str) -> String {
    render(text, Form::Markdown)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Clean,
    Markdown,
}

/// Tags that may be open at a time; what goes deeper loses its tags, not its text.
const DEEPEST: usize = 100;
/// Quotes that are marked one inside the other.
const DEEPEST_QUOTE: usize = 6;

struct Renderer<'t> {
    form: Form,
    out: String,
    stack: Vec<(Tag, &'t str)>,
    open: [usize; TAGS],
}

fn render(text: &str, form: Form) -> String {
    let mut renderer = Renderer {
        form,
        out: String::with_capacity(text.len() + text.len() / 8),
        stack: Vec::new(),
        open: [0; TAGS],
    };
    for token in Tokens::new(text) {
        match token {
            Token::Text(text) | Token::Unclosed(text) => renderer.text(text),
            Token::Verbatim(body) => renderer.verbatim(body),
            Token::Open(tag, value) => renderer.open(tag, value),
            Token::Close(tag) => renderer.close(tag),
        }
    }
    while let Some((tag, value)) = renderer.stack.pop() {
        renderer.end(tag, value);
    }
    visible(renderer.out.trim()).into_owned()
}

impl<'t> Renderer<'t> {
    fn count(&mut self, tag: Tag) -> Option<&mut usize> {
        self.open.get_mut(tag as usize)
    }

    fn quotes(&self) -> usize {
        self.open.get(Tag::Quote as usize).copied().unwrap_or_default()
    }

    fn text(&mut self, text: &str) {
        self.words(&shown(text));
    }

    /// What a stranger wrote, and that marks up nothing.
    fn words(&mut self, text: &str) {
        match self.form {
            Form::Markdown => {
                let text = self.escaped(text);
                self.lines(&text);
            }
            Form::Clean => self.lines(text),
        }
    }

    /// So written that no link, picture, HTML or code block begins or ends in it, alone or with what stands around it.
    fn escaped(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut last = self.out.chars().next_back();
        for c in text.chars() {
            let run = matches!(c, '`' | '~') && last == Some(c);
            if run || matches!(c, '\\' | '[' | ']' | '<') {
                out.push('\\');
            }
            out.push(c);
            last = Some(c);
        }
        out
    }

    /// Lines, each marked with the quotes that it stands in.
    fn lines(&mut self, text: &str) {
        let marks = if self.form == Form::Markdown { self.quotes() } else { 0 };
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.out.push('\n');
                self.mark(marks);
            }
            self.out.push_str(line);
        }
    }

    fn mark(&mut self, quotes: usize) {
        for _ in 0..quotes.min(DEEPEST_QUOTE) {
            self.out.push_str("> ");
        }
    }

    /// A line of its own, marked with the quotes that it stands in.
    fn line(&mut self) {
        let marks = if self.form == Form::Markdown { self.quotes() } else { 0 };
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.mark(marks);
    }

    fn verbatim(&mut self, body: &str) {
        let body = shown(body);
        let body = body.trim_matches('\n');
        if self.form == Form::Clean {
            self.lines(body);
            return;
        }
        // Longer than any run of backticks inside.
        let runs = body.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat((runs + 1).max(3));
        self.line();
        self.out.push_str(&fence);
        self.lines("\n");
        self.lines(body);
        self.lines("\n");
        self.out.push_str(&fence);
        self.lines("\n");
    }

    fn open(&mut self, tag: Tag, value: &'t str) {
        if tag == Tag::Item {
            self.line();
            self.out.push_str("- ");
            return;
        }
        if tag == Tag::Look || self.stack.len() >= DEEPEST {
            return;
        }
        if let Some(count) = self.count(tag) {
            *count += 1;
        }
        self.stack.push((tag, value));
        match (tag, self.form) {
            (Tag::Quote, _) => {
                self.line();
                if !value.is_empty() {
                    let author = shown(value);
                    let author = author.split(['"', '\'']).next().unwrap_or_default();
                    self.words(&format!("{author} wrote:\n"));
                }
            }
            (Tag::Spoiler, _) => self.out.push_str("spoiler: "),
            (Tag::Image, Form::Markdown) => self.out.push_str("image: "),
            (Tag::Url, Form::Markdown) if link(value).is_some() => {
                if self.out.ends_with('!') {
                    self.out.pop();
                    self.out.push_str("\\!"); // else it would be a picture
                }
                self.out.push('[');
            }
            (tag, Form::Markdown) => self.emphasis(tag),
            (_, Form::Clean) => {}
        }
    }

    fn emphasis(&mut self, tag: Tag) {
        let mark = match tag {
            Tag::Bold => "**",
            Tag::Italic => "*",
            Tag::Strike => "~~",
            _ => return,
        };
        if tag == Tag::Strike && self.out.ends_with('~') {
            self.out.push(' '); // three in a row begin a code block
        }
        self.out.push_str(mark);
    }

    fn close(&mut self, tag: Tag) {
        if self.count(tag).is_none_or(|count| *count == 0) {
            return; // nothing to close
        }
        while let Some((open, value)) = self.stack.pop() {
            self.end(open, value);
            if open == tag {
                return;
            }
        }
    }

    /// The end of a tag that was taken off the stack.
    fn end(&mut self, tag: Tag, value: &str) {
        if let Some(count) = self.count(tag) {
            *count = count.saturating_sub(1);
        }
        match (tag, self.form) {
            (Tag::Quote | Tag::List, _) => {
                let marks = if self.form == Form::Markdown { self.quotes() } else { 0 };
                self.out.push('\n');
                self.mark(marks);
            }
            (Tag::Url, Form::Markdown) => {
                if let Some(link) = link(value) {
                    self.out.push_str("](");
                    self.out.push_str(&link);
                    self.out.push(')');
                }
            }
            (tag, Form::Markdown) => self.emphasis(tag),
            (_, Form::Clean) => {}
        }
    }
}

/// A text as it is seen. Before anything else looks at it: what is hidden must not keep apart what will stand together.
fn shown(text: &str) -> String {
    visible(&decoded(text)).into_owned()
}

/// An address of the web, so written that it cannot end its brackets.
fn link(value: &str) -> Option<String> {
    let value = shown(value);
    let scheme = value.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase())?;
    if !["http", "https", "mailto"].contains(&scheme.as_str()) {
        return None;
    }
    let mut link = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            ' ' => link.push_str("%20"),
            '(' => link.push_str("%28"),
            ')' => link.push_str("%29"),
            '<' => link.push_str("%3C"),
            '>' => link.push_str("%3E"),
            '\\' => link.push_str("%5C"),
            c if c.is_control() => {}
            c => link.push(c),
        }
    }
    Some(link)
}
