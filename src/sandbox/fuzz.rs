//! What must hold for every byte between server, zygote, launcher and pid 1.

use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_slice, to_value, to_vec};

use super::spec::{Base, Task, Word};
use super::tend::Report;
use super::zygote::Ask;
use crate::kernel::fdpass;

/// Frames end, whatever they claim; a message that is understood says the same when it is written again.
pub fn frames(bytes: &[u8]) {
    let Ok((ours, theirs)) = UnixStream::pair() else { return };
    // More would wait for room in the socket, with nobody there to read.
    let Some(Ok(())) = bytes
        .get(..bytes.len().min(65_536))
        .map(|bytes| (&theirs).write_all(bytes))
    else {
        return;
    };
    theirs.shutdown(Shutdown::Write).ok(); // the other end is ours too
    while let Ok(Some((message, fds))) = fdpass::receive(&ours) {
        assert!(fds.is_empty());
        understood::<Base>(&message);
        understood::<Task>(&message);
        understood::<Word>(&message);
        understood::<Ask>(&message);
        understood::<Report>(&message);
    }
}

fn understood<T: Serialize + DeserializeOwned>(message: &[u8]) {
    let Ok(value) = from_slice::<T>(message) else { return };
    let Ok(written) = to_vec(&value) else {
        panic!("what was read cannot be written");
    };
    let (first, second) = (
        to_value(value).ok(),
        from_slice::<T>(&written).map(|v| to_value(v).ok()),
    );
    assert_eq!(Some(first), second.ok(), "{}", String::from_utf8_lossy(&written));
    assert!(from_slice::<Value>(&written).is_ok());
}
