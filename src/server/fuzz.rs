//! What must hold for every state that a client brings back, and for calls in any order.

#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a target tells"
)]
mod calls;

pub use calls::calls;

use super::user::Seal;
use crate::policy::Caller;

/// The caller, tool, question and digest of the state that is ours.
const OURS: (Caller, &str, &str, &str) = (
    Caller::Local { uid: 1 },
    "terminal_run",
    "0123456789abcdef",
    "fedcba9876543210",
);

/// A state opens only if each of its bytes is as we wrote it, for its caller and tool. Where the input begins with `=`, ours is
/// changed: pairs of a place and the bits that are turned there; what comes after a NUL is put behind. Any other input is the state itself.
pub fn sealed(bytes: &[u8]) {
    let Some(seal) = Seal::of_process() else { return };
    let (caller, tool, question, action) = OURS;
    let ours = seal.seal(&caller, tool, question, action);
    let brought = match bytes {
        [b'=', changes @ ..] => changed(&ours, changes),
        bytes => bytes.to_vec(),
    };
    let Ok(brought) = String::from_utf8(brought) else {
        return;
    };
    let opened = seal.open(&caller, tool, &brought);
    assert_eq!(opened.is_some(), brought == ours, "{brought}");
    assert!(opened.is_none_or(|found| found == (question, action)));
    for (caller, tool) in [(Caller::Local { uid: 2 }, tool), (caller, "terminal_open")] {
        assert_eq!(seal.open(&caller, tool, &brought), None, "{brought}");
    }
}

fn changed(ours: &str, changes: &[u8]) -> Vec<u8> {
    let mut bytes = ours.as_bytes().to_vec();
    let mut parts = changes.splitn(2, |byte| *byte == 0);
    for pair in parts.next().unwrap_or_default().chunks_exact(2) {
        if let [place, byte] = pair
            && let Some(at) = bytes.get_mut(usize::from(place - 1))
        {
            *at ^= *byte;
        }
    }
    bytes.extend(parts.next().unwrap_or_default());
    bytes
}
