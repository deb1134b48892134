//! Files without a name that processes hold, seen from outside through `/proc`.
//!
//! A walk of a directory does not meet them, and they take room all the same.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// Files without a name that processes hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unlinked {
    /// What they take.
    pub(crate) bytes: u64,
    /// How many there are.
    pub(crate) files: u64,
    /// Whether these are all. Some may be on their way through a socket, where nobody sees them.
    pub(crate) complete: bool,
}

impl Default for Unlinked {
    fn default() -> Self {
        Self {
            bytes: 0,
            files: 0,
            complete: true,
        }
    }
}

/// How many descriptors and mappings one look takes.
const MAX_HELD: usize = 200_000;

/// The files on `device` that `pids` hold open or mapped, and that have no name any more (proc_pid_fd(5), proc_pid_maps(5)).
pub(crate) fn unlinked(pids: &[Pid], device: u64) -> Unlinked {
    let mut found = Unlinked::default();
    let mut seen = HashSet::new();
    let mut looked = 0;
    for pid in pids {
        let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        // A thread may have descriptors of its own.
        for task in fs::read_dir(process.join("task")).into_iter().flatten().flatten() {
            for entry in fs::read_dir(task.path().join("fd")).into_iter().flatten().flatten() {
                looked += 1;
                if looked > MAX_HELD {
                    found.complete = false;
                    return found;
                }
                let Ok(file) = fs::metadata(entry.path()) else { continue }; // closed meanwhile
                if file.file_type().is_socket() {
                    found.complete &= !passes_files(&task.path().join("fdinfo").join(entry.file_name()));
                } else if file.nlink() == 0 && file.dev() == device && file.is_file() && seen.insert(file.ino()) {
                    found.bytes += file.blocks() * 512;
                    found.files += 1;
                }
            }
        }
        let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
        let mut mapped: HashMap<u64, u64> = HashMap::new();
        for line in maps.lines().filter(|line| line.ends_with(" (deleted)")) {
            looked += 1;
            if let Some((inode, bytes)) = mapping(line, device)
                && !seen.contains(&inode)
            {
                *mapped.entry(inode).or_default() += bytes;
            }
        }
        seen.extend(mapped.keys());
        found.bytes += mapped.values().sum::<u64>();
        found.files += mapped.len() as u64;
    }
    found
}

/// Whether descriptors are on their way through a socket (`scm_fds`, since Linux 5.10).
fn passes_files(information: &Path) -> bool {
    let text = fs::read_to_string(information).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("scm_fds:"));
    line.is_some_and(|count| count.trim() != "0")
}

/// The inode of a mapping on `device`, and its length.
fn mapping(line: &str, device: u64) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (major, minor) = fields.nth(2)?.split_once(':')?;
    let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
    let number = |text| u32::from_str_radix(text, 16).ok();
    let there = rustix::fs::makedev(number(major)?, number(minor)?);
    let inode = fields.next()?.parse().ok()?;
    (there == device).then_some((inode, hexadecimal(end)?.checked_sub(hexadecimal(start)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_name_are_found_where_they_are_held() {
        let me = [rustix::process::getpid()];
        let path = std::env::temp_dir().join(format!("terrarium-unlinked-{}", std::process::id()));
        fs::write(&path, vec![1; 3 << 20]).unwrap();
        let held = fs::File::open(&path).unwrap();
        let device = held.metadata().unwrap().dev();
        let before = unlinked(&me, device);
        fs::remove_file(&path).unwrap();
        let now = unlinked(&me, device);
        assert!(now.bytes >= before.bytes + (3 << 20), "{before:?} {now:?}");
        assert!(now.files > before.files);
        let line = "7f00-9f00 rw-s 00001000 103:0a 4711   /w/x (deleted)";
        assert_eq!(mapping(line, rustix::fs::makedev(0x103, 0xa)), Some((4711, 0x2000)));
        assert_eq!(mapping(line, 1), None);
    }
}
