//! The lines of an audit, as they stand: whether they follow each other is the business of [`super::read`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use super::chain::{self, LINE};
use super::files::list;
use super::record::Line;

/// All whole lines of a directory, file by file, oldest file first, as their bytes and what they say.
pub fn lines(directory: &Path) -> io::Result<impl Iterator<Item = (Vec<u8>, Line<'static>)>> {
    let mut files = list(directory)?;
    files.sort_by_key(|found| (found.modified, found.name));
    let files = files.into_iter().filter_map(|found| File::open(found.path).ok());
    Ok(files.flat_map(|file| lines_of(BufReader::new(file))))
}

/// The whole lines of one file.
pub fn lines_of(mut input: impl BufRead) -> impl Iterator<Item = (Vec<u8>, Line<'static>)> {
    std::iter::from_fn(move || {
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(LINE as u64).read_until(b'\n', &mut line).ok()?;
            if read == 0 {
                return None;
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            if let Ok((said, _)) = chain::open(&line) {
                return Some((line, said));
            }
        }
    })
}
