//! What the numbers of a profile may be, and why.

use std::time::Duration;

use crate::model::{ByteCount, Span};

/// A shell and its programs do not start below; no machine that this runs on has more than the upper bound.
pub(crate) const MEMORY: (ByteCount, ByteCount) = (mib(16), tib(1));
/// A shell and one program; the kernel's default `pid_max` of a process namespace.
pub(crate) const PROCESSES: (u64, u64) = (2, 32_768);
/// The loader and a shell need about ten; the kernel's default `fs.nr_open`.
pub(crate) const OPEN_FILES: (u64, u64) = (16, 1_048_576);
/// One block; the largest file that a disk of today is worth risking for.
pub(crate) const FILE_SIZE: (ByteCount, ByteCount) = (ByteCount::new(4096), tib(1));
/// Here-documents and sockets of shells; a quarter of the largest memory.
pub(crate) const PRIVATE_FILES: (ByteCount, ByteCount) = (mib(1), ByteCount::new(256 << 30));
/// No growth at all; more than a walk can supervise in time.
pub(crate) const WORKSPACE_GROWTH: (ByteCount, ByteCount) = (ByteCount::new(0), tib(16));
/// No growth at all; what a walk can count in some seconds.
pub(crate) const WORKSPACE_FILES: (u64, u64) = (0, 10_000_000);
/// An error message; nobody reads more.
pub(crate) const OUTPUT: (ByteCount, ByteCount) = (ByteCount::new(4096), ByteCount::new(64 << 30));
/// Shorter than starting a program; longer than a server lives between updates of its kernel.
pub(crate) const TIME: (Span, Span) = (
    Span::new(Duration::from_secs(1)),
    Span::new(Duration::from_secs(30 * 24 * 3600)),
);

/// `/dev/shm`, `/dev` and what else is a file system in memory.
pub(crate) const OTHER_FILES: ByteCount = mib(64);
/// Each path rule is a mount and a Landlock rule, made at every launch.
pub(crate) const MAX_PATHS: usize = 1024;
/// Variables and changed system calls: more is no profile but a mistake.
pub(crate) const MAX_ENTRIES: usize = 1024;
/// A name in a message or a menu.
pub(crate) const MAX_NAME: usize = 64;
/// A line on a screen, twice.
pub(crate) const MAX_LINE: usize = 300;
/// `extends` within `extends`: more cannot be followed by reading.
pub(crate) const MAX_DEPTH: usize = 8;
/// Files in the operator's directory.
pub(crate) const MAX_FILES: usize = 256;

const fn mib(count: u64) -> ByteCount {
    ByteCount::new(count << 20)
}

const fn tib(count: u64) -> ByteCount {
    ByteCount::new(count << 40)
}
