//! Memory that processes share and no named file stands behind (MAP_SHARED | MAP_ANONYMOUS), seen from outside through `/proc`.
//!
//! It stays when its pages are mapped no more (MADV_DONTNEED, or all but one unmapped), and then no process shows it. How much it is
//! the kernel tells root alone. For others there is what the machine has of such memory: while a process shares some, what the machine
//! gained counts.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use rustix::process::Pid;

use super::unlinked::{Mapping, is_gone};

/// What the machine gained of it since some time.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    /// The least that there was since.
    least: u64,
}

/// What processes have.
enum Held {
    /// So many bytes, exactly.
    Bytes(u64),
    /// Some, and how much cannot be said.
    Unknown,
}

impl SharedMemory {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self { least: of_machine() }
    }

    /// What `pids` share beyond the `shown` bytes that they have mapped, if it may be more than `room`: only then is it worth a look.
    ///
    /// `closed` are processes of ours into which nobody may be able to look.
    pub(crate) fn hidden(&mut self, pids: &[Pid], closed: &[Pid], shown: u64, room: u64) -> u64 {
        let now = of_machine();
        self.least = self.least.min(now);
        let gained = (now - self.least).saturating_sub(shown);
        if gained <= room {
            return 0;
        }
        match held(pids, closed) {
            Held::Bytes(bytes) => bytes.saturating_sub(shown),
            Held::Unknown => gained,
        }
    }
}

/// What the machine has of it, also in swap, where it is told apart from nothing else (sysinfo(2)).
fn of_machine() -> u64 {
    let info = rustix::system::sysinfo();
    let swapped = info.totalswap.saturating_sub(info.freeswap);
    (info.sharedram + swapped) * u64::from(info.mem_unit)
}

fn held(pids: &[Pid], closed: &[Pid]) -> Held {
    let mut bytes = HashMap::new();
    for pid in pids {
        match look(*pid, &mut bytes) {
            Ok(()) => {}
            Err(_) if closed.contains(pid) => {}
            Err(_) => return Held::Unknown,
        }
    }
    Held::Bytes(bytes.values().sum())
}

/// Adds what one process shares, by inode. Fails where it cannot be said.
fn look(pid: Pid, bytes: &mut HashMap<u64, u64>) -> io::Result<()> {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let tasks = match fs::read_dir(process.join("task")) {
        Err(error) if is_gone(&error) => return Ok(()),
        tasks => tasks?,
    };
    for task in tasks {
        // A thread that has ended shows no memory; the others all show the same.
        let text = match fs::read(task?.path().join("maps")) {
            Err(error) if is_gone(&error) => continue,
            text => text?,
        };
        let text = String::from_utf8_lossy(&text);
        let shared = text.lines().filter_map(Mapping::read).filter(is_shared);
        for mapping in shared {
            match fs::metadata(process.join("map_files").join(mapping.range)) {
                Err(error) if is_gone(&error) => {} // unmapped meanwhile
                file => {
                    bytes.insert(mapping.inode, file?.blocks() * 512);
                }
            }
        }
        if !text.is_empty() {
            break;
        }
    }
    Ok(())
}

/// What the kernel calls it, and what a process may call it (PR_SET_VMA_ANON_NAME).
fn is_shared(mapping: &Mapping<'_>) -> bool {
    mapping.name == "/dev/zero (deleted)" || mapping.name.starts_with("[anon_shmem:")
}
