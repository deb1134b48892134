use proptest::prelude::*;

use super::*;

#[test]
fn each_tag_has_its_form() {
    let table = [
        ("[b]x[/b] [i]y[/i] [s]z[/s] [u]u[/u]", "x y z u", "**x** *y* ~~z~~ u"),
        ("[STRONG]x[/Strong]", "x", "**x**"),
        ("[url=http://a/b c(d)]t[/url]", "t", "[t](http://a/b%20c%28d%29)"),
        ("[url]http://a[/url]", "http://a", "http://a"),
        ("[url=javascript:x]t[/url]", "t", "t"),
        ("[img]http://a/i.png[/img]", "http://a/i.png", "image: http://a/i.png"),
        ("![x](http://a)", "![x](http://a)", "!\\[x](http://a)"),
        (
            "[quote=\"Bob\"]a\nb[/quote]c",
            "Bob wrote:\na\nb\nc",
            "> Bob wrote:\n> a\n> b\nc",
        ),
        ("[list][*]a[*]b[/list]c", "- a\n- b\nc", "- a\n- b\nc"),
        ("[code]a[b]&quot;[/CODE]x", "a[b]\"x", "```\na[b]\"\n```\nx"),
        ("[code]```[/code]", "```", "````\n```\n````"),
        ("[code]open", "[code]open", "[code]open"),
        ("[color=#fff]x[/color][size=9]y[/size]", "xy", "xy"),
        (
            "[nosuch]x[/nosuch] [1] [",
            "[nosuch]x[/nosuch] [1] [",
            "[nosuch]x[/nosuch] [1] [",
        ),
        ("[b]x", "x", "**x**"),
        ("x[/b][/i]", "x", "x"),
        ("[b][i]x[/b]y[/i]", "xy", "***x***y"),
        ("&amp;lt;b&amp;gt; &lt;", "&lt;b&gt; <", "&lt;b&gt; <"),
        ("[spoiler]x[/spoiler]", "spoiler: x", "spoiler: x"),
        ("a\u{1b}[31mb&#27;[0m&#x202e;", "a[31mb[0m", "a[31mb[0m"),
    ];
    for (text, plain, marked) in table {
        assert_eq!(clean(text), plain, "{text}");
        assert_eq!(markdown(text), marked, "{text}");
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
    fn plain_text_stays_as_it_is(text in "[a-z0-9 .,]{0,80}") {
        prop_assert_eq!(clean(&text), text.trim());
        prop_assert_eq!(markdown(&text), text.trim());
    }
}
