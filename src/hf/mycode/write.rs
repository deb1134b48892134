//! Markdown as MyCode.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Markdown as MyCode. What MyCode has no word for stays as its text.
pub fn from_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut picture, mut php) = (false, false);
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) => {
                out.push_str("[img]");
                out.push_str(&address(&dest_url));
                picture = true;
            }
            Event::End(TagEnd::Image) => {
                out.push_str("[/img]");
                picture = false;
            }
            _ if picture => {} // the words for a picture that is not shown
            Event::Start(Tag::CodeBlock(kind)) => {
                php = matches!(kind, CodeBlockKind::Fenced(language) if language.as_ref() == "php");
                apart(&mut out);
                out.push_str(if php { "[php]" } else { "[code]" });
            }
            Event::End(TagEnd::CodeBlock) => out.push_str(if php { "[/php]" } else { "[/code]" }),
            Event::Start(tag) => start(&mut out, &tag),
            Event::End(tag) => end(&mut out, tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => out.push_str(&text),
            Event::Code(text) => {
                out.push_str("[code]");
                out.push_str(&text);
                out.push_str("[/code]");
            }
            Event::SoftBreak | Event::HardBreak => out.push('\n'),
            Event::Rule => {
                apart(&mut out);
                out.push_str("[hr]");
            }
            _ => {} // extensions that are not turned on
        }
    }
    out.trim().to_owned()
}

fn start(out: &mut String, tag: &Tag<'_>) {
    match tag {
        Tag::Paragraph => apart(out),
        Tag::Heading { .. } => {
            apart(out);
            out.push_str("[b]");
        }
        Tag::BlockQuote(_) => {
            apart(out);
            out.push_str("[quote]");
        }
        Tag::List(first) => {
            line(out);
            out.push_str(if first.is_some() { "[list=1]" } else { "[list]" });
        }
        Tag::Item => {
            line(out);
            out.push_str("[*]");
        }
        Tag::Emphasis => out.push_str("[i]"),
        Tag::Strong => out.push_str("[b]"),
        Tag::Strikethrough => out.push_str("[s]"),
        Tag::Link { dest_url, .. } => {
            out.push_str("[url=");
            out.push_str(&address(dest_url));
            out.push(']');
        }
        _ => {}
    }
}

fn end(out: &mut String, tag: TagEnd) {
    match tag {
        TagEnd::Heading(_) | TagEnd::Strong => out.push_str("[/b]"),
        TagEnd::BlockQuote(_) => out.push_str("[/quote]"),
        TagEnd::List(_) => {
            line(out);
            out.push_str("[/list]");
        }
        TagEnd::Emphasis => out.push_str("[/i]"),
        TagEnd::Strikethrough => out.push_str("[/s]"),
        TagEnd::Link => out.push_str("[/url]"),
        _ => {}
    }
}

/// A blank line before what comes, unless a tag was just opened.
fn apart(out: &mut String) {
    if out.is_empty() || out.ends_with("[quote]") || out.ends_with("[*]") {
        return;
    }
    line(out);
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
}

fn line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}

/// An address that cannot end its tag.
fn address(url: &str) -> String {
    url.replace('[', "%5B").replace(']', "%5D").replace(['\n', '\r'], "")
}
