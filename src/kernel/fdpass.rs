//! Messages with descriptors over Unix sockets: four bytes of length, then that many bytes.
//!
//! Descriptors travel with the first byte of the length (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
    let length = length_of(message)?;
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

/// One message without descriptors, as it stands on the wire.
pub(crate) fn frame(message: &[u8]) -> io::Result<Vec<u8>> {
    Ok([&length_of(message)?, message].concat())
}

fn length_of(message: &[u8]) -> io::Result<[u8; 4]> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(length.to_le_bytes())
}

/// Receives one message; `None` when the other side has closed. Descriptors are close-on-exec.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let Some((first, fds)) = first_byte(socket)? else {
        return Ok(None);
    };
    let mut socket = socket;
    let mut rest = [0; 3];
    socket.read_exact(&mut rest)?;
    let mut message = room([first, rest[0], rest[1], rest[2]])?;
    socket.read_exact(&mut message)?;
    Ok(Some((message, fds)))
}

/// The same without blocking a thread.
pub(crate) async fn receive_later(
    socket: &mut tokio::net::unix::OwnedReadHalf,
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    use tokio::io::AsyncReadExt as _;
    let stream: &tokio::net::UnixStream = (*socket).as_ref();
    let first = stream.async_io(tokio::io::Interest::READABLE, || first_byte(stream));
    let Some((first, fds)) = first.await? else {
        return Ok(None);
    };
    let mut rest = [0; 3];
    socket.read_exact(&mut rest).await?;
    let mut message = room([first, rest[0], rest[1], rest[2]])?;
    socket.read_exact(&mut message).await?;
    Ok(Some((message, fds)))
}

/// The first byte of a length, and the descriptors that travel with it.
fn first_byte(socket: &impl AsFd) -> io::Result<Option<(u8, Vec<OwnedFd>)>> {
    let mut first = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let mut into = [IoSliceMut::new(&mut first)];
        recvmsg(socket, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok((received.bytes > 0).then_some((first[0], fds)))
}

/// Room for a message of this length, which is bounded.
fn room(length: [u8; 4]) -> io::Result<Vec<u8>> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(vec![0; length])
}

#[cfg(test)]
mod tests {
    use super::*;

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
