//! Reads an audit while it is written: what is new since the last look.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::read::{self, list};
use super::record::Line;

/// A line: its bytes, and what it says.
pub type Whole = (Vec<u8>, Line<'static>);

/// How far each file of a directory was read.
#[derive(Debug)]
pub struct Follow {
    directory: PathBuf,
    places: HashMap<PathBuf, u64>,
    /// Bytes at the end of each file that the first look reads.
    first: u64,
    looked: bool,
}

impl Follow {
    /// From the first line of each file on.
    pub fn all(directory: PathBuf) -> Self {
        Self::last(directory, u64::MAX)
    }

    /// From so many bytes before the end of each file on.
    pub fn last(directory: PathBuf, bytes: u64) -> Self {
        Self {
            directory,
            places: HashMap::new(),
            first: bytes,
            looked: false,
        }
    }

    /// The whole lines that were written since the last look, in the order of their times.
    pub fn fresh(&mut self) -> io::Result<Vec<Whole>> {
        let mut all = Vec::new();
        for found in list(&self.directory)? {
            let from = match self.looked {
                true => 0,
                false => found.bytes.saturating_sub(self.first),
            };
            let place = self.places.entry(found.path.clone()).or_insert(from);
            if found.bytes <= *place {
                continue;
            }
            let Ok(mut file) = File::open(&found.path) else {
                continue; // retired just now
            };
            file.seek(SeekFrom::Start(*place))?;
            let bytes = whole_lines(file)?;
            *place += bytes.len() as u64;
            all.extend(read::lines_of(bytes.as_slice()));
        }
        self.looked = true;
        all.sort_by(|(_, a), (_, b)| a.time.cmp(&b.time));
        Ok(all)
    }
}

/// All that there is, but for a last line that is not whole.
fn whole_lines(file: File) -> io::Result<Vec<u8>> {
    let mut input = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(bytes);
        }
        if bytes.last() != Some(&b'\n') {
            bytes.truncate(before);
            return Ok(bytes);
        }
    }
}

/// A line for people: one line, with what others wrote escaped.
pub fn describe(line: &Line<'_>) -> String {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let texts = [
        ("", line.call.as_deref()),
        ("", line.caller.as_deref()),
        ("", line.tool.as_deref()),
        ("rule", line.rule.as_deref()),
        ("profile", line.profile.as_deref()),
        ("policy", line.policy.as_deref()),
        ("session", line.session.as_deref()),
        ("question", line.question.as_deref()),
        ("outcome", line.outcome.as_deref()),
        ("exit", number(line.exit_code).as_deref()),
        ("signal", number(line.signal).as_deref()),
        ("by", line.by.as_deref()),
        ("file", line.file.as_deref()),
        ("why", line.why.as_deref()),
    ]
    .map(|(name, text)| (name, text.map(|text| text.escape_debug().to_string())));
    let mut said = format!("{} {}", line.time, line.event.name());
    for (name, text) in texts {
        match (name, text) {
            (_, None) => {}
            ("", Some(text)) => write!(said, " {text}").unwrap_or_default(), // a string takes everything
            (name, Some(text)) => write!(said, " {name}=\"{text}\"").unwrap_or_default(), // as above
        }
    }
    if line.late {
        said.push_str(" (late)");
    }
    said
}
