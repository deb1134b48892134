//! What is mounted, as a process sees it (proc_pid_mountinfo(5)).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// What `mnt_id` in proc_pid_fdinfo(5) names.
    pub(crate) id: u64,
    /// The device of its file system. Files on btrfs and overlayfs may say another.
    pub(crate) device: u64,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The kind of its file system.
    pub(crate) kind: String,
}

/// The mounts that a process sees, later ones over earlier ones; `process` is a directory of `/proc`.
pub(crate) fn of(process: &Path) -> io::Result<Vec<Mount>> {
    let text = fs::read(process.join("mountinfo"))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(mount).collect())
}

fn mount(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let text = |field: &[u8]| std::str::from_utf8(field).ok().map(str::to_owned);
    let (major, minor) = text(fields.get(2)?)?
        .split_once(':')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let end = fields.iter().position(|field| *field == b"-")?;
    Some(Mount {
        id: text(fields.first()?)?.parse().ok()?,
        device: rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?),
        path: unescaped(fields.get(4)?),
        kind: text(fields.get(end + 1)?)?,
    })
}

/// A path without the kernel's `\040` for a space, and the like.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let number = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(number.unwrap_or(*first));
        rest = match number {
            Some(_) => after.get(3..).unwrap_or_default(),
            None => after,
        };
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_optional_fields_and_without() {
        let expected = Mount {
            id: 36,
            device: rustix::fs::makedev(98, 7),
            path: PathBuf::from("/a b\\c"),
            kind: "ext3".to_owned(),
        };
        for optional in ["", "master:1 shared:2 "] {
            let line = format!("36 35 98:7 /root /a\\040b\\134c rw,noatime {optional}- ext3 /dev/root rw");
            assert_eq!(mount(line.as_bytes()), Some(expected.clone()), "{line}");
        }
        assert_eq!(mount(b""), None);
        assert!(
            of(Path::new("/proc/self"))
                .unwrap()
                .iter()
                .any(|mount| mount.path == Path::new("/proc"))
        );
    }
}
