//! Files without a name that processes hold, seen from outside through `/proc`.
//!
//! A walk of a directory does not meet them, and they take room all the same.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::mountinfo::{self, Mount};

/// Files without a name that processes hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unlinked {
    /// What they take.
    pub(crate) bytes: u64,
    /// How many there are.
    pub(crate) files: u64,
    /// Whether these are all. Some may be on their way through a socket, or with a process that lets nobody look.
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

/// How many descriptors and mappings one look takes, and how long it may take.
const MAX_HELD: usize = 200_000;
const MAX_LOOK: Duration = Duration::from_millis(500);

/// Where the system's own programs are: what an update of them leaves mapped was not written by a command.
const SYSTEM: &str = "/usr/";

/// Calls that may wait long with a file in hand, which no descriptor need name any more: data into a full pipe, descriptors into a full
/// socket.
const WITH_FILES: [i64; 6] = [
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_copy_file_range,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
];

/// Where in the kernel these wait: all that is told of a process that is not dumpable.
const WAIT_THERE: [&str; 4] = ["pipe_w", "splice", "wait_for_wmem", "sock_alloc_send"];

/// The files on `devices` that `pids`, a sandbox from its pid 1 on, hold open or mapped, and that have no name any more
/// (proc_pid_fd(5), proc_pid_maps(5)).
///
/// `own` are the directories that commands write to. `closed` are processes of ours into which nobody may be able to look. Where that is so
/// of another one, these are not all.
pub(crate) fn unlinked(pids: &[Pid], devices: &[u64], own: &[&Path], closed: &[Pid]) -> Unlinked {
    let directory = |pid: &Pid| PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let mut look = Look {
        devices,
        own,
        mounts: Mounts::of(pids.first().map(directory), devices),
        found: Unlinked::default(),
        seen: HashSet::new(),
        looked: 0,
        until: Instant::now() + MAX_LOOK,
    };
    for pid in pids {
        let result = look.process(&directory(pid));
        if look.is_over() || (result.is_err() && !closed.contains(pid)) {
            look.found.complete = false;
        }
        if look.is_over() {
            break;
        }
    }
    look.found
}

/// One look at all processes.
struct Look<'a> {
    devices: &'a [u64],
    own: &'a [&'a Path],
    mounts: Mounts,
    found: Unlinked,
    seen: HashSet<u64>,
    looked: usize,
    until: Instant,
}

