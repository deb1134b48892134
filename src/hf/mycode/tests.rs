use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::{Issue, check, clean, from_markdown, markdown};

#[test]
fn each_tag_has_its_form() {
    let table = [
        ("[b]x[/b] [i]y[/i] [s]z[/s] [u]u[/u]", "x y z u", "**x** *y* ~~z~~ u"),
        ("[STRONG]x[/Strong]", "x", "**x**"),
        ("[url=http://a/b c(d)]t[/url]", "t", "[t](http://a/b%20c%28d%29)"),
        ("[url]http://a[/url]", "http://a", "http://a"),
        ("[url=javascript:x]t[/url]", "t", "t"),
        ("[img]http://a/i.png[/img]", "http://a/i.png", "image: http://a/i.png"),
        ("![x](http://a)", "![x](http://a)", "!\\[x\\](http://a)"),
        ("a\\b `c` ~d <e", "a\\b `c` ~d <e", "a\\\\b `c` ~d \\<e"),
        ("wow![url=http://a]t[/url]", "wow!t", "wow\\![t](http://a)"),
        (
            "[quote=\"Bob\"]a\nb[/quote]c",
            "Bob wrote:\na\nb\nc",
            "> Bob wrote:\n> a\n> b\nc",
        ),
        ("[list][*]a[*]b[/list]c", "- a\n- b\nc", "- a\n- b\nc"),
        ("[code]a[b]&quot;[/CODE]x", "a[b]\"x", "```\na[b]\"\n```\nx"),
        ("[code]```[/code]", "```", "````\n```\n````"),
        ("[code]open", "[code]open", "\\[code\\]open"),
        ("[color=#fff]x[/color][size=9]y[/size]", "xy", "xy"),
        (
            "[nosuch]x[/nosuch] [1] [",
            "[nosuch]x[/nosuch] [1] [",
            "\\[nosuch\\]x\\[/nosuch\\] \\[1\\] \\[",
        ),
        ("[b]x", "x", "**x**"),
        ("x[/b][/i]", "x", "x"),
        ("[b][i]x[/b]y[/i]", "xy", "***x***y"),
        ("&amp;lt;b&amp;gt; &lt;", "&lt;b&gt; <", "&lt;b&gt; \\<"),
        ("[spoiler]x[/spoiler]", "spoiler: x", "spoiler: x"),
        ("a\u{1b}[31mb&#27;[0m&#x202e;", "a[31mb[0m", "a\\[31mb\\[0m"),
    ];
    for (text, plain, marked) in table {
        assert_eq!(clean(text), plain, "{text}");
        assert_eq!(markdown(text), marked, "{text}");
    }
}

