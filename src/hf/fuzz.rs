//! What must hold for every byte from Hack Forums, from posts, from agents and from browsers.

use std::sync::LazyLock;

use serde_json::{Map, Value, from_slice};

use super::content::{is_control, is_hidden};
use super::drafts::Drafts;
use super::normalise::{MAX_TEXT, View, rows};
use super::operations::OPERATIONS;
use super::request::{Work, understand};
use super::settings::{BodyFormat, HfFile, Settings};
use super::{callback, content, mycode};

/// An answer becomes rows without anything hidden, or none.
pub fn hf_answer(bytes: &[u8]) {
    let [first, json @ ..] = bytes else { return };
    let Ok(value) = from_slice::<Value>(json) else { return };
    let operation = OPERATIONS.get(usize::from(*first) % OPERATIONS.len());
    let body = match first % 3 {
        0 => BodyFormat::Raw,
        1 => BodyFormat::Clean,
        _ => BodyFormat::Markdown,
    };
    let view = View {
        fields: &[],
        hidden: &["secret"],
        body,
    };
    let Some(rows) = operation.and_then(|operation| rows(&value, operation, view)) else {
        return;
    };
    let (mut texts, mut bytes) = (0, 0);
    for row in &rows {
        assert!(!row.contains_key("secret"));
        check(&Value::Object(row.clone()), &mut texts, &mut bytes);
    }
    assert!(bytes <= MAX_TEXT + NOTE * texts, "{bytes} bytes in {texts} texts");
    let raw = value.to_string();
    let shown = content::visible_json(&raw);
    assert!(!shown.chars().any(is_hidden));
    assert_eq!(from_slice::<Value>(shown.as_bytes()).ok(), Some(value));
}

/// Bytes of a note on what is not shown, at most.
const NOTE: usize = 48;

fn check(value: &Value, texts: &mut usize, bytes: &mut usize) {
    match value {
        Value::String(text) => {
            assert!(!text.chars().any(|c| is_control(c) || is_hidden(c)), "{text:?}");
            *texts += 1;
            *bytes += text.len();
        }
        Value::Array(items) => items.iter().for_each(|item| check(item, texts, bytes)),
        Value::Object(row) => row.values().for_each(|value| check(value, texts, bytes)),
        Value::Null => {}
        other => panic!("{other} is no text"),
    }
}

/// MyCode becomes text without anything hidden, in proportion.
pub fn hf_mycode(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for shown in [mycode::clean(text), mycode::markdown(text)] {
        assert!(!shown.chars().any(|c| is_control(c) || is_hidden(c)));
        assert!(shown.len() <= 16 * text.len() + 64, "{} of {}", shown.len(), text.len());
    }
    mycode::check(text);
    let made = mycode::from_markdown(text);
    // References to links are bounded by the parser.
    assert!(
        made.len() <= 64 * text.len() + 256 * 1024,
        "{} of {}",
        made.len(),
        text.len()
    );
}

/// A call is understood, or refused in few words; what would be sent holds what was given and nothing hidden.
pub fn hf_arguments(bytes: &[u8]) {
    static SETTINGS: LazyLock<Option<Settings>> = LazyLock::new(|| {
        let enable = OPERATIONS.iter().map(|operation| operation.tool.to_owned()).collect();
        let file = HfFile {
            enable,
            ..HfFile::default()
        };
        Settings::new(&file).ok()
    });
    let (Some(settings), [first, json @ ..]) = (&*SETTINGS, bytes) else {
        return;
    };
    let Ok(given) = from_slice::<Map<String, Value>>(json) else {
        return;
    };
    let Some(operation) = OPERATIONS.get(usize::from(first.wrapping_sub(b'0'))) else {
        return;
    };
    let drafts = Drafts::new("/nonexistent/drafts".into());
    match understand(operation, settings, &drafts, &given) {
        Ok(asked) => {
            if let Work::Send(ask) | Work::Show(ask) = &asked.work {
                let body = String::from_utf8_lossy(&ask.body);
                assert!(!body.chars().any(|c| is_control(c) || is_hidden(c)));
                assert_eq!(
                    operation.writes(),
                    given.get("confirm_live") == Some(&Value::Bool(true))
                );
                let sent: Value = from_slice(&ask.body).unwrap_or_default();
                assert_eq!(sent.get("asks"), Some(&ask.asks));
            }
        }
        Err(error) => {
            let message = format!("{} {error}", error.field());
            assert!(message.len() < 2048, "{message}");
        }
    }
}

/// A browser's request means a code only with the state of the login.
pub fn hf_callback(bytes: &[u8]) {
    const STATE: &str = "0123456789abcdef";
    let found = callback::parse(bytes, "/callback", STATE);
    if let callback::Callback::Code(code) = found {
        assert!(!code.is_empty() && code.bytes().all(|b| b.is_ascii_graphic()));
        assert!(bytes.starts_with(b"GET /callback?"));
    }
}
