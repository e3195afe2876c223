//! Frames put together from pieces of real ones: what is accepted is understood, that is, it is written
//! again as a frame that reads the same. `PROPTEST_CASES` asks for more of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use protocol::{ClientMsg, Encoding, PROTOCOL_VERSION, ServerMsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Every golden frame, in JSON.
static FRAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = format!("tests/golden/v{PROTOCOL_VERSION}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_json = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "json");
    let mut files: Vec<_> = files.filter(is_json).collect();
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
});

/// The head of one frame and the tail of another, with some bytes changed.
fn spliced() -> impl Strategy<Value = Vec<u8>> {
    let frame = || any::<Index>().prop_map(|index| index.get(&FRAMES).clone());
    let damage = vec((any::<Index>(), any::<u8>()), 0..3);
    (
        frame(),
        frame(),
        any::<Index>(),
        any::<Index>(),
        any::<bool>(),
        damage,
    )
        .prop_map(|(head, tail, cut, from, whole, damage)| {
            let mut bytes = head.clone();
            if !whole {
                bytes.truncate(cut.index(head.len() + 1));
                bytes.extend(&tail[from.index(tail.len())..]);
            }
            for (index, byte) in damage {
                let index = index.index(bytes.len().max(1));
                if let Some(place) = bytes.get_mut(index) {
                    *place = byte;
                }
            }
            bytes
        })
}

fn is_understood<T: Serialize + DeserializeOwned + PartialEq>(
    encoding: Encoding,
    bytes: &[u8],
) -> bool {
    let Ok(message) = encoding.decode::<T>(bytes) else {
        return true;
    };
    let again = encoding.encode(&message).unwrap();
    encoding
        .decode::<T>(&again)
        .is_ok_and(|read| read == message)
}

proptest! {
    #[test]
    fn what_is_accepted_is_understood(bytes in spliced()) {
        for encoding in Encoding::ALL {
            prop_assert!(is_understood::<ClientMsg>(encoding, &bytes));
            prop_assert!(is_understood::<ServerMsg>(encoding, &bytes));
        }
    }
}
