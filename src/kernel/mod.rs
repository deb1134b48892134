//! System calls, and what this machine offers. The only home of `unsafe`.
//!
//! Everything here returns the kernel's error and knows nothing of profiles or steps: the caller adds which step of a
//! launch failed. Only `own_file`, which is for all layers, names the file too.

#![expect(
    unsafe_code,
    reason = "this folder is where it lives; every block says why and why it is sound"
)]

pub(crate) mod cgroup;
pub(crate) mod fdpass;
pub(crate) mod fds;
pub(crate) mod identity;
pub(crate) mod mountinfo;
pub(crate) mod mounts;
pub(crate) mod network;
pub mod own_file;
pub mod probe;
pub(crate) mod process;
pub(crate) mod proctree;
#[cfg(test)]
pub(crate) mod scratch;
mod shared_memory;
pub(crate) mod tty;
pub(crate) mod unlinked;