/// Nothing that a client which shows Markdown would fetch or run: no picture, no HTML, no address but of the web.
fn assert_harmless(post: &str) {
    let shown = markdown(post);
    let metadata = Options::ENABLE_YAML_STYLE_METADATA_BLOCKS | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    for event in Parser::new_ext(&shown, Options::all() - metadata) {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) => panic!("{post:?}: a picture of {dest_url} in {shown:?}"),
            Event::Html(html) | Event::InlineHtml(html) => panic!("{post:?}: {html:?} in {shown:?}"),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let known = ["http:", "https:", "mailto:"];
                let web = known.iter().any(|scheme| dest_url.to_lowercase().starts_with(scheme));
                assert!(web, "{post:?}: a link to {dest_url} in {shown:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn no_post_becomes_a_picture_or_a_link_of_another_kind() {
    for post in [
        "![c](http://x)",
        "!\u{200b}[c](http://x)",
        "![hr][d](http://x)",
        "![url=http://x]e[/url]",
        "!!\u{200b}[url=http://x]e[/url]",
        "[f](javascript:x)",
        "\\[f\\](javascript:x)",
        "\\![f\\](http://x)",
        "![c]\n\n[c]: http://x",
        "&#33;&#91;c&#93;(http://x)",
        "[quote=&#33;&#91;c&#93;(http://x)]y[/quote]",
        "&lt;javascript:x&gt;",
        "&lt;img src=http://x&gt;",
        "<img src=http://x>",
        "[code]``\u{200b}`\n![c](http://x)\n[/code]",
        "```\n[code]x\n![c](http://x)\n[/code]",
        "``[hr]`\n[code]x\n![c](http://x)\n[/code]",
        "~~~\n[code]\n~~~\n![c](http://x)\n[/code]",
        "[s][s][s]\n[code]\n~~~~~~\n![c](http://x)\n[/code]",
        "[s]\n[/s][s]\n[code]\n~~~~~~\n![c](http://x)\n[/code]",
        "[s]a\n[/s]~\n[code]\n~~~~~~\n![c](http://x)\n[/code]",
        "[url=http://a\\]t[/url] ![c](http://x)",
        "[code]![c](http://x)",
    ] {
        assert_harmless(post);
    }
}

#[test]
fn markdown_becomes_mycode() {
    let table = [
        (
            "**a** *b* __c__ _d_ ~~e~~",
            "[b]a[/b] [i]b[/i] [b]c[/b] [i]d[/i] [s]e[/s]",
        ),
        ("a\nb\n\nc", "a\nb\n\nc"),
        (
            "`x` and\n```\na[b]\n```\nz",
            "[code]x[/code] and\n\n[code]a[b]\n[/code]\n\nz",
        ),
        ("```php\necho;\n```", "[php]echo;\n[/php]"),
        (
            "[t](http://a?b[1]) ![alt](http://i)",
            "[url=http://a?b%5B1%5D]t[/url] [img]http://i[/img]",
        ),
        ("> q\n> r\n\ns", "[quote]q\nr[/quote]\n\ns"),
        (
            "- a\n- b\n\n1. c",
            "[list]\n[*]a\n[*]b\n[/list]\n[list=1]\n[*]c\n[/list]",
        ),
        ("# h\ntext", "[b]h[/b]\n\ntext"),
        ("error CODE42 seen, CODE1", "error CODE42 seen, CODE1"),
        ("already [b]MyCode[/b]", "already [b]MyCode[/b]"),
        ("a &lt;b&gt; < >", "a <b> < >"),
    ];
    for (text, expected) in table {
        assert_eq!(from_markdown(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_message_has_a_name() {
    let codes = |text| check(text).into_iter().map(|issue| issue.code).collect::<Vec<_>>();
    assert!(codes("fine [b]x[/b]").is_empty());
    for text in ["[code]x", "x[/code]", "[php]x[/code]"] {
        assert!(check(text).iter().any(Issue::is_error), "{text}");
    }
    assert_eq!(codes("[b]x"), ["unbalanced_mycode"]);
    assert_eq!(codes("[/b]x[b]"), ["unbalanced_mycode"]);
    assert_eq!(codes("say \"x\""), ["double_quote_canonicalization"]);
    assert_eq!(codes("a < b"), ["angle_bracket_canonicalization"]);
    assert_eq!(
        codes("[code]{\"a\": 1}[/code]"),
        ["double_quote_canonicalization", "json_code_block_lossy_medium"]
    );
}

/// The work is counted by what it makes: each kind of tag, a megabyte of it, ends at once and stays in proportion.
#[test]
fn hostile_posts_stay_in_proportion() {
    let parts = [
        "[b]",
        "[/b]",
        "[quote]",
        "[url=a]",
        "[list]",
        "[code]",
        "[/",
        "[",
        "[url=",
        "&",
        "[quote]\n",
        "[b][/i]",
    ];
    for part in parts {
        let text = part.repeat(1_000_000 / part.len());
        for shown in [clean(&text), markdown(&text)] {
            assert!(shown.len() < 3 * text.len(), "{part}: {} bytes", shown.len());
        }
        check(&text);
    }
}

proptest! {
    #[test]
    fn what_is_shown_holds_nothing_hidden(text in "(\\[/?(b|i|quote|url|code|list|\\*)(=[a-z:&;]{0,5})?\\]|[a-z\n&;#x1b0-9\u{1b}\u{202e}]){0,60}") {
        for shown in [clean(&text), markdown(&text)] {
            prop_assert!(!shown.chars().any(|c| crate::hf::content::is_control(c) || crate::hf::content::is_hidden(c)));
        }
    }

    #[test]
    fn no_post_becomes_something_live(
        post in prop::collection::vec(prop::sample::select(vec![
            "!", "[", "]", "(http://x)", "(javascript:x)", "[c]", "[c](http://x)", "\u{200b}", "\\", "`", "```", "~", "~~~",
            "\n", "\n\n", "    ", "> ", "- ", "<", ">", "&lt;", "&gt;", "img src=x", "a", ":", " ", "[hr]", "[s]", "[/s]",
            "[b]", "[/b]", "[i]", "[quote]", "[/quote]", "[quote=&#33;&#91;c&#93;(x)]", "[list]", "[*]", "[/list]", "[code]",
            "[/code]", "[url=http://x]", "[url=javascript:x]", "[url=http://x\\]", "[/url]", "[img]", "[/img]", "[spoiler]",
            "&#91;", "&#10;", "&#x200b;", "&#96;", "javascript:x",
        ]), 0..24),
    ) {
        assert_harmless(&post.concat());
    }

    #[test]
    fn plain_text_stays_as_it_is(text in "[a-z0-9 .,]{0,80}") {
        prop_assert_eq!(clean(&text), text.trim());
        prop_assert_eq!(markdown(&text), text.trim());
    }
}
