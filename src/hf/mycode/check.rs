//! What is wrong with a message, or will be changed by Hack Forums.

use serde_json::{Value, json};

use super::{TAGS, Tag, Token, Tokens};

/// Something to know about a message before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its name, as in `invalid_mycode`.
    pub code: &'static str,
    /// Whether it must not be sent so.
    pub severity: Severity,
    /// What it is.
    pub about: &'static str,
}

/// How bad an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It must not be sent so.
    Error,
    /// It will look different.
    Warning,
}

impl Issue {
    /// Whether it must not be sent so.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// As JSON.
    pub fn to_json(self) -> Value {
        let severity = if self.is_error() { "error" } else { "warn" };
        json!({"code": self.code, "severity": severity, "message": self.about})
    }
}

/// All issues of a message.
pub fn check(text: &str) -> Vec<Issue> {
    let mut open = [0_i64; TAGS];
    let (mut code_open, mut json_code) = (false, false);
    let mut crossed = false;
    for token in Tokens::new(text) {
        match token {
            Token::Unclosed(_) | Token::Close(Tag::Code | Tag::Php) => code_open = true,
            Token::Verbatim(body) => json_code |= body.trim_start().starts_with(['{', '[']) && body.contains('"'),
            Token::Open(Tag::Look | Tag::Item, _) | Token::Close(Tag::Look | Tag::Item) | Token::Text(_) => {}
            Token::Open(tag, _) => {
                if let Some(count) = open.get_mut(tag as usize) {
                    *count += 1;
                }
            }
            Token::Close(tag) => {
                if let Some(count) = open.get_mut(tag as usize) {
                    *count -= 1;
                    crossed |= *count < 0;
                }
            }
        }
    }
    let warn = |code, about| Issue {
        code,
        severity: Severity::Warning,
        about,
    };
    let mut issues = Vec::new();
    if code_open {
        issues.push(Issue {
            code: "invalid_mycode",
            severity: Severity::Error,
            about: "[code] or [php] without its end, or an end without its start",
        });
    }
    if crossed || open.iter().any(|count| *count != 0) {
        issues.push(warn(
            "unbalanced_mycode",
            "a tag is not closed, or closed and never opened",
        ));
    }
    if text.contains('"') {
        issues.push(warn("double_quote_canonicalization", "Hack Forums stores \" as &quot;"));
    }
    if text.contains(['<', '>']) {
        issues.push(warn(
            "angle_bracket_canonicalization",
            "Hack Forums stores < and > as &lt; and &gt;",
        ));
    }
    if json_code {
        issues.push(warn(
            "json_code_block_lossy_medium",
            "JSON in a code block will be read back with &quot; in the place of its quotes",
        ));
    }
    issues
}
