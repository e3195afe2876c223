//! The protocol's two encodings: what is read is written so that it reads the same.

use std::fmt::Debug;

use protocol::{ClientMsg, Encoding, ServerMsg};

pub(crate) fn run(bytes: &[u8]) {
    for encoding in Encoding::ALL {
        read::<ClientMsg>(encoding, bytes);
        read::<ServerMsg>(encoding, bytes);
    }
}

fn read<T>(encoding: Encoding, bytes: &[u8])
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
{
    if let Ok(message) = encoding.decode::<T>(bytes) {
        let written = encoding.encode(&message).unwrap();
        let again: T = encoding.decode(&written).unwrap();
        // JSON writes a float that it cannot hold as a text.
        let settled = encoding.encode(&again).unwrap();
        assert_eq!(encoding.decode::<T>(&settled).unwrap(), again);
        assert_eq!(settled, written, "{message:?}");
    }
}
