//! What programs printed gives the screen that tmux shows for it. The streams in `tests/streams` were recorded inside
//! a sandbox, each named after its program and the size of its terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use terrarium::session::screen::{Screen, Size};

use crate::harness::fresh_directory;
use crate::harness::is_there;

/// Where streams are cut: in the middle and at the end.
const CUTS: [usize; 2] = [1, 2];
/// Streams that are looked at side by side.
const THREADS: usize = 4;
/// Screens that must be equal, in percent.
const EQUAL: usize = 98;

/// Writes a stream as it is, waits until the terminal has taken all of it, and says so. No stream asks for the
/// terminal's health (DSR 5), as vim does for the cursor: the answer can only be to the question after it.
const WRITER: &str = "import os, sys, tty\ntty.setraw(0)\nos.write(1, b'')\ndata = open(sys.argv[1], 'rb').read()[:int(sys.argv[2])]\n\
    while data: data = data[os.write(1, data):]\nos.write(1, b'\\x18\\x1b[5n')\nseen = b''\n\
    while not seen.endswith(b'\\x1b[0n'): seen += os.read(0, 1)\nos.system('tmux -S ' + sys.argv[3] + ' wait-for -S drawn')\n\
    os.read(0, 1)\n";

#[test]
fn recorded_programs_look_as_they_do_in_tmux() {
    if !is_there("tmux") || !is_there("python3") {
        return;
    }
    let streams = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/streams");
    let paths: Vec<_> = std::fs::read_dir(streams)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(paths.len() >= 20);
    let different: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = paths
            .chunks(paths.len().div_ceil(THREADS))
            .map(|paths| scope.spawn(|| paths.iter().flat_map(|path| differences(path)).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let screens = paths.len() * CUTS.len();
    let equal = screens - different.len();
    assert!(
        equal * 100 >= screens * EQUAL,
        "{equal} of {screens} are equal; not so:\n{}",
        different.join("\n")
    );
}

/// The screens of one stream that are not equal.
fn differences(path: &Path) -> Vec<String> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let (columns, rows) = name.rsplit_once('.').unwrap().1.split_once('x').unwrap();
    let size = Size::new(columns.parse().unwrap(), rows.parse().unwrap()).unwrap();
    let stream = std::fs::read(path).unwrap();
    let cuts = CUTS.map(|cut| stream.len() * cut / CUTS.len());
    let compared = cuts.into_iter().map(|cut| {
        let (ours, theirs) = (ours(size, &stream[..cut]), theirs(size, path, cut));
        let rows = ours.iter().zip(&theirs).enumerate().filter(|(_, (a, b))| a != b);
        let rows: String = rows
            .map(|(n, (ours, theirs))| format!("\n  {n}: {ours:?}\n  tmux: {theirs:?}"))
            .collect();
        (cut, rows)
    });
    compared
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(cut, rows)| format!("{name} at {cut}:{rows}"))
        .collect()
}

fn ours(size: Size, mut stream: &[u8]) -> Vec<String> {
    let mut screen = Screen::new(size);
    while !stream.is_empty() {
        stream = &stream[screen.feed(stream)..];
    }
    let rows = screen.snapshot().rows;
    rows.iter().map(|row| row.text()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the other terminal is a program of the machine"
)]
fn tmux(socket: &Path) -> Command {
    let mut command = Command::new("tmux");
    command
        .arg("-S")
        .arg(socket)
        .args(["-f", "/dev/null"])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

fn theirs(size: Size, stream: &Path, cut: usize) -> Vec<String> {
    let directory = fresh_directory();
    let socket = directory.join("s");
    let (columns, rows) = (size.columns().to_string(), size.rows().to_string());
    let started = tmux(&socket)
        .args([
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "python3",
            "-c",
            WRITER,
        ])
        .arg(stream)
        .arg(cut.to_string())
        .arg(&socket)
        // Without its status line the pane has the size of the window.
        .args([
            ";",
            "set",
            "-g",
            "status",
            "off",
            ";",
            "resize-window",
            "-x",
            &columns,
            "-y",
            &rows,
        ])
        .status()
        .unwrap();
    assert!(started.success());
    assert!(tmux(&socket).args(["wait-for", "drawn"]).status().unwrap().success());
    let shown = tmux(&socket).args(["capture-pane", "-p", "-e"]).output().unwrap();
    tmux(&socket).arg("kill-server").status().unwrap();
    std::fs::remove_dir_all(directory).unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let mut all: Vec<String> = without_looks(&text);
    all.resize(size.rows().into(), String::new());
    all
}

/// Captured rows: characters of the line-drawing set stand between SO and SI, looks in escape sequences.
fn without_looks(rows: &str) -> Vec<String> {
    let mut text = String::new();
    let mut drawing = false;
    let mut characters = rows.chars();
    while let Some(c) = characters.next() {
        match c {
            '\x1b' => while characters.next().is_some_and(|c| c != 'm') {},
            '\x0e' => drawing = true,
            '\x0f' => drawing = false,
            '\n' => text.push(c),
            c if drawing => text.push(drawn(c)),
            c => text.push(c),
        }
    }
    text.lines().map(|row| row.trim_end_matches(' ').to_owned()).collect()
}

/// The corners and lines of the DEC special graphics set (VT100 user guide, table 3-9).
fn drawn(c: char) -> char {
    match c {
        'j' => '┘',
        'k' => '┐',
        'l' => '┌',
        'm' => '└',
        'n' => '┼',
        'q' => '─',
        't' => '├',
        'u' => '┤',
        'v' => '┴',
        'w' => '┬',
        'x' => '│',
        c => c,
    }
}