impl Look<'_> {
    /// Fails where it cannot be said what a process holds that is still there.
    fn process(&mut self, process: &Path) -> io::Result<()> {
        let tasks = match fs::read_dir(process.join("task")) {
            Err(error) if is_gone(&error) => return Ok(()),
            tasks => tasks?,
        };
        let mut mapped = false;
        let mut result = Ok(());
        for task in tasks {
            let task = task?.path();
            // A thread may have descriptors of its own; memory is everybody's, but not shown by one that has ended.
            let held = self.descriptors(&task).and_then(|()| self.program(&task));
            self.found.complete &= !waits_with_files(&task);
            let maps = if mapped {
                Ok(true)
            } else {
                self.mappings(process, &task)
            };
            mapped |= *maps.as_ref().unwrap_or(&false);
            if let Err(error) = held.and(maps)
                && !has_ended(&task)
            {
                result = Err(error);
            }
        }
        result
    }

    fn is_over(&self) -> bool {
        self.looked > MAX_HELD || Instant::now() > self.until
    }

    fn count(&mut self) -> io::Result<()> {
        self.looked += 1;
        if self.is_over() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn descriptors(&mut self, task: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(task.join("fd")) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return self.numbers(task),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            self.count()?;
            let file = match fs::metadata(entry.path()) {
                Err(error) if is_gone(&error) => continue, // closed meanwhile
                file => file?,
            };
            if file.file_type().is_socket() {
                self.found.complete &= !passes_files(&information(task, &entry.file_name())?);
            } else if file.nlink() == 0
                && self.devices.contains(&file.dev())
                && file.is_file()
                && self.seen.insert(file.ino())
            {
                self.found.bytes += file.blocks() * 512;
                self.found.files += 1;
            }
        }
        Ok(())
    }

    /// What runs, which may be mapped no more (proc_pid_exe(5)).
    fn program(&mut self, task: &Path) -> io::Result<()> {
        let link = task.join("exe");
        let file = match fs::metadata(&link) {
            Err(error) if is_gone(&error) => return Ok(()), // it has ended
            file => file?,
        };
        let counts = file.nlink() == 0 && self.devices.contains(&file.dev());
        if counts && !self.is_system(&fs::read_link(&link)?) && self.seen.insert(file.ino()) {
            self.found.bytes += file.blocks() * 512;
            self.found.files += 1;
        }
        Ok(())
    }

    fn is_system(&self, name: &Path) -> bool {
        name.starts_with(SYSTEM) && !self.own.iter().any(|directory| name.starts_with(directory))
    }

    /// The descriptors of a process that is not dumpable: the kernel gives them to root, but tells the owner of its user namespace which
    /// there are (proc_pid_fdinfo(5), since Linux 5.14). None may be on a file system that counts: what it has there is not to be seen.
    fn numbers(&mut self, task: &Path) -> io::Result<()> {
        for entry in fs::read_dir(task.join("fdinfo"))? {
            self.count()?;
            let text = information(task, &entry?.file_name())?;
            if field(&text, "mnt_id:").is_some_and(|mount| self.mounts.hold(mount)) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            self.found.complete &= !passes_files(&text);
        }
        Ok(())
    }

    fn counts(&self, mapping: &Mapping<'_>) -> bool {
        self.mounts.devices.contains(&mapping.device) && !self.is_system(Path::new(mapping.name))
    }

    /// Says whether there were any.
    fn mappings(&mut self, process: &Path, task: &Path) -> io::Result<bool> {
        let text = match fs::read(task.join("maps")) {
            Err(error) if is_gone(&error) => return Ok(false),
            text => text?,
        };
        let text = String::from_utf8_lossy(&text); // names may hold anything
        let mut mapped: HashMap<u64, u64> = HashMap::new();
        for line in text.lines().filter(|line| line.ends_with(" (deleted)")) {
            self.count()?;
            let Some(mapping) = Mapping::read(line).filter(|mapping| self.counts(mapping)) else {
                continue;
            };
            if self.seen.contains(&mapping.inode) {
                continue;
            }
            // Only root may look there, and only that tells how long the file is.
            match fs::metadata(process.join("map_files").join(mapping.range)) {
                Ok(file) => {
                    mapped.insert(mapping.inode, file.blocks() * 512);
                }
                Err(_) => {
                    *mapped.entry(mapping.inode).or_default() += mapping.bytes;
                    self.found.complete = false;
                }
            }
        }
        self.seen.extend(mapped.keys());
        self.found.bytes += mapped.values().sum::<u64>();
        self.found.files += mapped.len() as u64;
        Ok(!text.is_empty())
    }
}

/// The mounts through which files that count can be had, and the devices of these.
struct Mounts {
    /// None where that cannot be read.
    ids: Option<HashSet<u64>>,
    devices: HashSet<u64>,
}

impl Mounts {
    /// Those of a process, and ours: descriptors may come from outside.
    fn of(process: Option<PathBuf>, devices: &[u64]) -> Self {
        let ours = mountinfo::of(Path::new("/proc/self"));
        let its = process.map_or_else(|| Ok(Vec::new()), |process| mountinfo::of(&process));
        let known = ours.is_ok() && its.is_ok();
        let all = ours.into_iter().flatten().chain(its.into_iter().flatten());
        let count: Vec<_> = all
            .filter(|mount| devices.contains(&mount.device) || has_others(mount))
            .collect();
        Self {
            ids: known.then(|| count.iter().map(|mount| mount.id).collect()),
            devices: count
                .iter()
                .map(|mount| mount.device)
                .chain(devices.iter().copied())
                .collect(),
        }
    }

