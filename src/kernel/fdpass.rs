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
    let frame = frame(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = rustix::io::retry_on_intr(|| {
        let all = [IoSlice::new(&frame)];
        sendmsg(socket, &all, &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    let mut socket = socket;
    socket.write_all(frame.get(sent..).unwrap_or_default())
}

/// Whether the other side went away without having read all that was sent (unix(7)).
pub(crate) fn never_read(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// One message without descriptors, as it stands on the wire.
pub(crate) fn frame(message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok([&length.to_le_bytes(), message].concat())
}

/// Receives one message; `None` when the other side has closed. Descriptors are close-on-exec.
pub(crate) fn receive(socket: &UnixStream) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut length = [0; 4];
    let (read, fds) = first_bytes(socket, &mut length)?;
    if read == 0 {
        return Ok(None);
    }
    let mut socket = socket;
    socket.read_exact(length.get_mut(read..).unwrap_or_default())?;
    let mut message = room(length)?;
    socket.read_exact(&mut message)?;
    Ok(Some((message, fds)))
}

/// The same without blocking a thread.
pub(crate) async fn receive_later(
    socket: &mut tokio::net::unix::OwnedReadHalf,
) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    use tokio::io::AsyncReadExt as _;
    let stream: &tokio::net::UnixStream = (*socket).as_ref();
    let mut length = [0; 4];
    let first = stream.async_io(tokio::io::Interest::READABLE, || first_bytes(stream, &mut length));
    let (read, fds) = first.await?;
    if read == 0 {
        return Ok(None);
    }
    socket.read_exact(length.get_mut(read..).unwrap_or_default()).await?;
    let mut message = room(length)?;
    socket.read_exact(&mut message).await?;
    Ok(Some((message, fds)))
}

/// As much of a length as there is, and the descriptors that travel with its first byte.
fn first_bytes(socket: &impl AsFd, length: &mut [u8; 4]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let mut into = [IoSliceMut::new(length)];
        recvmsg(socket, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok((received.bytes, fds))
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
