use super::names::NAMES;
use super::*;
use proptest::prelude::*;

fn sent(name: &str) -> Vec<u8> {
    written(name, &Modes::default())
}

fn written(name: &str, modes: &Modes) -> Vec<u8> {
    let mut out = Vec::new();
    Key::parse(name)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .write(modes, &mut out)
        .unwrap();
    out
}

const TABLE: &[(&str, &[u8])] = &[
    ("Enter Return enter KPEnter C-m", b"\r"),
    ("Tab C-i C-Tab", b"\t"),
    ("Space S-Space", b" "),
    ("Escape Esc C-[ ^[ C-3", b"\x1b"),
    ("Backspace BSpace C-? ^? C-8", b"\x7f"),
    ("C-Backspace C-h", b"\x08"),
    ("C-@ C-Space ^@ C-2 Null Ctrl+Space", b"\0"),
    ("C-a C-A ^a ^A Ctrl+A Ctrl-a Control+a c-a C-S-a", b"\x01"),
    ("C-z ^Z", b"\x1a"),
    ("C-\\ ^\\ C-4", b"\x1c"),
    ("C-] ^] C-5", b"\x1d"),
    ("C-^ ^^ C-6", b"\x1e"),
    ("C-/ C-- C-_ ^_ C-7 C-Minus", b"\x1f"),
    ("LineFeed C-j", b"\n"),
    ("A-x M-x Alt+x Meta+x Option+x", b"\x1bx"),
    ("A-X A-S-x Alt+Shift+X", b"\x1bX"),
    ("A-Enter", b"\x1b\r"),
    ("C-A-a M-C-a Ctrl+Alt+A", b"\x1b\x01"),
    ("A-Escape", b"\x1b\x1b"),
    ("A-Backspace", b"\x1b\x7f"),
    ("S-Tab BTab BackTab Shift+Tab", b"\x1b[Z"),
    ("Left ArrowLeft", b"\x1b[D"),
    ("Right", b"\x1b[C"),
    ("Up UP up", b"\x1b[A"),
    ("Down", b"\x1b[B"),
    ("Home", b"\x1b[H"),
    ("End", b"\x1b[F"),
    ("S-Up Shift+Up", b"\x1b[1;2A"),
    ("A-Up M-Up", b"\x1b[1;3A"),
    ("A-S-Up S-A-Up", b"\x1b[1;4A"),
    ("C-Left Ctrl+Left", b"\x1b[1;5D"),
    ("C-S-Right S-C-Right", b"\x1b[1;6C"),
    ("C-A-Down", b"\x1b[1;7B"),
    ("C-A-S-Home S-A-C-Home", b"\x1b[1;8H"),
    ("Insert Ins IC", b"\x1b[2~"),
    ("Delete Del DC", b"\x1b[3~"),
    ("C-Delete", b"\x1b[3;5~"),
    ("PageUp PgUp PPage", b"\x1b[5~"),
    ("PageDown PgDn NPage", b"\x1b[6~"),
    ("C-PageDown", b"\x1b[6;5~"),
    ("F1 f1", b"\x1bOP"),
    ("F4", b"\x1bOS"),
    ("C-F2", b"\x1b[1;5Q"),
    ("F5", b"\x1b[15~"),
    ("F6", b"\x1b[17~"),
    ("F10", b"\x1b[21~"),
    ("F11", b"\x1b[23~"),
    ("F12", b"\x1b[24~"),
    ("A-F7", b"\x1b[18;3~"),
    ("F13 S-F1", b"\x1b[1;2P"),
    ("F24 S-F12", b"\x1b[24;2~"),
    ("C-F17 C-S-F5", b"\x1b[15;6~"),
    ("KP0 0", b"0"),
    ("KP* KPMultiply *", b"*"),
    ("Plus + KP+", b"+"),
    ("C 0x43 0x0043 S-c", b"C"),
    ("^", b"^"),
    ("-", b"-"),
    ("ä 0xe4", "ä".as_bytes()),
    ("A-ä", "\x1bä".as_bytes()),
    ("0x3 C-c", b"\x03"),
    ("C-1", b"1"),
];

