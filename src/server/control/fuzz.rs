//! What must hold for every byte of the control socket, from either end.

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::to_value;
use tokio::runtime::{Builder, Runtime};

use super::{Hello, REQUEST, RESPONSE, Request, Response, receive, send};

/// Messages end, whatever they claim, and take no memory for more than is allowed; one that is understood says the same
/// when it is sent again.
pub fn control(bytes: &[u8]) {
    static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());
    let Some(runtime) = &*RUNTIME else { return };
    runtime.block_on(async {
        all::<Hello>(bytes, REQUEST).await;
        all::<Request>(bytes, REQUEST).await;
        all::<Response>(bytes, RESPONSE).await;
    });
}

async fn all<T: Serialize + DeserializeOwned>(bytes: &[u8], most: usize) {
    let mut rest = bytes;
    loop {
        let before = rest.len();
        let Ok(Some(message)) = receive::<T>(&mut rest, most).await else {
            return;
        };
        let read = before - rest.len();
        assert!((4..=4 + most).contains(&read), "a message of {read} bytes");
        let mut written = Vec::new();
        // Spaces are left out, but numbers may take more room: what is longer than allowed is not sent.
        if send(&mut written, &message, most).await.is_err() {
            continue;
        }
        let again = receive::<T>(&mut written.as_slice(), most).await;
        let Ok(Some(again)) = again else {
            panic!("what was sent is not understood: {written:?}");
        };
        assert_eq!(to_value(&message).ok(), to_value(&again).ok());
    }
}
