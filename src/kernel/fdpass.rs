//! Messages with descriptors over Unix sockets: four bytes of length, then that many bytes.
//!
//! Descriptors travel with the first byte of the length (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// More than any message of ours: arguments and environment are bounded at 1.5 MiB.
const MAX_MESSAGE: usize = 16 << 20;
/// More than any message of ours passes.
const MAX_FDS: usize = 16;

/// Sends one message and descriptors. Blocks until the other side has room.
pub(crate) fn send(socket: &UnixStream, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let length = u32::try_from(message.len())
        .map_err(|_| io::ErrorKind::InvalidInput)?
        .to_le_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (first, rest) = length.split_at(1);
    rustix::io::retry_on_intr(|| sendmsg(socket, &[IoSlice::new(first)], &mut ancillary, SendFlags::NOSIGNAL))?;
    let mut socket = socket;
    socket.write_all(rest)?;
    socket.write_all(message)
}

/// Receives one message; `None` when the other side has closed. Descriptors are close-on-exec.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut length = [0; 4];
    let mut fds = Vec::new();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let (first, rest) = length.split_at_mut(1);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(
            socket,
            &mut [IoSliceMut::new(first)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut socket = socket;
    socket.read_exact(rest)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    socket.read_exact(&mut message)?;
    Ok(Some((message, fds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let big = vec![7; 300_000];
        let sender = std::thread::spawn(move || send(&a, &big, &[writer.as_fd()]));
        let (message, mut fds) = receive(&b).unwrap().unwrap();
        sender.join().unwrap().unwrap();
        assert_eq!(message, vec![7; 300_000]);
        std::fs::File::from(fds.pop().unwrap()).write_all(b"x").unwrap();
        let mut text = [0];
        reader.read_exact(&mut text).unwrap();
        assert!(receive(&b).unwrap().is_none());
    }
}