#[test]
fn every_key_of_the_table_sends_its_bytes() {
    for (names, bytes) in TABLE {
        for name in names.split(' ') {
            assert_eq!(
                sent(name).escape_ascii().to_string(),
                bytes.escape_ascii().to_string(),
                "{name}"
            );
        }
    }
}

#[test]
fn application_modes_change_cursor_keys_and_the_keypad() {
    let modes = Modes {
        application_cursor: true,
        application_keypad: true,
        ..Modes::default()
    };
    assert_eq!(written("Up", &modes), b"\x1bOA");
    assert_eq!(written("End", &modes), b"\x1bOF");
    assert_eq!(written("C-Up", &modes), b"\x1b[1;5A");
    assert_eq!(written("PageUp", &modes), b"\x1b[5~");
    assert_eq!(written("KP0", &modes), b"\x1bOp");
    assert_eq!(written("KP9", &modes), b"\x1bOy");
    assert_eq!(written("KPEnter", &modes), b"\x1bOM");
    assert_eq!(written("kp/", &modes), b"\x1bOo");
    assert_eq!(written("A-KP.", &modes), b"\x1b\x1bOn");
}

#[test]
fn the_focus_is_reported_only_when_asked_for() {
    let key = Key::parse("FocusIn").unwrap();
    assert_eq!(
        key.write(&Modes::default(), &mut Vec::new()),
        Err(KeyError::NoFocusReports)
    );
    assert_eq!(written("FocusOut", &Modes::default().with_focus_reports()), b"\x1b[O");
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest_names() {
    let error = |name: &str| Key::parse(name).unwrap_err().to_string();
    assert_eq!(
        error("Entr"),
        "no such key: \"Entr\", did you mean Enter or End?; hint: text that is to be typed as it is goes in \"text\""
    );
    assert!(error("Ctrl+PageUpp").contains("PageUp"), "{}", error("Ctrl+PageUpp"));
    for name in [
        "",
        "F0",
        "F25",
        "F01",
        "Nosuch",
        "git commit",
        "C-",
        "0xd800",
        "0x110000",
        "KPx",
        "C-C-a",
        "^ä",
    ] {
        assert!(matches!(Key::parse(name), Err(KeyError::Unknown { .. })), "{name}");
    }
    assert_eq!(Key::parse(&"x".repeat(41)), Err(KeyError::TooLong { characters: 41 }));
}

#[test]
fn what_no_keyboard_sends_is_refused() {
    for name in ["S-1", "C-ä", "C-KP1", "S-KPEnter", "C-!"] {
        assert!(matches!(Key::parse(name), Err(KeyError::NoBytes { .. })), "{name}");
    }
}

#[test]
fn every_name_is_a_key_and_is_written_once() {
    for (at, (name, ..)) in NAMES.iter().enumerate() {
        Key::parse(name).unwrap();
        assert!(
            NAMES[at + 1..]
                .iter()
                .all(|(other, ..)| !other.eq_ignore_ascii_case(name)),
            "{name}"
        );
        assert!(name.len() <= MAX_NAME);
    }
}

proptest! {
    #[test]
    fn no_name_breaks_the_parser(name in "(C-|A-|S-|Ctrl\\+|\\^|0x|F|KP){0,4}\\PC{0,8}") {
        if let Ok(key) = Key::parse(&name) {
            let mut out = Vec::new();
            key.write(&Modes::default().with_focus_reports(), &mut out).unwrap();
            prop_assert!(!out.is_empty() && out.len() <= 12, "{:?}", out);
        }
    }

    #[test]
    fn a_plain_character_types_itself(c in any::<char>()) {
        prop_assert_eq!(sent(&c.to_string()), c.to_string().into_bytes());
    }
}