    fn hold(&self, id: u64) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&id))
    }
}

/// Whether its files may say another device than the mount does.
fn has_others(mount: &Mount) -> bool {
    ["btrfs", "overlay"].contains(&mount.kind.as_str())
}

/// Whether a thread waits in one of these calls (proc_pid_syscall(5), proc_pid_wchan(5)).
fn waits_with_files(task: &Path) -> bool {
    let Ok(text) = fs::read_to_string(task.join("syscall")) else {
        let place = fs::read_to_string(task.join("wchan")).unwrap_or_default();
        return WAIT_THERE.iter().any(|part| place.contains(part));
    };
    let number = text.split_ascii_whitespace().next();
    number.is_some_and(|number| WITH_FILES.iter().any(|call| number.parse() == Ok(*call)))
}

/// Whether a thread is dead, and only waited for (proc_pid_stat(5)).
fn has_ended(task: &Path) -> bool {
    match fs::read_to_string(task.join("stat")) {
        Ok(text) => {
            let state = text
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_ascii_whitespace().next());
            state.is_some_and(|state| ["Z", "X"].contains(&state))
        }
        Err(error) => is_gone(&error),
    }
}

/// What the kernel says of what has ended, or was closed.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// What is known of a descriptor: nothing, once it is closed.
fn information(task: &Path, number: &OsStr) -> io::Result<String> {
    match fs::read_to_string(task.join("fdinfo").join(number)) {
        Err(error) if is_gone(&error) => Ok(String::new()),
        text => text,
    }
}

/// Whether descriptors are on their way through a socket (`scm_fds`, since Linux 5.10).
fn passes_files(information: &str) -> bool {
    field(information, "scm_fds:").is_some_and(|count| count != 0)
}

fn field(information: &str, name: &str) -> Option<u64> {
    information
        .lines()
        .find_map(|line| line.strip_prefix(name))?
        .trim()
        .parse()
        .ok()
}

/// One line of proc_pid_maps(5).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping<'a> {
    pub(super) range: &'a str,
    device: u64,
    pub(super) inode: u64,
    bytes: u64,
    pub(super) name: &'a str,
}

impl<'a> Mapping<'a> {
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let range = fields.next()?;
        let (start, end) = range.split_once('-')?;
        let (major, minor) = fields.nth(2)?.split_once(':')?;
        let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
        let number = |text| u32::from_str_radix(text, 16).ok();
        Some(Self {
            range,
            device: rustix::fs::makedev(number(major)?, number(minor)?),
            inode: fields.next()?.parse().ok()?,
            bytes: hexadecimal(end)?.checked_sub(hexadecimal(start)?)?,
            name: fields.next()?.trim_start(),
        })
    }
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
        let before = unlinked(&me, &[device], &[], &[]);
        fs::remove_file(&path).unwrap();
        let now = unlinked(&me, &[device], &[], &[]);
        assert!(now.bytes >= before.bytes + (3 << 20), "{before:?} {now:?}");
        assert!(now.files > before.files);
        assert!(now.complete, "{now:?}");
    }

    #[test]
    fn a_mapping_is_read_with_whatever_name() {
        let line = "7f00-9f00 rw-s 00001000 103:0a 4711                      /w/x y (deleted)";
        let expected = Mapping {
            range: "7f00-9f00",
            device: rustix::fs::makedev(0x103, 0xa),
            inode: 4711,
            bytes: 0x2000,
            name: "/w/x y (deleted)",
        };
        assert_eq!(Mapping::read(line), Some(expected));
        assert_eq!(Mapping::read("7f00-9f00 rw-p 00000000 00:00 0"), None);
    }
}
